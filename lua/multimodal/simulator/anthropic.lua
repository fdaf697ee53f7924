--- Anthropic's Messages, spoken by the simulator: POST .../messages and .../messages/count_tokens, GET .../models.
--- Returns routes, speaks(request), refuse.
local answers = require("multimodal.simulator.answers")
local core = require("multimodal.core")
local received = require("multimodal.simulator.received")
local telling = require("multimodal.simulator.telling")

local M = {}

local medium_cost = 85 -- tokens of one that is no text

local function list(value)
  return type(value) == "table" and value or {}
end

--- Whether a request is in this dialect.
--- @param request table
--- @return boolean
function M.speaks(request)
  return request.headers["anthropic-version"] ~= nil or request.path:find("/messages/?$") ~= nil
end

local function headers_of(request, content_type)
  return { ["Content-Type"] = content_type, ["Request-Id"] = request.id }
end

local kinds = {
  [400] = "invalid_request_error", [401] = "authentication_error", [402] = "billing_error", [403] = "permission_error",
  [404] = "not_found_error", [409] = "conflict_error", [413] = "request_too_large", [429] = "rate_limit_error", [500] = "api_error",
  [504] = "timeout_error", [529] = "overloaded_error",
}

--- Refuse as Anthropic does.
--- @param request table
--- @param answer multimodal.simulator.Answer
--- @param status integer
--- @param message string
function M.refuse(request, answer, status, message)
  local headers = headers_of(request, "application/json")
  headers["Retry-After"] = request.behaviour.retry_after
  local kind = kinds[status] or status < 500 and "invalid_request_error" or "api_error"
  answer:whole(status, headers, tostring(core.body {
    type = "error", error = { type = kind, message = message }, request_id = request.id,
  }))
end

--- The source of a picture or a document as the chat dialect would hold it.
local function source_of(block)
  local source = list(block.source)
  if source.type == "text" then return core.blob(tostring(source.data), "text/plain") end
  local data = source.data
  if type(data) == "string" then
    local bytes = core.base64_decode(data)
    data = bytes and core.blob(bytes, source.media_type)
  end
  return data or source.url or source.file_id
end

local parts = {
  text = function(block) return block end,
  image = function(block) return { type = "image_url", image_url = { url = source_of(block) } } end,
  document = function(block) return { type = "file", file = { file_data = source_of(block) } } end,
}

