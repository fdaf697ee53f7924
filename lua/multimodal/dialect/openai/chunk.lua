--- The choices of one chunk: taken into what has accumulated, and told as neutral events.
--- Names: at take_choice end_choice emit.
local accumulate = require("multimodal.dialect.openai.accumulate")
local content = require("multimodal.dialect.openai.content")
local decode = require("multimodal.dialect.openai.decode")
local finish_of = require("multimodal.reply.finish")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local media = require("multimodal.media")
local native = require("multimodal.dialect.openai.native")

local next, type = next, type

local M = {}

local list, present = lifted.list, lifted.present

--- The choice at an index, begun where it is new.
--- @param state table
--- @param index integer  from 0
function M.at(state, index)
  local choice = state.choices[index]
  if choice then return choice end
  choice = accumulate.new(index, state.options, function(text) state.warnings[#state.warnings + 1] = text end)
  state.choices[index] = choice
  state.order[#state.order + 1] = choice
  return choice
end

-- Events are told of the first choice only: a reply's text is that of its first choice.
--- @param out multimodal.Delta[]?
--- @param event multimodal.Delta
function M.emit(out, event)
  if out then out[#out + 1] = event end
end

local emit = M.emit

local function emit_image(state, out, picture)
  if not picture or not out then return end
  emit(out, { type = "image", index = state.images, part = picture })
  state.images = state.images + 1
end

--- Text with media amid becomes a text event or an image event for each piece.
local function take_text(state, choice, value, out)
  if type(value) == "string" then
    if value == "" then return end
    choice:append_content(value)
    if out then out[#out + 1] = { type = "text", delta = value } end
    return
  end
  if not lifted.is_text(value) then return end
  choice:append_content(value)
  local parts = {}
  content.split(value, parts)
  for _, part in ipairs(parts) do
    if part.type == "text" then
      emit(out, { type = "text", delta = part.text })
    elseif media.is(part) and part.kind == "image" then
      emit_image(state, out, part)
    end
  end
end

local function take_thought(choice, text, out)
  if text == "" then return end
  choice:append_thought(text)
  emit(out, { type = "reasoning", delta = text })
end

local function take_part(state, choice, part, out)
  if type(part) ~= "table" or lifted.is_mixed(part) then return take_text(state, choice, part, out) end
  if part.type == "thinking" or part.type == "reasoning" then
    return take_thought(choice, decode.thought(part), out)
  end
  if part.type ~= "image_url" and part.text ~= nil then return take_text(state, choice, part.text, out) end
  choice:append_part(part)
  local picture = part.type == "image_url" and content.picture(part)
  if picture then
    state.pictures[part] = picture
    emit_image(state, out, picture)
  end
end

local handlers = {}

function handlers.content(state, choice, value, out)
  if type(value) == "string" then return take_text(state, choice, value, out) end
  if type(value) == "table" and not lifted.is_mixed(value) then
    for _, part in ipairs(value) do take_part(state, choice, part, out) end
  else
    take_text(state, choice, value, out)
  end
end

function handlers.images(state, choice, value, out)
  for _, element in ipairs(list(value)) do
    if choice:append_image(element) then
      local picture = content.picture(element)
      if picture and type(element) == "table" then state.pictures[element] = picture end
      emit_image(state, out, picture)
    end
  end
end

function handlers.audio(_, choice, value, out)
  if type(value) ~= "table" then return end
  local bytes, transcript = choice:append_audio(value)
  if bytes or transcript then emit(out, { type = "audio", delta = bytes, transcript = transcript }) end
end

function handlers.reasoning_details(_, choice, value, _, event, position)
  if list(value)[1] == nil then return end
  choice:append_details("details", value)
  choice:append_details("exact_details", list(native.exact(event, position).reasoning_details))
end

function handlers.annotations(_, choice, value, _, event, position)
  if list(value)[1] == nil then return end
  choice:append_annotations("annotations", value)
  choice:append_annotations("exact_annotations", list(native.exact(event, position).annotations))
end

local function announce(slot, out)
  slot.announced = true
  emit(out, { type = "tool_start", index = slot.position, id = slot.id, name = slot.name or "" })
  local text = slot:arguments()
  if type(text) == "table" then text = json.encode(text) end
  if text and text ~= "" then emit(out, { type = "tool_delta", index = slot.position, delta = text }) end
end

local own = { id = true, index = true, type = true, ["function"] = true, custom = true, name = true, arguments = true, input = true }

--- Keep what a call carries beside id, name and arguments: it goes back with it.
local function keep(slot, name, wire)
  for key, value in pairs(list(wire)) do
    if not own[key] then
      slot[name] = slot[name] or {}
      slot[name][key] = value
    end
  end
end

local function arguments_of(value)
  return type(value) == "table" and not lifted.is_mixed(value) and value or lifted.text(value)
end

local function take_fragment(choice, wire, out)
  local custom = type(wire.custom) == "table" and wire.custom or nil
  local of = type(wire["function"]) == "table" and wire["function"] or custom or {}
  local arguments = of.arguments
  if arguments == nil then arguments = of.input end
  local slot, added = choice.calls:add(wire.id, wire.index, of.name, arguments_of(arguments))
  if not slot then return nil end
  slot.custom, slot.type = slot.custom or custom ~= nil, slot.type or present(wire.type)
  if out and slot.announced and added then
    emit(out, { type = "tool_delta", index = slot.position, delta = added })
  elseif out and not slot.announced and slot.name then
    announce(slot, out)
  end
  return slot
end

function handlers.tool_calls(_, choice, value, out, event, position)
  for i, wire in ipairs(list(value)) do
    local slot = type(wire) == "table" and take_fragment(choice, wire, out)
    if slot and native.has_more(wire) then
      local exact = list(list(native.exact(event, position).tool_calls)[i])
      keep(slot, "extra", wire)
      keep(slot, "exact_extra", exact)
      keep(slot, "inner", wire["function"])
      keep(slot, "exact_inner", exact["function"])
    end
  end
end

function handlers.function_call(_, choice, value, out)
  if type(value) ~= "table" then return end
  local slot = take_fragment(choice, { ["function"] = value }, out)
  if slot then slot.legacy = true end
end

--- Fields of a delta whose events come in this order; the rest follows.
local is_first = { role = true, content = true, images = true, audio = true }

local function take_other(state, choice, name, value, out, event, position)
  local handler = handlers[name]
  if handler then return handler(state, choice, value, out, event, position) end
  local text = lifted.text(value)
  if text then choice:append(name, text) else choice.message[name] = value end
end

local function take_delta(state, choice, delta, out, event, position)
  local said = delta.content
  if delta.reasoning ~= nil or delta.reasoning_content ~= nil or delta.reasoning_details ~= nil then
    local thought = decode.reasoning(delta)
    if thought then emit(out, { type = "reasoning", delta = thought }) end
  end
  if delta.role ~= nil then choice.role = present(delta.role) or choice.role end
  if said ~= nil then handlers.content(state, choice, said, out) end
  if delta.images ~= nil then handlers.images(state, choice, delta.images, out) end
  if delta.audio ~= nil then handlers.audio(state, choice, delta.audio, out) end
  for name, value in next, delta do
    if not is_first[name] then take_other(state, choice, name, value, out, event, position) end
  end
end

local function end_calls(choice, out)
  for _, slot in ipairs(choice.calls.slots) do
    if not slot.announced then announce(slot, out) end
    if not slot.ended then
      slot.ended = true
      emit(out, { type = "tool_end", index = slot.position, call = slot:call() })
    end
  end
end

--- Tell the end of the first choice, once: its calls are whole, and why it ended.
--- @param choice table
--- @param out multimodal.Delta[]?
function M.end_choice(choice, out)
  if not out or choice.told then return end
  choice.told = true
  end_calls(choice, out)
  local raw = choice.meta.finish_reason
  local reason = finish_of.read(raw, choice.texts.refusal and "" or nil, choice.calls.slots[1] ~= nil, true)
  emit(out, { type = "finish", reason = reason, raw = raw ~= nil and tostring(raw) or nil })
end

local function merge_logprobs(meta, value)
  local all = meta.logprobs
  if type(value) ~= "table" or type(all) ~= "table" then
    meta.logprobs = value
    return
  end
  for name, items in pairs(value) do
    if type(items) == "table" and type(all[name]) == "table" then
      for _, item in ipairs(items) do all[name][#all[name] + 1] = item end
    else
      all[name] = items
    end
  end
end

local apart = { index = true, delta = true, message = true, text = true, usage = true }

local function take_meta(choice, wire)
  for name, value in next, wire do
    if name == "logprobs" then
      merge_logprobs(choice.meta, value)
    elseif name == "finish_reason" then
      if value ~= "" or choice.meta.finish_reason == nil then choice.meta.finish_reason = value end
      choice.finished = choice.finished or value ~= ""
    elseif not apart[name] then
      choice.meta[name] = value
    end
  end
end

--- Take one element of a chunk's choices.
--- @param state table
--- @param wire table
--- @param position integer        among the choices
--- @param out multimodal.Delta[]  is appended to
--- @param event table             what the chunk was read from
function M.take_choice(state, wire, position, out, event)
  local choice = state.choices[wire.index] or M.at(state, tonumber(wire.index) or position - 1)
  local delta, told = wire.delta, choice.index == 0 and out or nil
  if type(delta) ~= "table" then delta = wire.message end
  if type(delta) ~= "table" then delta = { content = wire.text } end
  take_delta(state, choice, delta, told, event, position)
  take_meta(choice, wire)
  if choice.finished then M.end_choice(choice, told) end
end

return M
