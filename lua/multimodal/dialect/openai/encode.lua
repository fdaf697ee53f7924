--- A prompt as a chat completions request.
--- Names: encode.
local fields = require("multimodal.dialect.fields")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local limits = require("multimodal.dialect.openai.limits")
local media = require("multimodal.media")
local parameters = require("multimodal.dialect.openai.parameters")
local parts = require("multimodal.dialect.openai.parts")
local refuse = require("multimodal.dialect.refuse")
local turns = require("multimodal.dialect.turns")

local M = {}

--- A part on its way out, for what is to be said of all of them together.
local function place_of(context, i)
  return ("messages[%d].content[%d]"):format(context.index, i)
end

local function note(context, place, wire, part)
  context.sent[#context.sent + 1] = { place = place, type = wire.type, part = media.is(part) and part or nil }
end

local function is_empty(part)
  return not media.is(part) and part.type == "text" and part.text == ""
end

--- The parts of a message as a list, in the order they were written. Empty text among others is left out, since
--- several providers refuse it.
local function encode_parts(list, context)
  local wires = {}
  for i, part in ipairs(list) do
    if not is_empty(part) or not list[2] then
      local place = place_of(context, i)
      local wire, err = parts.encode(part, context.profile, place)
      if not wire then return nil, err end
      if wire.type ~= "text" then note(context, place, wire, part) end
      wires[#wires + 1] = wire
    end
  end
  return json.array(wires)
end

local function only_text(list)
  local texts = {}
  for i, part in ipairs(list) do
    if media.is(part) or part.type ~= "text" then return nil, i end
    texts[i] = part.text
  end
  return texts
end

--- Content of a message that is no assistant's: a string stays a string, a list stays a list.
local function content_of(message, context)
  if message.plain then return message.content[1] and message.content[1].text or "" end
  if message.role == "system" and context.profile.system == "string" then
    local texts, odd = only_text(message.content)
    if texts then return table.concat(texts, "\n\n") end
    return refuse.unsupported(place_of(context, odd),
      (refuse.who(context.profile)) .. " takes text alone in a system message; put it in a user message")
  end
  return encode_parts(message.content, context)
end

local function encode_other(message, context)
  local role = message.role
  if role == "system" and context.profile.system == "developer" then role = "developer" end
  local content, err = content_of(message, context)
  if content == nil then return nil, err end
  return { role = role, name = message.name, content = content }
end

--- The texts of a tool's answer as one. There is no flag for a failure on this wire, so the text says it.
local function answer_text(texts, message)
  local text = table.concat(texts, "\n")
  if message.error then return "Error: " .. text end
  return text ~= "" and text or "The result is in the message of the user that follows."
end

--- Media of a tool's answer, for the message of the user that follows.
local function show_later(message, context)
  local shown = context.shown
  shown[#shown + 1] = { type = "text", text = ("The result of %s:"):format(message.tool_name or message.tool_call_id) }
  local texts = {}
  for i, part in ipairs(message.content) do
    if part.type == "text" and not media.is(part) then
      texts[#texts + 1] = part.text
    else
      local place = place_of(context, i)
      local wire, err = parts.encode(part, context.profile, place)
      if not wire then return nil, err end
      note(context, place, wire, part)
      shown[#shown + 1] = wire
    end
  end
  return answer_text(texts, message)
end

--- A tool's answer; what is no text goes into it only where the gateway takes it there.
local function encode_tool(message, context)
  local texts = only_text(message.content)
  local content, err
  if texts and (message.plain or message.error or not texts[2]) then
    content = message.error and answer_text(texts, message) or texts[1] or ""
  elseif texts or context.profile.tool_media then
    content, err = encode_parts(message.content, context)
  else
    content, err = show_later(message, context)
  end
  if content == nil then return nil, err end
  return { role = "tool", tool_call_id = message.tool_call_id, name = message.name, content = content }
end

--- One call of the history; fields that came with it go back with it.
local function encode_call(call, received)
  local wire = fields.extend({}, lifted.is_object(received) and received or nil)
  wire.id, wire.index = call.id, nil
  wire.type = type(wire.type) == "string" and wire.type ~= "" and wire.type or "function"
  if wire.custom then return wire end
  local inner = fields.extend({}, lifted.is_object(wire["function"]) and wire["function"] or nil)
  inner.name, inner.arguments = call.name, call.arguments_raw
  wire["function"] = inner
  return wire
end

local function encode_calls(message, native)
  local wires = {}
  for i, call in ipairs(message.tool_calls) do wires[i] = encode_call(call, native.tool_calls and native.tool_calls[i]) end
  return json.array(wires)
end

--- Sort what an assistant said into text and pictures.
local function sort_said(message, context, native)
  local said, pictures = {}, {}
  for i, part in ipairs(message.content) do
    local place = place_of(context, i)
    local foreign = turns.is_foreign(part, message, place, "openai", context.warnings)
    if not media.is(part) then
      if not foreign then said[#said + 1] = part end
    elseif part.kind == "image" and context.profile.assistant_images ~= false then
      local wire, err = parts.encode(part, context.profile, place)
      if not wire then return nil, err end
      note(context, place, wire, part)
      pictures[#pictures + 1] = wire
    elseif not (part.kind == "audio" and type(native.audio) == "table" and part.id == native.audio.id) then
      return refuse.unsupported(place, ("an assistant's %s cannot go back to %s; put it in a user message"):format(
        part.kind, refuse.who(context.profile)))
    end
  end
  return said, pictures
end

--- What an assistant said; what its gateway wants back as it came goes back as it came.
local function encode_assistant(message, context)
  turns.foreign_left(message, ("messages[%d]"):format(context.index), "openai", context.warnings)
  local native = message.dialect == "openai" and type(message.native) == "table" and message.native or {}
  local said, pictures = sort_said(message, context, native)
  if not said then return nil, pictures end
  local wire = { role = "assistant", name = message.name }
  for name, value in pairs(native) do
    if name ~= "tool_calls" then wire[name] = value end
  end
  local texts = only_text(said)
  local alone = texts and not texts[2] and (message.plain or message.dialect ~= nil)
  if said[1] and alone then
    wire.content = texts[1]
  elseif said[1] then
    local err
    wire.content, err = encode_parts(said, context)
    if not wire.content then return nil, err end
  elseif message.plain or pictures[1] then
    wire.content = ""
  end
  if pictures[1] then wire.images = json.array(pictures) end
  if message.tool_calls and message.tool_calls[1] then wire.tool_calls = encode_calls(message, native) end
  if (wire.tool_calls or wire.refusal or wire.audio) and not said[1] then wire.content = json.null end
  return wire
end

local encoders = { assistant = encode_assistant, tool = encode_tool }

local function encode_message(message, context)
  local fine, refusal = refuse.unspoken_message(message, ("messages[%d]"):format(context.index), "openai")
  if not fine then return nil, refusal end
  if message.wire and message.role ~= "system" then return message.wire end
  local wire, err = (encoders[message.role] or encode_other)(message, context)
  if not wire then return nil, err end
  return message.extra and fields.extend(wire, message.extra) or wire
end

--- What tools showed goes out after the last answer of their step: nothing may stand between these.
local function encode_messages(messages, profile, sent, warnings)
  local wires, context = {}, { index = 0, profile = profile, sent = sent, shown = {}, warnings = warnings }
  for i = 1, #messages do
    local message = messages[i]
    if context.shown[1] and message.role ~= "tool" then
      wires[#wires + 1], context.shown = { role = "user", content = json.array(context.shown) }, {}
    end
    context.index = i
    local wire, err = encode_message(message, context)
    if not wire then return nil, err end
    wires[#wires + 1] = wire
  end
  if context.shown[1] then wires[#wires + 1] = { role = "user", content = json.array(context.shown) } end
  return json.array(wires)
end

--- An assistant's last message, unless its own fields say that it is a beginning (`prefix`, `partial`).
local function checked_end(wires, prompt, profile, warnings)
  local last, n = prompt.messages[#prompt.messages], #prompt.messages
  if not last or last.role ~= "assistant" or last.extra or last.tool_calls then return wires end
  local fine, err = turns.begun(("messages[%d]"):format(n), refuse.who(profile), prompt.options.check, warnings)
  return fine and wires, err
end

--- A request that was written by hand: only an absent model and the stream are put in.
local function encode_raw(prompt)
  local body = fields.extend({}, prompt.raw)
  if body.model == nil then body.model = prompt.options.model or nil end
  if prompt.stream then
    body.stream = true
  elseif body.stream == true then
    body.stream, body.stream_options = nil, nil
  end
  return body
end

local function request(body)
  return { method = "POST", path = "/chat/completions", body = body, stream = body.stream == true }
end

--- @param prompt multimodal.Prompt
--- @param profile multimodal.Profile
--- @return multimodal.DialectRequest?
--- @return multimodal.Error?  unsupported: names the part and the way out
--- @return string[] warnings
function M.encode(prompt, profile)
  local warnings = {}
  if prompt.raw then return request(encode_raw(prompt)), nil, warnings end
  local sent = {}
  local messages, err = encode_messages(prompt.messages, profile, sent, warnings)
  if messages then messages, err = checked_end(messages, prompt, profile, warnings) end
  if not messages then return nil, err, warnings end
  local body
  body, err = parameters.encode(messages, prompt, profile, warnings)
  if not body then return nil, err, warnings end
  err = limits.check(sent, body, prompt.options, profile, warnings)
  if err then return nil, err, warnings end
  return request(body), nil, warnings
end

return M
