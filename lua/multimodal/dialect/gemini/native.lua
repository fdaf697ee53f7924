--- The order of a model's parts, and what must go back exactly as it came: signatures, ids, thoughts, code that was run.
--- Names: new slots_of.
---
--- A slot is one part of the model's turn: { item = n } the n-th of the message's content, { call = n } the n-th of its
--- calls, either with `more`, further members of the part; or { wire = part }, which only Gemini reads.
local json = require("multimodal.json")
local wire = require("multimodal.dialect.gemini.wire")

local M = {}

--- @class multimodal.gemini.Slot
--- @field item integer?
--- @field call integer?
--- @field id string?     of the call, where the server gave it
--- @field more table?    its values are JSON text (core.raw)
--- @field wire any       JSON text, or a table where media are in it

--- A value as JSON text; nil where it is none, as a list with holes.
local function raw(value)
  local text = json.encode(value)
  return text and json.raw(text)
end

local function frozen(slot)
  local kept = { item = slot.item, call = slot.call, id = slot.id }
  for name, value in pairs(slot.more or {}) do
    kept.more = kept.more or {}
    kept.more[name] = raw(value)
  end
  -- Media stay marks, so that a picture never stands in memory as text.
  if slot.wire then kept.wire = wire.field(slot.wire, "inlineData") and slot.wire or raw(slot.wire) end
  return kept
end

--- Whether content and calls alone say the same.
local function is_usual(slots)
  local called = false
  for _, slot in ipairs(slots) do
    if slot.wire or slot.more or slot.id or called and slot.item then return false end
    called = called or slot.call ~= nil
  end
  return true
end

--- What a message keeps of its slots, nil where nothing of them is needed.
--- @param slots multimodal.gemini.Slot[]
--- @return table?
function M.new(slots)
  if is_usual(slots) then return nil end
  local kept = {}
  for i, slot in ipairs(slots) do kept[i] = frozen(slot) end
  return { parts = json.array(kept) }
end

local function is_count(value)
  return type(value) == "number" and value >= 1 and value % 1 == 0
end

--- The slots of a message that this dialect read, with what was added to it since behind them.
--- @param message multimodal.Message
--- @param calls multimodal.ToolCall[]
--- @return multimodal.gemini.Slot[]
function M.slots_of(message, calls)
  local slots, items, called = {}, {}, {}
  local native = message.dialect == "gemini" and type(message.native) == "table" and message.native.parts
  for _, slot in ipairs(type(native) == "table" and native or {}) do
    if is_count(slot.item) and message.content[slot.item] then
      items[slot.item], slots[#slots + 1] = true, slot
    elseif is_count(slot.call) and calls[slot.call] then
      called[slot.call], slots[#slots + 1] = true, slot
    elseif slot.wire ~= nil then
      slots[#slots + 1] = slot
    end
  end
  for i = 1, #message.content do
    if not items[i] then slots[#slots + 1] = { item = i } end
  end
  for i = 1, #calls do
    if not called[i] then slots[#slots + 1] = { call = i } end
  end
  return slots
end

return M
