--- One attempt of a request on its way: redirects, and the deadline over all of them.
--- Names: open.
local address = require("multimodal.client.address")
local clocks = require("multimodal.policy.clocks")
local core = require("multimodal.core")
local headers = require("multimodal.client.headers")
local redirect = require("multimodal.policy.redirect")
local response = require("multimodal.client.response")
local secret = require("multimodal.client.secret")
local sending = require("multimodal.client.sending")
local transport = require("multimodal.client.transport")

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

-- Methods that libcurl may send a second time by itself, where a kept connection turns out to be dead.
local reads = { GET = true, HEAD = true, OPTIONS = true }

local function start(driver, request, hop, timeout)
  local options = request.options
  return driver:request(transport.put({
    method = hop.method,
    url = hop.url,
    headers = hop.headers,
    body = hop.body,
    resend = reads[hop.method] or false,
    decoder = decoder_of(request),
    connect_timeout = clocks.of(options, "connect_timeout"),
    first_byte_timeout = clocks.of(options, "first_byte_timeout"),
    idle_timeout = clocks.of(options, "idle_timeout"),
    timeout = timeout,
  }, request.client.transport, hop.abroad), request)
end

--- A request that was made, and brought nothing to read.
local function failed(exchange, err)
  exchange:close()
  return nil, err
end

--- The URL of the answer, for people.
local function shown(request, hop)
  return hop.hops == 0 and request.url or address.masked(hop.url)
end

--- Send a request once, redirects followed, and wait for the head of the answer.
--- @async
--- @param request multimodal.Request
--- @param under multimodal.Attempts
--- @return multimodal.Response?
--- @return multimodal.Error? err
--- @return boolean? unsent   nothing was sent, and nothing would be
function M.open(request, under)
  local lines, err = headers.lines(request.plan, request.client.key)
  if not lines then return nil, err, true end
  local hop = {
    method = request.method, url = secret.reveal(request.target) or request.url, headers = lines, body = request.body, hops = 0,
    operation = under.operation,
  }
  while true do
    local left, late = clocks.left(under.deadline, under.now())
    if late then return nil, late, hop.hops == 0 end
    local exchange, fault = start(under.driver, request, hop, left)
    if not exchange then return nil, fault, hop.hops == 0 end
    under.exchange = exchange
    if under.place then under.place:until_closed(exchange) end
    local status, fields = sending.head(exchange, request, under.driver.now)
    if not status then return failed(exchange, fields) end
    local following, refused = redirect.next(hop, status, fields)
    if refused then return failed(exchange, refused) end
    if not following then return response.new(request, exchange, status, fields, shown(request, hop)) end
    -- The place goes with the next hop.
    exchange.done = false
    exchange:close()
    hop = following
  end
end

return M
