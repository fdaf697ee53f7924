--- One request on its way: attempts, redirects, the deadline over all of them.
--- Names: open.
local clocks = require("multimodal.policy.clocks")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local driver_module = require("multimodal.runtime.driver")
local headers = require("multimodal.client.headers")
local redirect = require("multimodal.policy.redirect")
local response = require("multimodal.client.response")

local M = {}

-- A whole reply is read as one event, so only a stream looks for text in events.
local whole_options = { lenient = true }

-- A dialect's text path is data, so its decoder options are made once.
local decoder_options = setmetatable({}, { __mode = "k" })

local function decoder_for(dialect, streams)
  if not streams then return core.decoder(whole_options) end
  local options = decoder_options[dialect]
  if not options then
    options = { lenient = true, text = dialect.text }
    decoder_options[dialect] = options
  end
  return core.decoder(options)
end

local function decoder_of(request)
  if request.decoder then return core.decoder(request.decoder) end
  return decoder_for(request.client.dialect, request.streams)
end

local function start(driver, request, hop, timeout)
  local options, transport = request.options, request.client.transport
  return driver:request({
    method = hop.method,
    url = hop.url,
    headers = hop.headers,
    body = hop.body,
    decoder = decoder_of(request),
    connect_timeout = clocks.of(options, "connect_timeout"),
    first_byte_timeout = clocks.of(options, "first_byte_timeout"),
    idle_timeout = clocks.of(options, "idle_timeout"),
    timeout = timeout,
    http2 = transport.http2,
    proxy = transport.proxy,
    no_proxy = transport.no_proxy,
    tls = transport.tls,
  }, request)
end

--- A request that was made, and brought nothing to read.
local function failed(exchange, err)
  exchange:close()
  return nil, error_class.new(err, { attempts = 1 })
end

--- One attempt, redirects followed, up to the head of the answer.
local function attempt(driver, request, deadline)
  local lines, err = headers.lines(request.plan, request.client.key)
  if not lines then return nil, err end
  local hop = { method = request.method, url = request.url, headers = lines, body = request.body, hops = 0 }
  while true do
    local left, late = clocks.left(deadline, driver.now())
    if late then return nil, late end
    local exchange, fault = start(driver, request, hop, left)
    if not exchange then return nil, fault end
    local status, fields = exchange:head()
    if not status then return failed(exchange, fields) end
    local following, refused = redirect.next(hop, status, fields)
    if refused then return failed(exchange, refused) end
    if not following then return response.new(request, exchange, status, fields, hop.url) end
    exchange:close()
    hop = following
  end
end

--- Send a request and wait for the head of the answer.
--- @async
--- @param request multimodal.Request
--- @return multimodal.Response?
--- @return multimodal.Error? err
function M.open(request)
  local driver = request.client.driver or driver_module.current()
  return attempt(driver, request, clocks.deadline(request.options, driver.now()))
end

return M
