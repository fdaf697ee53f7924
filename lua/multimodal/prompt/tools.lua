--- Tools: what a model may call, and the messages that answer its calls. Nothing is run here.
--- Names: new is of check_choice answer result unanswered.
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local options_table = require("multimodal.options")
local schemas = compat.lazy("multimodal.prompt.schema")

local misuse = error_class.misuse

local M = {}

--- @alias multimodal.ToolRun fun(arguments: table, call: multimodal.ToolCall): any, any
---   a string, a value for JSON, a part or a list of strings and parts, a reply; or nil and what failed

--- @class multimodal.Tool
--- @field name string
--- @field description string?
--- @field parameters table|userdata|nil  JSON Schema as it goes out; nil: no arguments
--- @field schema multimodal.Schema?      the same to check with
--- @field strict boolean?
--- @field extra table?                   further fields of the tool on the wire
--- @field run multimodal.ToolRun?        nil: the call of the client ends with reply.tool_calls
local Tool = { __name = "multimodal.tool" }
Tool.__index = Tool

function Tool:__tostring()
  return "multimodal.tool: " .. self.name
end

--- @param value any
--- @return boolean
function M.is(value)
  return getmetatable(value) == Tool
end

local fields = { name = "string", description = "string", parameters = "table", run = "function", strict = "boolean", extra = "table" }

local function check(spec)
  for name, value in pairs(spec) do
    if not fields[name] then options_table.unknown(name, fields, "tool: ") end
    local fits = type(value) == fields[name] or name == "parameters" and type(value) == "string"
    if not fits then misuse(("tool: %s: expected a %s, got %s"):format(name, fields[name], type(value))) end
  end
  if not spec.name or spec.name == "" then misuse("tool: name: expected a string, got nothing") end
end

--- A tool of { name, description, parameters, run, strict }. `parameters` are JSON Schema as a table or text, or the
--- short form of mm.schema.
--- @param spec {name: string, description: string?, parameters: table|string|nil, run: multimodal.ToolRun?, strict: boolean?}
--- @return multimodal.Tool
function M.new(spec)
  if type(spec) ~= "table" then misuse("tool: expected a table, got " .. type(spec)) end
  check(spec)
  local schema = spec.parameters and schemas.parameters(spec.parameters, spec.strict)
  return setmetatable({
    name = spec.name, description = spec.description, strict = spec.strict, run = spec.run, extra = spec.extra,
    schema = schema or nil, parameters = schema and schema.schema or nil,
  }, Tool)
end

local function name_of(tool)
  if M.is(tool) then return tool.name end
  local inner = tool["function"] or tool.custom
  if type(inner) == "table" then return inner.name end
  return type(tool.name) == "string" and tool.name or nil
end

--- The tools of the option: tools, tables that could be one, and tables in a dialect's own form, which have a type.
--- @param list table
--- @return (multimodal.Tool|table)[] tools
--- @return table<string, multimodal.Tool|table> by_name
function M.of(list)
  local tools, by_name = {}, {}
  local n = messages.list(list, "tools", function(name)
    misuse(("tools: %s beside a list; write { mm.tool { ... } }"):format(name))
  end)
  for i = 1, n do
    local tool = list[i]
    if type(tool) ~= "table" then misuse(("tools[%d]: expected mm.tool { ... }, got %s"):format(i, type(tool))) end
    if not M.is(tool) and tool.type == nil then tool = M.new(tool) end
    local name = name_of(tool)
    if name and by_name[name] then misuse(("tools[%d]: a second tool named %s"):format(i, name)) end
    if name then by_name[name] = tool end
    tools[i] = tool
  end
  return tools, by_name
end

local modes = { auto = true, none = true, required = true }

--- Refuse the choice of a tool that is not there.
--- @param choice string|table|nil
--- @param by_name table<string, table>
function M.check_choice(choice, by_name)
  if type(choice) ~= "string" or modes[choice] or by_name[choice] then return end
  local near = options_table.nearest(choice, by_name)
  misuse(('tool_choice: %q is no tool of this call%s'):format(choice, near and ("; did you mean %q?"):format(near)
    or '; "auto", "none", "required" or the name of one'))
end

local function is_reply(value)
  local class = getmetatable(value)
  return type(class) == "table" and class.__name == "multimodal.reply"
end

local function is_part(value)
  return media.is(value) or type(value) == "table" and value.type == "text" and type(value.text) == "string"
end

--- Whether a list is of parts: strings alone are data.
local function is_said(list)
  local parts = 0
  for key, item in pairs(list) do
    if type(key) ~= "number" or type(item) ~= "string" and not is_part(item) then return false end
    if type(item) ~= "string" then parts = parts + 1 end
  end
  return parts > 0