local function parts_of(content)
  if type(content) ~= "table" then return content end
  local all = {}
  for _, block in ipairs(content) do
    local read = parts[block.type]
    if read then all[#all + 1] = read(block) end
  end
  return all
end

--- Messages as the chat dialect has them: what the simulator looks at.
local function chat_messages(messages)
  local all = {}
  for _, message in ipairs(messages) do
    for _, block in ipairs(type(message.content) == "table" and message.content or {}) do
      if block.type == "tool_result" then all[#all + 1] = { role = "tool", content = parts_of(block.content) or "" } end
    end
    local said = parts_of(message.content)
    if type(said) ~= "table" or said[1] or message.role == "assistant" then all[#all + 1] = { role = message.role, content = said } end
  end
  return all
end

local function chat_tools(tools)
  local all = {}
  for i, tool in ipairs(list(tools)) do
    all[i] = { type = "function", ["function"] = { name = tool.name, parameters = tool.input_schema } }
  end
  return all
end

local function chat_choice(choice)
  choice = list(choice)
  if choice.type == "tool" then return { type = "function", ["function"] = { name = choice.name } } end
  return choice.type
end

--- The request as the chat dialect would write it.
local function as_chat(value)
  local format = list(list(value.output_config).format)
  return {
    messages = chat_messages(value.messages), tools = chat_tools(value.tools), tool_choice = chat_choice(value.tool_choice),
    response_format = format.schema and { type = "json_schema", json_schema = { schema = format.schema } } or nil,
  }
end

--- The ids of the blocks of a type in a message.
local function ids_in(message, kind, name)
  local ids = {}
  for _, block in ipairs(message and type(message.content) == "table" and message.content or {}) do
    if block.type == kind then ids[#ids + 1] = tostring(block[name]) end
  end
  return ids
end

--- What Anthropic would refuse in the order of blocks.
local function fault_in_order(messages)
  for i, message in ipairs(messages) do
    local other = false
    for _, block in ipairs(type(message.content) == "table" and message.content or {}) do
      if block.type == "tool_result" and other then return ("messages.%d: tool_result blocks must come first"):format(i - 1) end
      if block.type == "text" and block.text == "" then return ("messages.%d: text content blocks must be non-empty"):format(i - 1) end
      other = other or block.type ~= "tool_result"
    end
    local results = "\n" .. table.concat(ids_in(messages[i + 1], "tool_result", "tool_use_id"), "\n") .. "\n"
    for _, id in ipairs(ids_in(message, "tool_use", "id")) do
      if not results:find("\n" .. id .. "\n", 1, true) then return ("messages.%d: tool_use %s without tool_result"):format(i - 1, id) end
    end
  end
  return nil
end

--- What Anthropic would refuse of a request, nil where it is fine.
local function fault_of(value, counting)
  if type(value.messages) ~= "table" or not value.messages[1] then return "messages: Field required" end
  if type(value.model) ~= "string" then return "model: Field required" end
  if not counting and type(value.max_tokens) ~= "number" then return "max_tokens: Field required" end
  if value.messages[1].role ~= "user" then return "messages: first message must use the \"user\" role" end
  return fault_in_order(value.messages)
end

--- The answer: its blocks as they will stand in a whole message, and why it ends.
local function compose(request, value)
  local chat = as_chat(value)
  local seen, call = received.parts(chat.messages), answers.call(chat)
  local text, finish, content = received.words(seen), "end_turn", core.array {}
  text = call and "" or answers.json(chat, text) or text
  if not call and telling.tokens(text) > value.max_tokens then text, finish = text:sub(1, value.max_tokens * 4), "max_tokens" end
  local thinking = list(value.thinking).type
  if thinking == "enabled" or thinking == "adaptive" then
    content[1] = { type = "thinking", thinking = "I look at what I received.", signature = core.base64_encode("simulated " .. request.id) }
  end
  if text ~= "" then content[#content + 1] = { type = "text", text = text } end
  if call then
    local inner = call["function"]
    content[#content + 1] = { type = "tool_use", id = "toolu_" .. call.id:sub(6), name = inner.name, input = core.raw(inner.arguments) }
    finish = "tool_use"
  end
  return {
    id = "msg_" .. core.sha256():update(text):hex():sub(1, 24), type = "message", role = "assistant", model = value.model,
    content = content, stop_reason = request.behaviour.finish or finish, stop_sequence = core.null,
    usage = {
      input_tokens = telling.prompt_tokens(seen, medium_cost),
      output_tokens = telling.tokens(text) + (call and telling.tokens(call["function"].arguments) or 0),
    },
  }
end

local function event(answer, value)
  answer:event(("event: %s\ndata: %s\n\n"):format(value.type, tostring(assert(core.body(value)))))
end

--- How a block begins, and the deltas after it.
local unfold = {
  text = function(block)
    local deltas = {}
    for i, word in ipairs(telling.words(block.text)) do deltas[i] = { type = "text_delta", text = word } end
    return { type = "text", text = "" }, deltas
  end,
  thinking = function(block)
    local deltas = {}
    for i, word in ipairs(telling.words(block.thinking)) do deltas[i] = { type = "thinking_delta", thinking = word } end
    deltas[#deltas + 1] = { type = "signature_delta", signature = block.signature }
    return { type = "thinking", thinking = "", signature = "" }, deltas
  end,
  tool_use = function(block)
    local deltas = { { type = "input_json_delta", partial_json = "" } }
    for _, piece in ipairs(telling.pieces(tostring(core.body(block.input)))) do
      deltas[#deltas + 1] = { type = "input_json_delta", partial_json = piece }
    end
    return { type = "tool_use", id = block.id, name = block.name, input = core.raw "{}" }, deltas
  end,
}

local function stream(request, answer, message)
  local began, sent = {}, 0
  for name, value in pairs(message) do began[name] = value end
  began.content, began.stop_reason = core.array {}, core.null
  began.usage = { input_tokens = message.usage.input_tokens, output_tokens = 1 }
  answer:head(200, headers_of(request, "text/event-stream"))
  event(answer, { type = "message_start", message = began })
  event(answer, { type = "ping" })
  for i, block in ipairs(message.content) do
    local first, deltas = unfold[block.type](block)
    event(answer, { type = "content_block_start", index = i - 1, content_block = first })
    for _, delta in ipairs(deltas) do
      if telling.interrupted(request, answer, sent) then return end
      event(answer, { type = "content_block_delta", index = i - 1, delta = delta })
      sent = sent + 1
    end
    event(answer, { type = "content_block_stop", index = i - 1 })
  end
  event(answer, {
    type = "message_delta", delta = { stop_reason = message.stop_reason, stop_sequence = core.null },
    usage = { output_tokens = message.usage.output_tokens },
  })
  event(answer, { type = "message_stop" })
  answer:finish()
end

--- The request as a value that Anthropic would take; else it is refused.
local function value_of(request, answer, counting)
  local value, err = request:json()
  if type(value) ~= "table" then
    M.refuse(request, answer, 400, "The request body is not valid JSON: " .. tostring(err))
    return nil
  end
  local fault = fault_of(value, counting)
  if fault then
    M.refuse(request, answer, 400, fault)
    return nil
  end
  return value
end

local function messages(request, answer)
  local value = value_of(request, answer)
  if not value then return end
  local message = compose(request, value)
  if value.stream == true then return stream(request, answer, message) end
  answer:whole(200, headers_of(request, "application/json"), tostring(assert(core.body(message))))
end

local function count(request, answer)
  local value = value_of(request, answer, true)
  if not value then return end
  local tokens = telling.prompt_tokens(received.parts(chat_messages(value.messages)), medium_cost)
  answer:whole(200, headers_of(request, "application/json"), tostring(core.body { input_tokens = tokens }))
end

local function models(request, answer)
  answer:whole(200, headers_of(request, "application/json"), tostring(core.body {
    data = core.array { { type = "model", id = "simulated", display_name = "Simulated", created_at = "2026-01-01T00:00:00Z" } },
    has_more = false, first_id = "simulated", last_id = "simulated",
  }))
end

M.routes = {
  { method = "POST", path = "/messages/?$", run = messages },
  { method = "POST", path = "/messages/count_tokens/?$", run = count },
  { method = "GET", path = "/models/?$", run = models, fits = M.speaks },
}

return M
