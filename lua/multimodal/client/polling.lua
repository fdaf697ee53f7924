--- Waiting for a task: core.poll says when to look, a clock and a sleep do it.
--- Names: new.
local clocks = require("multimodal.policy.clocks")
local core = require("multimodal.core")
local driver = require("multimodal.runtime.driver")
local error_class = require("multimodal.error")
local jobs = require("multimodal.runtime.jobs")

local M = {}

local function random()
  local a, b = core.random(2):byte(1, 2)
  return (a * 256 + b) / 65535
end

--- @class multimodal.Polling
--- @field task multimodal.Task
--- @field machine userdata
--- @field deadline number?
local Polling = {}
Polling.__index = Polling

local function rules_of(task, options)
  local dialect, timeout = task.side.tasks, options.timeout
  if timeout == nil then timeout = dialect.timeout end
  if type(timeout) == "function" then timeout = timeout(task) end
  local first = dialect.first
  if not task.fresh then first = 0 end
  return {
    first = first, delays = dialect.delays, jitter = dialect.jitter, max_delay = dialect.max_delay,
    max_failures = dialect.max_failures, states = dialect.states, timeout = timeout or false,
  }
end

--- @param task multimodal.Task
--- @param options {timeout: number|false|nil}
--- @return multimodal.Polling
function M.new(task, options)
  local clock, rules = task.options.clock or {}, rules_of(task, options)
  local now = clock.now or driver.current().now
  local start = now()
  return setmetatable({
    task = task, machine = core.poll(rules), now = now, start = start, deadline = rules.timeout and start + rules.timeout or nil,
    sleep = clock.sleep or jobs.sleep, random = clock.random or random,
  }, Polling)
end

--- @return number seconds  since the waiting began
function Polling:elapsed()
  return self.now() - self.start
end

-- What the machine does not know by name: a body that was cut off is a connection that broke.
local kinds = { truncated = "network" }

--- Sleep, at most to the deadline; false where the server asked for more than is left.
local function pause(self, seconds, asked)
  local left = self.deadline and self.deadline - self.now()
  if not left or seconds <= left then
    self.sleep(seconds)
    return true
  end
  if left > 0 then self.sleep(left) end
  return not asked
end

--- What the options of one look have of their own: the machine tries again, and no look outlasts the waiting.
local function look_options(self)
  local options = self.task.options
  local own = { retries = 0 }
  if self.deadline then own.timeout = math.min(clocks.of(options, "timeout") or math.huge, math.max(self.deadline - self.now(), 0.001)) end
  return own
end

local function late(task)
  return error_class.new {
    kind = "timeout", code = "total", task_id = task.id, gateway = task.gateway, model = task.model,
    request_id = task.request_id, where = error_class.caller(),
    message = ("task %s is still %s; it lives on, and ai:task(id) goes on with it"):format(task.id, task.state),
  }
end

--- Wait until the next look, and take it.
--- @async
--- @return "looked"|"lost"|"failed"|"done" verdict  lost: the look failed, and there will be another
--- @return multimodal.Error? err             of failed
function Polling:step()
  local report, err = self.report or { random = self.random() }, self.err
  local verdict, value = self.machine:next(self.now(), report)
  self.report, self.err = nil, nil
  if verdict == "done" then return "done" end
  if verdict == "failed" then return "failed", err and not self:over() and err or late(self.task) end
  if not pause(self, value, report.retry_after) then return "failed", late(self.task) end
  local seen, fault = self.task.verbs.look(self.task, look_options(self))
  self.report = { random = self.random() }
  if seen then
    self.report.state = self.task.state
    return self.task.over[self.task.state] and "done" or "looked"
  end
  self.report.error, self.report.retry_after, self.err = kinds[fault.kind] or fault.kind, fault.retry_after, fault
  return "lost"
end

--- @return boolean
function Polling:over()
  return self.deadline ~= nil and self.now() >= self.deadline
end

return M
