--- A group: jobs that live as long as something of the program does - a scene, a window, a request.
local driver = require("multimodal.runtime.driver")
local Error = require("multimodal.error")
local job = require("multimodal.runtime.job")

local M = {}

--- @class multimodal.Group
--- @field cancelled boolean?   nothing runs in it any more
local Group = { __name = "multimodal.group" }
Group.__index = Group

--- A group made in a job ends with that job; one made elsewhere is nobody's.
--- @return multimodal.Group
function M.new()
  return setmetatable({ owner = job.running(), members = {}, waiters = {} }, Group)
end

--- Begin a job of the group. In a cancelled group it is cancelled before it runs.
--- @param fn function
--- @return multimodal.Job
function Group:spawn(fn, ...)
  if type(fn) ~= "function" then error("group:spawn: expected a function, got " .. type(fn), 2) end
  local one = job.new(self.owner, fn, ...)
  if one.ended then return one end
  self.members[one] = true
  one:watch(self)
  if self.cancelled then one:cancel(self.reason) end
  return one
end

--- Called by the jobs. The first failure is kept for `wait`.
function Group:job_ended(one)
  self.members[one] = nil
  if one.bug ~= nil and self.bug == nil then
    self.bug = one.bug
  elseif one.err ~= nil and not one.cancelled and self.err == nil then
    self.err = one.err
  end
  job.wake_all(self.waiters)
  return job.is_awaited(self.waiters)
end

--- Cancel every job of the group, and those that are spawned in it later.
--- @param reason? string
function Group:cancel(reason)
  if self.cancelled then return end
  self.cancelled, self.reason = true, reason or "the group was cancelled"
  local list = {}
  for one in pairs(self.members) do list[#list + 1] = one end
  for _, one in ipairs(list) do one:cancel(self.reason) end
end

local function refuse_member(self)
  local one = job.running()
  while one do
    if self.members[one] then
      error((Error.caller() or "multimodal") .. ": would deadlock: a job cannot wait for its own group", 0)
    end
    one = one.parent
  end
end

--- Wait until no job of the group runs. A failure cancels nothing.
--- @async
--- @param seconds? number
--- @return true?
--- @return any err     the first failure since the last wait, cancelled, or timeout; raises a bug as soon as there is one
function Group:wait(seconds)
  refuse_member(self)
  local deadline = seconds and driver.current().now() + seconds
  local ready = job.block(self.waiters, function() return self.bug ~= nil or next(self.members) == nil end, deadline)
  local bug, err = self.bug, self.err
  self.bug = nil
  if bug ~= nil then error(bug, 0) end
  if not ready then
    return nil, Error.new({ kind = "timeout", code = "total", message = ("the group runs on after %g s"):format(seconds) })
  end
  self.err = nil
  if err ~= nil then return nil, err end
  if self.cancelled then return nil, Error.new({ kind = "cancelled", message = self.reason }) end
  return true
end

return M
