--- A streamed chat completion: chunks in, neutral events out, and a whole body accumulated on the way.
--- Names: begin delta text_delta ended finish partial exact.
local chunk = require("multimodal.dialect.openai.chunk")
local decode = require("multimodal.dialect.openai.decode")
local error_class = require("multimodal.error")
local failure = require("multimodal.dialect.failure")
local halves = require("multimodal.dialect.halves")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local usage_of = require("multimodal.reply.usage")

local M = {}

local next, type = next, type
local present = lifted.present

--- The fields of a body, with room for those that most gateways send.
local function new_body(choices)
  return {
    choices = choices, id = nil, object = nil, created = nil, model = nil, system_fingerprint = nil, service_tier = nil, usage = nil,
  }
end

--- A state for one stream.
--- @param options? {skip_bad_chunks: boolean?, concat_names: boolean?}
--- @return table
function M.begin(options)
  return {
    options = options or {}, raw = new_body(), choices = {}, order = {}, pictures = {}, warnings = {},
    fresh = true, images = 0,
    said = nil, -- the content that text goes to at once, while nothing but text comes
  }
end

local function fail(state, err)
  state.failed = err
  return nil, err
end

local once = { id = true, object = true, created = true }
local left_out = { choices = true, usage = true, obfuscation = true, error = true }

local function take_top(raw, value)
  for name, field in next, value do
    local known = raw[name]
    if known ~= field and not left_out[name] then
      local first = known == nil or known == ""
      if first or not once[name] and field ~= "" then raw[name] = field end
    end
  end
end

--- Usage is cumulative: the last one holds.
local function take_usage(state, told, out)
  local usage = usage_of.read(told)
  if not usage then return end
  state.raw.usage = told
  chunk.emit(out, { type = "usage", usage = usage })
end

--- An error of the only choice ends the stream; one of several is kept with its choice.
local function error_in(state, value, choices, event)
  if value.error ~= nil or value.choices == nil or value.object == "error" then
    local err = failure.in_body(value, event)
    if err then return err end
  end
  local wire = choices[1]
  if choices[2] ~= nil or state.order[2] or type(wire) ~= "table" or wire.error == nil then return nil end
  return failure.of_choice(wire.error, event)
end

--- Whether the first chunk is a whole body, of a gateway that ignored the wish for a stream.
local function is_whole(value, wire)
  return type(wire) == "table" and wire.message ~= nil and value.object ~= "chat.completion.chunk"
end

local function read_chunk(state, value, event)
  local choices = type(value.choices) == "table" and value.choices or {}
  local err = error_in(state, value, choices, event)
  if err then return fail(state, err) end
  local out = {}
  take_top(state.raw, value)
  if not state.started then
    state.started = true
    out[1] = { type = "start", id = present(state.raw.id), model = present(state.raw.model) }
  end
  for position = 1, #choices do
    local wire = choices[position]
    if type(wire) == "table" then
      chunk.take_choice(state, wire, position, out, event)
      if wire.usage ~= nil then take_usage(state, wire.usage, out) end
    end
  end
  if value.usage ~= nil then take_usage(state, value.usage, out) end
  state.whole = state.fresh and is_whole(value, choices[1]) or nil
  state.fresh = false
  if state.whole and state.choices[0] then chunk.end_choice(state.choices[0], out) end
  return out
end

--- Half a pair that waits for nothing any more is replaced.
local function give_up_halves(state, out)
  local held = state.held
  state.held = nil
  for position, wire in ipairs(held and halves.left(held) or {}) do chunk.take_choice(state, wire, position, out, {}) end
end

--- The end mark: what is still open ends well.
local function close(state)
  local out = {}
  state.done = true
  give_up_halves(state, out)
  if state.choices[0] then chunk.end_choice(state.choices[0], out) end
  return out
end

local byte, object = string.byte, ("{"):byte()
local nothing = { [""] = true, ["null"] = true, ["{}"] = true, ['""'] = true }

--- Whether a short event says nothing: keep-alives of proxies.
local function is_empty(data)
  return nothing[data:match("^%s*(.-)%s*$")] == true
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
  if byte(data) ~= object and data:find("^%s*%[DONE%]") then return close(state) end
  if #data < 64 and is_empty(data) then return {} end
  local value, fault = halves.read(state, event)
  if type(value) == "table" and value[1] ~= nil then value = value[1] end
  if type(value) == "table" then return read_chunk(state, value, event) end
  if not state.options.skip_bad_chunks then return fail(state, failure.broken(event, fault)) end
  state.warnings[#state.warnings + 1] = "a chunk that is no JSON was skipped"
  return {}
end

--- Text behind something else, or none: what came before is looked at.
local function first_text(state, text)
  if state.held then
    state.held = nil
    text = halves.replacement .. text
  end
  state.started, state.fresh, state.whole = true, false, nil
  if text == "" then return text end
  local choice = chunk.at(state, 0)
  choice:append_content(text)
  state.said = choice.content
  return text
end

--- Take text that the text path handed out: what `delta` would have done with its event.
--- @param state table
--- @param text string
--- @return string text  what there is to tell of it
function M.text_delta(state, text)
  local said = state.said
  if not said then return first_text(state, text) end
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

local function before(a, b)
  return a.index < b.index
end

--- The accumulated body, and what belongs to it.
local function gather(state, over, complete)
  local choices, exact, calls = {}, {}, {}
  if state.order[2] then table.sort(state.order, before) end
  for position, choice in ipairs(state.order) do
    choices[position], exact[position] = choice:build(over)
    calls[position] = {}
    for i, slot in ipairs(choice.calls.slots) do calls[position][i] = slot:call() end
  end
  local raw, warnings = new_body(json.array(choices)), {}
  for name, value in pairs(state.raw) do raw[name] = value end
  for i, text in ipairs(state.warnings) do warnings[i] = text end
  return raw, {
    complete = complete, calls = calls, pictures = state.pictures, exact = exact, warnings = warnings,
  }
end

local function is_complete(state)
  if state.done or state.whole then return true end
  for _, choice in ipairs(state.order) do
    if not choice.finished then return false end
  end
  return state.order[1] ~= nil
end

--- No more events: the reply, if the stream came to its end.
--- @param state table
--- @return multimodal.Neutral?
--- @return multimodal.Error?  truncated, where neither an end mark nor a finish reason came
function M.finish(state)
  state.over = true
  if state.failed then return nil, state.failed end
  give_up_halves(state, {})
  if not is_complete(state) then
    return nil, error_class.new { kind = "truncated", message = "the stream ended before its end mark" }
  end
  return decode.body(gather(state, true, true))
end

--- What has arrived so far.
--- @param state table
--- @return multimodal.Neutral
function M.partial(state)
  local raw, known = gather(state, state.over or state.failed ~= nil, false)
  if not raw.choices[1] then raw.choices[1] = { index = 0, message = { role = "assistant" } } end
  for _, choice in ipairs(raw.choices) do choice.error = nil end
  return decode.body(raw, known)
end

--- The accumulated body with the nulls and the numbers of what goes back as they came.
--- @param state table
--- @return table
function M.exact(state)
  local raw, known = gather(state, true, true)
  for position, choice in ipairs(raw.choices) do
    for name, value in pairs(known.exact[position]) do
      if choice.message[name] ~= nil and next(value) ~= nil then choice.message[name] = value end
    end
  end
  return raw
end

return M
