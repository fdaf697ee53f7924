--- What the simulator says beside words: a call of a tool, or JSON that fits the schema it was asked for.
--- Returns call(value), json(value, words).
local core = require("multimodal.core")
local sample = require("multimodal.simulator.sample")

local M = {}

local function list(value)
  return type(value) == "table" and value or {}
end

--- Whether tools have answered since the model spoke last.
local function is_answered(messages)
  for i = #messages, 1, -1 do
    if messages[i].role == "tool" then return true end
    if messages[i].role == "assistant" then return false end
  end
  return false
end

local function text_of(content)
  if type(content) == "string" then return content end
  local texts = {}
  for _, part in ipairs(list(content)) do
    if type(part) == "table" and type(part.text) == "string" then texts[#texts + 1] = part.text end
  end
  return table.concat(texts, " ")
end

--- The first name in what the user said last: a capital letter that begins no sentence.
local function name_in(messages)
  for i = #messages, 1, -1 do
    if messages[i].role == "user" then return text_of(messages[i].content):match("%l,? (%u[%w-]+)") end
  end
  return nil
end

local function wanted_tool(value)
  local choice = value.tool_choice
  local name = type(choice) == "table" and list(choice["function"]).name
  for _, tool in ipairs(list(value.tools)) do
    local inner = list(tool)["function"]
    if type(inner) == "table" and type(inner.name) == "string" and (not name or name == inner.name) then return inner end
  end
  return nil
end

--- The call of a tool that a request asks for: of the first one, or of the one it names, until there is a result.
--- @param value table    the request
--- @return table? call   as a message has it
function M.call(value)
  if value.tool_choice == "none" or is_answered(value.messages) then return nil end
  local tool = wanted_tool(value)
  if not tool then return nil end
  local arguments = sample.of(tool.parameters or { type = "object" }, "something", name_in(value.messages))
  local text = tostring(assert(core.body(arguments)))
  local id = "call_" .. core.sha256():update(tool.name .. text):hex():sub(1, 24)
  return { id = id, type = "function", ["function"] = { name = tool.name, arguments = text } }
end

--- The JSON that a request asks for, nil where it asks for none.
--- @param value table    the request
--- @param words string   what would be said
--- @return string?
function M.json(value, words)
  local format = list(value.response_format)
  local given = list(format.json_schema).schema
  if format.type == "json_schema" and type(given) == "table" then
    return tostring(assert(core.body(sample.of(given, "something", name_in(value.messages)))))
  end
  return format.type == "json_object" and tostring(assert(core.body { answer = words })) or nil
end

return M
