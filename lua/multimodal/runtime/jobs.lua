--- Jobs, as `mm` offers them: run, spawn, group, all, map, each, race, timeout, sleep, wrap, blocking, step; and own, guard.
local compat = require("multimodal.compat")
local driver = require("multimodal.runtime.driver")
local Error = require("multimodal.error")
local gather = require("multimodal.runtime.gather")
local group = require("multimodal.runtime.group")
local job = require("multimodal.runtime.job")

local M = {
  all = gather.all,
  map = gather.map,
  each = gather.each,
  race = gather.race,
  group = group.new,
  own = job.own,
  running = job.running,
  block = job.block,
  wake_all = job.wake_all,
  hooks = job.hooks, -- .on_error(err, job)
}

local function check_function(name, fn)
  if type(fn) ~= "function" then error(("%s: expected a function, got %s"):format(name, type(fn)), 3) end
end

local function check_seconds(name, seconds)
  if type(seconds) ~= "number" or seconds ~= seconds then
    error(("%s: expected a number of seconds, got %s"):format(name, type(seconds)), 3)
  end
end

--- Begin a job: a child of the running one; elsewhere a root, moved on by step, run or any waiting call.
--- @param fn function
--- @return multimodal.Job
function M.spawn(fn, ...)
  check_function("spawn", fn)
  return job.new(job.running(), fn, ...)
end

--- Begin a job that is nobody's child: no cancel reaches it.
--- @param fn function
--- @return multimodal.Job
function M.apart(fn, ...)
  return job.new(nil, fn, ...)
end

--- Run a function as a job and wait for it and its children. Inside a job it is a plain call.
--- @async
--- @param fn function
--- @return ... any     fn's results, or nil, err; a bug is raised again with the job's traceback
function M.run(fn, ...)
  check_function("run", fn)
  if job.running() then return fn(...) end
  driver.current():must_wait(true)
  local root = job.new(nil, fn, ...)
  job.block_for({ root }, root.waiters, function() return root.ended end)
  return job.outcome(root)
end

--- Run a function as a job for at most so many seconds.
--- @async
--- @param seconds number
--- @param fn function
--- @return ... any     fn's results; nil, err (timeout, code total) when it was cancelled for its time
function M.timeout(seconds, fn, ...)
  check_seconds("timeout", seconds)
  check_function("timeout", fn)
  local host = driver.current()
  host:must_wait(true)
  local one = job.new(job.running(), fn, ...)
  local function ended() return one.ended end
  if job.block_for({ one }, one.waiters, ended, host.now() + seconds) then return job.outcome(one) end
  local message = ("not done within %g s"):format(seconds)
  one:cancel(message)
  job.block_for({ one }, one.waiters, ended)
  if one.bug ~= nil then return job.outcome(one) end
  return nil, Error.new({ kind = "timeout", code = "total", message = message })
end

--- Wait. Inside a job the others run meanwhile; `sleep(0)` lets each of them run once.
--- @async
--- @param seconds number
function M.sleep(seconds)
  check_seconds("sleep", seconds)
  driver.current():sleep(math.max(0, seconds))
end

local function cleaned(clean, subject, ok, ...)
  if ok then return ... end
  clean(subject)
  error((...), 0)
end

--- Call `fn(subject, ...)`; if it raises, `clean(subject)` puts right what it leaves behind, and the error goes on. Where none
--- can be caught across a wait (PUC 5.1 in a job) that is left to the collector.
--- @async
--- @param clean fun(subject: any)   does not wait
--- @param fn function
--- @param subject any
--- @return ... any      fn's results
function M.guard(clean, fn, subject, ...)
  if not compat.yields_across_pcall and driver.current():running() then return fn(subject, ...) end
  return cleaned(clean, subject, pcall(fn, subject, ...))
end

--- Like coroutine.wrap, for generators that wait inside: the job that calls the generator is suspended.
--- @param fn function
--- @return function
function M.wrap(fn)
  check_function("wrap", fn)
  return driver.current():wrap(fn)
end

--- Whether calls outside jobs may wait. With false, one that would block the host raises.
--- @param allowed boolean
--- @return boolean before
function M.blocking(allowed)
  local host = driver.current()
  local before = host.may_block
  host.may_block = allowed and true or false
  return before
end

--- Move all jobs on for about so many seconds, without waiting: once a frame in a game.
--- @param budget? number    0: one turn of the loop and one job
--- @return integer alive    jobs that have not ended
function M.step(budget)
  if budget ~= nil then check_seconds("step", budget) end
  driver.current():step(budget or 0)
  return job.alive()
end

return M
