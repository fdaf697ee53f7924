--- Waiting for the head of an answer while a hook is told how much of the body has been sent. The hook runs between two
--- looks at the network, as the code of the one who waits: it may wait itself, and it may stop the request.
--- Names: head.
local error_class = require("multimodal.error")

local M = {}

--- Seconds between two calls of the hook.
local tick = 0.1

--- Stop what the hook does not want. What was sent whole may have been served.
local function stopped(exchange, whole)
  exchange:close()
  return nil, error_class.new { kind = "cancelled", code = "hook", message = "a hook returned false", maybe_accepted = whole }
end

--- Wait for the head, the hook told of the body.
local function watch(exchange, hook, total, now)
  local began, state = now(), "running"
  local status, fields
  while state == "running" do
    status, fields = exchange:head(now() + tick)
    local waits = not status and fields == "again"
    local sent = math.min((exchange:progress()), total)
    if sent == total then state = "succeeded" elseif not waits then state = "failed" end
    local going_on = hook { what = "upload", state = state, elapsed = now() - began, done = sent, total = total }
    if going_on == false then return stopped(exchange, sent == total) end
    if not waits then return status, fields end
  end
  return exchange:head()
end

--- @async
--- @param exchange multimodal.Exchange
--- @param request multimodal.Request  its options name the hook, on_upload
--- @param now fun(): number           seconds, of the driver
--- @return integer? status
--- @return table|multimodal.Error fields
function M.head(exchange, request, now)
  local hook, body = request.options.on_upload, request.body
  if not hook or not body then return exchange:head() end
  return watch(exchange, hook, body:length(), now)
end

return M
