--- Bytes of a link. Credentials go to the gateway that made it alone, and never beyond a redirect to another origin.
--- Names: get max_bytes.
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

local function refused(hop, status, headers)
  return nil, error_class.new {
    kind = kinds[status] or status >= 500 and "server" or "bad_request", status = status,
    message = ("fetching %s: HTTP %d"):format(urls.shown(hop.url), status),
    retry_after = reply_headers.retry_after(headers),
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

local function start(driver, hop, options, timeout)
  return driver:request(transport.put({
    method = "GET", url = hop.url, headers = hop.headers, timeout = timeout,
    decoder = core.decoder { format = "bytes", max_media = M.max_bytes },
    connect_timeout = clocks.of(options, "connect_timeout"),
    first_byte_timeout = clocks.of(options, "first_byte_timeout"),
    idle_timeout = clocks.of(options, "idle_timeout"),
  }, transport.of(options), hop.abroad))
end

local function read(exchange, hop)
  local event, err = exchange:next()
  local rest
  if event then rest, err = exchange:next() end
  exchange:close()
  if err and err.code == "too_large" then
    return nil, error_class.new {
      kind = "too_large", code = "too_large", message = ("fetching %s: more than %d bytes"):format(urls.shown(hop.url), M.max_bytes),
    }
  end
  if err then return nil, err end
  local blob = event and not rest and event.media and event.media[1]
  if blob then return blob end
  return nil, error_class.new { kind = "protocol", code = "empty", message = urls.shown(hop.url) .. " has no bytes" }
end

--- One attempt, redirects followed.
local function get(hop, options, under)
  local driver = under.driver
  while true do
    local allowed, private_fault = check(hop, options)
    if not allowed then return nil, private_fault, hop.hops == 0 end
    local left, late = clocks.left(under.deadline, under.now())
    if late then return nil, late, hop.hops == 0 end
    local exchange, err = start(driver, hop, options, left)
    if not exchange then return nil, err, hop.hops == 0 end
    local status, headers = exchange:head()
    if status and status >= 200 and status < 300 then return read(exchange, hop) end
    exchange:close()
    if not status then return nil, headers end
    local following, wrong = redirect.next(hop, status, headers)
    if wrong then return nil, wrong end
    if not following then return refused(hop, status, headers) end
    hop = following
  end
end

--- Whether a link leads to the gateway that made it.
local function is_home(url, options)
  local parts = options.credentials and urls.split(url)
  return parts and urls.origin(parts) == options.origin
end

--- Fetch a link. Redirects are followed by the policy, and a private address is refused at every hop.
--- @async
--- @param url string
--- @param options? table  clocks, private, proxies; of a reply's link multimodal.Access
--- @return userdata? blob
--- @return multimodal.Error? err
function M.get(url, options)
  options = options or {}
  local home = is_home(url, options)
  local blob
  local lines, err = { "Accept: */*" }, nil
  if home then lines, err = options.credentials() end
  if lines then
    blob, err = attempts.reading(options, function(under)
      return get({ method = "GET", url = url, headers = lines, hops = 0, abroad = not home }, options, under)
    end)
  end
  if not blob then return nil, error_class.new(err, { where = error_class.caller() }) end
  return blob
end

return M
