--- Arguments of a call that come piece by piece: Vertex sends them so where streamFunctionCallArguments is asked for.
--- Names: is new.
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local tool_calls = require("multimodal.reply.tool_calls")
local wire = require("multimodal.dialect.gemini.wire")

local M = {}

local field = wire.field

--- Whether a call is one of those, or goes on with one.
--- @param call any   a functionCall
--- @return boolean
function M.is(call)
  return type(call) == "table" and (call.willContinue == true or type(call.partialArgs) == "table")
end

--- A call as it grows.
--- @class multimodal.gemini.Partial
--- @field part table       as it stands in the accumulated body, and grows there
--- @field exact table      the same with explicit nulls
--- @field made multimodal.ToolCall  its name and id, before the arguments are whole
--- @field args table       exact
local Partial = {}
Partial.__index = Partial

--- @param exact table   the first part of it
--- @return multimodal.gemini.Partial
function M.new(exact)
  local call = field(exact, "functionCall")
  local made = tool_calls.call(lifted.present(call.id), lifted.present(call.name))
  local function part()
    local copy = wire.remarks(exact, "functionCall") or {}
    copy.functionCall = { id = lifted.present(call.id), name = lifted.present(call.name) }
    return copy
  end
  return setmetatable({ part = part(), exact = part(), made = made, args = {} }, Partial)
end

--- "$.a.b[0]['c']" as its steps, the positions of lists from 1; nil where it is none.
local function steps_of(path)
  local rest = type(path) == "string" and path:match("^%$(.*)$")
  local steps = {}
  while rest and rest ~= "" do
    local name, more = rest:match("^%.([^.%[]+)(.*)$")
    if not name then name, more = rest:match("^%['([^']*)'%](.*)$") end
    if not name then
      name, more = rest:match("^%[(%d+)%](.*)$")
      name = name and tonumber(name) + 1
    end
    if not name then return nil end
    steps[#steps + 1], rest = name, more
  end
  return rest and steps[1] and steps
end

--- The value of one piece, nil where there is none.
local function value_of(piece)
  if type(piece) ~= "table" then return nil end
  for _, name in ipairs { "stringValue", "numberValue", "boolValue" } do
    local value = piece[name]
    if value ~= nil and value ~= json.null then return lifted.text(value) or value end
  end
  return piece.nullValue ~= nil and json.null or nil
end

local most = 100000 -- places in a list, which a hostile path could name

--- Put a piece where its path says; text of the same path goes on.
local function put(args, steps, value)
  local at = args
  for i = 1, #steps - 1 do
    local step = steps[i]
    if type(step) == "number" and step > most then return end
    if type(at[step]) ~= "table" then at[step] = type(steps[i + 1]) == "number" and json.array {} or {} end
    at = at[step]
  end
  local last = steps[#steps]
  if type(last) == "number" and (last > most or last > #at + 1) then return end
  if type(value) == "string" and type(at[last]) == "string" then value = at[last] .. value end
  at[last] = value
end

--- Take the next part.
--- @param exact table
--- @return boolean ended
function Partial:take(exact)
  local call = field(exact, "functionCall")
  for _, piece in ipairs(lifted.list(call.partialArgs)) do
    local value = value_of(piece)
    local steps = value ~= nil and steps_of(piece.jsonPath)
    if steps then put(self.args, steps, value) end
  end
  if type(call.args) == "table" then self.args = call.args end
  for name, value in pairs(wire.remarks(exact, "functionCall") or {}) do self.part[name], self.exact[name] = value, value end
  return call.willContinue ~= true
end

--- The call, whose arguments are whole now.
--- @return multimodal.ToolCall
function Partial:close()
  local text = json.encode(self.args)
  if not text or text == "[]" then text = "{}" end
  self.exact.functionCall.args = json.decode(text, { null = true, exact = true })
  self.part.functionCall.args = json.decode(text)
  return tool_calls.call(self.made.id, self.made.name, text)
end

return M
