--- A streamed message: events in, neutral events out, and a whole message accumulated on the way.
--- Names: begin delta text_delta ended finish partial exact.
local blocks = require("multimodal.dialect.anthropic.blocks")
local decode = require("multimodal.dialect.anthropic.decode")
local error_class = require("multimodal.error")
local failure = require("multimodal.dialect.failure")
local halves = require("multimodal.dialect.halves")
local finish_of = require("multimodal.reply.finish")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local usage_of = require("multimodal.dialect.anthropic.usage")

local M = {}

local present = lifted.present

--- A state for one stream.
--- @param options? {skip_bad_chunks: boolean?}
--- @return table
function M.begin(options)
  return {
    options = options or {}, raw = {}, usage = false, blocks = {}, order = {}, warnings = {}, calls = 0,
    said = nil, -- the pieces that text goes to at once, while nothing but text of one block comes
  }
end

local function fail(state, err)
  state.failed = err
  return nil, err
end

local function emit(out, event)
  out[#out + 1] = event
end

local function start(state, out)
  if state.started then return end
  state.started = true
  emit(out, { type = "start", id = present(state.raw.id), model = present(state.raw.model) })
end

--- Counts are totals: those that are told take the place of the earlier ones.
local function take_usage(state, told, out)
  if type(told) ~= "table" then return end
  state.usage = state.usage or {}
  for name, value in pairs(told) do state.usage[name] = value end
  local usage = usage_of.read(state.usage)
  if usage then emit(out, { type = "usage", usage = usage }) end
end

local function take_top(raw, value)
  for name, field in pairs(value) do
    if name ~= "content" and name ~= "usage" then raw[name] = field end
  end
end

--- A field of an event with explicit nulls and exact numbers.
local function exact_of(event, name)
  local value = (lifted.exact(event) or {})[name]
  return type(value) == "table" and value or {}
end

local function before(a, b)
  return a.index < b.index
end

--- The block at an index, begun where it is new.
local function begin_block(state, index, wire, exact)
  local block = blocks.new(wire, exact)
  block.index = index
  if state.blocks[index] then
    for i, other in ipairs(state.order) do
      if other.index == index then state.order[i] = block end
    end
  else
    state.order[#state.order + 1] = block
    if state.order[2] and state.order[#state.order - 1].index > index then table.sort(state.order, before) end
  end
  state.blocks[index] = block
  if block:is_call() then block.position, state.calls = state.calls, state.calls + 1 end
  return block
end

--- What a block begins with, as events.
local function tell_beginning(block, out)
  local wire = block.wire
  local text = wire.type == "text" and present(wire.text)
  local thought = wire.type == "thinking" and present(wire.thinking)
  if text then emit(out, { type = "text", delta = text }) end
  if thought then emit(out, { type = "reasoning", delta = thought }) end
  if block:is_call() then emit(out, { type = "tool_start", index = block.position, id = block:call().id, name = block:call().name }) end
end

local function index_of(state, value)
  return tonumber(value.index) or state.order[#state.order] and state.order[#state.order].index or 0
end

--- A call or an answer that began with all of its input says it when it ends.
local function tell_whole_input(block, out)
  local text = block.text.n == 0 and block:beginning()
  if block:is_call() and text then emit(out, { type = "tool_delta", index = block.position, delta = text }) end
  if block:is_answer() and block.text.n == 0 then emit(out, { type = "text", delta = text or "{}" }) end
end

--- The fields of a delta in which half a surrogate pair may wait for the other.
local growing = {
  [".delta.text"] = { "text_delta", "text" }, [".delta.thinking"] = { "thinking_delta", "thinking" },
  [".delta.partial_json"] = { "input_json_delta", "partial_json" },
}
local grow = {}

--- Half a pair that waits for nothing any more is replaced.
local function give_up_halves(state, out)
  local held, block = state.held, state.blocks[state.index]
  state.held = nil
  for place in pairs(block and held or {}) do
    local delta = growing[place]
    if delta then grow[delta[1]](state, block, { [delta[2]] = halves.replacement }, out) end
  end
end

local function end_block(block, out)
  if block.ended then return end
  block.ended = true
  tell_whole_input(block, out)
  if block:is_call() then emit(out, { type = "tool_end", index = block.position, call = block:call() }) end
end

function grow.text_delta(state, block, delta, out)
  local text = present(delta.text)
  if not text then return end
  block:append("text", text)
  if not state.held then state.said = block.text end
  emit(out, { type = "text", delta = text })
end

function grow.thinking_delta(_, block, delta, out)
  local text = present(delta.thinking)
  if not text then return end
  block:append("thinking", text)
  emit(out, { type = "reasoning", delta = text })
end

function grow.input_json_delta(_, block, delta, out)
  local text = present(delta.partial_json)
  if not text then return end
  block:append("text", text)
  if block:is_answer() then
    emit(out, { type = "text", delta = text })
  elseif block:is_call() then
    emit(out, { type = "tool_delta", index = block.position, delta = text })
  end
end

function grow.signature_delta(_, block, delta)
  if lifted.is_text(delta.signature) then block:sign(delta.signature) end
end

function grow.citations_delta(_, block, delta, _, event)
  local exact = exact_of(event, "delta").citation
  if delta.citation ~= nil then block:cite(delta.citation, exact) end
end

--- The block that a delta without a beginning must belong to.
local orphans = { text_delta = { type = "text", text = "" }, thinking_delta = { type = "thinking", thinking = "" } }

local function copied(value)
  local copy = {}
  for name, field in pairs(value) do copy[name] = field end
  return copy
end

local takers = {}

function takers.message_start(state, value, out)
  local message = type(value.message) == "table" and value.message or {}
  take_top(state.raw, message)
  start(state, out)
  take_usage(state, message.usage, out)
end

function takers.content_block_start(state, value, out, event)
  start(state, out)
  if not lifted.is_object(value.content_block) then return end
  local block = begin_block(state, index_of(state, value), value.content_block, exact_of(event, "content_block"))
  tell_beginning(block, out)
end

function takers.content_block_delta(state, value, out, event)
  start(state, out)
  local delta = type(value.delta) == "table" and value.delta or {}
  local handler, index = grow[delta.type], index_of(state, value)
  if not handler then return end
  state.index = index
  local block = state.blocks[index]
  if not block and orphans[delta.type] then
    block = begin_block(state, index, copied(orphans[delta.type]), copied(orphans[delta.type]))
  end
  if block then return handler(state, block, delta, out, event) end
  state.warnings[#state.warnings + 1] = ("a piece of block %s, which did not begin, was dropped"):format(tostring(index))
end

function takers.content_block_stop(state, value, out)
  local block = state.blocks[index_of(state, value)]
  if state.held then give_up_halves(state, out) end
  if block then end_block(block, out) end
end

function takers.message_delta(state, value, out)
  start(state, out)
  take_top(state.raw, type(value.delta) == "table" and value.delta or {})
  for name, field in pairs(value) do
    if name ~= "type" and name ~= "delta" and name ~= "usage" then state.raw[name] = field end
  end
  take_usage(state, value.usage, out)
end

local function reason_of(state, complete)
  local raw, called, answered = state.raw.stop_reason, false, false
  for _, block in ipairs(state.order) do
    called, answered = called or block:is_call(), answered or block:is_answer()
  end
  local reason = finish_of.read(raw, raw == "refusal" and "" or nil, called, complete)
  return reason == "tool_calls" and answered and not called and "stop" or reason, raw
end

function takers.message_stop(state, _, out)
  start(state, out)
  if state.held then give_up_halves(state, out) end
  for _, block in ipairs(state.order) do end_block(block, out) end
  local reason, raw = reason_of(state, true)
  emit(out, { type = "finish", reason = reason, raw = raw ~= nil and tostring(raw) or nil })
  state.done = true
end

--- A whole message, of a gateway that ignored the wish for a stream.
function takers.message(state, value, out, event)
  local exact = exact_of(event, "content")
  take_top(state.raw, value)
  start(state, out)
  take_usage(state, value.usage, out)
  for i, wire in ipairs(lifted.list(value.content)) do
    if lifted.is_object(wire) then
      local known = lifted.list(exact)[i]
      tell_beginning(begin_block(state, i - 1, wire, lifted.is_object(known) and known or wire), out)
    end
  end
  takers.message_stop(state, value, out)
end

--- Read one JSON value of the stream. By its own type: a gateway may strip the `event:` lines.
local function take(state, value, event)
  local kind = value.type
  if kind == nil then kind = event.type end
  if kind == "error" or value.error ~= nil then
    return fail(state, failure.in_body(value, event) or failure.read(nil, nil, event))
  end
  local out, taker = {}, takers[kind]
  if taker then taker(state, value, out, event) end
  return out
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
  local value, fault = halves.read(state, event)
  if type(value) == "table" and value[1] ~= nil then value = value[1] end
  if type(value) == "table" then return take(state, value, event) end
  if not event.data:find("%S") or event.data:find("^%s*%[DONE%]") or event.data:find("^%s*null%s*$") then return {} end
  if not state.options.skip_bad_chunks then return fail(state, failure.broken(event, fault)) end
  state.warnings[#state.warnings + 1] = "a chunk that is no JSON was skipped"
  return {}
end

--- Take text that the text path handed out: it belongs to the block of the last event, which said text too.
--- @param state table
--- @param text string
--- @return string text  what there is to tell of it
function M.text_delta(state, text)
  local said = state.said
  if text == "" then return text end
  if not said then
    if state.held then state.held, text = nil, halves.replacement .. text end
    takers.content_block_delta(state, { index = state.index, delta = { type = "text_delta", text = text } }, {}, {})
    return text
  end
  local n = said.n + 1
  said.n, said[n] = n, text
  return text
end

--- Whether the end mark came.
--- @param state table
--- @return boolean
function M.ended(state)
  return state.done == true
end

--- The accumulated message, and what belongs to it.
local function gather(state, complete)
  local raw, content, exact, calls, warnings = {}, {}, {}, {}, {}
  for name, value in pairs(state.raw) do raw[name] = value end
  for i, block in ipairs(state.order) do
    content[i], exact[i] = block:build()
    if block:is_call() then calls[i] = block:call() end
  end
  for i, text in ipairs(state.warnings) do warnings[i] = text end
  raw.content = json.array(content)
  if state.usage then
    raw.usage = {}
    for name, value in pairs(state.usage) do raw.usage[name] = value end
  end
  return raw, { complete = complete, exact = exact, calls = calls, warnings = warnings }
end

--- No more events: the reply, if the stream came to its end.
--- @param state table
--- @return multimodal.Neutral?
--- @return multimodal.Error?  truncated, where the end mark did not come
function M.finish(state)
  if state.failed then return nil, state.failed end
  if not state.done then
    return nil, error_class.new { kind = "truncated", message = "the stream ended before its end mark" }
  end
  if not state.started or next(state.raw) == nil and not state.order[1] then return nil, failure.empty(nil, "content") end
  return decode.message(gather(state, true))
end

--- What has arrived so far.
--- @param state table
--- @return multimodal.Neutral
function M.partial(state)
  return decode.message(gather(state, false))
end

--- The accumulated message with the nulls and the numbers of its blocks as they came.
--- @param state table
--- @return table
function M.exact(state)
  local raw, known = gather(state, true)
  raw.content = json.array(known.exact)
  return raw
end

return M
