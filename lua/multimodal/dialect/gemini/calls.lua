--- Calls of functions and what they gave, as Gemini writes them.
--- Names: call results.
local json = require("multimodal.json")
local media = require("multimodal.media")
local parts = require("multimodal.dialect.gemini.parts")
local turns = require("multimodal.dialect.turns")

local M = {}

--- One call of the history. Its arguments are an object on this wire, so text has to be one.
--- @param call multimodal.ToolCall
--- @param slot multimodal.gemini.Slot
--- @param context multimodal.gemini.Context
--- @param place string
--- @return table? wire
--- @return multimodal.Error? err
function M.call(call, slot, context, place)
  local text, err = turns.arguments(call, place, "Gemini")
  if not text then return nil, err end
  local wire = { functionCall = { name = call.name, args = json.raw(text) } }
  if slot.id and context.profile.call_ids ~= false then wire.functionCall.id = slot.id end
  for name, value in pairs(type(slot.more) == "table" and slot.more or {}) do wire[name] = value end
  return wire
end

--- A text as what a function answered: an object as it is, unless it has members of a special meaning.
local function response_of(text)
  if text:find("^%s*[{%[]") then
    local value = json.decode(text, { null = true, exact = true })
    if type(value) == "table" then
      local object = text:find("^%s*{") and value.output == nil and value.error == nil
      return object and json.raw(text) or { output = json.raw(text) }
    end
  end
  return { output = text }
end

--- The words and the media of an answer.
local function sort(message)
  local texts, shown = {}, {}
  for j, part in ipairs(message.content) do
    if media.is(part) or part.type ~= "text" then shown[#shown + 1] = { part = part, j = j } else texts[#texts + 1] = part.text end
  end
  return table.concat(texts, "\n"), shown
end

local function encoded(shown, context, place)
  local wires = {}
  for _, one in ipairs(shown) do
    local at = ("%s.content[%d]"):format(place, one.j)
    local wire, err = parts.encode(one.part, context, at)
    if not wire then return nil, err end
    wires[#wires + 1] = wire
  end
  return wires
end

--- Whether media stand in the answer itself: Gemini 3 takes them there, older models beside it.
local function takes_media(context)
  local said = context.profile.tool_media
  if said ~= nil then return said end
  return (context.generation or 0) >= 3
end

--- Media in the answer itself, or behind all answers.
local function show(shown, beside, name, context)
  if not shown[1] then return nil end
  if takes_media(context) then return json.array(shown) end
  beside[#beside + 1] = { text = ("The result of %s:"):format(name) }
  for _, wire in ipairs(shown) do beside[#beside + 1] = wire end
  return nil
end

--- The answers to the calls of one turn, in their order; what they showed stands behind all of them where it must.
--- @param results {call: multimodal.ToolCall, item: multimodal.TurnItem}[]
--- @param ids table<string, string>  by our id of the call, those that the server gave
--- @param context multimodal.gemini.Context
--- @return table[]? wires
--- @return multimodal.Error? err
function M.results(results, ids, context)
  local wires, beside = {}, {}
  for i, result in ipairs(results) do
    local message, call = result.item.message, result.call
    local text, list = sort(message)
    local shown, err = encoded(list, context, result.item.place)
    if not shown then return nil, err end
    local name = call.name ~= "" and call.name or message.tool_name or "unknown"
    if text == "" and shown[1] then text = "The result is shown." end
    local response = message.error and { error = text } or response_of(text)
    wires[i] = { functionResponse = {
      id = context.profile.call_ids ~= false and ids[call.id] or nil, name = name, response = response,
      parts = show(shown, beside, name, context),
    } }
  end
  for _, wire in ipairs(beside) do wires[#wires + 1] = wire end
  return wires
end

return M
