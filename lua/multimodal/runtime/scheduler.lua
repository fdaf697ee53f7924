--- Threads of ours: the run queue, tokens, wakes that are kept, and generators that let a suspension through.
--- In: functions to run, wakes. Out: turns, in which every thread that is ready runs once.
--- Not here: deadlines, the network and waiting outside threads (loop.lua), what a job is (job.lua).
---
--- A *token* stands for one thread. Its fields:
---   co          its coroutine, nil once it has ended
---   woken       a wake that was not seen yet
---   suspended   it is neither in the queue nor running
---   cancelled   the error that every suspension raises
---   exchange    what it waits for; closed by a cancel
local compat = require("multimodal.compat")
local Error = require("multimodal.error")

local M = {}

--- What a thread yields to us; whoever yields anything else only lets the others run.
local SUSPEND = setmetatable({}, { __name = "multimodal.suspend" })

--- @class multimodal.Scheduler
--- @field current table?       token of the thread that runs
--- @field attention boolean    the running thread must call checkpoint() before it takes what is ready
--- @field limit number?        when the budget of the step that runs is spent
--- @field host table?          of a host adapter: wake(), called when a thread becomes ready outside a turn
local Scheduler = {}
Scheduler.__index = Scheduler
M.Scheduler = Scheduler

--- Make a scheduler of a table that has `now`.
function M.init(self)
  self.queue, self.first, self.last = {}, 1, 0
  self.later, self.deferred = {}, {}
  self.forwards = setmetatable({}, { __mode = "k" })
  self.attention = false
  return self
end

local function push(self, token)
  self.last = self.last + 1
  self.queue[self.last] = token
  if self.host and not self.busy then self.host:wake() end
end

local function shift(self)
  local token = self.queue[self.first]
  self.queue[self.first] = nil
  self.first = self.first + 1
  return token
end

--- PUC 5.1 makes coroutines of Lua functions only.
local function call(fn, ...)
  return fn(...)
end

--- Begin a thread: `fn(...)` runs in a later turn; then `done(token, true, results...)`, or
--- `done(token, false, err, traceback)`, is called outside every thread.
--- @return table token
function Scheduler:spawn(fn, done, ...)
  local token = {
    co = coroutine.create(call), done = done, arguments = compat.pack(fn, ...), woken = false, suspended = false,
    cancelled = nil, exchange = nil, job = nil,
  }
  push(self, token)
  return token
end

--- Take back a thread that has not run yet; its `done` is never called.
--- @return boolean dropped
function Scheduler:drop(token)
  if not token.arguments then return false end
  token.co, token.arguments = nil, nil
  return true
end

--- The token that can be suspended here: in a thread's own coroutine or a generator of `wrap` that it runs, where a
--- yield is possible. PUC 5.1 cannot tell the last.
--- @return table?
function Scheduler:running()
  local current = self.current
  if not current then return nil end
  local co = coroutine.running()
  if (co == current.co or self.forwards[co] == current) and compat.isyieldable() then return current end
  return nil
end

--- Whether this is outside every thread, and in no coroutine that is not ours.
function Scheduler:outside()
  if self.current then return false end
  local co = compat.running()
  return co == nil or self.forwards[co] == "outside"
end

--- Yield until the token is in the queue again. Whoever calls has seen to that.
local function pause(token)
  coroutine.yield(SUSPEND)
  token.suspended = false
  if token.cancelled then error(token.cancelled, 0) end
end

--- Suspend the running thread until it is woken.
--- @param token table     as running() gave it
--- @return boolean woken  false when it was only released. Raises token.cancelled
function Scheduler:park(token)
  if token.cancelled then error(token.cancelled, 0) end
  if not token.woken then
    token.suspended = true
    pause(token)
  end
  local woken = token.woken or false
  token.woken = false
  return woken
end

--- Let a parked thread run without a wake: its time is over.
function Scheduler:release(token)
  if not token.suspended then return end
  token.suspended = false
  push(self, token)
end

--- Let a thread go on. A wake that comes before its suspension is kept for it.
function Scheduler:wake(token)
  token.woken = true
  self:release(token)
end

--- Let the others run, then go on in a later turn.
function Scheduler:rest(token)
  if token.cancelled then error(token.cancelled, 0) end
  self.later[#self.later + 1] = token
  pause(token)
end

--- What a call does before it takes something that is ready: raises in a cancelled job, and makes way for the host once
--- the budget of step is spent. Each resumed thread gets something first. Needed only while `attention` is set.
function Scheduler:checkpoint()
  local current = self.current
  if not current then return end
  if current.cancelled then error(current.cancelled, 0) end
  if not self.fresh and self.limit and self.now() >= self.limit then
    local token = self:running()
    if token then self:rest(token) end
  end
  self.fresh = false
end

local function ended(token, ok, ...)
  local err = ...
  local traceback = not ok and not Error.is(err) and debug.traceback(token.co) or nil
  token.co = nil
  if ok then return token.done(token, true, ...) end
  return token.done(token, false, err, traceback)
end

local function resumed(self, token, ok, ...)
  self.current, self.attention = nil, false
  if not ok or coroutine.status(token.co) == "dead" then return ended(token, ok, ...) end
  if (...) ~= SUSPEND then self.later[#self.later + 1] = token end
end

local function resume(self, token)
  if not token.co then return end
  self.current, self.fresh = token, true
  self.attention = self.limit ~= nil or token.cancelled ~= nil
  local arguments = token.arguments
  if not arguments then return resumed(self, token, coroutine.resume(token.co)) end
  token.arguments = nil
  return resumed(self, token, coroutine.resume(token.co, compat.unpack(arguments, 1, arguments.n)))
end

--- Run `fn` before the next turn. Safe in a finalizer.
function Scheduler:defer(fn)
  self.deferred[#self.deferred + 1] = fn
end

--- Line up what rested, and do what finalizers left.
function Scheduler:admit()
  local deferred, later = self.deferred, self.later
  if deferred[1] then
    self.deferred = {}
    for i = 1, #deferred do deferred[i]() end
  end
  if later[1] then
    self.later = {}
    for i = 1, #later do push(self, later[i]) end
  end
end

--- Whether a turn would do something.
function Scheduler:has_work()
  return self.first <= self.last or self.later[1] ~= nil or self.deferred[1] ~= nil
end

--- Run the threads that are ready now, each once; with a limit, until it has passed.
function Scheduler:turn()
  local last = self.last
  while self.first <= last do
    resume(self, shift(self))
    if self.limit and self.now() >= self.limit then return end
  end
end

local advance

local function advanced(self, co, ok, first, ...)
  self.forwards[co] = nil
  if not ok then error(first, 0) end
  if first ~= SUSPEND then return first, ... end
  coroutine.yield(SUSPEND)
  return advance(self, co)
end

-- The mark stands only while the generator runs: with weak keys but without ephemerons it would keep both alive.
function advance(self, co, ...)
  self.forwards[co] = self:running() or self:outside() and "outside" or nil
  return advanced(self, co, coroutine.resume(co, ...))
end

--- coroutine.wrap for generators that wait inside: a suspension goes through to the job that calls the generator.
--- @param fn function
--- @return function
function Scheduler:wrap(fn)
  local co = coroutine.create(call)
  local started = false
  return function(...)
    if started then return advance(self, co, ...) end
    started = true
    return advance(self, co, fn, ...)
  end
end

return M
