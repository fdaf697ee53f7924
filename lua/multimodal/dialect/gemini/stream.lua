--- A streamed generateContent: chunks in, neutral events out, and a whole body accumulated on the way. Chunks come as
--- server-sent events or as one JSON array, which the decoder has cut.
--- Names: begin delta text_delta ended finish partial exact.
local accumulate = require("multimodal.dialect.gemini.accumulate")
local decode = require("multimodal.dialect.gemini.decode")
local error_class = require("multimodal.error")
local failure = require("multimodal.dialect.failure")
local finish_of = require("multimodal.reply.finish")
local halves = require("multimodal.dialect.halves")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local media = require("multimodal.media")
local partial = require("multimodal.dialect.gemini.partial")
local sound = require("multimodal.dialect.gemini.sound")
local usage_of = require("multimodal.dialect.gemini.usage")
local wire = require("multimodal.dialect.gemini.wire")

local M = {}

local next, type = next, type
local field, list, present = wire.field, lifted.list, lifted.present

--- A state for one stream.
--- @param options? {skip_bad_chunks: boolean?}
--- @return table
function M.begin(options)
  return {
    options = options or {}, raw = {}, candidates = {}, order = {}, calls = {}, media = {}, exact = {}, warnings = {},
    images = 0, called = 0,
    said = nil, -- the text that grows at once, while nothing but text comes
  }
end

local function fail(state, err)
  state.failed = err
  return nil, err
end

