--- What a client asks of a gateway at once and a minute: requests wait in line for their place.
--- In: a `limit` table; clients that were given the same table wait in the same lines. Out: places, left when the answer is read.
--- Names: of.
---
--- A *lane* is an origin and a key: rates are counted there, and a server that says wait stops it. Each lane is a queue,
--- and of the first in all lanes the one that came first goes first, unless its lane has to wait.
local bucket = require("multimodal.policy.bucket")
local compat = require("multimodal.compat")
local driver = require("multimodal.runtime.driver")
local error_class = require("multimodal.error")
local headers_of = require("multimodal.reply.headers")
local jobs = require("multimodal.runtime.jobs")
local shared = require("multimodal.policy.shared")

local M = {}

--- @class multimodal.Limiter
--- @field limit table          {concurrent, per_host, requests_per_minute, tokens_per_minute, store}
--- @field count integer        requests in flight
--- @field hosts table<string, integer>  likewise, by origin
--- @field arrived integer
--- @field lanes multimodal.Lane[]
--- @field by_name table<string, multimodal.Lane>
--- @field many integer         lanes, from which on they are looked through for idle ones
local Limiter = {}
Limiter.__index = Limiter

--- @class multimodal.Lane
--- @field name string       origin and key
--- @field origin string
--- @field count integer     requests in flight
--- @field requests multimodal.Bucket?
--- @field tokens multimodal.Bucket?
--- @field shared {requests: multimodal.SharedBucket?, tokens: multimodal.SharedBucket?}?
--- @field free_at number    the server asked for no request before
--- @field first integer     the queue is [first] to [last]
--- @field last integer

--- @class multimodal.Waiter
--- @field lane multimodal.Lane
--- @field cost integer      tokens, as estimated
--- @field number integer    in the order of arrival
--- @field tokens table      threads to wake
--- @field thread table?     token of the job that waits
--- @field signalled boolean look again

--- A place: the request is in flight until it is left.
--- @class multimodal.Place
--- @field limiter multimodal.Limiter
--- @field lane multimodal.Lane
--- @field cost integer
--- @field waited number     seconds
--- @field now fun(): number
--- @field left boolean
local Place = {}
Place.__index = Place

-- Where no error can be caught across a wait (PUC 5.1), a line is looked at so often for those who were cancelled in it.
local BLIND = 0.25

-- So many keys are remembered in any case.
local FEW = 64

local names = { "concurrent", "per_host", "requests_per_minute", "tokens_per_minute", "store" }

local limiters = setmetatable({}, { __mode = "k" })

--- The limiter of a `limit` table, and what the table says by now. The table itself is not held: weak keys without
--- ephemerons would keep both alive.
--- @param limit table
--- @return multimodal.Limiter
function M.of(limit)
  local known = limiters[limit]
  if not known then
    known = setmetatable({ limit = {}, count = 0, hosts = {}, arrived = 0, lanes = {}, by_name = {}, many = FEW }, Limiter)
    limiters[limit] = known
  end
  for _, name in ipairs(names) do known.limit[name] = limit[name] end
  return known
end

local function buckets_of(limit, now)
  local requests, tokens = limit.requests_per_minute, limit.tokens_per_minute
  return requests and bucket.new(requests, now), tokens and bucket.new(tokens, now)
end

local function windows_of(limit, name)
  local store = limit.store
  local requests, tokens = limit.requests_per_minute, limit.tokens_per_minute
  return {
    requests = requests and shared.new(store, name .. ":requests", requests, os.time),
    tokens = tokens and shared.new(store, name .. ":tokens", tokens, os.time),
  }
end

--- The waiter at the head of a lane; those whose jobs were cancelled have left the line.
local function head_of(lane)
  while lane.first <= lane.last do
    local waiter = lane[lane.first]
    local thread = waiter and waiter.thread
    if waiter and not (thread and thread.cancelled) then return waiter end
    lane[lane.first] = nil
    lane.first = lane.first + 1
  end
  return nil
end

local function is_full(of_lane, now)
  return not of_lane or of_lane:wait(of_lane.capacity, now) == 0
end

