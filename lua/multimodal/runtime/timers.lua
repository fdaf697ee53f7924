--- Deadlines of suspended threads: a binary heap of tokens, soonest first. A token is in it at most once.
local M = {}

--- @class multimodal.Timers
--- @field count integer
local Timers = {}
Timers.__index = Timers

local function place(self, token, slot)
  self[slot] = token
  token.slot = slot
end

local function rise(self, token, slot)
  while slot > 1 do
    local above = (slot - slot % 2) / 2
    if self[above].deadline <= token.deadline then break end
    place(self, self[above], slot)
    slot = above
  end
  place(self, token, slot)
end

local function sink(self, token, slot)
  while 2 * slot <= self.count do
    local below = 2 * slot
    if below < self.count and self[below + 1].deadline < self[below].deadline then below = below + 1 end
    if token.deadline <= self[below].deadline then break end
    place(self, self[below], slot)
    slot = below
  end
  place(self, token, slot)
end

function M.new()
  return setmetatable({ count = 0 }, Timers)
end

--- @param token table       gets `deadline` and `slot` while it is here
--- @param deadline number   seconds on the driver's clock
function Timers:add(token, deadline)
  token.deadline = deadline
  self.count = self.count + 1
  rise(self, token, self.count)
end

--- Take a token out; does nothing when it is not here.
function Timers:remove(token)
  local slot = token.slot
  if not slot then return end
  token.slot = nil
  local last = self[self.count]
  self[self.count] = nil
  self.count = self.count - 1
  if last == token then return end
  if slot > 1 and last.deadline < self[(slot - slot % 2) / 2].deadline then
    rise(self, last, slot)
  else
    sink(self, last, slot)
  end
end

--- The soonest deadline.
--- @return number?
function Timers:next()
  return self.count > 0 and self[1].deadline or nil
end

--- Take out the soonest token that is due.
--- @return table? token
function Timers:due(now)
  local token = self[1]
  if not token or token.deadline > now then return nil end
  self:remove(token)
  return token
end

return M
