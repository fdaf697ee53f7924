--- The OpenAI chat dialect, spoken by the simulator: POST .../chat/completions and GET .../models.
--- Returns routes.
local answers = require("multimodal.simulator.answers")
local core = require("multimodal.core")
local received = require("multimodal.simulator.received")
local square = require("multimodal.simulator.square")
local telling = require("multimodal.simulator.telling")

local M = {}

local medium_cost = 85 -- tokens of one that is no text

local created = 1700000000 -- the answers depend on the request alone

local function has(list, wanted)
  for _, item in ipairs(type(list) == "table" and list or {}) do
    if item == wanted then return true end
  end
  return false
end

--- Pictures that go back: those that came, or the red square.
local function pictures(parts)
  local list = {}
  for _, part in ipairs(parts) do
    if part.kind == "image" and part.blob then
      list[#list + 1] = { type = "image_url", image_url = { url = core.data_url_of(part.blob) } }
    end
  end
  if not list[1] then
    list[1] = { type = "image_url", image_url = { url = core.data_url_of(core.blob(square, "image/png")) } }
  end
  return list
end

--- The answer as the dialect's whole body, before it is cut into chunks.
local function compose(request, value)
  local parts = received.parts(value.messages)
  local call = answers.call(value)
  local text = received.words(parts)
  text = call and "" or answers.json(value, text) or text
  local limit = value.max_completion_tokens or value.max_tokens
  local finish = "stop"
  if limit and telling.tokens(text) > limit then
    text, finish = text:sub(1, limit * 4), "length"
  end
  local prompt_tokens = telling.prompt_tokens(parts, medium_cost)
  return {
    id = "chatcmpl-" .. core.sha256():update(text):hex():sub(1, 24),
    model = value.model or "simulated",
    text = text,
    call = call,
    images = not call and has(value.modalities, "image") and pictures(parts) or nil,
    finish = request.behaviour.finish or call and "tool_calls" or finish,
    usage = {
      prompt_tokens = prompt_tokens,
      completion_tokens = telling.tokens(text),
      total_tokens = prompt_tokens + telling.tokens(text),
    },
  }
end

--- Send JSON in pieces, so that a large picture never stands in memory.
local function send_body(answer, body)
  for offset = 0, body:length() - 1, 49152 do answer:send(body:read(offset, 49152)) end
end

local function headers_of(request, content_type)
  return { ["Content-Type"] = content_type, ["X-Request-Id"] = request.id }
end

local function whole(request, answer, reply)
  local body = assert(core.body {
    id = reply.id, object = "chat.completion", created = created, model = reply.model, usage = reply.usage,
    choices = core.array {
      {
        index = 0, finish_reason = reply.finish,
        message = {
          role = "assistant", content = reply.call and core.null or reply.text, images = reply.images,
          tool_calls = reply.call and core.array { reply.call } or nil,
        },
      },
    },
  })
  answer:head(200, headers_of(request, "application/json"), body:length())
  send_body(answer, body)
end

local function event(answer, text)
  answer:event("data: " .. text .. "\n\n")
end

--- An event that may hold a picture of any size: one HTTP chunk for each piece.
local function chunk(answer, reply, delta, finish)
  local body = assert(core.body {
    id = reply.id, object = "chat.completion.chunk", created = created, model = reply.model,
    choices = core.array { { index = 0, delta = delta, finish_reason = finish or core.null } },
  })
  if body:length() <= 49152 then return event(answer, tostring(body)) end
  local pace = answer.pace
  answer.pace = 0
  answer:event("data: ")
  for offset = 0, body:length() - 1, 49152 do answer:event(body:read(offset, 49152)) end
  answer.pace = pace
  answer:event("\n\n")
end

--- A call in chunks: its name, then its arguments in small pieces.
local function call_chunks(answer, reply)
  local call = reply.call
  local arguments = call["function"].arguments
  chunk(answer, reply, { tool_calls = core.array {
    { index = 0, id = call.id, type = call.type, ["function"] = { name = call["function"].name, arguments = "" } },
  } })
  for _, piece in ipairs(telling.pieces(arguments)) do
    chunk(answer, reply, { tool_calls = core.array { { index = 0, ["function"] = { arguments = piece } } } })
  end
end

local function stream(request, answer, reply)
  answer:head(200, headers_of(request, "text/event-stream"))
  chunk(answer, reply, { role = "assistant", content = "" })
  for i, word in ipairs(telling.words(reply.text)) do
    if telling.interrupted(request, answer, i - 1) then return end
    chunk(answer, reply, { content = word })
  end
  if reply.call then call_chunks(answer, reply) end
  if reply.images then chunk(answer, reply, { images = reply.images }) end
  chunk(answer, reply, {}, reply.finish)
  event(answer, tostring(core.body {
    id = reply.id, object = "chat.completion.chunk", created = created, model = reply.model,
    choices = core.array {}, usage = reply.usage,
  }))
  event(answer, "[DONE]")
  answer:finish()
end

--- Refuse as OpenAI does.
--- @param request table
--- @param answer multimodal.simulator.Answer
--- @param status integer
--- @param message string
--- @param code string?
function M.refuse(request, answer, status, message, code)
  local headers = headers_of(request, "application/json")
  headers["Retry-After"] = request.behaviour.retry_after
  local kind = status < 500 and "invalid_request_error" or "server_error"
  local body = core.body { error = { message = message, type = kind, code = code or core.null } }
  answer:whole(status, headers, tostring(body))
end

local function chat(request, answer)
  local value, err = request:json()
  if not value then return M.refuse(request, answer, 400, "The body is not JSON: " .. tostring(err), "invalid_json") end
  if type(value.messages) ~= "table" then
    return M.refuse(request, answer, 400, "Missing required parameter: 'messages'.", "missing_required_parameter")
  end
  local reply = compose(request, value)
  if value.stream == true then return stream(request, answer, reply) end
  whole(request, answer, reply)
end

local function models(request, answer)
  answer:whole(200, headers_of(request, "application/json"), tostring(core.body {
    object = "list",
    data = core.array {
      { id = "simulated", object = "model", created = created, owned_by = "multimodal",
        architecture = {
          input_modalities = { "text", "image", "audio", "video", "file" }, output_modalities = { "text", "image" },
        } },
    },
  }))
end

M.routes = {
  { method = "POST", path = "/chat/completions/?$", run = chat },
  { method = "GET", path = "/models/?$", run = models },
}

return M