end

local function media_inside(value)
  for name, item in pairs(value) do
    if media.is(item) then return tostring(name) end
  end
  return nil
end

local function checked(text)
  if json.encode(text) then return text end
  return nil, "the text is no UTF-8; return bytes as mm.file { bytes =, mime = }"
end

--- The first text of a list of parts that cannot be said.
local function check_said(list)
  for _, item in ipairs(list) do
    local text = type(item) == "string" and item or not media.is(item) and item.text
    local fine, wrong = checked(text or "")
    if not fine then return nil, wrong end
  end
  return list
end

--- What a tool gave, as something that a message can say.
--- @param value any
--- @return string|table|nil said
--- @return string? wrong
local function said_of(value)
  if value == nil then return "null" end
  if type(value) == "string" then return checked(value) end
  if is_reply(value) then value = value.parts[1] and value.parts or value.text end
  if type(value) ~= "table" and type(value) ~= "number" and type(value) ~= "boolean" then
    return nil, ("a %s cannot be a tool's result"):format(type(value))
  end
  if media.is(value) then return { value } end
  if type(value) ~= "table" then return tostring(value) end
  if is_said(value) then return check_said(value) end
  local inside = media_inside(value)
  if inside then return nil, ("%s: a part in a table of data; return a list of strings and parts"):format(inside) end
  local text, err = json.encode(value)
  return text, err and "the result cannot be written as JSON: " .. err.message
end

local function message_of(call, said, failed)
  local message = messages.new("tool", said)
  message.tool_call_id = type(call) == "table" and call.id or call
  message.tool_name = type(call) == "table" and call.name or nil
  message.error = failed or nil
  return message
end

--- The message that answers a call, of what its tool gave.
--- @param call multimodal.ToolCall|string  or its id
--- @param value any
--- @param failed? boolean
--- @return multimodal.Message? message
--- @return string? wrong
function M.answer(call, value, failed)
  local said, wrong = said_of(value)
  if said == nil then return nil, wrong end
  return message_of(call, said, failed)
end

--- The message that answers a call, for loops made by hand.
--- @param call multimodal.ToolCall|string  a call of reply.tool_calls, or its id
--- @param value any                        as a tool's run returns it
--- @param more? {error: boolean?}          error: the value tells what failed
--- @return multimodal.Message
function M.result(call, value, more)
  local id = type(call) == "table" and call.id or call
  if type(id) ~= "string" or id == "" then misuse("tool_result: expected a call of reply.tool_calls or its id, got " .. type(call)) end
  if more ~= nil and type(more) ~= "table" then misuse("tool_result: expected { error = true }, got " .. type(more)) end
  for name in pairs(more or {}) do
    if name ~= "error" then options_table.unknown(name, { error = true }, "tool_result: ") end
  end
  local message, wrong = M.answer(call, value, more and more.error)
  return message or misuse("tool_result: " .. wrong)
end

local function field(message, name)
  local value = message[name]
  if value == nil and message.extra then value = message.extra[name] end
  return value
end

local function calls_of(message)
  if message.role ~= "assistant" then return nil end
  local calls = field(message, "tool_calls")
  return type(calls) == "table" and calls or nil
end

--- Whether a message ends the place of results: anything but a result, or where both sides speak by turns, the next turn of
--- the assistant.
local function ends_results(role, by_turns, begun)
  if by_turns then return begun and role == "assistant" end
  return role ~= "tool"
end

--- The ids that the messages of tools from `from` on answer.
local function answered_from(list, from, by_turns)
  local answered, begun = {}, false
  for i = from, #list do
    local role = list[i].role
    if ends_results(role, by_turns, begun) then break end
    begun = begun or role ~= "assistant"
    if role == "tool" then answered[field(list[i], "tool_call_id") or ""] = true end
  end
  return answered
end

--- The first of some calls that is not answered.
local function first_open(calls, answered)
  for _, call in ipairs(calls) do
    if type(call) == "table" and not answered[call.id or ""] then
      local inner = type(call["function"]) == "table" and call["function"] or call
      return tostring(call.id), tostring(inner.name)
    end
  end
  return nil
end

--- The first call of a history that no message after it answers: before anything else is said, or where both sides speak by
--- turns, in the turn after it.
--- @param list multimodal.Message[]
--- @param by_turns boolean?
--- @return integer? index   of the message that calls
--- @return string? id
--- @return string? name
function M.unanswered(list, by_turns)
  for i = 1, #list do
    local calls = calls_of(list[i])
    if calls then
      local id, name = first_open(calls, answered_from(list, i + 1, by_turns))
      if id then return i, id, name end
    end
  end
  return nil
end

return M
