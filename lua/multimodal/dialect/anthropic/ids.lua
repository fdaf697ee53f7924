--- Ids of tool calls as the Messages dialect takes them: letters, digits, _ and -, each once in a conversation.
--- Names: new.
local M = {}

--- @class multimodal.anthropic.Ids
--- @field used table<string, boolean>        ids on the wire so far
--- @field current table<string, string[]>    of the last assistant's turn: what was said -> ids on the wire, in order
local Ids = {}
Ids.__index = Ids

--- @return multimodal.anthropic.Ids
function M.new()
  return setmetatable({ used = {}, current = {} }, Ids)
end

--- An assistant begins to speak: results belong to the calls of this turn from now on.
function Ids:turn()
  self.current = {}
end

--- The id of a call on the wire. The same history gives the same ids.
--- @param id string
--- @return string
function Ids:call(id)
  local clean = id:gsub("[^%w_-]", "_")
  if clean == "" then clean = "_" end
  local wire, n = clean, 1
  while self.used[wire] do
    n = n + 1
    wire = clean .. "_" .. n
  end
  self.used[wire] = true
  local list = self.current[id] or {}
  self.current[id] = list
  list[#list + 1] = wire
  return wire
end

--- The id of the call that a result answers; nil where the turn before has none.
--- @param id string
--- @return string?
function Ids:result(id)
  local list = self.current[id]
  if not list then return nil end
  return list[2] and table.remove(list, 1) or list[1]
end

return M
