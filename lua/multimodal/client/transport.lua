--- What a driver needs beside a request: whom to trust, by which proxy, HTTP/2; and what of it is worth a warning.
--- Names: hide of put warn.
local error_class = require("multimodal.error")
local secret = require("multimodal.client.secret")
local urls = require("multimodal.policy.url")

local M = {}

--- @class multimodal.Transport
--- @field http2 boolean?
--- @field proxy string|multimodal.Secret|nil  nil: as the environment says; "": none
--- @field no_proxy string?
--- @field tls table?      ca_file, ca_path, client_cert, insecure
--- @field abroad table?   the same for other origins than the client's: without client_cert

local tls_names = { "ca_file", "ca_path", "client_cert", "insecure" }

local function tls_of(options, leave_out)
  local tls
  for _, name in ipairs(tls_names) do
    if options[name] and name ~= leave_out then
      tls = tls or {}
      tls[name] = options[name]
    end
  end
  return tls
end

--- A proxy's URL with a password in it as a secret. Changes the table.
--- @param options table
function M.hide(options)
  local proxy = options.proxy
  if type(proxy) == "string" and proxy:find("@", 1, true) then options.proxy = secret.new(proxy) end
  if proxy and type(secret.reveal(options.proxy)) ~= "string" then
    error_class.misuse("proxy: expected a string, or mm.secret of one, got " .. type(proxy))
  end
end

--- @param options table  effective
--- @return multimodal.Transport
function M.of(options)
  -- To the driver nil means what the environment says, and "" none.
  local proxy = options.proxy
  if proxy == false then proxy = "" end
  return {
    http2 = options.http2, proxy = proxy, no_proxy = options.no_proxy, tls = tls_of(options),
    abroad = tls_of(options, "client_cert"),
  }
end

--- Put it into a driver's request.
--- @param req table
--- @param transport multimodal.Transport
--- @param abroad boolean?  the request leads to another origin than the client's
--- @return table req
function M.put(req, transport, abroad)
  req.http2, req.proxy, req.no_proxy = transport.http2, secret.reveal(transport.proxy), transport.no_proxy
  if abroad then req.tls = transport.abroad else req.tls = transport.tls end
  return req
end

--- Say, once a server, that its certificate is not checked.
--- @param warnings string[]  added to
--- @param options table      effective; only `insecure` is looked at
--- @param url string         where it leads; only https has a certificate
--- @param url string
function M.warn(warnings, options, url)
  if not (options.insecure and url:find("^[Hh][Tt][Tt][Pp][Ss]:")) then return end
  local parts = urls.split(url)
  local warning = ("insecure: the certificate of %s is not checked, so whoever is on the way can read and change what passes; name its "
    .. "issuer with ca_file instead"):format(parts and parts.host or "the server")
  for _, said in ipairs(warnings) do
    if said == warning then return end
  end
  warnings[#warnings + 1] = warning
end

return M
