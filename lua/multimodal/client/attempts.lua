--- The attempts of one request: each failure is asked whether another follows, and one deadline is over all of them.
--- Names: run reading options.
local account = require("multimodal.client.account")
local clocks = require("multimodal.policy.clocks")
local compat = require("multimodal.compat")
local core = require("multimodal.core")
local driver_module = require("multimodal.runtime.driver")
local error_class = require("multimodal.error")
local jobs = require("multimodal.runtime.jobs")
local limiter = compat.lazy("multimodal.client.limiter")
local observe = require("multimodal.client.observe")
local retry = compat.lazy("multimodal.policy.retry")
local send = require("multimodal.client.send")

local M = {}

--- Options that say whether, when and how often a request is tried, and who watches.
M.options = { "retries", "retry_ambiguous", "idempotency_key", "max_retry_after", "clock", "limit", "budget", "observe" }

--- A random number in [0, 1): processes that start together must not wait alike.
local function random()
  local a, b, c = core.random(3):byte(1, 3)
  return (a * 65536 + b * 256 + c) / 16777216
end

--- @class multimodal.Attempts
--- @field options table
--- @field request multimodal.Request?
--- @field driver multimodal.Driver
--- @field now fun(): number
--- @field operation multimodal.Operation?  of a request
--- @field count integer      requests made so far
--- @field ids string[]?      of the attempts that failed and told theirs
--- @field deadline number?    the wait for a place is not counted
--- @field place multimodal.Place?  of the attempt under way
--- @field exchange multimodal.Exchange?  likewise
--- @field counted boolean?    likewise: by those who count requests

local function new(options, request, operation)
  local driver = request and request.client.driver or driver_module.current()
  local now = options.clock and options.clock.now or driver.now
  return {
    options = options, request = request, operation = operation, driver = driver, now = now,
    deadline = clocks.deadline(options, now()), count = 0, counted = false, exchange = nil,
  }
end

--- A function of the options' clock, or else the usual one.
local function of_clock(self, name, usual)
  return self.options.clock and self.options.clock[name] or usual
end

local function add_id(self, id)
  if not id then return end
  self.ids = self.ids or {}
  self.ids[#self.ids + 1] = id
end

--- The most seconds that a server may ask for; nil: the policy's own.
local function most_wait(options)
  return options.max_retry_after == false and math.huge or options.max_retry_after
end

--- What the policy is told of a failure.
local function case_of(self, err, operation)
  local options, request, told = self.options, self.request, err.told or {}
  local ambiguous = options.retry_ambiguous
  if ambiguous == nil then ambiguous = not (request and request.streams) end
  return {
    operation = operation, error = err, parsed = told.parsed, verdict = told.retry,
    conflicts = request and request.client.profile.retries_conflicts, ambiguous = ambiguous,
    attempts = self.count, retries = options.retries, random = of_clock(self, "random", random)(),
    max_retry_after = most_wait(options),
    left = self.deadline and self.deadline - self.now(),
  }
end

--- A place among those that the client may have in flight.
local function enter(self)
  local limit = self.options.limit
  if not limit then return true end
  local place, err = limiter.of(limit):enter(self.request, {
    now = self.now, clock = self.options.clock, max_wait = most_wait(self.options) or retry.defaults.max_retry_after,
  })
  if not place then return nil, err end
  if self.deadline then self.deadline = self.deadline + place.waited end
  self.place = place
  return true
end

--- Whether an attempt may be made: its budget, its place, and the hook's say. Others may have spent the budget while it
--- stood in line.
local function admit(self)
  local options = self.options
  local refusal = account.refuse(options)
  if refusal then return nil, refusal end
  local entered, err = enter(self)
  if not entered then return nil, err end
  refusal = self.place and account.refuse(options)
  if refusal then return nil, refusal end
  account.began(self.request.client, options)
  self.counted = true
  refusal = observe.request(self.request, self.count + 1)
  if refusal then return nil, refusal end
  return true
end

local function leave(self)
  if self.place then self.place:leave() end
end

--- Nothing was sent: it counts for nothing.
local function take_back(self)
  leave(self)
  if self.counted then account.unsent(self.request.client, self.options) end
  self.counted = false
end

--- An answer whose head is here.
local function take(self, answer, read)
  local place = self.place
  answer.place = place
  if self.count > 1 then answer.attempts, answer.earlier_ids = self.count, self.ids end
  if place then place:learn(answer.headers) end
  if answer:accepted() then return read(answer) end
  local err = answer:refused()
  if place and err.retryable ~= false then place:hold(err.retry_after) end
  return nil, err
end

--- One attempt of a request.
local function try(self, read)
  self.counted, self.exchange = false, nil
  local admitted, refusal = admit(self)
  if not admitted then
    take_back(self)
    return nil, refusal, true
  end
  local answer, err, unsent = send.open(self.request, self)
  if not answer then leave(self) end
  if unsent then
    take_back(self)
    return nil, err, true
  end
  self.count = self.count + 1
  if not answer then return nil, error_class.new(err) end
  return take(self, answer, read)
end

--- Say of a failure that the wait alone stands against another attempt.
local function explain_wait(self, err, operation)
  local most = most_wait(self.options) or retry.defaults.max_retry_after
  if not err.retry_after or err.retry_after <= most then return end
  local case = case_of(self, err, operation)
  case.max_retry_after, case.left = math.huge, nil
  if not retry.after(case) then return end
  err.message = ("%s (asked to wait %.10g s; raise max_retry_after to wait that long)"):format(err.message, math.ceil(err.retry_after))
end

--- What a failure that no attempt follows tells of them all.
local function give_up(self, err, begun)
  if self.count > 0 then err.attempts = self.count end
  err.request_ids = self.ids or {}
  if begun then err.maybe_accepted = true end
  if self.request then observe.failure(self.request, self.count, err) end
  return nil, err
end

--- Let go of what an attempt held that raised.
local function abandon(self)
  if not self.exchange then return take_back(self) end
  self.exchange:close()
  leave(self)
end

--- Make attempts until one brings something, or no other may follow.
local function repeated(self, operation, once, read)
  while true do
    local value, err, unsent = jobs.guard(abandon, once, self, read)
    if value then return value end
    add_id(self, err.request_id)
    local seconds, begun
    if not unsent then seconds, begun = retry.after(case_of(self, err, operation)) end
    if not seconds then
      if not unsent then explain_wait(self, err, operation) end
      return give_up(self, err, begun)
    end
    local stopped = self.request and observe.retry(self.request, self.count, err, seconds)
    if stopped then return give_up(self, stopped) end
    of_clock(self, "sleep", jobs.sleep)(seconds)
  end
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
  return repeated(new(request.options, request, operation), operation, try, read)
end

local function counted(self, read)
  local value, err, unsent = read(self)
  if not unsent then self.count = self.count + 1 end
  if value then return value end
  return nil, error_class.new(err), unsent
end

--- Read something until it is here, or refused for good.
--- @async
--- @generic T
--- @param options table  clocks, retries and the like
--- @param read fun(under: multimodal.Attempts): T?, multimodal.Error?, boolean?  one attempt, by its driver, now and
---   deadline; true: nothing was sent, and nothing would be
--- @return T?
--- @return multimodal.Error? err   of the last attempt
function M.reading(options, read)
  return repeated(new(options), "poll", counted, read)
end

return M
