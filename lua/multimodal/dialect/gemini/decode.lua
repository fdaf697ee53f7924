--- A whole answer of generateContent as a neutral reply. A stream that is accumulated to the same shape goes through `body` as well.
--- Names: decode body medium call exact_part blocked.
local error_class = require("multimodal.error")
local failure = require("multimodal.dialect.failure")
local finish = require("multimodal.reply.finish")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local media = require("multimodal.media")
local native = require("multimodal.dialect.gemini.native")
local sound = require("multimodal.dialect.gemini.sound")
local tool_calls = require("multimodal.reply.tool_calls")
local usage = require("multimodal.dialect.gemini.usage")
local wire = require("multimodal.dialect.gemini.wire")

local M = {}

--- What a stream knows beside the accumulated body, so that what it handed out and what it ends with are the same objects.
--- @class multimodal.gemini.Known
--- @field complete boolean
--- @field calls table<table, multimodal.ToolCall>?   by part
--- @field media table<table, multimodal.Media>?      by part
--- @field exact table<table, table>?                 parts with explicit nulls, by part
--- @field event table?                               or what they are read from
--- @field warnings string[]?

local list, present, field = lifted.list, lifted.present, wire.field

local function parts_of(candidate)
  local content = field(candidate, "content")
  return type(content) == "table" and list(content.parts) or {}
end