--- Drop the lanes of keys that nobody uses any more, and of which nothing is to be remembered.
local function forget_idle(self, now)
  local kept = {}
  for _, lane in ipairs(self.lanes) do
    local idle = lane.count == 0 and not head_of(lane) and lane.free_at <= now
    if idle and is_full(lane.requests, now) and is_full(lane.tokens, now) then
      self.by_name[lane.name] = nil
    else
      kept[#kept + 1] = lane
    end
  end
  self.lanes, self.many = kept, math.max(FEW, 2 * #kept)
end

local function lane_of(self, request, now)
  local origin, key = request.client:origin(), request.client.key:identity()
  local name = origin .. " " .. key
  local lane = self.by_name[name]
  if lane then return lane end
  if #self.lanes >= self.many then forget_idle(self, now) end
  lane = { name = name, origin = origin, count = 0, free_at = 0, first = 1, last = 0 }
  if self.limit.store then
    lane.shared = windows_of(self.limit, name)
  else
    lane.requests, lane.tokens = buckets_of(self.limit, now)
  end
  self.by_name[name], self.lanes[#self.lanes + 1] = lane, lane
  return lane
end

local function remove(waiter)
  local lane = waiter.lane
  for i = lane.first, lane.last do
    if lane[i] == waiter then
      lane[i] = false
      return
    end
  end
end

--- Let those who may be next look again.
local function signal(self)
  for _, lane in ipairs(self.lanes) do
    local waiter = head_of(lane)
    if waiter then
      waiter.signalled = true
      jobs.wake_all(waiter.tokens)
    end
  end
end

--- Seconds until the rates of its lane let a waiter go.
local function rate_wait(waiter, now)
  local lane = waiter.lane
  local seconds = math.max(0, lane.free_at - now)
  if lane.requests then seconds = math.max(seconds, lane.requests:wait(1, now)) end
  if lane.tokens then seconds = math.max(seconds, lane.tokens:wait(waiter.cost, now)) end
  return seconds
end

local function host_is_full(self, lane)
  local most = self.limit.per_host
  return most ~= nil and (self.hosts[lane.origin] or 0) >= most
end

--- Whether somebody who came before could go now.
local function is_outranked(self, waiter, now)
  for _, lane in ipairs(self.lanes) do
    local other = lane ~= waiter.lane and head_of(lane)
    if other and other.number < waiter.number and not host_is_full(self, lane) and rate_wait(other, now) == 0 then return true end
  end
  return false
end

--- Take the rates of this minute from the store; what cannot be had stops the lane until the next.
local function claim(lane, cost, now)
  local requests, tokens = lane.shared.requests, lane.shared.tokens
  local seconds, why = 0, nil
  if requests then seconds, why = requests:claim(1) end
  if seconds == 0 and tokens then
    seconds, why = tokens:claim(cost)
    if seconds ~= 0 and requests then requests:take(-1) end
  end
  if seconds and seconds > 0 then lane.free_at = now + seconds end
  return seconds == 0, why
end

--- Give the waiter its place if there is one.
--- @return boolean? taken
--- @return string? why    the store failed
local function take(self, waiter, now)
  local lane, limit = waiter.lane, self.limit
  if head_of(lane) ~= waiter or limit.concurrent and self.count >= limit.concurrent then return false end
  if host_is_full(self, lane) or rate_wait(waiter, now) > 0 or is_outranked(self, waiter, now) then return false end
  if lane.shared then
    local fine, why = claim(lane, waiter.cost, now)
    if not fine then return false, why end
  end
  if lane.requests then lane.requests:take(1, now) end
  if lane.tokens then lane.tokens:take(waiter.cost, now) end
  lane[lane.first] = nil
  lane.first = lane.first + 1
  self.count, lane.count = self.count + 1, lane.count + 1
  self.hosts[lane.origin] = (self.hosts[lane.origin] or 0) + 1
  signal(self)
  return true
end

local function refuse(message, seconds)
  return nil, error_class.new { kind = "limit", message = message, retry_after = seconds, retryable = true }
end

--- Wait until somebody signals, or for so many seconds.
local function pause(waiter, seconds, clock)
  if seconds and clock and clock.sleep then return clock.sleep(seconds) end
  local host = driver.current()
  waiter.thread = host:running()
  if waiter.thread and not compat.yields_across_pcall then seconds = math.min(seconds or BLIND, BLIND) end
  jobs.block(waiter.tokens, function() return waiter.signalled end, seconds and host.now() + seconds)
end

local function wait_in_line(self, waiter, under)
  local most = under.max_wait
  while true do
    local now = under.now()
    waiter.signalled = false
    local taken, why = take(self, waiter, now)
    if taken then return true end
    if why then return refuse(why) end
    local held = waiter.lane.free_at - now
    if held > most then
      return refuse(("the gateway asked for no request for %.0f s; raise max_retry_after to wait that long"):format(held), held)
    end
    local seconds = head_of(waiter.lane) == waiter and rate_wait(waiter, now) or 0
    pause(waiter, seconds > 0 and seconds or nil, under.clock)
  end
end

--- wait_in_line, out of which nobody is lost: who raises or gives up makes way.
local function guarded(self, waiter, under)
  local function make_way()
    remove(waiter)
    signal(self)
  end
  local taken, err = jobs.guard(make_way, wait_in_line, self, waiter, under)
  if not taken then make_way() end
  return taken, err
end

--- Tokens that a request may cost: text by its length, a medium as a large picture, and what may be answered.
local function cost_of(request)
  local bytes, media = 0, 0
  for _, message in ipairs(request.messages or {}) do
    for _, part in ipairs(message.content) do
      if type(part.text) == "string" then bytes = bytes + #part.text else media = media + 1 end
    end
  end
  if not (request.messages and request.messages[1]) then bytes = request.body and request.body:length() or 0 end
  return math.ceil(bytes / 4) + 1000 * media + (request.options.max_tokens or 0)
end

--- A place that nobody holds any more is left by itself.
local function new_place(limiter, waiter, waited, now)
  local place = setmetatable({
    limiter = limiter, lane = waiter.lane, cost = waiter.cost, waited = waited, now = now, left = false,
  }, Place)
  place.guard = compat.finalizer(function()
    if not place.left then driver.current():defer(function() place:leave() end) end
  end)
  return place
end

--- Wait for a place for a request. Raises in a cancelled job.
--- @async
--- @param request multimodal.Request
--- @param under {now: fun(): number, clock: table?, max_wait: number}
--- @return multimodal.Place?
--- @return multimodal.Error? err   kind limit
function Limiter:enter(request, under)
  local begun = under.now()
  local lane = lane_of(self, request, begun)
  self.arrived = self.arrived + 1
  local waiter = {
    lane = lane, cost = self.limit.tokens_per_minute and cost_of(request) or 0, number = self.arrived, tokens = {},
    signalled = false,
  }
  lane.last = lane.last + 1
  lane[lane.last] = waiter
  local entered, err = guarded(self, waiter, under)
  if not entered then return nil, err end
  return new_place(self, waiter, under.now() - begun, under.now)
end

--- The request is over.
function Place:leave()
  if self.left then return end
  self.left = true
  local limiter, lane, origin = self.limiter, self.lane, self.lane.origin
  limiter.count, lane.count = limiter.count - 1, lane.count - 1
  limiter.hosts[origin] = limiter.hosts[origin] - 1
  signal(limiter)
end

--- Leave when the exchange is closed.
--- @param exchange multimodal.Exchange
function Place:until_closed(exchange)
  exchange.done = function() self:leave() end
end

--- No request of the lane for so many seconds.
--- @param seconds number?
function Place:hold(seconds)
  if seconds then self.lane.free_at = math.max(self.lane.free_at, self.now() + seconds) end
end

--- Learn what the server counts.
--- @param headers table  of the answer
function Place:learn(headers)
  self:hold(headers_of.reset(headers))
  local now = self.now()
  for name, of_lane in pairs { requests = self.lane.requests, tokens = self.lane.tokens } do
    local remaining = headers_of.remaining(headers, name)
    if remaining then of_lane:cap(remaining, now) end
  end
end

--- Correct the estimate by what it was.
--- @param usage multimodal.Usage?
function Place:settle(usage)
  local total = usage and usage.total_tokens
  local tokens = self.lane.tokens or self.lane.shared and self.lane.shared.tokens
  if not total or not tokens or self.settled then return end
  self.settled = true
  tokens:take(total - self.cost, self.now())
end

return M
