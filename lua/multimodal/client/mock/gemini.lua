--- Answers of a mock, told in Gemini's dialect.
--- Names: whole streamed tail.
local answer = require("multimodal.client.mock.answer")
local core = require("multimodal.core")

local M = {}

--- How many pieces at the end of a stream say that it is complete.
M.tail = 1

local function image_part(part)
  local opened = answer.opened(part)
  if opened.blob then return { inlineData = { mimeType = opened:mime(), data = core.base64_of(opened.blob) } } end
  return { fileData = { mimeType = opened:likely_mime() or "image/jpeg", fileUri = opened.url } }
end

local function usage_of(request, texts)
  local asked, said = #(request:json().contents or {}), answer.words(texts)
  return { promptTokenCount = asked, candidatesTokenCount = said, totalTokenCount = asked + said }
end

local function call_part(call)
  local arguments = call.arguments or {}
  if type(arguments) == "string" then arguments = core.raw(arguments) end
  return { functionCall = { id = call.id, name = call.name, args = arguments } }
end

local function body_of(request, parts, more)
  local candidate = { index = 0, content = { role = "model", parts = core.array(parts) } }
  for name, value in pairs(more or {}) do candidate[name] = value end
  return { candidates = core.array { candidate }, modelVersion = request.options.model, responseId = "mock" }
end

--- Pictures and calls as parts.
local function rest_of(images, calls)
  local parts = {}
  for _, part in ipairs(images) do parts[#parts + 1] = image_part(part) end
  for _, call in ipairs(calls or {}) do parts[#parts + 1] = call_part(call) end
  return parts
end

--- A whole body, as text.
--- @param request multimodal.Request
--- @param texts string[]
--- @param images multimodal.Media[]
--- @param calls table[]?  of tools: {name, arguments, id}
--- @return string
function M.whole(request, texts, images, calls)
  local parts, text = rest_of(images, calls), table.concat(texts)
  if text ~= "" then table.insert(parts, 1, { text = text }) end
  local body = body_of(request, parts, { finishReason = "STOP" })
  body.usageMetadata = usage_of(request, texts)
  return answer.encode(body)
end

local function event(value)
  return "data: " .. answer.encode(value) .. "\r\n\r\n"
end

--- The events of a stream: words with the space before them, then what came beside.
--- @param request multimodal.Request
--- @param texts string[]
--- @param images multimodal.Media[]
--- @param calls table[]?
--- @return string[]
function M.streamed(request, texts, images, calls)
  local list = {}
  for _, piece in ipairs(answer.pieces(table.concat(texts))) do list[#list + 1] = event(body_of(request, { { text = piece } })) end
  for _, part in ipairs(rest_of(images, calls)) do list[#list + 1] = event(body_of(request, { part })) end
  local last = body_of(request, { { text = "" } }, { finishReason = "STOP" })
  last.usageMetadata = usage_of(request, texts)
  list[#list + 1] = event(last)
  return list
end

return M
