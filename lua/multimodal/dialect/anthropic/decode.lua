--- A whole message as a neutral reply.
--- Names: decode message input_text.
--- A stream that is accumulated to the same shape goes through `message` as well.
local failure = require("multimodal.dialect.failure")
local finish = require("multimodal.reply.finish")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local native = require("multimodal.dialect.anthropic.native")
local tool_calls = require("multimodal.reply.tool_calls")
local usage = require("multimodal.dialect.anthropic.usage")

local M = {}

local list, present = lifted.list, lifted.present

--- What is known beside the message.
--- @class multimodal.anthropic.Known
--- @field complete boolean
--- @field exact table[]                                  the blocks with explicit nulls and exact numbers
--- @field calls table<integer, multimodal.ToolCall>?     by position of the block: those a stream handed out
--- @field warnings string[]?

--- The arguments of a call as text, the same for the same value: an object as it came, or a text that is none.
--- @param input any  exact
--- @return string
function M.input_text(input)
  if type(input) == "table" and not lifted.is_mixed(input) then return json.encode(input) or "{}" end
  local text = lifted.text(input) or ""
  local value = text:find("^%s*{") and json.decode(text, { null = true, exact = true })
  return type(value) == "table" and json.encode(value) or text
end

--- A reply as it is read.
--- @class multimodal.anthropic.Reading
--- @field parts table[]
--- @field thoughts string[]
--- @field citations table[]?
--- @field calls multimodal.ToolCall[]
--- @field known multimodal.anthropic.Known
--- @field warnings string[]

local readers = {}

function readers.text(reading, block)
  local text = present(block.text)
  if text then reading.parts[#reading.parts + 1] = { type = "text", text = text } end
  for _, citation in ipairs(list(block.citations)) do
    reading.citations = reading.citations or {}
    reading.citations[#reading.citations + 1] = citation
  end
end

function readers.thinking(reading, block)
  reading.thoughts[#reading.thoughts + 1] = present(block.thinking)
end

function readers.tool_use(reading, block, exact, position)
  if block.name == native.answer_tool then
    reading.parts[#reading.parts + 1] = { type = "text", text = M.input_text(exact.input) }
    reading.answered = true
    return
  end
  local call = reading.known.calls and reading.known.calls[position]
    or tool_calls.call(present(exact.id), present(block.name), M.input_text(exact.input))
  if not call.arguments then
    reading.warnings[#reading.warnings + 1] = ("content[%d] (%s): the arguments are no JSON object"):format(position, call.name)
  end
  exact.id = call.id
  reading.calls[#reading.calls + 1] = call
end

--- The content of a message; what nobody here knows stays in what goes back and in raw.
local function read_content(content, known, warnings)
  local reading = { parts = {}, thoughts = {}, calls = {}, known = known, warnings = warnings }
  for position, block in ipairs(list(content)) do
    local reader = lifted.is_object(block) and readers[block.type]
    if reader then reader(reading, block, type(known.exact[position]) == "table" and known.exact[position] or block, position) end
  end
  return reading
end

local function text_of(parts)
  local texts = {}
  for i, part in ipairs(parts) do texts[i] = part.text end
  return table.concat(texts)
end

--- Why a model refused, in the words it gives.
local function refusal_of(message)
  if message.stop_reason ~= "refusal" then return nil end
  local details = type(message.stop_details) == "table" and message.stop_details or {}
  return present(details.explanation) or present(details.category) or "refusal"
end

local function choice_of(message, known, warnings)
  local reading = read_content(message.content, known, warnings)
  local parts, calls = reading.parts, reading.calls
  local called, raw, refusal = calls[1] ~= nil, message.stop_reason, refusal_of(message)
  local reason = finish.read(raw, refusal, called, known.complete)
  if reading.answered and not called and reason == "tool_calls" then reason = "stop" end
  return {
    text = text_of(parts), parts = parts,
    reasoning = reading.thoughts[1] and table.concat(reading.thoughts) or nil,
    refusal = refusal, citations = reading.citations, tool_calls = calls,
    finish_reason = reason, finish_reason_raw = raw ~= nil and tostring(raw) or nil,
    message = {
      role = "assistant", content = parts, plain = parts[2] == nil, tool_calls = called and calls or nil,
      dialect = "anthropic", native = native.of(known.exact),
    },
  }
end

--- Read a decoded message.
--- @param message table
--- @param known multimodal.anthropic.Known
--- @return multimodal.Neutral
function M.message(message, known)
  local warnings = known.warnings or {}
  return {
    choices = { choice_of(message, known, warnings) },
    id = present(message.id), model = present(message.model), usage = usage.read(message.usage), raw = message, warnings = warnings,
  }
end

--- The blocks of a body with explicit nulls and exact numbers.
local function exact_blocks(event)
  local blocks = {}
  for _, block in ipairs(list((lifted.exact(event) or {}).content)) do
    if block ~= json.null then blocks[#blocks + 1] = block end
  end
  return blocks
end

--- Whether all of the content is text that says no more than its words.
local function is_text(content)
  for _, block in ipairs(content) do
    if type(block) ~= "table" or block.type ~= "text" or block.citations ~= nil then return false end
  end
  return true
end

--- Read a whole body.
--- @param event table  {data = JSON text, media = blobs}
--- @return multimodal.Neutral?
--- @return multimodal.Error?
function M.decode(event)
  if event.type == "error" then return nil, failure.read(nil, nil, event) end
  local media = event.media
  local value, fault = json.decode(event.data, media and media[1] and { media = media } or nil)
  if type(value) == "table" and value[1] ~= nil then value = value[1] end
  if type(value) ~= "table" then return nil, failure.broken(event, fault) end
  if type(value.content) ~= "table" then
    return nil, failure.in_body(value, event) or failure.empty(event, "content")
  end
  local content = list(value.content)
  return M.message(value, { complete = true, exact = is_text(content) and content or exact_blocks(event) })
end

return M
