--- Events of a stream as server-sent events for a browser: one `data:` line of JSON each, with its `type` inside.
--- Names: sse.
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local media = require("multimodal.media")

local M = {}

--- A medium as a page takes it: a link or a data URL.
local function of_media(part)
  local url = part.blob and json.data_url_of(part.blob) or part.url
  return { kind = part.kind, url = url, mime = part:mime(), transcript = part.transcript, id = part.id }
end

local deepest = 32

local of_reply

local function is_reply(value)
  local class = getmetatable(value)
  return type(class) == "table" and class.__name == "multimodal.reply"
end

--- Values of tools as JSON can say them.
local function of_value(value, depth)
  if media.is(value) then return of_media(value) end
  if value == json.null or type(value) == "string" or type(value) == "number" or type(value) == "boolean" then return value end
  if type(value) ~= "table" or depth > deepest then return tostring(value) end
  if error_class.is(value) then return value.message end
  if is_reply(value) then return of_reply(value) end
  local copy = {}
  for name, field in pairs(value) do copy[name] = of_value(field, depth + 1) end
  local class = getmetatable(value)
  return class and class == getmetatable(json.array {}) and json.array(copy) or copy
end

local function of_call(call)
  return call and { id = call.id, name = call.name, arguments = of_value(call.arguments or call.arguments_raw, 1) }
end

local function of_calls(calls)
  local list = {}
  for i, call in ipairs(calls) do list[i] = of_call(call) end
  return json.array(list)
end

local of_reply_fields = {
  "text", "reasoning", "refusal", "usage", "finish_reason", "finish_reason_raw", "outcome", "id", "model", "gateway", "request_id",
  "data",
}

--- A reply without its media, which were events of their own.
function of_reply(reply)
  local copy = { tool_calls = of_calls(reply.tool_calls) }
  for _, name in ipairs(of_reply_fields) do copy[name] = of_value(reply[name], 1) end
  return copy
end

local function of_error(err)
  return {
    type = "error", kind = err.kind, message = err.message, code = err.code, status = err.status, retryable = err.retryable,
    retry_after = err.retry_after, request_id = err.request_id, text = err.partial and err.partial.text,
  }
end

--- Fields that are no plain values.
local readers = { part = of_media, reply = of_reply, call = of_call }

local function of_event(event)
  local copy = {}
  for name, value in pairs(event) do
    local read = readers[name]
    if read then copy[name] = read(value) else copy[name] = of_value(value, 1) end
  end
  if event.type == "audio" and event.delta then
    copy.delta = event.delta ~= "" and json.base64_of(media.new("audio", { bytes = event.delta }).blob) or nil
  end
  return copy
end

--- One event as text for a browser, "data: {...}" and an empty line: what stream:events() gave, a piece of text, or an
--- error. Pictures become data URLs or links, audio becomes base64; done holds the reply without its media.
--- @param event table|string|multimodal.Error
--- @return string
function M.sse(event)
  local value
  if type(event) == "string" then
    value = { type = "text", delta = event }
  elseif error_class.is(event) then
    value = of_error(event)
  elseif type(event) == "table" and type(event.type) == "string" then
    value = of_event(event)
  else
    error_class.misuse("sse: expected an event of a stream, a text or an error, got " .. type(event))
  end
  local text, err = json.encode(value)
  if not text then error_class.misuse("sse: " .. err.message) end
  return "data: " .. text .. "\n\n"
end

return M