local function at(state, index)
  local candidate = state.candidates[index]
  if candidate then return candidate end
  candidate = accumulate.new(index)
  state.candidates[index] = candidate
  state.order[#state.order + 1] = candidate
  return candidate
end

-- Events are told of the first candidate only: a reply's text is that of its first choice.
local function emit(out, event)
  if out then out[#out + 1] = event end
end

local function begin_call(state, call, out)
  if not out then return nil end
  local index = state.called
  state.called = index + 1
  emit(out, { type = "tool_start", index = index, id = call.id, name = call.name })
  return index
end

local function end_call(state, part, call, index, out)
  state.calls[part] = call
  emit(index and out, { type = "tool_delta", index = index, delta = call.arguments_raw })
  emit(index and out, { type = "tool_end", index = index, call = call })
end

--- What was begun and ends without a word is as it is.
local function close_open(state, candidate, out)
  local open = candidate.open
  candidate.open = nil
  end_call(state, open.part, open:close(), open.index, out)
end

--- A call that goes on in the next parts has its place where it began.
local function take_partial(state, candidate, part, out)
  local exact, open = state.exact[part] or part, candidate.open
  if not open then
    open = partial.new(exact)
    candidate.open, candidate.called = open, true
    candidate:append_part(open.part)
    state.exact[open.part], state.calls[open.part] = open.exact, open.made
    open.index = begin_call(state, open.made, out)
  end
  if not open:take(exact) then return end
  close_open(state, candidate, out)
end

local takers = {}

function takers.text(_, candidate, part, out, value)
  local text, thought = lifted.text(value) or "", part.thought == true
  if not wire.is_bare(part) then
    candidate:append_part(part)
  elseif text ~= "" then
    candidate:append_text(text, thought)
  end
  if text ~= "" then emit(out, { type = thought and "reasoning" or "text", delta = text }) end
end

function takers.functionCall(state, candidate, part, out, value)
  if partial.is(value) or candidate.open and type(value) == "table" and field(value, "name") == nil then
    return take_partial(state, candidate, part, out)
  end
  candidate:append_part(part)
  if type(value) ~= "table" then return end
  local exact = field(state.exact[part] or part, "functionCall")
  local call = decode.call(type(exact) == "table" and exact or value)
  if candidate.taken and candidate.taken[call.id] then call = decode.call { name = exact.name, args = field(exact, "args") } end
  candidate.taken = candidate.taken or {}
  candidate.taken[call.id] = true
  candidate.called = true
  end_call(state, part, call, begin_call(state, call, out), out)
end

local function take_sound(candidate, part, out, value)
  local blob = lifted.is_blob(value.data) and value.data
  if not blob then
    local opened = present(value.data) and media.new("audio", { base64 = value.data }):opened()
    blob = opened and opened.blob
  end
  local mime = field(value, "mimeType")
  if blob and sound.is_bare(mime) and next(part, next(part)) == nil then
    candidate:append_samples(part, mime, blob)
  else
    candidate:append_part(part)
  end
  if blob then emit(out, { type = "audio", delta = blob:bytes() }) end
end

function takers.inlineData(state, candidate, part, out, value)
  local mime = type(value) == "table" and field(value, "mimeType")
  if part.thought ~= true and type(mime) == "string" and mime:lower():find("^audio/") then
    return take_sound(candidate, part, out, value)
  end
  candidate:append_part(part)
  if part.thought == true then return end
  local medium = decode.medium(value)
  state.media[part] = medium
  if not medium or medium.kind ~= "image" or not out then return end
  emit(out, { type = "image", index = state.images, part = medium })
  state.images = state.images + 1
end

takers.fileData = takers.inlineData

local function take_part(state, candidate, part, out, event, place)
  if not wire.is_bare(part) then
    state.exact[part] = decode.exact_part(event, place.at, place.position, place.i)
  end
  local name, value = wire.payload(part)
  if name then return takers[name](state, candidate, part, out, value) end
  candidate:append_part(part)
end

--- Tell the end of the first candidate, once.
local function tell_end(candidate, out)
  if not out or candidate.told then return end
  candidate.told = true
  local raw = field(candidate.meta, "finishReason")
  local reason = finish_of.read(raw, nil, candidate.called == true, true)
  emit(out, { type = "finish", reason = reason, raw = raw ~= nil and tostring(raw) or nil })
end

local function take_candidate(state, told, position, out, event, answer_at)
  local candidate = at(state, tonumber(told.index) or position - 1)
  local shown = candidate.index == 0 and out or nil
  local content = field(told, "content")
  if type(content) == "table" then
    candidate.role = candidate.role or present(content.role) or "model"
    for i, part in ipairs(list(content.parts)) do
      if type(part) == "table" then
        take_part(state, candidate, part, shown, event, { at = answer_at, position = position, i = i })
      end
    end
  end
  candidate:take_meta(told)
  if candidate.finished and candidate.open then close_open(state, candidate, shown) end
  if candidate.finished then tell_end(candidate, shown) end
end

local apart = { candidates = true, error = true }
local once = { responseId = true, createTime = true, response_id = true }

local function take_top(raw, value)
  for name, told in next, value do
    if not apart[name] and not (once[name] and raw[name] ~= nil) and told ~= "" then raw[name] = told end
  end
end

--- A prompt that was blocked ends the stream, also amid what was said.
local function tell_block(state, out)
  local reason = decode.blocked(state.raw)
  if not reason or state.blocked then return end
  state.blocked = true
  local first = state.candidates[0]
  if first and first.told then return end
  if first then first.told = true end
  emit(out, { type = "finish", reason = "content_filter", raw = reason })
end

local function equal(a, b)
  for name, value in next, a do
    if b[name] ~= value then return false end
  end
  for name in next, b do
    if a[name] == nil then return false end
  end
  return true
end

--- Usage is cumulative, and most chunks repeat it: it is told where it has changed.
local function tell_usage(state, told, out)
  local usage = usage_of.read(told)
  if not usage or state.usage and equal(state.usage, usage) then return end
  state.usage = usage
  emit(out, { type = "usage", usage = usage })
end

local function read_answer(state, value, event, answer_at, out)
  local err = value.error ~= nil and failure.in_body(value, event)
  if err then return fail(state, err) end
  take_top(state.raw, value)
  if not state.started then
    state.started = true
    emit(out, { type = "start", id = present(field(state.raw, "responseId")), model = present(field(state.raw, "modelVersion")) })
  end
  for position, candidate in ipairs(list(value.candidates)) do
    if type(candidate) == "table" then take_candidate(state, candidate, position, out, event, answer_at) end
  end
  tell_block(state, out)
  tell_usage(state, field(value, "usageMetadata"), out)
  return out
end

local function read_answers(state, value, event)
  local out = {}
  if value[1] == nil then return read_answer(state, value, event, nil, out) end
  for i, answer in ipairs(value) do
    if type(answer) == "table" then
      local told, err = read_answer(state, answer, event, i, out)
      if not told then return nil, err end
    end
  end
  return out
end

--- Half a pair that waits for nothing any more is replaced.
local function give_up_halves(state)
  for place in pairs(state.held or {}) do
    local index = place:match("^%.candidates%.(%d+)%.content%.parts%.%d+%.text$")
    if index then at(state, tonumber(index)):append_text(halves.replacement, false) end
  end
  state.held = nil
end

--- Take one event.
--- @param state table
--- @param event table  {type, data, media}
--- @return multimodal.Delta[]? deltas  empty where the event says nothing
--- @return multimodal.Error? err       also of an error that the gateway streams; what had arrived stays for `partial`
function M.delta(state, event)
  state.said = nil
  if state.failed then return nil, state.failed end
  if state.done or event.type == "ping" then return {} end
  if event.type == "error" then return fail(state, failure.read(nil, nil, event)) end
  local data = event.data
  if #data < 64 and not data:find("%S") then return {} end
  if #data < 64 and data:find("^%s*%[DONE%]") then
    state.done = true
    return {}
  end
  local value, fault = halves.read(state, event)
  if type(value) == "table" then return read_answers(state, value, event) end
  if type(value) == "string" then return fail(state, failure.read(nil, nil, event)) end
  if not state.options.skip_bad_chunks then return fail(state, failure.broken(event, fault)) end
  state.warnings[#state.warnings + 1] = "a chunk that is no JSON was skipped"
  return {}
end

--- Take text that the text path handed out: what `delta` would have done with its event.
--- @param state table
--- @param text string
--- @return string text  what there is to tell of it
function M.text_delta(state, text)
  if text == "" then return text end
  local said = state.said
  if not said then
    local candidate = at(state, 0)
    candidate.role = candidate.role or "model"
    said = candidate:growing(false)
    state.started, state.said = true, said
    if state.held then
      state.held = nil
      text = halves.replacement .. text
    end
  end
  local n = said.n + 1
  said.n, said[n] = n, text
  return text
end

--- Whether an end mark came. Google sends none: there the body's end is the stream's.
--- @param state table
--- @return boolean
function M.ended(state)
  return state.done == true
end

--- The accumulated body, and what belongs to it.
local function gather(state, complete)
  local candidates, warnings = {}, {}
  table.sort(state.order, function(a, b) return a.index < b.index end)
  for i, candidate in ipairs(state.order) do candidates[i] = candidate:build() end
  local raw = { candidates = candidates[1] and json.array(candidates) or nil }
  for name, value in pairs(state.raw) do raw[name] = value end
  for i, text in ipairs(state.warnings) do warnings[i] = text end
  return raw, { complete = complete, calls = state.calls, media = state.media, exact = state.exact, warnings = warnings }
end

local function is_complete(state)
  if state.done or state.blocked then return true end
  for _, candidate in ipairs(state.order) do
    if not candidate.finished then return false end
  end
  return state.order[1] ~= nil
end

--- No more events: the reply, if the stream came to its end.
--- @param state table
--- @return multimodal.Neutral?
--- @return multimodal.Error?  truncated, where neither a finish reason nor an end mark came
function M.finish(state)
  if state.failed then return nil, state.failed end
  give_up_halves(state)
  if not is_complete(state) then
    return nil, error_class.new { kind = "truncated", message = "the stream ended before its finish reason" }
  end
  return decode.body(gather(state, true))
end

--- What has arrived so far.
--- @param state table
--- @return multimodal.Neutral
function M.partial(state)
  local raw, known = gather(state, false)
  if not raw.candidates and not decode.blocked(raw) then
    raw.candidates = json.array { { index = 0, content = { role = "model" } } }
  end
  return decode.body(raw, known)
end

--- The accumulated body with the nulls and the numbers of its parts as they came.
--- @param state table
--- @return table
function M.exact(state)
  local raw, known = gather(state, true)
  for _, candidate in ipairs(list(raw.candidates)) do
    local content = candidate.content
    local parts = content and list(content.parts) or {}
    for i, part in ipairs(parts) do parts[i] = known.exact[part] or part end
  end
  return raw
end

return M
