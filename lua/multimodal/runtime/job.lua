--- A job: a thread with a parent, children, an ending and things it owns.
--- In: functions. Out: jobs that are waited for and cancelled; `on_error` for bugs that nobody waits for.
--- Not here: gathering of many jobs (gather.lua), groups (group.lua), how threads are run (the driver).
local compat = require("multimodal.compat")
local driver = require("multimodal.runtime.driver")
local Error = require("multimodal.error")

local M = {}

--- @class multimodal.Job
--- @field status "running"|"done"|"failed"|"cancelled"
--- @field parent multimodal.Job?
--- @field ended boolean?        nothing of it or its children runs any more
--- @field cancelled multimodal.Error?  why, from the moment of the cancel
--- @field err any               why it failed
--- @field bug any               what was raised that is no multimodal error, a string with the job's traceback
--- @field traceback string?
local Job = { __name = "multimodal.job" }
Job.__index = Job

--- Replaceable: what is told of a bug, or of a raised failure, that nobody waits for.
M.hooks = {
  on_error = function(err)
    io.stderr:write("multimodal: in a job: ", tostring(err), "\n")
  end,
}

local alive = 0

--- Tables that most jobs never need are made when they do.
local NONE = {}
local weak = { __mode = "k" }

--- Jobs that have not ended.
function M.alive()
  return alive
end

--- @return boolean
function M.is(value)
  return getmetatable(value) == Job
end

--- The job that runs, in whichever coroutine of it.
--- @return multimodal.Job?
function M.running()
  local token = driver.current().current
  return token and token.job
end

--- Tell the hook, and survive it.
function M.report(err, job)
  local ok, broken = pcall(M.hooks.on_error, err, job)
  if not ok then io.stderr:write("multimodal: on_error failed: ", tostring(broken), "\nabout: ", tostring(err), "\n") end
end

local function block_outside(host, waiters, ready, deadline)
  local marker = {}
  waiters[marker] = true
  local ok, result = pcall(host.wait, host, ready, deadline, true)
  waiters[marker] = nil
  if not ok then error(result, 0) end
  return result
end

--- Wait until `ready()`, in a job or elsewhere. Whoever makes it ready wakes the tokens in `waiters`.
--- @param waiters table        set of tokens
--- @param ready fun(): any
--- @param deadline number?
--- @return boolean ready       false: the deadline passed first
function M.block(waiters, ready, deadline)
  local host = driver.current()
  host:must_wait(true)
  while not ready() do
    local token = host:running()
    if not token then return block_outside(host, waiters, ready, deadline) end
    waiters[token] = true
    local woken = host:suspend(token, deadline)
    waiters[token] = nil
    if not woken and deadline and host.now() >= deadline then return ready() and true or false end
  end
  return true
end

--- Wait like M.block for jobs that the caller began. In a job they are its children; outside they have no parent, so
--- they are cancelled here when the wait raises.
--- @param begun table   jobs, as values
function M.block_for(begun, waiters, ready, deadline)
  if M.running() then return M.block(waiters, ready, deadline) end
  local ok, result = pcall(M.block, waiters, ready, deadline)
  if ok then return result end
  for _, one in pairs(begun) do one:cancel("the wait for it failed") end
  error(result, 0)
end

--- Whether anybody is blocked on the set. A waiter that was cancelled stays in it, but asks no more.
function M.is_awaited(waiters)
  for token in pairs(waiters) do
    if not token.cancelled then return true end
  end
  return false
end

--- Wake every token of a set that M.block filled.
function M.wake_all(waiters)
  local host = driver.current()
  for token in pairs(waiters) do host:wake(token) end
end

