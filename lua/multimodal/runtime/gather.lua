--- Many jobs, one wait: all, map, each and race.
--- In: functions, jobs, lists. Out: results in order, or as they come; the first failure where that ends the rest.
local compat = require("multimodal.compat")
local driver = require("multimodal.runtime.driver")
local Error = require("multimodal.error")
local job = require("multimodal.runtime.job")

local M = {}

--- How many jobs `map` and `each` run at once unless told.
local LIMIT = 8

-- Inbox: the endings of jobs, in order, by their tags.
local Inbox = {}
Inbox.__index = Inbox

--- @param begun? table    the jobs that were begun for it, as values
local function new_inbox(begun)
  local self = setmetatable({ first = 1, last = 0, waiters = {}, begun = begun or {} }, Inbox)
  self.filled = function() return self.first <= self.last end
  return self
end

local function put(self, tag)
  self.last = self.last + 1
  self[self.last] = tag
  job.wake_all(self.waiters)
end

function Inbox:watch(one, tag)
  if one.ended then put(self, tag) else one:watch(self, tag) end
end

--- A job's ending was asked for unless the outcome is settled already.
function Inbox:job_ended(_, tag)
  put(self, tag)
  return not self.settled
end

function Inbox:take()
  job.block_for(self.begun, self.waiters, self.filled)
  local tag = self[self.first]
  self[self.first] = nil
  self.first = self.first + 1
  return tag
end

