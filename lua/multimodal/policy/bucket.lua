--- A token bucket without a clock: so many a minute, full at first. Amounts that turn out larger leave it in debt.
--- Names: new.
local M = {}

--- @class multimodal.Bucket
--- @field rate number      a second
--- @field capacity number
--- @field level number     below 0: in debt
--- @field at number        when `level` was right
local Bucket = {}
Bucket.__index = Bucket

--- @param per_minute number
--- @param now number  seconds on any clock that never goes back
--- @return multimodal.Bucket
function M.new(per_minute, now)
  return setmetatable({ rate = per_minute / 60, capacity = per_minute, level = per_minute, at = now }, Bucket)
end

local function refill(self, now)
  if now <= self.at then return end
  self.level = math.min(self.capacity, self.level + (now - self.at) * self.rate)
  self.at = now
end

--- Seconds until `amount` can be taken; more than the bucket holds waits for a full one.
--- @param amount number
--- @param now number
--- @return number seconds  0: now
function Bucket:wait(amount, now)
  refill(self, now)
  local missing = math.min(amount, self.capacity) - self.level
  return missing > 0 and missing / self.rate or 0
end

--- @param amount number  negative gives back
--- @param now number
function Bucket:take(amount, now)
  refill(self, now)
  self.level = math.min(self.capacity, self.level - amount)
end

--- The server counted too: there is no more in it than it says.
--- @param remaining number
--- @param now number
function Bucket:cap(remaining, now)
  refill(self, now)
  if remaining < self.level then self.level = remaining end
end

return M
