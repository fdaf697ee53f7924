--- Answers of a mock, told in the Messages dialect.
--- Names: whole streamed tail.
local answer = require("multimodal.client.mock.answer")
local core = require("multimodal.core")
local error_class = require("multimodal.error")

local M = {}

--- How many pieces at the end of a stream say that it is complete.
M.tail = 2

--- The input of a call; arguments are a table or text.
local function input_of(call)
  local arguments = call.arguments or {}
  if type(arguments) == "table" then return next(arguments) == nil and core.raw "{}" or arguments end
  return core.raw(arguments)
end

local function block_of(call, i)
  return { type = "tool_use", id = call.id or "toolu_" .. i, name = call.name, input = input_of(call) }
end

local function check(images)
  if images[1] then error_class.misuse("mock: an answer of images cannot be told in this dialect") end
end

local function message_of(request, content, calls)
  return {
    id = "mock", type = "message", role = "assistant", model = request.options.model, content = core.array(content),
    stop_reason = calls and "tool_use" or "end_turn",
    usage = { input_tokens = #(request:json().messages or {}), output_tokens = 0 },
  }
end

--- A whole body, as text.
--- @param request multimodal.Request
--- @param texts string[]
--- @param images multimodal.Media[]  none can be told
--- @param calls table[]?  of tools: {name, arguments, id}
--- @return string
function M.whole(request, texts, images, calls)
  check(images)
  local content, text = {}, table.concat(texts)
  if text ~= "" then content[1] = { type = "text", text = text } end
  for i, call in ipairs(calls or {}) do content[#content + 1] = block_of(call, i) end
  local message = message_of(request, content, calls)
  message.usage.output_tokens = answer.words(texts)
  return answer.encode(message)
end

local function event(value)
  return ("event: %s\ndata: %s\n\n"):format(value.type, answer.encode(value))
end

local function delta(list, index, fields)
  list[#list + 1] = event { type = "content_block_delta", index = index, delta = fields }
end

--- A block between its start and its stop.
local function block(list, index, began, fill)
  list[#list + 1] = event { type = "content_block_start", index = index, content_block = began }
  fill()
  list[#list + 1] = event { type = "content_block_stop", index = index }
end

local function add_text(list, index, texts)
  block(list, index, { type = "text", text = "" }, function()
    for _, text in ipairs(texts) do
      for _, piece in ipairs(answer.pieces(text)) do delta(list, index, { type = "text_delta", text = piece }) end
    end
  end)
end

local function add_call(list, index, call, i)
  local began = block_of(call, i)
  local text = answer.encode(began.input)
  began.input = core.raw "{}"
  local half = math.floor(#text / 2)
  while text:find("^[\128-\191]", half + 1) do half = half + 1 end
  block(list, index, began, function()
    delta(list, index, { type = "input_json_delta", partial_json = text:sub(1, half) })
    delta(list, index, { type = "input_json_delta", partial_json = text:sub(half + 1) })
  end)
end

--- The events of a stream.
--- @param request multimodal.Request
--- @param texts string[]
--- @param images multimodal.Media[]
--- @param calls table[]?
--- @return string[]
function M.streamed(request, texts, images, calls)
  check(images)
  local message = message_of(request, {}, calls)
  local reason = message.stop_reason
  message.stop_reason = nil
  local list, index = { event { type = "message_start", message = message } }, 0
  if table.concat(texts) ~= "" then
    add_text(list, index, texts)
    index = index + 1
  end
  for i, call in ipairs(calls or {}) do
    add_call(list, index, call, i)
    index = index + 1
  end
  list[#list + 1] = event {
    type = "message_delta", delta = { stop_reason = reason }, usage = { output_tokens = answer.words(texts) },
  }
  list[#list + 1] = event { type = "message_stop" }
  return list
end

return M
