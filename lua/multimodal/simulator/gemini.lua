--- Gemini's dialect, spoken by the simulator: :generateContent, :streamGenerateContent, :countTokens, and AI Studio's models.
--- Returns routes, refuse.
local answers = require("multimodal.simulator.answers")
local core = require("multimodal.core")
local received = require("multimodal.simulator.received")
local square = require("multimodal.simulator.square")
local telling = require("multimodal.simulator.telling")

local M = {}

local medium_cost = 258 -- tokens of one that is no text

local function list(value)
  return type(value) == "table" and value or {}
end

local kinds = { image = "image_url", audio = "input_audio", video = "video_url" }

--- A part with bytes or a link, as the other half of the simulator knows it.
local function medium(part)
  local inner = part.inlineData or part.fileData
  local kind = kinds[tostring(inner.mimeType):match("^%a+")] or "file"
  local source = inner.data or inner.fileUri
  return { type = kind, [kind] = { url = source } }
end

--- What is said in one content, as messages of chat.
local function add_messages(messages, content)
  local role = content.role == "model" and "assistant" or "user"
  local said, calls = {}, nil
  for _, part in ipairs(list(content.parts)) do
    if part.functionResponse then
      local text = tostring(assert(core.body(part.functionResponse.response)))
      messages[#messages + 1] = { role = "tool", content = text }
    elseif part.functionCall then
      calls = true
    elseif part.inlineData or part.fileData then
      said[#said + 1] = medium(part)
    elseif type(part.text) == "string" and not part.thought then
      said[#said + 1] = { type = "text", text = part.text }
    end
  end
  if said[1] or calls then messages[#messages + 1] = { role = role, content = said } end
end

local function tools_of(value)
  local tools = {}
  for _, tool in ipairs(list(value.tools)) do
    for _, one in ipairs(list(tool.functionDeclarations)) do
      tools[#tools + 1] = { ["function"] = { name = one.name, parameters = one.parametersJsonSchema or one.parameters } }
    end
  end
  return tools
end

local function choice_of(value)
  local config = list(list(value.toolConfig).functionCallingConfig)
  local name = list(config.allowedFunctionNames)[1]
  if name then return { ["function"] = { name = name } } end
  return config.mode == "NONE" and "none" or nil
end

--- The request in the words of chat.
local function translated(value)
  local messages, config = {}, list(value.generationConfig)
  for _, content in ipairs(list(value.contents)) do add_messages(messages, content) end
  local schema = config.responseJsonSchema
  return {
    messages = messages, tools = tools_of(value), tool_choice = choice_of(value),
    response_format = schema and { type = "json_schema", json_schema = { schema = schema } }
      or config.responseMimeType == "application/json" and { type = "json_object" } or nil,
  }
end

--- Pictures that go back: those that came, or a red square.
local function pictures(parts)
  local blobs, found = {}, {}
  for _, part in ipairs(parts) do
    if part.kind == "image" and part.blob then blobs[#blobs + 1] = part.blob end
  end
  if not blobs[1] then blobs[1] = core.blob(square, "image/png") end
  for i, blob in ipairs(blobs) do
    found[i] = { inlineData = { mimeType = blob:mime() or "image/png", data = core.base64_of(blob) } }
  end
  return found
end

local function has(wanted, values)
  for _, value in ipairs(list(values)) do
    if value == wanted then return true end
  end
  return false
end

local reasons = { stop = "STOP", length = "MAX_TOKENS", content_filter = "SAFETY", tool_calls = "STOP", error = "OTHER" }

--- The answer before it is cut into chunks: text, further parts, how it ends.
local function compose(request, value)
  local said, config = translated(value), list(value.generationConfig)
  local parts = received.parts(said.messages)
  local call = answers.call(said)
  local text = received.words(parts)
  text = call and "" or answers.json(said, text) or text
  local finish, limit = "STOP", tonumber(config.maxOutputTokens)
  if limit and telling.tokens(text) > limit then text, finish = text:sub(1, limit * 4), "MAX_TOKENS" end
  local rest = not call and has("IMAGE", config.responseModalities) and pictures(parts) or {}
  if call then
    local arguments = core.raw(call["function"].arguments)
    rest[1] = { functionCall = { name = call["function"].name, args = arguments }, thoughtSignature = "c2lnbmVk" }
  end
  local asked, answered = telling.prompt_tokens(parts, medium_cost), telling.tokens(text)
  return {
    id = core.sha256():update(text):hex():sub(1, 22), model = request.path:match("/models/([^/:]+):"), text = text, rest = rest,
    finish = reasons[request.behaviour.finish] or request.behaviour.finish or finish,
    usage = { promptTokenCount = asked, candidatesTokenCount = answered, totalTokenCount = asked + answered },
  }
end

local function headers_of(request, content_type)
  return { ["Content-Type"] = content_type, ["X-Request-Id"] = request.id }
end

local function answer_of(reply, parts, finish)
  return assert(core.body {
    candidates = core.array { { index = 0, finishReason = finish, content = { role = "model", parts = core.array(parts) } } },
    usageMetadata = finish and reply.usage or nil, modelVersion = reply.model, responseId = reply.id,
  })
end

local piece = 49152 -- bytes sent at once, so that a large picture never stands in memory

local function whole(request, answer, reply)
  local parts = {}
  if reply.text ~= "" then parts[1] = { text = reply.text } end
  for _, part in ipairs(reply.rest) do parts[#parts + 1] = part end
  local body = answer_of(reply, parts, reply.finish)
  answer:head(200, headers_of(request, "application/json"), body:length())
  for offset = 0, body:length() - 1, piece do answer:send(body:read(offset, piece)) end
end

--- One chunk, as an event or as an element of an array.
local function chunk(answer, before, body, after)
  if body:length() <= piece then return answer:event(before .. tostring(body) .. after) end
  local pace = answer.pace
  answer.pace = 0
  answer:event(before)
  for offset = 0, body:length() - 1, piece do answer:event(body:read(offset, piece)) end
  answer.pace = pace
  answer:event(after)
end

local function stream(request, answer, reply)
  local events = (request.query or ""):find("alt=sse", 1, true) ~= nil
  answer:head(200, headers_of(request, events and "text/event-stream" or "application/json"))
  local parts = {}
  for i, word in ipairs(telling.words(reply.text)) do parts[i] = { text = word } end
  for _, part in ipairs(reply.rest) do parts[#parts + 1] = part end
  for i, part in ipairs(parts) do
    if telling.interrupted(request, answer, i - 1) then return end
    chunk(answer, events and "data: " or i == 1 and "[" or ",\r\n", answer_of(reply, { part }), events and "\r\n\r\n" or "")
  end
  local last = answer_of(reply, { { text = "" } }, reply.finish)
  chunk(answer, events and "data: " or parts[1] and ",\r\n" or "[", last, events and "\r\n\r\n" or "\n]")
  answer:finish()
end

local words = {
  [400] = "INVALID_ARGUMENT", [401] = "UNAUTHENTICATED", [403] = "PERMISSION_DENIED", [404] = "NOT_FOUND",
  [429] = "RESOURCE_EXHAUSTED", [500] = "INTERNAL", [503] = "UNAVAILABLE", [504] = "DEADLINE_EXCEEDED",
}

--- Refuse as Google does.
--- @param request table
--- @param answer multimodal.simulator.Answer
--- @param status integer
--- @param message string
function M.refuse(request, answer, status, message)
  local headers = headers_of(request, "application/json")
  headers["Retry-After"] = request.behaviour.retry_after
  local body = core.body { error = { code = status, message = message, status = words[status] or "UNKNOWN" } }
  answer:whole(status, headers, tostring(body))
end

--- The request where it is one.
local function read(request, answer)
  local value, err = request:json()
  if value and value.generateContentRequest then value = value.generateContentRequest end
  if not value then return M.refuse(request, answer, 400, "The body is not JSON: " .. tostring(err)) end
  if type(value.contents) ~= "table" or not value.contents[1] then
    return M.refuse(request, answer, 400, "* GenerateContentRequest.contents: contents is not specified")
  end
  return value
end

local function generate(send)
  return function(request, answer)
    local value = read(request, answer)
    if value then send(request, answer, compose(request, value)) end
  end
end

local function count(request, answer)
  local value = read(request, answer)
  if not value then return end
  local total = telling.prompt_tokens(received.parts(translated(value).messages), medium_cost)
  for _, part in ipairs(list(list(value.systemInstruction).parts)) do total = total + telling.tokens(tostring(part.text)) end
  answer:whole(200, headers_of(request, "application/json"), tostring(core.body { totalTokens = total }))
end

local function models(request, answer)
  answer:whole(200, headers_of(request, "application/json"), tostring(core.body {
    models = core.array {
      { name = "models/gemini-2.5-flash", displayName = "Gemini 2.5 Flash", inputTokenLimit = 1048576, outputTokenLimit = 65536,
        supportedGenerationMethods = core.array { "generateContent", "countTokens" } },
    },
  }))
end

M.routes = {
  { method = "POST", path = "/models/[^/]+:generateContent$", run = generate(whole) },
  { method = "POST", path = "/models/[^/]+:streamGenerateContent$", run = generate(stream) },
  { method = "POST", path = "/models/[^/]+:countTokens$", run = count },
  { method = "GET", path = "/v1beta/models/?$", run = models },
}

return M
