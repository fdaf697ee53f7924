--- Answers of a mock, told in the chat dialect.
--- Names: whole streamed tail.
local answer = require("multimodal.client.mock.answer")
local core = require("multimodal.core")

local M = {}

--- How many pieces at the end of a stream say that it is complete.
M.tail = 3

local function image_field(part)
  local opened = answer.opened(part)
  return { type = "image_url", image_url = { url = opened.blob and core.data_url_of(opened.blob) or opened.url } }
end

local function image_fields(images)
  local list = {}
  for i, part in ipairs(images) do list[i] = image_field(part) end
  return core.array(list)
end

local function usage_of(request, texts)
  local asked, said = #(request:json().messages or {}), answer.words(texts)
  return { prompt_tokens = asked, completion_tokens = said, total_tokens = asked + said }
end

--- Calls of tools as a message has them; arguments are a table or text.
local function call_fields(calls)
  local list = {}
  for i, call in ipairs(calls) do
    local arguments = call.arguments or {}
    if type(arguments) == "table" then arguments = answer.encode(arguments) end
    list[i] = { id = call.id or "call_" .. i, type = "function", ["function"] = { name = call.name, arguments = arguments } }
  end
  return core.array(list)
end

--- A whole body, as text.
--- @param request multimodal.Request
--- @param texts string[]
--- @param images multimodal.Media[]
--- @param calls table[]?  of tools: {name, arguments, id}
--- @return string
function M.whole(request, texts, images, calls)
  return answer.encode {
    id = "mock", object = "chat.completion", created = 0, model = request.options.model,
    choices = { { index = 0, finish_reason = calls and "tool_calls" or "stop", message = {
      role = "assistant", content = table.concat(texts), images = images[1] and image_fields(images) or nil,
      tool_calls = calls and call_fields(calls) or nil,
    } } },
    usage = usage_of(request, texts),
  }
end

local function event(value)
  return "data: " .. (type(value) == "string" and value or answer.encode(value)) .. "\n\n"
end

local function chunk(model, delta, reason)
  return event {
    id = "mock", object = "chat.completion.chunk", created = 0, model = model,
    choices = { { index = 0, delta = delta, finish_reason = reason } },
  }
end

--- The chunks of a call: its name, then its arguments in two pieces.
local function call_chunks(model, list, calls)
  for i, call in ipairs(call_fields(calls)) do
    local arguments, index = call["function"].arguments, i - 1
    local half = math.floor(#arguments / 2)
    call.index, call["function"].arguments = index, ""
    list[#list + 1] = chunk(model, { tool_calls = core.array { call } })
    for _, piece in ipairs { arguments:sub(1, half), arguments:sub(half + 1) } do
      list[#list + 1] = chunk(model, { tool_calls = core.array { { index = index, ["function"] = { arguments = piece } } } })
    end
  end
end

--- The events of a stream.
--- @param request multimodal.Request
--- @param texts string[]
--- @param images multimodal.Media[]
--- @param calls table[]?
--- @return string[]
function M.streamed(request, texts, images, calls)
  local model = request.options.model
  local list = { chunk(model, { role = "assistant", content = "" }) }
  for _, text in ipairs(texts) do
    for _, piece in ipairs(answer.pieces(text)) do list[#list + 1] = chunk(model, { content = piece }) end
  end
  for _, part in ipairs(images) do list[#list + 1] = chunk(model, { images = core.array { image_field(part) } }) end
  if calls then call_chunks(model, list, calls) end
  list[#list + 1] = chunk(model, core.raw "{}", calls and "tool_calls" or "stop")
  list[#list + 1] = event { id = "mock", model = model, choices = core.array {}, usage = usage_of(request, texts) }
  list[#list + 1] = event "[DONE]"
  return list
end

return M