--- A list without its nulls, which elsewhere are nothing.
local function told(items)
  local all = {}
  for _, item in ipairs(items) do
    if item ~= json.null then all[#all + 1] = item end
  end
  return all
end

--- A part once more from the text of its event.
--- @param event table
--- @param at integer?       its answer, where the event is a list of them
--- @param position integer  of its candidate
--- @param i integer
--- @return table?
function M.exact_part(event, at, position, i)
  local answer = lifted.exact(event, at)
  local candidate = answer and told(list(answer.candidates))[position]
  local part = type(candidate) == "table" and told(parts_of(candidate))[i]
  return type(part) == "table" and part or nil
end

local kinds = { image = "image", audio = "audio", video = "video" }

local function blob_of(data)
  if lifted.is_blob(data) then return data end
  local text = lifted.present(data)
  local part = text and media.new("file", { base64 = text }):opened()
  return part and part.blob
end

local function of_bytes(blob, mime)
  if sound.is_bare(mime) then return media.from_blob("audio", sound.playable(blob, mime)) end
  local plain = mime and mime:lower():match("^%s*([%w.+-]+/[%w.+-]+)")
  local kind = plain and kinds[plain:match("^%a+")] or "file"
  local known = blob:mime()
  local same = known and plain and known:match("^%a+") == plain:match("^%a+")
  return media.from_blob(kind, blob, not same and plain and { mime = plain } or nil)
end

--- The medium of a part with bytes or a link, nil where it is malformed.
--- @param value table   the inlineData or fileData
--- @return multimodal.Media?
function M.medium(value)
  if type(value) ~= "table" then return nil end
  local mime, url = present(field(value, "mimeType")), field(value, "fileUri")
  if type(url) == "string" and url:find("^%a[%w+.-]*://%S+$") then
    local kind = mime and kinds[mime:lower():match("^%a+") or ""] or "file"
    return media.from_url(kind, url, mime and { mime = mime:lower():match("^[^;%s]+") } or nil)
  end
  local blob = blob_of(value.data)
  return blob and of_bytes(blob, mime) or nil
end

--- A call of a part. Its arguments are kept as text too, nulls and all.
--- @param exact table   the functionCall
--- @return multimodal.ToolCall
function M.call(exact)
  local arguments = field(exact, "args")
  local text = type(arguments) == "table" and json.encode(wire.thawed(arguments)) or nil
  if text == "[]" then text = "{}" end
  return tool_calls.call(present(exact.id), present(exact.name), text)
end

--- What is read of one candidate, part by part.
local function new_reading(known, warnings, position)
  return {
    known = known, warnings = warnings, position = position, parts = {}, thoughts = {}, calls = {}, slots = {}, taken = {},
  }
end

local function exact_of(reading, part, i)
  local known = reading.known
  if known.exact then return known.exact[part] or part end
  return known.event and M.exact_part(known.event, known.at, reading.position, i) or part
end

local function add_item(reading, item, part, i, name)
  local parts, slots = reading.parts, reading.slots
  parts[#parts + 1] = item
  local more
  if not (name == "text" and wire.is_bare(part)) then more = wire.remarks(exact_of(reading, part, i), name) end
  slots[#slots + 1] = { item = #parts, more = more }
end

local function keep(reading, part, i)
  reading.slots[#reading.slots + 1] = { wire = wire.thawed(exact_of(reading, part, i)) }
end

local readers = {}

function readers.text(reading, part, i, value)
  local text = lifted.text(value) or ""
  if part.thought == true then
    reading.thoughts[#reading.thoughts + 1] = text
    return keep(reading, part, i)
  end
  if text ~= "" then return add_item(reading, { type = "text", text = text }, part, i, "text") end
  if not wire.is_bare(part) then keep(reading, part, i) end
end

function readers.functionCall(reading, part, i, value)
  if type(value) ~= "table" then return end
  local exact, calls, taken = exact_of(reading, part, i), reading.calls, reading.taken
  local call = reading.known.calls and reading.known.calls[part] or M.call(field(exact, "functionCall") or value)
  local id = present(value.id)
  if taken[call.id] then
    call, id = tool_calls.call(nil, call.name, call.arguments_raw), nil
  end
  taken[call.id] = true
  calls[#calls + 1] = call
  reading.slots[#reading.slots + 1] = { call = #calls, id = id, more = wire.remarks(exact, "functionCall") }
end

local function read_medium(reading, part, i, value, name)
  -- A draft of a picture is a thought: it goes back, and is no result.
  if part.thought == true then return keep(reading, part, i) end
  local known = reading.known.media and reading.known.media[part]
  local medium = known or M.medium(value)
  if medium then return add_item(reading, medium, part, i, name) end
  reading.warnings[#reading.warnings + 1] = ("parts[%d] is malformed and was left out"):format(i)
end

readers.inlineData, readers.fileData = read_medium, read_medium

local function read_parts(reading, candidate)
  for i, part in ipairs(parts_of(candidate)) do
    if type(part) == "table" then
      local name, value = wire.payload(part)
      if name then readers[name](reading, part, i, value, name) else keep(reading, part, i) end
    end
  end
end

local function text_of(parts)
  local texts, others = {}, false
  for _, part in ipairs(parts) do
    if part.type == "text" then texts[#texts + 1] = part.text else others = true end
  end
  return table.concat(texts), not others and texts[2] == nil
end

--- What the text leans on: sources that were searched, and works that were quoted.
local function citations_of(candidate)
  local found = {}
  local grounding, cited = field(candidate, "groundingMetadata"), field(candidate, "citationMetadata")
  for _, chunk in ipairs(type(grounding) == "table" and list(field(grounding, "groundingChunks")) or {}) do found[#found + 1] = chunk end
  local sources = type(cited) == "table" and (field(cited, "citationSources") or cited.citations)
  for _, source in ipairs(list(sources or nil)) do found[#found + 1] = source end
  return found[1] and found or nil
end

--- Words for an end that is none of the model's own.
local function explain(reason, message, warnings)
  if reason == "error" and message then warnings[#warnings + 1] = "the reply ended badly: " .. message end
end

--- Why a reply was withheld, in the words that came or in ours.
local function refusal_of(what, raw, message)
  return message or ("the %s was blocked: %s"):format(what, raw)
end

--- @param block {reason: string, message: string?}?  of the prompt, for a candidate that was cut off by it
local function read_candidate(candidate, position, known, warnings, block)
  local reading = new_reading(known, warnings, position)
  read_parts(reading, candidate)
  local parts, calls = reading.parts, reading.calls
  local text, plain = text_of(parts)
  local raw, message = field(candidate, "finishReason"), present(field(candidate, "finishMessage"))
  local called, what = calls[1] ~= nil, "reply"
  if raw == nil and block then raw, message, what = block.reason, block.message, "prompt" end
  local reason = what == "prompt" and "content_filter" or finish.read(raw, nil, called, known.complete)
  explain(reason, message and tostring(raw) .. ": " .. message or tostring(raw), warnings)
  local thoughts = table.concat(reading.thoughts)
  return {
    text = text, parts = parts, reasoning = thoughts ~= "" and thoughts or nil,
    refusal = reason == "content_filter" and refusal_of(what, tostring(raw), message) or nil,
    citations = citations_of(candidate), tool_calls = calls,
    finish_reason = reason, finish_reason_raw = raw ~= nil and tostring(raw) or nil,
    message = {
      role = "assistant", content = parts, plain = plain, tool_calls = called and calls or nil, dialect = "gemini",
      native = native.new(reading.slots),
    },
  }
end

--- Why a prompt was blocked, nil where it was not.
--- @param body table
--- @return string? reason
--- @return string? message
function M.blocked(body)
  local feedback = field(body, "promptFeedback")
  if type(feedback) ~= "table" then return nil end
  return present(field(feedback, "blockReason")), present(field(feedback, "blockReasonMessage"))
end

--- A prompt that was blocked is answered with nothing.
local function refused(reason, message)
  return {
    text = "", parts = {}, tool_calls = {}, finish_reason = "content_filter", finish_reason_raw = reason,
    refusal = refusal_of("prompt", reason, message),
    message = { role = "assistant", content = {}, dialect = "gemini" },
  }
end

local function before(a, b)
  if a.index ~= b.index then return a.index < b.index end
  return a.position < b.position
end

local function read_candidates(body, known, warnings, block)
  local order, choices = {}, {}
  for i, candidate in ipairs(list(body.candidates)) do
    if type(candidate) == "table" then
      order[#order + 1] = { candidate = candidate, position = i, index = tonumber(candidate.index) or i - 1 }
    end
  end
  table.sort(order, before)
  for i, entry in ipairs(order) do choices[i] = read_candidate(entry.candidate, entry.position, known, warnings, block) end
  return choices
end

--- Read a decoded body.
--- @param body table
--- @param known multimodal.gemini.Known
--- @param event table?   what the body was read from, for errors
--- @return multimodal.Neutral?
--- @return multimodal.Error?
function M.body(body, known, event)
  local warnings = known.warnings or {}
  local reason, message = M.blocked(body)
  local choices = read_candidates(body, known, warnings, reason and { reason = reason, message = message } or nil)
  if not choices[1] and reason then choices[1] = refused(reason, message) end
  if not choices[1] then
    local err = failure.empty(event)
    return nil, error_class.new { kind = err.kind, body = err.body, message = "the gateway sent a reply without candidates" }
  end
  return {
    choices = choices, id = present(field(body, "responseId")), model = present(field(body, "modelVersion")),
    usage = usage.read(field(body, "usageMetadata")), raw = body, warnings = warnings,
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
  local at
  if type(value) == "table" and value[1] ~= nil then value, at = value[1], 1 end
  if type(value) ~= "table" then return nil, failure.broken(event, fault) end
  local err = value.error ~= nil and failure.in_body(value, event)
  if err then return nil, err end
  return M.body(value, { complete = true, event = event, at = at }, event)
end

return M
