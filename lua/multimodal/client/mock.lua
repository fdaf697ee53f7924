--- A gateway without sockets: scripted answers, told through the whole dialect, and a record of what was asked.
--- Names: new.
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")

local misuse = error_class.misuse

local M = {}

--- @alias multimodal.MockAnswer
---   string|multimodal.Media|table|fun(req: multimodal.Request): any

--- @class multimodal.Mock
--- @field requests multimodal.Request[]   what was asked, in order
--- @field answers multimodal.MockAnswer[] what is left follows `asked`
local Mock = { __name = "multimodal.mock" }

-- What happens to a connection, not to a request: no HTTP answer can say it.
local of_connection = { network = true, tls = true, timeout = true, cancelled = true, truncated = true, protocol = true }

-- How gateways say each kind.
local statuses = {
  auth = { 401 }, permission = { 403 }, billing = { 402 }, not_found = { 404 }, bad_request = { 400 },
  too_large = { 413 }, rate_limit = { 429 }, quota = { 429, "insufficient_quota" }, overloaded = { 529 },
  content_filter = { 400, "content_policy_violation" }, server = { 500 },
}

--- Parts of an answer: text in one, pictures in another list.
local function parts_of(answer)
  if type(answer) == "string" then return { answer }, {} end
  local list = messages.new("assistant", answer).content
  local texts, images = {}, {}
  for _, part in ipairs(list) do
    if not media.is(part) then
      texts[#texts + 1] = part.text or misuse("mock: expected text and images in an answer")
    elseif part.kind == "image" then
      images[#images + 1] = part
    else
      misuse("mock: an answer of " .. part.kind .. " cannot be told in this dialect")
    end
  end
  return texts, images
end

--- What stands for a connection: a status, headers, pieces of a body, and perhaps the error it ends with.
--- @class multimodal.MockExchange: multimodal.Exchange
local Exchange = {}
Exchange.__index = Exchange

function Exchange:head()
  if self.failure and not self.pieces[1] then return nil, self.failure end
  self.decoder:head(self.status, self.headers["content-type"])
  return self.status, self.headers
end

function Exchange:next()
  while true do
    local got, err = self.decoder:next()
    if got ~= nil or err ~= nil then return got, err end
    self.at = self.at + 1
    local piece = self.pieces[self.at]
    if piece then
      self.received = self.received + #piece
      self.decoder:feed(piece)
    elseif self.failure or self.finished then
      return nil, self.failure
    else
      self.finished = true
      self.decoder:finish()
    end
  end
end

function Exchange:next_text()
  return nil, "event"
end

function Exchange:progress()
  return self.sent, self.received
end

function Exchange:timing()
  return {}
end

function Exchange:close()
  self.pieces, self.at, self.finished = {}, 0, true
  if self.done then self.done() end
end
Exchange.leave = Exchange.close

local function exchange(wire, fields)
  fields.decoder, fields.at, fields.received = wire.decoder, 0, 0
  fields.sent = wire.body and wire.body:length() or 0
  return setmetatable(fields, Exchange)
end

local function headers(kind, more)
  local all = { ["content-type"] = kind, ["x-request-id"] = "mock" }
  for name, value in pairs(more or {}) do all[tostring(name):lower()] = tostring(value) end
  return all
end

local function refusal(answer)
  local status = statuses[answer.kind] or misuse("mock: kind: no answer can say " .. tostring(answer.kind))
  local retry = answer.retry_after and { ["retry-after"] = answer.retry_after }
  return {
    status = answer.status or status[1],
    headers = headers("application/json", retry),
    pieces = { assert(json.encode { error = {
      message = answer.message or ("mock: " .. answer.kind), type = answer.kind, code = answer.code or status[2],
    } }) },
  }
end

--- How each dialect writes an answer: whole(request, texts, images, calls) -> text; streamed(the same) -> pieces; and
--- `tail`, how many pieces at the end of a stream say that it is complete.
local tellers = {
  openai = compat.lazy("multimodal.client.mock.openai"), gemini = compat.lazy("multimodal.client.mock.gemini"),
  anthropic = compat.lazy("multimodal.client.mock.anthropic"),
}

local function teller_of(request)
  local name = request.client.dialect.name
  return tellers[name] or misuse(("mock: no answer can be told in the dialect %q"):format(tostring(name)))
end

local function told(request, texts, images, calls)
  local teller = teller_of(request)
  if not request.streams then
    return { status = 200, headers = headers("application/json"), pieces = { teller.whole(request, texts, images, calls) } }
  end
  return { status = 200, headers = headers("text/event-stream"), pieces = teller.streamed(request, texts, images, calls) }
end

--- An answer that calls tools, perhaps with something said before.
local function calling(request, answer)
  local said = {}
  for i, part in ipairs(answer) do said[i] = part end
  local texts, images = parts_of(said)
  return told(request, texts, images, answer.tool_calls)
end

--- A connection that fails, after `text` where there is one.
local function broken(request, answer)
  local failure = error_class.new {
    kind = answer.kind == "truncated" and "network" or answer.kind,
    code = answer.code, message = answer.message or "mock: " .. answer.kind,
  }
  local fields = { status = 200, headers = headers("text/event-stream"), pieces = {}, failure = failure }
  if not answer.text then return fields end
  fields = told(request, { answer.text }, {})
  fields.failure = failure
  if request.streams then
    for _ = 1, teller_of(request).tail do table.remove(fields.pieces) end
  else
    fields.pieces[1] = fields.pieces[1]:sub(1, -2)
  end
  return fields
end

local function answered(request, answer)
  if type(answer) == "function" then return answered(request, answer(request)) end
  if type(answer) ~= "string" and type(answer) ~= "table" then
    misuse("mock: expected a string, parts, an error or a function as an answer, got " .. type(answer))
  end
  if type(answer) == "string" or media.is(answer) then return told(request, parts_of(answer)) end
  if answer.body then
    local kind = request.streams and "text/event-stream" or "application/json"
    return { status = answer.status or 200, headers = headers(kind, answer.headers), pieces = { answer.body } }
  end
  if answer.tool_calls then return calling(request, answer) end
  if not answer.kind then return told(request, parts_of(answer)) end
  if of_connection[answer.kind] then return broken(request, answer) end
  return refusal(answer)
end

local function exhausted(asked, again)
  misuse(("mock: no answer is left for request %d%s"):format(asked,
    again and ", which repeats the last; give one more, or the client retries = 0" or ""))
end

local function request_of(mock)
  return function(_, wire, request)
    local asked = #mock.requests + 1
    mock.requests[asked] = request
    local answer = mock.answers[asked]
    if answer == nil then exhausted(asked, mock.requests[asked - 1] == request) end
    return exchange(wire, answered(request, answer))
  end
end

--- A gateway that gives these answers in order: a string; a part or a list of parts; an error table { kind =,
--- retry_after =, message =, text = what had come before it }; { tool_calls = { { name =, arguments =, id = } } };
--- { status =, headers =, body = } as it is; or a function of the request that gives one of these. Use it as `gateway =` of a client.
--- @param answers multimodal.MockAnswer[]
--- @return multimodal.Mock
function M.new(answers)
  if type(answers) ~= "table" then misuse("mock: expected a list of answers, got " .. type(answers)) end
  messages.list(answers, "mock", function(name) misuse("mock: unknown field " .. name) end)
  local mock = setmetatable({
    name = "mock", base_url = "https://mock.invalid/v1", dialect = "openai", max_tokens_field = "max_tokens",
    stream_options = true, tasks = { dialect = "ark" }, options = { model = "mock" }, requests = {}, answers = answers,
  }, Mock)
  mock.driver = { request = request_of(mock), now = os.time }
  return mock
end

function Mock:__tostring()
  return ("multimodal.mock: %d of %d answers given"):format(#self.requests, #self.answers)
end

return M
