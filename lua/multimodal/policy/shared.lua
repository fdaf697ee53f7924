--- Counts of requests and tokens that several processes share: a window of a minute, in a store that the user brings.
--- Names: new.
local M = {}

local minute = 60

--- @class multimodal.Store
--- @field incr fun(self, key: string, n: number, init: number, ttl: number): number?, string?  adds n to the number under a
---   key, which begins with `init` and is forgotten `ttl` seconds later; returns the new one. nginx's shared dictionaries have it.

--- A window in the place of a bucket.
--- @class multimodal.SharedBucket
local Shared = {}
Shared.__index = Shared

--- @param store multimodal.Store
--- @param name string       of the count, alike in all processes
--- @param per_minute number
--- @param clock fun(): number  seconds since 1970, alike in all processes
--- @return multimodal.SharedBucket
function M.new(store, name, per_minute, clock)
  return setmetatable({ store = store, name = name, capacity = per_minute, clock = clock }, Shared)
end

local function window(self)
  local time = self.clock()
  return math.floor(time / minute), minute - time % minute
end

local function add(self, amount)
  local number, left = window(self)
  local key = ("multimodal:%s:%d"):format(self.name, number)
  local sum, why = self.store:incr(key, amount, 0, 2 * minute)
  if not sum then return nil, "limit.store: incr: " .. tostring(why) end
  return sum, left
end

--- Take an amount of this minute, or tell how long the next one is off.
--- @param amount number
--- @return number? seconds  0: it was taken
--- @return string? why      the store failed
function Shared:claim(amount)
  amount = math.min(amount, self.capacity)
  local sum, left = add(self, amount)
  if not sum then return nil, left end
  if sum <= self.capacity then return 0 end
  add(self, -amount)
  return left
end

--- Correct what was claimed.
--- @param amount number  negative gives back
function Shared:take(amount)
  add(self, amount)
end

return M
