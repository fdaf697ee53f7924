--- A whole chat completion as a neutral reply.
--- Names: decode body reasoning thought wire_usage.
--- A stream that is accumulated to the same shape goes through `body` as well.
local content = require("multimodal.dialect.openai.content")
local failure = require("multimodal.dialect.failure")
local finish = require("multimodal.reply.finish")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local media = require("multimodal.media")
local native = require("multimodal.dialect.openai.native")
local tool_calls = require("multimodal.reply.tool_calls")
local usage = require("multimodal.reply.usage")

local M = {}

--- What a stream knows beside the accumulated body, so that what it handed out and what it ends with are the same objects.
--- @class multimodal.openai.Known
--- @field complete boolean
--- @field calls table<integer, multimodal.ToolCall[]>?   by position of the choice
--- @field pictures table<table, multimodal.Media>?       by image element
--- @field exact table?                                   the choices with explicit nulls, for what is echoed
--- @field event table?                                   or what they are read from
--- @field warnings string[]?

local list, present = lifted.list, lifted.present

--- The text of a thinking part: a string, or a list of text parts.
--- @param part table
--- @return string
function M.thought(part)
  local texts = { lifted.text(part.thinking) or lifted.text(part.text) }
  for _, piece in ipairs(list(part.thinking)) do texts[#texts + 1] = type(piece) == "table" and lifted.text(piece.text) or nil end
  return table.concat(texts)
end

--- Keep a part that only its gateway knows, as it may go back; what could not be written again is nothing.
local function keep(parts, part)
  if lifted.is_object(part) and type(part.type) == "string" and json.encode(part) then parts[#parts + 1] = part end
end

--- Read one part of a content list; thinking goes to `thoughts`.
local function read_part(part, parts, thoughts, known)
  if type(part) ~= "table" or lifted.is_mixed(part) then return content.split(part, parts) end
  local kind = part.type
  if kind == "thinking" or kind == "reasoning" then
    thoughts[#thoughts + 1] = M.thought(part)
  elseif kind == "image_url" then
    local picture = known.pictures and known.pictures[part] or content.picture(part)
    if picture then parts[#parts + 1] = picture else keep(parts, part) end
  elseif part.text ~= nil then
    content.split(part.text, parts)
  elseif kind ~= "refusal" then
    keep(parts, part)
  end
end

local function read_content(value, known)
  local parts = {}
  if type(value) ~= "table" or lifted.is_mixed(value) then
    if value ~= nil then content.split(value, parts) end
    return parts
  end
  local thoughts = {}
  for _, part in ipairs(value) do read_part(part, parts, thoughts, known) end
  return parts, thoughts[1] and table.concat(thoughts) or nil
end

local function refusal_in(value)
  if type(value) ~= "table" then return nil end
  for _, part in ipairs(list(value)) do
    if type(part) == "table" and part.type == "refusal" then return present(part.refusal) end
  end
  return nil
end

local function add_images(message, parts, known, warnings)
  for i, element in ipairs(list(message.images)) do
    local picture = known.pictures and known.pictures[element] or content.picture(element)
    if picture then
      parts[#parts + 1] = picture
    else
      warnings[#warnings + 1] = ("images[%d] is malformed and was left out"):format(i)
    end
  end
end

local function add_audio(message, parts, warnings)
  local audio = message.audio
  if type(audio) ~= "table" then return end
  local part
  if lifted.is_blob(audio.data) then
    part = media.from_blob("audio", audio.data)
  elseif type(audio.data) == "string" and audio.data ~= "" then
    local written = media.new("audio", { base64 = audio.data }):opened()
    if written then part = media.from_blob("audio", written.blob) else warnings[#warnings + 1] = "the audio is broken base64" end
  end
  if not part then return end
  part.id, part.transcript = present(audio.id), lifted.text(audio.transcript)
  part.expires_at = audio.expires_at
  parts[#parts + 1] = part
end

--- The text of reasoning_details, where there is no plain reasoning beside them.
local function reasoning_of_details(details)
  local texts = {}
  for _, detail in ipairs(list(details)) do
    if type(detail) == "table" then
      texts[#texts + 1] = lifted.text(detail.text) or lifted.text(detail.summary)
    end
  end
  local text = table.concat(texts)
  return text ~= "" and text or nil
end

--- Reasoning in its three spellings, never two of them.
--- @param message table
--- @return string?
function M.reasoning(message)
  if message.reasoning == nil and message.reasoning_content == nil and message.reasoning_details == nil then return nil end
  return present(message.reasoning_content) or present(message.reasoning) or reasoning_of_details(message.reasoning_details)
end

local function read_call(wire)
  local of = type(wire["function"]) == "table" and wire["function"] or {}
  local custom = type(wire.custom) == "table" and wire.custom or {}
  local arguments = of.arguments
  if arguments == nil then arguments = custom.input end
  if lifted.is_blob(arguments) or lifted.is_mixed(arguments) then arguments = lifted.text(arguments) end
  return present(wire.id), present(of.name) or present(custom.name) or present(wire.name), arguments
end

--- Calls of a message; ids that are missing or taken are made.
local function read_calls(message, ready, warnings)
  local calls = {}
  if message.tool_calls == nil and message.function_call == nil then return calls end
  local wires = list(message.tool_calls)
  if wires[1] == nil then
    if type(message.function_call) ~= "table" then return calls end
    wires = { { ["function"] = message.function_call } }
  end
  local taken = {}
  for i, wire in ipairs(wires) do
    local call = ready and ready[i]
    if not call then
      local id, name, arguments = read_call(type(wire) == "table" and wire or {})
      call = tool_calls.call(not taken[id or ""] and id or nil, name, arguments)
    end
    if not call.arguments and type(wire) == "table" and not wire.custom then
      warnings[#warnings + 1] = ("tool_calls[%d] (%s): the arguments are no JSON object"):format(i, call.name)
    end
    taken[call.id] = true
    calls[i] = call
  end
  return calls
end

local function text_of(parts)
  local first = parts[1]
  if first == nil then return "", true end
  if parts[2] == nil and first.type == "text" then return first.text, true end
  local texts, others = {}, false
  for _, part in ipairs(parts) do
    if part.type == "text" then texts[#texts + 1] = part.text else others = true end
  end
  return table.concat(texts), not others and texts[2] == nil
end

local function read_choice(choice, position, known, warnings)
  local message = native.message_in(choice)
  local parts, thoughts = read_content(message.content, known)
  if message.images ~= nil then add_images(message, parts, known, warnings) end
  if message.audio ~= nil then add_audio(message, parts, warnings) end
  local calls = read_calls(message, known.calls and known.calls[position], warnings)
  local text, plain = text_of(parts)
  local refusal = message.refusal ~= nil and present(message.refusal) or refusal_in(message.content)
  local raw, called = choice.finish_reason, calls[1] ~= nil
  return {
    text = text, parts = parts,
    reasoning = M.reasoning(message) or thoughts,
    refusal = refusal,
    citations = message.annotations ~= nil and type(message.annotations) == "table" and message.annotations or nil,
    tool_calls = calls,
    finish_reason = finish.read(raw, refusal, called, known.complete),
    finish_reason_raw = raw ~= nil and tostring(raw) or nil,
    message = {
      role = "assistant", content = parts, plain = plain, tool_calls = called and calls or nil,
      dialect = "openai", native = native.of(message, known, position),
    },
  }
end

local function before(a, b)
  if a.index ~= b.index then return a.index < b.index end
  return a.position < b.position
end

--- Choices in the order of their index, each with its place; one without an index has that of its place.
local function ordered(choices)
  local order = {}
  for i, choice in ipairs(choices) do
    if type(choice) == "table" then
      order[#order + 1] = { choice = choice, position = i, index = tonumber(choice.index) or i - 1 }
    end
  end
  table.sort(order, before)
  return order
end

--- The usage as received: at the top, or in a choice where some gateways put it.
--- @param body table
--- @return table?
function M.wire_usage(body)
  if body.usage ~= nil and type(body.usage) == "table" then return body.usage end
  local choice = list(body.choices)[1]
  return type(choice) == "table" and type(choice.usage) == "table" and choice.usage or nil
end

--- A choice, and its error where it failed.
local function read_checked(wire, position, known, warnings, event)
  local choice = read_choice(wire, position, known, warnings)
  local err = wire.error ~= nil and failure.of_choice(wire.error, event) or nil
  if err then choice.finish_reason, choice.error = "error", err end
  return choice, err
end

local function read_several(wires, known, warnings, event)
  local choices, failed = {}, nil
  for i, entry in ipairs(ordered(wires)) do
    local err
    choices[i], err = read_checked(entry.choice, entry.position, known, warnings, event)
    failed = failed or err
  end
  return choices, failed
end

--- Almost every body has one choice, which needs no order.
local function read_choices(wires, known, warnings, event)
  if wires[2] ~= nil then return read_several(wires, known, warnings, event) end
  if type(wires[1]) ~= "table" then return {} end
  local choice, err = read_checked(wires[1], 1, known, warnings, event)
  return { choice }, err
end

--- Read a decoded body. The second result tells why there is none; errors of single choices among several are warnings.
--- @param body table
--- @param known multimodal.openai.Known
--- @param event table?   what the body was read from, for errors
--- @return multimodal.Neutral?
--- @return multimodal.Error?
function M.body(body, known, event)
  local warnings = known.warnings or {}
  local choices, failed = read_choices(list(body.choices), known, warnings, event)
  if not choices[1] then return nil, failure.empty(event) end
  if failed and not choices[2] then return nil, failed end
  if failed then warnings[#warnings + 1] = "one choice failed: " .. failed.message end
  return {
    choices = choices, id = present(body.id), model = present(body.model), usage = usage.read(M.wire_usage(body)), raw = body,
    warnings = warnings,
  }
end

--- Read a whole body.
--- @param event table  {data = JSON text, media = blobs}
--- @return multimodal.Neutral?
--- @return multimodal.Error?
function M.decode(event)
  if event.type == "error" then return nil, failure.read(nil, nil, event) end
  local media_of = event.media
  local value, fault = json.decode(event.data, media_of and media_of[1] and { media = media_of } or nil)
  local is_table = type(value) == "table"
  if is_table and value[1] ~= nil then
    value = value[1]
    is_table = type(value) == "table"
  end
  if not is_table then return nil, failure.broken(event, fault) end
  local err = failure.in_body(value, event)
  if err then return nil, err end
  return M.body(value, { complete = true, event = event }, event)
end

return M
