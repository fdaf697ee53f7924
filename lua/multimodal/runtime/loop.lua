--- The loop: a scheduler's threads, deadlines, and a network below, run from outside or a step at a time.
--- In: `io` {now() -> seconds, step(seconds, budget), pop() -> id, in_flight: a number}. Out: waiting, in a job and elsewhere.
--- Not here: requests (uv.lua), jobs (job.lua).
local Error = require("multimodal.error")
local scheduler = require("multimodal.runtime.scheduler")
local timers = require("multimodal.runtime.timers")

local M = {}

--- One look at the loop waits no longer than this, in seconds.
local FOREVER = 3600

--- @class multimodal.Loop: multimodal.Scheduler
--- @field now fun(): number      seconds on a clock that never goes back
--- @field may_block boolean      calls outside jobs may wait
--- @field waiting table          id of an exchange -> token that waits for it
--- @field host table?            of a host adapter: rearm(), called after each run of the loop
local Loop = setmetatable({}, { __index = scheduler.Scheduler })
Loop.__index = Loop

function M.new(io)
  local self = scheduler.init({ io = io, now = io.now })
  self.timers, self.waiting, self.may_block = timers.new(), {}, true
  return setmetatable(self, Loop)
end

local function raise(message)
  error((Error.caller() or "multimodal") .. ": " .. message, 0)
end

--- Raise if a wait here could not end or is not wanted. To be called before work begins that will be waited for.
--- @param on_job boolean?    a job makes what is waited for
function Loop:must_wait(on_job)
  if self.current and self.current.cancelled then error(self.current.cancelled, 0) end
  if self:running() then return end
  if not self.may_block and not self.current then raise("would block outside a job (mm.blocking is false)") end
  if on_job and not self:outside() then
    raise("would deadlock: this waits for a job in a coroutine that is not ours, or where it cannot yield"
      .. " (mm.wrap makes generators that can)")
  end
end

--- Suspend the running thread until it is woken or the deadline has passed.
--- @param token table        as running() gave it
--- @param deadline number?   on now()'s clock
--- @return boolean woken     false: the deadline passed first. Raises token.cancelled
function Loop:suspend(token, deadline)
  if not deadline then return self:park(token) end
  self.timers:remove(token)
  if not token.cancelled and not token.woken then self.timers:add(token, deadline) end
  return self:park(token)
end

--- A wake ends the deadline too.
function Loop:wake(token)
  self.timers:remove(token)
  scheduler.Scheduler.wake(self, token)
end

--- Wake the threads whose exchanges have news.
--- @return boolean any
local function wake_readers(self)
  local pop, any = self.io.pop, false
  local id = pop()
  while id do
    local token = self.waiting[id]
    if token then self:wake(token) end
    id, any = pop(), true
  end
  return any
end

local function release_due(self)
  if self.timers.count == 0 then return end
  local now = self.now()
  local token = self.timers:due(now)
  while token do
    self:release(token)
    token = self.timers:due(now)
  end
end

--- Look at the network and the clock; wait at most `seconds` for the first thing that happens.
local function look(self, seconds, budget)
  self.io.step(seconds, budget)
  wake_readers(self)
  release_due(self)
end

--- Seconds until there is something to do besides the network; nil: never.
--- @return number?
function Loop:patience()
  if self:has_work() then return 0 end
  local soonest = self.timers:next()
  return soonest and math.max(0, soonest - self.now())
end

--- Whether a wait without end has an end after all: what nobody holds any more may be what is waited for, such as the place
--- of a stream that was dropped.
local function relieved(self)
  for _ = 1, 2 do collectgarbage() end
  return self:has_work()
end

local function patience_until(self, deadline, io_only)
  local seconds = not io_only and self:patience() or nil
  if deadline then seconds = math.min(seconds or FOREVER, math.max(0, deadline - self.now())) end
  if not seconds and not next(self.waiting) then
    if not io_only and relieved(self) then return 0 end
    raise("would deadlock: nothing is left that could end this wait")
  end
  return seconds and seconds < FOREVER and seconds or FOREVER
end

--- Run the loop until `ready(subject)`; threads are resumed unless io_only.
local function pump(self, ready, subject, deadline, io_only)
  while not ready(subject) do
    if not io_only and self:has_work() then
      self:admit()
      self:turn()
      if ready(subject) then return true end
    end
    if deadline and self.now() >= deadline then return false end
    look(self, wake_readers(self) and 0 or patience_until(self, deadline, io_only))
  end
  return true
end

--- Run a part of the loop that may raise, and leave the loop fit for the next call.
local function guarded(self, fn, ...)
  local busy, limit = self.busy, self.limit
  self.busy = true
  local ok, result = pcall(fn, self, ...)
  self.busy, self.limit = busy, limit
  if self.host and not busy then self.host:rearm() end
  if not ok then error(result, 0) end
  return result
end

--- Wait where running() is nil: outside jobs by running the loop and the jobs; in a coroutine that is not ours, or where
--- no yield is possible, by running the loop alone.
--- @param ready fun(subject: any): any
--- @param deadline number?
--- @param on_job boolean?    a job makes it ready: raises "would deadlock" where no job is resumed
--- @param subject any        of `ready`
--- @return boolean ready     false: the deadline passed first
function Loop:wait(ready, deadline, on_job, subject)
  if ready(subject) then return true end
  self:must_wait(on_job)
  return guarded(self, pump, ready, subject, deadline, not self:outside())
end

local function never()
  return false
end

--- Wait so many seconds; 0 lets the other jobs run once.
--- @param seconds number
function Loop:sleep(seconds)
  self:must_wait(false)
  local token = self:running()
  if token and seconds <= 0 then return self:rest(token) end
  local deadline = self.now() + seconds
  if not token then return guarded(self, pump, never, nil, deadline, not self:outside()) end
  repeat self:suspend(token, deadline) until self.now() >= deadline
end

local function is_woken(token)
  return token.woken
end

--- Wait until the exchange `id` may have something new.
--- @param id integer
--- @param exchange table    has close(); called when the job that waits is cancelled
--- @param deadline number?  it ends the wait too
function Loop:wait_exchange(id, exchange, deadline)
  local waiting, token = self.waiting, self:running()
  if waiting[id] and waiting[id] ~= token then raise("this exchange is being read by another job") end
  if token then
    waiting[id], token.exchange = token, exchange
    self:suspend(token, deadline)
    waiting[id], token.exchange = nil, nil
    return
  end
  local marker = { woken = false }
  waiting[id] = marker
  local ok, err = pcall(self.wait, self, is_woken, deadline, nil, marker)
  waiting[id] = nil
  if not ok then error(err, 0) end
end

--- An exchange was closed: whoever waits for it looks again.
function Loop:forget(id)
  local token = self.waiting[id]
  if not token then return end
  self.waiting[id], token.exchange = nil, nil
  self:wake(token)
end

local function step(self, budget, limit)
  self.limit = limit
  self:admit()
  self:turn()
  while self.first <= self.last and self.now() < limit do
    look(self, 0, budget)
    self:turn()
  end
end

--- Move everything on for about `budget` seconds, without waiting. At least one thread that is ready runs, in turn.
--- @param budget number
function Loop:step(budget)
  if self.current then raise("step: called inside a job") end
  if self.io.in_flight == 0 and self.timers.count == 0 and not self:has_work() then return end
  local limit = budget > 0 and self.now() + budget or 0
  look(self, 0, budget)
  if self:has_work() then return guarded(self, step, budget, limit) end
  if self.host then self.host:rearm() end
end

return M
