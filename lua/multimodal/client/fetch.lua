--- Bytes of a link. Credentials go to the gateway that made it alone, and never beyond a redirect to another origin.
--- Names: get open headers is_home refused max_bytes.
local attempts = require("multimodal.client.attempts")
local clocks = require("multimodal.policy.clocks")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local private = require("multimodal.policy.private")
local redirect = require("multimodal.policy.redirect")
local reply_headers = require("multimodal.reply.headers")
local transport = require("multimodal.client.transport")
local urls = require("multimodal.policy.url")

local M = {}

--- Bytes of one link.
M.max_bytes = 4 * 1024 * 1024 * 1024

local kinds = { [401] = "permission", [403] = "permission", [404] = "not_found", [410] = "not_found", [429] = "rate_limit" }

--- The error of an answer that is not what was asked for.
--- @param hop {url: string}
--- @param status integer
--- @param headers table
--- @return nil
--- @return multimodal.Error
function M.refused(hop, status, headers)
  return nil, error_class.new {
    kind = kinds[status] or status >= 500 and "server" or "bad_request", status = status,
    message = ("fetching %s: HTTP %d"):format(urls.shown(hop.url), status),
    retry_after = reply_headers.retry_after(headers), told = { retry = reply_headers.should_retry(headers) },
  }
end

local function check(hop, options)
  local parts, why = urls.split(hop.url)
  if not parts then
    return nil, error_class.new { kind = "bad_request", code = "url", message = "the link cannot be fetched: " .. why }
  end
  if options.private or not private.is_private(parts.host) then return true end
  return nil, error_class.new {
    kind = "permission", code = "private",
    message = ("fetching %s: a private address; private = true allows it"):format(urls.shown(hop.url)),
  }
end

local function start(driver, hop, options, timeout, format)
  return driver:request(transport.put({
    method = "GET", url = hop.url, headers = hop.headers, timeout = timeout,
    decoder = core.decoder { format = format, max_media = options.max_bytes or M.max_bytes },
    connect_timeout = clocks.of(options, "connect_timeout"),
    first_byte_timeout = clocks.of(options, "first_byte_timeout"),
    idle_timeout = clocks.of(options, "idle_timeout"),
  }, transport.of(options), hop.abroad))
end

local function read(exchange, hop, most)
  local event, err = exchange:next()
  local rest
  if event then rest, err = exchange:next() end
  exchange:close()
  if err and err.code == "too_large" then
    return nil, error_class.new {
      kind = "too_large", code = "too_large", message = ("fetching %s: more than %d bytes"):format(urls.shown(hop.url), most),
    }
  end
  if err then return nil, err end
  local blob = event and not rest and event.media and event.media[1]
  if blob then return blob end
  return nil, error_class.new { kind = "protocol", code = "empty", message = urls.shown(hop.url) .. " has no bytes" }
end

--- Ask for a link, redirects followed, and wait for the head of the answer, whatever its status.
--- @async
--- @param hop {method: string, url: string, headers: string[], hops: integer}
--- @param options table
--- @param under multimodal.Attempts
--- @param format string   of the decoder: "bytes", "pieces"
--- @return multimodal.Exchange?
--- @return integer|multimodal.Error status
--- @return table|boolean|nil headers  of a failure: nothing was sent
--- @return table? hop                 the last one
function M.open(hop, options, under, format)
  local driver = under.driver
  while true do
    local allowed, private_fault = check(hop, options)
    if not allowed then return nil, private_fault, hop.hops == 0 end
    local left, late = clocks.left(under.deadline, under.now())
    if late then return nil, late, hop.hops == 0 end
    local exchange, err = start(driver, hop, options, left, format)
    if not exchange then return nil, err, hop.hops == 0 end
    under.exchange = exchange
    local status, headers = exchange:head()
    local following, wrong
    if status then following, wrong = redirect.next(hop, status, headers) end
    if status and not following and not wrong then return exchange, status, headers, hop end
    exchange:close()
    if not following then return nil, wrong or headers end
    hop = following
  end
end

--- One attempt.
local function get(first, options, under)
  local exchange, status, headers, hop = M.open(first, options, under, "bytes")
  if not exchange then return nil, status, headers end
  if status >= 200 and status < 300 then return read(exchange, hop, options.max_bytes or M.max_bytes) end
  exchange:close()
  return M.refused(hop, status, headers)
end

--- Whether a link leads to the gateway that made it.
--- @param url string
--- @param options table
--- @return boolean
function M.is_home(url, options)
  local parts = options.credentials and urls.split(url)
  return parts ~= nil and parts ~= false and urls.origin(parts) == options.origin
end

--- The headers of the first hop.
--- @param url string
--- @param options table
--- @return string[]?
--- @return multimodal.Error? err
function M.headers(url, options)
  if M.is_home(url, options) then return options.credentials() end
  return { "Accept: */*" }
end

--- Fetch a link. Redirects are followed by the policy, and a private address is refused at every hop.
--- @async
--- @param url string
--- @param options? table  clocks, private, proxies, max_bytes; of a reply's link multimodal.Access
--- @return userdata? blob
--- @return multimodal.Error? err
function M.get(url, options)
  options = options or {}
  local home = M.is_home(url, options)
  local blob
  local lines, err = M.headers(url, options)
  if lines then
    blob, err = attempts.reading(options, function(under)
      return get({ method = "GET", url = url, headers = lines, hops = 0, abroad = not home }, options, under)
    end)
  end
  if not blob then return nil, error_class.new(err, { where = error_class.caller() }) end
  return blob
end

return M