--- Cancel the jobs of a table that have not ended, and wait for their ends. `chosen` decided; of the others a bug that
--- came too late to be raised is reported.
local function stop(jobs, inbox, chosen, reason)
  inbox.settled = true
  local list = {}
  for _, one in pairs(jobs) do list[#list + 1] = one end
  for _, one in ipairs(list) do
    if one.bug ~= nil and one ~= chosen then job.report(one.bug, one) end
    one:cancel(reason)
  end
  for _, one in ipairs(list) do
    while not one.ended do inbox:take() end
  end
end

--- nil, err of a job that failed, err.index set; raises its bug.
local function failure(one, index)
  local _, err = job.outcome(one)
  if Error.is(err) then err.index = index end
  return nil, err
end

--- Begin what is not a job yet. Checks all before it starts any.
local function start(name, inbox, ...)
  local jobs, n = { ... }, select("#", ...)
  for i = 1, n do
    if type(jobs[i]) ~= "function" and not job.is(jobs[i]) then
      error(("%s: argument %d: expected a function or a job, got %s"):format(name, i, type(jobs[i])), 3)
    end
  end
  driver.current():must_wait(true)
  local parent = job.running()
  for i = 1, n do
    if not job.is(jobs[i]) then
      jobs[i] = job.new(parent, jobs[i])
      inbox.begun[i] = jobs[i]
    end
    inbox:watch(jobs[i], i)
  end
  return jobs, n
end

--- Run functions at once, as jobs, beside jobs that run already.
--- @async
--- @param ... function|multimodal.Job
--- @return any ...    the first result of each; nil, err on the first failure, which cancels the rest: err.index says whose
function M.all(...)
  local inbox = new_inbox()
  local jobs, n = start("all", inbox, ...)
  for _ = 1, n do
    local index = inbox:take()
    if jobs[index].status ~= "done" then
      stop(jobs, inbox, jobs[index], "another one failed")
      return failure(jobs[index], index)
    end
  end
  local firsts = {}
  for i = 1, n do firsts[i] = (job.outcome(jobs[i])) end
  return compat.unpack(firsts, 1, n)
end

--- The first to end decides; the losers are cancelled.
--- @async
--- @param ... function|multimodal.Job
--- @return any result        its first result; nil, err when it failed, err.index says whose
--- @return integer index
function M.race(...)
  local inbox = new_inbox()
  local jobs, n = start("race", inbox, ...)
  if n == 0 then error("race: expected a function or a job, got nothing", 2) end
  local index = inbox:take()
  stop(jobs, inbox, jobs[index], "another one was first")
  if jobs[index].status ~= "done" then return failure(jobs[index], index) end
  return (job.outcome(jobs[index])), index
end

local function check_list(name, list, fn, options)
  if type(list) ~= "table" then error(name .. ": expected a list, got " .. type(list), 3) end
  if type(fn) ~= "function" then error(name .. ": expected a function, got " .. type(fn), 3) end
  local limit = options and options.limit or LIMIT
  if type(limit) ~= "number" or limit < 1 then error(name .. ": limit must be a number from 1", 3) end
  for key in pairs(options or {}) do
    if key ~= "limit" then error(("%s: unknown option %s, did you mean limit?"):format(name, tostring(key)), 3) end
  end
  driver.current():must_wait(true)
  return limit
end

--- The failure of one item of a map: a copy, for its `partial` is the list and its own partial stays in `cause`.
local function map_failure(one, index, results)
  local _, err = job.outcome(one)
  if not Error.is(err) then return nil, err end
  local copy = {}
  for name, value in pairs(err) do copy[name] = value end
  copy.index, copy.partial, copy.cause = index, results, err
  return nil, Error.new(copy)
end

--- Run `fn(item, index)` for each item, at most `limit` at once.
--- @async
--- @param list any[]
--- @param fn fun(item: any, index: integer): any
--- @param options? {limit: integer}   8
--- @return any[]? results             first results, in the order of the list
--- @return multimodal.Error? err      of the first failure, which cancels the rest; err.index, err.partial[i]
function M.map(list, fn, options)
  local limit = check_list("map", list, fn, options)
  local parent, live, results = job.running(), {}, {}
  local inbox = new_inbox(live)
  local n, started, ended = #list, 0, 0
  while ended < n do
    while started < n and started - ended < limit do
      started = started + 1
      live[started] = job.new(parent, fn, list[started], started)
      inbox:watch(live[started], started)
    end
    local index = inbox:take()
    local one = live[index]
    live[index], ended = nil, ended + 1
    if one.status ~= "done" then
      stop(live, inbox, one, "another one failed")
      return map_failure(one, index, results)
    end
    results[index] = (job.outcome(one))
  end
  return results
end

-- Each: what `for item, result, err in each(...)` runs on.
local Each = {}
Each.__index = Each

local function cancel_live(live)
  local list = {}
  for _, one in pairs(live) do list[#list + 1] = one end
  for _, one in ipairs(list) do one:cancel("the loop was left") end
end

--- Cancel what still runs.
function Each:close()
  self.next = #self.list + 1
  self.inbox.settled = true
  cancel_live(self.live)
end
Each.__close = Each.close

local function fill(self)
  while self.next <= #self.list and self.running < self.limit do
    local index = self.next
    self.next, self.running = index + 1, self.running + 1
    self.live[index] = job.new(self.parent, self.fn, self.list[index], index)
    self.inbox:watch(self.live[index], index)
  end
end

local function take(self)
  self.host:must_wait(true)
  fill(self)
  if self.running == 0 then return nil end
  local index = self.inbox:take()
  local one = self.live[index]
  self.live[index], self.running = nil, self.running - 1
  if one.bug ~= nil then self:close() end
  return self.list[index], job.outcome(one)
end

--- Iterate over the items as their jobs end, at most `limit` at once: `for item, result, err in each(list, fn) do`.
--- A failure stops nothing. Leaving the loop cancels the rest: at once on Lua 5.4; elsewhere when the job that loops
--- ends, or when the iterator is collected.
--- @async
--- @param list any[]             no nil in it
--- @param fn fun(item: any, index: integer): ...
--- @param options? {limit: integer}   8
--- @return fun(): any, ...       the item, then fn's results or nil, err
function M.each(list, fn, options)
  local limit = check_list("each", list, fn, options)
  local live, host = {}, driver.current()
  local self = setmetatable({
    list = list, fn = fn, limit = limit, live = live, inbox = new_inbox(live), parent = job.running(), next = 1, running = 0,
    host = host, guard = compat.finalizer(function() host:defer(function() cancel_live(live) end) end),
  }, Each)
  job.own(self)
  return function() return take(self) end, nil, nil, self
end

return M
