--- Requests for replies under a journal: a kept reply is read as if it came again, whole or as a stream; another is sent, and
--- kept when it is complete.
--- Names: send.
local attempts = require("multimodal.client.attempts")
local journal = require("multimodal.client.journal")
local media = require("multimodal.media")
local response = require("multimodal.client.response")

local M = {}

--- What stands for the connection of a kept body: one event, then the end.
--- @class multimodal.KeptExchange: multimodal.Exchange
local Exchange = {}
Exchange.__index = Exchange

function Exchange:next()
  local event = self.event
  self.event = nil
  return event
end

function Exchange:next_text()
  if self.event then return nil, "event" end
  return nil
end

function Exchange:progress()
  return 0, 0
end

function Exchange:timing()
  return {}
end

function Exchange:close()
  self.event = nil
end
Exchange.leave = Exchange.close

--- The events of a whole reply, in the order of a stream.
local function events_of(neutral)
  local first, out = neutral.choices[1], {}
  local function add(event)
    out[#out + 1] = event
  end
  add { type = "start", id = neutral.id, model = neutral.model }
  if first.reasoning and first.reasoning ~= "" then add { type = "reasoning", delta = first.reasoning } end
  if first.text ~= "" then add { type = "text", delta = first.text } end
  local images = 0
  for _, part in ipairs(first.parts) do
    if media.is(part) and part.kind == "image" then
      add { type = "image", index = images, part = part }
      images = images + 1
    elseif media.is(part) and part.kind == "audio" then
      add { type = "audio", delta = part.blob and part.blob:bytes() or nil, transcript = part.transcript }
    end
  end
  for i, call in ipairs(first.tool_calls or {}) do
    add { type = "tool_start", index = i - 1, id = call.id, name = call.name }
    add { type = "tool_delta", index = i - 1, delta = call.arguments_raw }
    add { type = "tool_end", index = i - 1, call = call }
  end
  if neutral.usage then add { type = "usage", usage = neutral.usage } end
  add { type = "finish", reason = first.finish_reason, raw = first.finish_reason_raw }
  return out
end

local function nothing()
  local message = { role = "assistant", content = {} }
  return { choices = { { text = "", parts = {}, citations = {}, tool_calls = {}, message = message } }, warnings = {} }
end

--- A dialect that reads a stream from a whole body.
local function streamed(dialect)
  return {
    begin = function() return {} end,
    decode = dialect.decode, failure = dialect.failure,
    delta = function(state, event)
      local neutral, err = dialect.decode(event)
      if not neutral then return nil, err end
      state.neutral = neutral
      return events_of(neutral)
    end,
    text_delta = function(_, text) return text end,
    ended = function() return false end, -- the exchange ends, when all that came has been handed out
    finish = function(state) return state.neutral end,
    partial = function(state) return state.neutral or nothing() end,
  }
end

--- The answer that a kept body is.
local function answer_of(request, entry, event)
  local kept = entry.kept
  local answer = response.new(request, setmetatable({ event = event }, Exchange), kept.status or 200,
    { ["content-type"] = "application/json", ["x-request-id"] = kept.request_id }, request.url)
  answer.from_journal = true
  if request.streams then answer.dialect = streamed(answer.dialect) end
  return answer
end

local function begin(request, resubmit)
  local options, client = request.options, request.client
  return journal.begin({ journal = options.journal, resubmit = resubmit }, {
    kind = request.kind or "generate", method = request.method, url = request.url, body = request.body,
    gateway = client.name, model = options.model, vendor = options.vendor,
  })
end

--- @async
--- @generic T
--- @param request multimodal.Request
--- @param made_of fun(answer: multimodal.Response): T?, multimodal.Error?
--- @return T?
--- @return multimodal.Error? err
function M.send(request, made_of)
  local entry, err = begin(request, request.options.resubmit)
  if not entry then return nil, err end
  if entry.kept then
    local event
    event, err = entry:restore()
    if event then return made_of(answer_of(request, entry, event)) end
    if not request.options.resubmit then return nil, err end
    entry:failed(err)
    return M.send(request, made_of)
  end
  return entry:during(function()
    local value, fault = attempts.run(request, "chat", function(answer)
      answer.entry = entry
      return made_of(answer)
    end)
    if value == nil then entry:failed(fault) end
    return value, fault
  end)
end

return M