local function keys(set)
  local list = {}
  for key in pairs(set) do list[#list + 1] = key end
  return list
end

local function add_owned(job, closable)
  job.owned = job.owned or setmetatable({}, weak)
  job.owned[closable] = true
end

local function close_quietly(job, closable)
  local ok, err = pcall(closable.close, closable)
  if not ok then M.report(err, job) end
end

--- Let the running job close `closable` when it ends or is cancelled. It is held weakly; a job that returns it hands it
--- to whoever waits. Outside a job nothing happens.
--- @generic T
--- @param closable T    has close(), idempotent
--- @return T
function M.own(closable)
  local job = M.running()
  if job then add_owned(job, closable) end
  return closable
end

--- Close what the job owns but for what it returns, which its parent gets.
local function close_owned(job, results)
  local owned = job.owned
  if not owned then return end
  for i = 1, results and results.n or 0 do
    local value = results[i]
    if value ~= nil and owned[value] then
      owned[value] = nil
      if job.parent then add_owned(job.parent, value) end
    end
  end
  for _, closable in ipairs(keys(owned)) do close_quietly(job, closable) end
end

--- Raised and returned failures are one: `nil, err` of whatever kind, and raised multimodal errors. The rest are bugs.
local function judge(job, ok, err, traceback)
  if ok then
    local results = job.results
    if results[1] == nil and results[2] ~= nil then job.err = results[2] end
    return
  end
  if Error.is(err) then
    if err ~= job.cancelled then job.err, job.raised = err, true end
  else
    job.traceback = traceback
    job.bug = type(err) == "string" and err .. "\n" .. traceback or err
  end
end

local function result_status(job)
  if job.bug ~= nil then return "failed" end
  if job.cancelled then return "cancelled" end
  return job.err ~= nil and "failed" or "done"
end

--- Let `watcher:job_ended(job, tag)` be called at the job's end; it returns whether it asked for the outcome.
function Job:watch(watcher, tag)
  self.watchers = self.watchers or {}
  self.watchers[#self.watchers + 1] = { watcher = watcher, tag = tag }
end

local function tell_watchers(job)
  local asked = M.is_awaited(job.waiters)
  if job.watchers then
    for _, entry in ipairs(job.watchers) do
      if entry.watcher:job_ended(job, entry.tag) then asked = true end
    end
  end
  if next(job.waiters) ~= nil then M.wake_all(job.waiters) end
  job.watchers, job.waiters = nil, NONE
  return asked
end

--- A child's raised failure is its parent's to ask about while it lives.
local function report_unasked(job)
  if job.bug ~= nil then return M.report(job.bug, job) end
  if not job.raised or job.cancelled or job.err.kind == "cancelled" then return end
  if job.parent and not job.parent.ended then
    local unasked = job.parent.unasked or {}
    job.parent.unasked = unasked
    unasked[#unasked + 1] = job
  else
    M.report(job.err, job)
  end
end

local function report_children(unasked)
  for _, child in ipairs(unasked) do
    if not child.asked then M.report(child.err, child) end
  end
end

local settle_children

local function finish(job)
  job.ended, job.token = true, nil
  job.status = result_status(job)
  alive = alive - 1
  if not tell_watchers(job) then report_unasked(job) end
  if job.unasked then report_children(job.unasked) end
  local parent = job.parent
  job.parent = nil
  if parent then
    parent.children[job] = nil
    settle_children(parent)
  end
end

--- A job whose function has ended ends with its last child.
function settle_children(job)
  if job.settled and not job.ended and next(job.children or NONE) == nil then finish(job) end
end

local function cancel_children(job, reason)
  for _, child in ipairs(keys(job.children or NONE)) do child:cancel(reason) end
end

local function settle(token, ok, ...)
  local job = token.job
  if ok then job.results = compat.pack(...) end
  local err, traceback = ...
  judge(job, ok, err, traceback)
  close_owned(job, not job.cancelled and job.results or nil)
  if job.err ~= nil or job.bug ~= nil or job.cancelled then cancel_children(job, "the parent job ended") end
  job.settled = true
  settle_children(job)
end

--- Begin a job. It runs in a later turn.
--- @param parent multimodal.Job?
--- @param fn function
--- @return multimodal.Job
function M.new(parent, fn, ...)
  -- With room for what it gets in time: a table that grows would cost more.
  local job = setmetatable({
    status = "running", parent = parent, waiters = {}, token = nil, owned = nil, results = nil, settled = nil, ended = nil,
  }, Job)
  job.token = driver.current():spawn(fn, settle, ...)
  job.token.job = job
  alive = alive + 1
  if parent then
    parent.children = parent.children or {}
    parent.children[job] = true
    if parent.cancelled or parent.ended then job:cancel("the parent job ended") end
  end
  return job
end

--- Cancel: what it waits for is closed at once, its children are cancelled, and the call it waits in raises the
--- cancelled error, as does every later wait in it.
--- @param reason? string|multimodal.Error
--- @return boolean cancelled   false when it had ended or was cancelled before
function Job:cancel(reason)
  if self.ended or self.cancelled then return false end
  local err = reason
  if not Error.is(reason) then err = Error.new({ kind = "cancelled", message = reason or "the job was cancelled" }) end
  self.cancelled, self.status = err, "cancelled"
  local host, token = driver.current(), self.token
  token.cancelled = err
  if token == host.current then host.attention = true end
  if token.exchange then close_quietly(self, token.exchange) end
  close_owned(self)
  cancel_children(self, reason)
  if host:drop(token) then
    self.settled = true
    settle_children(self)
  else
    host:wake(token)
  end
  return true
end

--- What a job that has ended gives to whoever waits: its results, or nil, err; raises its bug.
function M.outcome(job)
  job.asked = true
  if job.bug ~= nil then error(job.bug, 0) end
  if job.cancelled then return nil, job.cancelled end
  if job.raised then return nil, job.err end
  return compat.unpack(job.results, 1, job.results.n)
end

--- A job that waits for itself, or for one that waits for it to end, would never go on.
local function refuse_ancestor(self)
  local job = M.running()
  while job do
    if job == self then
      error((Error.caller() or "multimodal") .. ": would deadlock: a job cannot wait for itself or its parents", 0)
    end
    job = job.parent
  end
end

--- Wait for the end of the job and its children.
--- @async
--- @param seconds? number   give up then: nil, err (timeout); the job goes on
--- @return ... any          fn's results, or nil, err
function Job:wait(seconds)
  local host = driver.current()
  if not self.ended then
    refuse_ancestor(self)
    local deadline = seconds and host.now() + seconds
    if not M.block(self.waiters, function() return self.ended end, deadline) then
      return nil, Error.new({ kind = "timeout", code = "total", message = ("the job runs on after %g s"):format(seconds) })
    end
  elseif host.attention then
    host:checkpoint()
  end
  return M.outcome(self)
end

function Job:__tostring()
  return "job: " .. self.status
end

return M
