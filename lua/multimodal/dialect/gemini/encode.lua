--- A prompt as a generateContent request.
--- Names: encode body path model.
local calls = require("multimodal.dialect.gemini.calls")
local contexts = require("multimodal.dialect.gemini.context")
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local media = require("multimodal.media")
local native = require("multimodal.dialect.gemini.native")
local parameters = require("multimodal.dialect.gemini.parameters")
local parts = require("multimodal.dialect.gemini.parts")
local refuse = require("multimodal.dialect.refuse")
local sents = require("multimodal.dialect.sent")
local turns = require("multimodal.dialect.turns")

local warn = contexts.warn

local M = {}

local function add_content(wires, message, place, context)
  for j, part in ipairs(message.content) do
    local wire, err = parts.encode(part, context, ("%s.content[%d]"):format(place, j))
    if err then return nil, err end
    wires[#wires + 1] = wire
  end
  -- Messages in Gemini's own form have their parts beside our fields.
  local written = type(message.extra) == "table" and message.extra.parts
  for _, wire in ipairs(type(written) == "table" and written or {}) do wires[#wires + 1] = wire end
  return true
end

local function encode_user(turn, called, ids, context)
  local results, rest = turns.results(turn, called)
  if not results then return nil, rest end
  local wires, err = calls.results(results, ids, context)
  if not wires then return nil, err end
  for _, item in ipairs(rest) do
    turns.name_left(item, "Gemini's dialect", context.warnings)
    local fine, wrong = add_content(wires, item.message, item.place, context)
    if not fine then return nil, wrong end
  end
  return wires
end

--- One part of what an assistant said; nil alone where it is left out.
local function encode_said(item, j, context)
  local part, place = item.message.content[j], ("%s.content[%d]"):format(item.place, j)
  if turns.is_foreign(part, item.message, place, "gemini", context.warnings) then return nil end
  return parts.encode(part, context, place)
end

--- What Gemini 3 takes for a signature where a call has none, of another model's making.
local no_signature = "skip_thought_signature_validator"

--- The first call of a turn is signed; one that never was says so.
local function sign(wires, context)
  if (context.generation or 0) < 3 then return end
  for _, wire in ipairs(wires) do
    if type(wire) == "table" and wire.functionCall then
      wire.thoughtSignature = wire.thoughtSignature or no_signature
      return
    end
  end
end

local function add_slot(wires, slot, item, said, context)
  local wire, err
  if slot.item then
    wire, err = encode_said(item, slot.item, context)
    for name, value in pairs(wire and type(slot.more) == "table" and slot.more or {}) do wire[name] = value end
  elseif slot.call then
    wire, err = calls.call(said[slot.call], slot, context, item.place)
  else
    wire = slot.wire
  end
  wires[#wires + 1] = wire
  return err
end

--- @return table[]? wires
--- @return multimodal.Error? err
local function encode_model(turn, called, ids, context)
  local wires = {}
  for _, item in ipairs(turn) do
    local said = turns.calls(item.message)
    turns.foreign_left(item.message, item.place, "gemini", context.warnings)
    turns.name_left(item, "Gemini's dialect", context.warnings)
    for _, slot in ipairs(native.slots_of(item.message, said)) do
      local err = add_slot(wires, slot, item, said, context)
      if err then return nil, err end
      if slot.call and slot.id then ids[said[slot.call].id] = slot.id end
    end
    for _, call in ipairs(said) do called[#called + 1] = call end
  end
  sign(wires, context)
  return wires
end

local function encode_turns(list, context)
  local contents, called, ids = {}, {}, {}
  for i, turn in ipairs(list) do
    local wires, err
    if turn.role == "user" then
      wires, err = encode_user(turn, called, ids, context)
    else
      called = {}
      wires, err = encode_model(turn, called, ids, context)
    end
    if not wires then return nil, err end
    contents[i] = { role = turn.role == "user" and "user" or "model", parts = json.array(wires) }
    if turn.role == "user" then called = {} end
  end
  return json.array(contents)
end

--- The instructions as text parts.
local function encode_system(items, context)
  local wires = {}
  for _, item in ipairs(items) do
    for j, part in ipairs(item.message.content) do
      local place = ("%s.content[%d]"):format(item.place, j)
      if media.is(part) or part.type ~= "text" then
        return refuse.unsupported(place, "instructions are text alone in this dialect; put it into a message of the user")
      end
      wires[#wires + 1] = parts.encode(part, context, place)
    end
  end
  return wires
end

--- Put the instructions where they belong: Gemma has no place for them but before what the user says.
local function place_system(body, wires, context)
  if not wires[1] then return end
  if not context.model:lower():find("gemma") then
    body.systemInstruction = { parts = json.array(wires) }
    return
  end
  warn(context, "system: %s has no place for instructions; they stand before the first words of the user", context.model)
  for _, content in ipairs(body.contents) do
    if content.role == "user" then
      for _, wire in ipairs(content.parts) do wires[#wires + 1] = wire end
      content.parts = json.array(wires)
      return
    end
  end
end

--- What a request holds, in characters of base64, where a profile says nothing else.
local limits = { request = 20 * 1024 * 1024, way = "upload it first, or pass a link" }

--- The body of a prompt that was not written by hand.
--- @param prompt multimodal.Prompt
--- @param context multimodal.gemini.Context
--- @return table? body
--- @return multimodal.Error? err
function M.body(prompt, context)
  local list, err = turns.of(prompt.messages, {
    dialect = "gemini", who = "Gemini", warnings = context.warnings, check = context.options.check,
  })
  if not list then return nil, err end
  local system, contents
  system, err = encode_system(list.system, context)
  if not system then return nil, err end
  contents, err = encode_turns(list, context)
  if not contents then return nil, err end
  local body = { contents = contents }
  place_system(body, system, context)
  local fine
  fine, err = parameters.add(body, context)
  if not fine then return nil, err end
  err = sents.check(context.sent, context.options, context.profile, context.warnings, limits)
  if err then return nil, err end
  return body
end

local function escape(text)
  return (text:gsub("[^%w._~:-]", function(char) return ("%%%02X"):format(char:byte()) end))
end

--- The path of a verb of a model.
--- @param profile multimodal.Profile
--- @param model string   "gemini-2.5-flash", or with its folder, "tunedModels/mine"
--- @param verb string    "generateContent"
--- @return string
function M.path(profile, model, verb)
  local folder, name = model:match("^(%a+[mM]odels)/(.+)$")
  if not folder then folder, name = "models", model:gsub("^models/", "") end
  return ("%s/%s/%s:%s"):format(profile.prefix or "", folder, escape(name), verb)
end

--- The model of a prompt, which stands in the URL.
--- @param prompt multimodal.Prompt
--- @return string? model
--- @return multimodal.Error? err
function M.model(prompt)
  local model = prompt.raw and prompt.raw.model or prompt.options.model
  if type(model) == "string" and model ~= "" then return model end
  return nil, error_class.new {
    kind = "bad_request", code = "model", part = "model", message = "model: Gemini's requests name one in their URL; pass model =",
  }
end

--- A request that was written by hand; the model that it names goes into the URL.
local function raw_body(prompt)
  local body = {}
  for name, value in pairs(prompt.raw) do body[name] = value end
  body.model = nil
  return body
end

--- @param prompt multimodal.Prompt
--- @param profile multimodal.Profile
--- @return multimodal.DialectRequest?
--- @return multimodal.Error?  unsupported: names the part and the way out
--- @return string[] warnings
function M.encode(prompt, profile)
  local model, err = M.model(prompt)
  if not model then return nil, err, {} end
  local context = contexts.new(prompt, profile, model)
  local body = prompt.raw and raw_body(prompt)
  if not body then body, err = M.body(prompt, context) end
  if not body then return nil, err, context.warnings end
  local streams = prompt.stream == true
  return {
    method = "POST", path = M.path(profile, model, streams and "streamGenerateContent" or "generateContent"),
    query = streams and { alt = "sse" } or nil, body = body, stream = streams,
  }, nil, context.warnings
end

return M
