--- The attempts of one request: each failure is asked whether another follows, and one deadline is over all of them.
--- Names: run options.
local clocks = require("multimodal.policy.clocks")
local compat = require("multimodal.compat")
local core = require("multimodal.core")
local driver_module = require("multimodal.runtime.driver")
local error_class = require("multimodal.error")
local jobs = require("multimodal.runtime.jobs")
local retry = compat.lazy("multimodal.policy.retry")
local send = require("multimodal.client.send")

local M = {}

--- Options that say how often a request is tried.
M.options = { "retries", "retry_ambiguous", "max_retry_after", "clock" }

--- A random number in [0, 1): processes that start together must not wait alike.
local function random()
  local a, b, c = core.random(3):byte(1, 3)
  return (a * 65536 + b * 256 + c) / 16777216
end

--- @class multimodal.Attempts
--- @field count integer      requests made so far
--- @field ids string[]?      of the attempts that failed and told theirs
--- @field deadline number?
local Attempts = {}
Attempts.__index = Attempts

local function new(request)
  local clock = request.options.clock or {}
  local driver = request.client.driver or driver_module.current()
  local now = clock.now or driver.now
  return setmetatable({
    request = request, driver = driver, now = now, sleep = clock.sleep or jobs.sleep, random = clock.random or random,
    deadline = clocks.deadline(request.options, now()), count = 0,
  }, Attempts)
end

local function add_id(self, id)
  if not id then return end
  self.ids = self.ids or {}
  self.ids[#self.ids + 1] = id
end

--- What the policy is told of a failure.
local function case_of(self, err, operation)
  local request, told = self.request, err.told or {}
  local options = request.options
  local ambiguous = options.retry_ambiguous
  if ambiguous == nil then ambiguous = not request.streams end
  return {
    operation = operation, error = err, parsed = told.parsed, verdict = told.retry,
    conflicts = request.client.profile.retries_conflicts, ambiguous = ambiguous,
    attempts = self.count, retries = options.retries, random = self.random(),
    max_retry_after = options.max_retry_after == false and math.huge or options.max_retry_after,
    left = self.deadline and self.deadline - self.now(),
  }
end

--- One attempt.
local function try(self, read)
  local answer, err, unsent = send.open(self.request, self)
  if unsent then return nil, err, true end
  self.count = self.count + 1
  if not answer then return nil, error_class.new(err) end
  answer.attempts, answer.earlier_ids = self.count, self.ids
  if answer:accepted() then return read(answer) end
  return nil, answer:refused()
end

--- Send a request until it is answered, or refused for good.
--- @async
--- @generic T
--- @param request multimodal.Request
--- @param operation multimodal.Operation
--- @param read fun(answer: multimodal.Response): T?, multimodal.Error?  makes something of an accepted answer
--- @return T?
--- @return multimodal.Error? err   of the last attempt
function M.run(request, operation, read)
  local self = new(request)
  while true do
    local value, err, unsent = try(self, read)
    if value then return value end
    add_id(self, err.request_id)
    local seconds, begun
    if not unsent then seconds, begun = retry.after(case_of(self, err, operation)) end
    if not seconds then
      if self.count > 0 then err.attempts = self.count end
      err.request_ids = self.ids or {}
      if begun then err.maybe_accepted = true end
      return nil, err
    end
    self.sleep(seconds)
  end
end

return M
