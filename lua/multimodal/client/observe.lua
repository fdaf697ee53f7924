--- What the observe hook is told of a request: no payload, no key. Attributes carry the names of OpenTelemetry's
--- conventions for generative AI. With MULTIMODAL_LOG=debug the same records are lines on stderr.
--- Names: request response retry failure.
local error_class = require("multimodal.error")
local urls = require("multimodal.policy.url")

local M = {}

--- @class multimodal.Record
--- @field event "request"|"response"|"retry"|"error"
--- @field gateway string
--- @field model string?
--- @field method string
--- @field url string              without its query
--- @field stream boolean
--- @field attempt integer         of this request, from 1
--- @field status integer?         of response and error
--- @field request_id string?      likewise
--- @field outcome string?         of response
--- @field finish_reason string?   of response
--- @field usage multimodal.Usage? of response
--- @field timing table?           of response: seconds since the attempt began: queued dns connect tls sent first_byte first_text total
--- @field bytes {sent: integer, received: integer}?  of response
--- @field seconds number?         of retry: how long is waited
--- @field kind string?            of retry and error, as in multimodal.Error
--- @field code string?            likewise
--- @field message string?         likewise
--- @field attributes table<string, any>

--- Options as OpenTelemetry names them.
local of_options = {
  max_tokens = "gen_ai.request.max_tokens", temperature = "gen_ai.request.temperature", top_p = "gen_ai.request.top_p",
  top_k = "gen_ai.request.top_k", seed = "gen_ai.request.seed", n = "gen_ai.request.choice.count",
}

local of_usage = {
  input_tokens = "gen_ai.usage.input_tokens", output_tokens = "gen_ai.usage.output_tokens",
  cached_tokens = "gen_ai.usage.cache_read.input_tokens", cache_write_tokens = "gen_ai.usage.cache_creation.input_tokens",
}

--- Names of providers as the conventions spell them.
local providers = {
  google = "gcp.gemini", vertex = "gcp.vertex_ai", zai = "z_ai",
}

local function add(attributes, names, values)
  for name, attribute in pairs(names) do attributes[attribute] = values[name] or nil end
end

local function attributes_of(request)
  local client, options = request.client, request.options
  local base = urls.split(client.base.root) or {}
  local attributes = {
    ["gen_ai.operation.name"] = request.operation or "chat",
    ["gen_ai.provider.name"] = providers[client.name] or client.name,
    ["gen_ai.request.model"] = options.model or nil,
    ["server.address"] = base.host, ["server.port"] = tonumber(base.port),
    ["http.request.method"] = request.method,
  }
  add(attributes, of_options, options)
  if options.stop then
    attributes["gen_ai.request.stop_sequences"] = type(options.stop) == "table" and options.stop or { options.stop }
  end
  if options.schema then attributes["gen_ai.output.type"] = "json" end
  return attributes
end

local function record_of(request, event, attempt)
  local attributes = attributes_of(request)
  if attempt > 1 then attributes["http.request.resend_count"] = attempt - 1 end
  return {
    event = event, gateway = request.client.name, model = request.options.model or nil, method = request.method,
    url = urls.shown(request.url), stream = request.streams, attempt = attempt, attributes = attributes,
  }
end

local logs = os.getenv("MULTIMODAL_LOG") == "debug"

local shown = { "model", "status", "seconds", "kind", "code", "finish_reason", "request_id", "message" }

local function line_of(record)
  local words = { "multimodal:", record.event, record.method, record.url, "attempt=" .. record.attempt }
  for _, name in ipairs(shown) do
    local value = record[name]
    if type(value) == "number" then value = ("%.10g"):format(value) end
    if value ~= nil then words[#words + 1] = name .. "=" .. (value:find("[%s\"]") and ("%q"):format(value) or value) end
  end
  if record.timing and record.timing.total then words[#words + 1] = ("total=%.3f"):format(record.timing.total) end
  return (table.concat(words, " "):gsub("%c", " "))
end

--- Whether anybody looks.
local function is_watched(request)
  return logs or request.options.observe ~= nil
end

local function tell(request, record)
  if logs then io.stderr:write(line_of(record), "\n") end
  local hook = request.options.observe
  if hook and hook(record) == false then
    return error_class.new { kind = "cancelled", code = "hook", message = "the observe hook returned false" }
  end
  return nil
end

--- An attempt begins.
--- @param request multimodal.Request
--- @param attempt integer
--- @return multimodal.Error? stop  the hook wants no more
function M.request(request, attempt)
  if not is_watched(request) then return nil end
  return tell(request, record_of(request, "request", attempt))
end

--- An answer came to its end.
--- @param request multimodal.Request
--- @param answer table   a reply: usage, timing and the rest
--- @param exchange multimodal.Exchange
function M.response(request, answer, exchange)
  if not is_watched(request) then return end
  local record = record_of(request, "response", answer.attempts or 1)
  local sent, received = exchange:progress()
  record.status, record.request_id, record.outcome = answer.status, answer.request_id, answer.outcome
  record.finish_reason, record.usage, record.timing = answer.finish_reason, answer.usage, answer.timing
  record.bytes = { sent = sent, received = received }
  local attributes = record.attributes
  attributes["http.response.status_code"] = answer.status
  attributes["gen_ai.response.id"], attributes["gen_ai.response.model"] = answer.id, answer.model
  if answer.finish_reason then attributes["gen_ai.response.finish_reasons"] = { answer.finish_reason } end
  if answer.usage then add(attributes, of_usage, answer.usage) end
  tell(request, record)
end

local function with_failure(record, err)
  record.kind, record.code, record.message, record.status = err.kind, err.code, err.message, err.status
  record.request_id = err.request_id
  record.attributes["error.type"] = err.kind
  record.attributes["http.response.status_code"] = err.status
  return record
end

--- An attempt failed, and another follows.
--- @param request multimodal.Request
--- @param attempt integer          the one that failed
--- @param err multimodal.Error
--- @param seconds number           until the next
--- @return multimodal.Error? stop  the hook wants no more
function M.retry(request, attempt, err, seconds)
  if not is_watched(request) then return nil end
  local record = with_failure(record_of(request, "retry", attempt), err)
  record.seconds = seconds
  return tell(request, record)
end

--- A request failed for good.
--- @param request multimodal.Request
--- @param attempt integer
--- @param err multimodal.Error
function M.failure(request, attempt, err)
  if not is_watched(request) then return end
  tell(request, with_failure(record_of(request, "error", math.max(1, attempt)), err))
end

return M
