--- How the links in a reply are fetched: under the clocks and rules of the client that made the reply, and with its
--- credentials only where the link leads to its own gateway.
--- Names: of equip.
local headers = require("multimodal.client.headers")
local options_table = require("multimodal.options")
local transport = require("multimodal.client.transport")
local urls = require("multimodal.policy.url")

local M = {}

local inherited = {
  "connect_timeout", "first_byte_timeout", "idle_timeout", "timeout", "private", "proxy", "no_proxy", "http2", "ca_file",
  "ca_path", "client_cert", "insecure", "retries", "max_retry_after", "clock",
}

--- @class multimodal.Access: table  clocks, retries, private, and what the transport needs
--- @field origin string?                of the gateway
--- @field credentials fun(): string[]?, multimodal.Error?  header lines for that origin alone

--- @param client multimodal.Client
--- @param options table  effective
--- @return multimodal.Access
function M.of(client, options)
  local access = {}
  for _, name in ipairs(inherited) do access[name] = options[name] end
  local root = urls.split(client.base.root)
  access.origin = root and urls.origin(root)
  function access.credentials()
    local plain = options_table.over(options, { trailing_slash = false })
    return headers.lines(headers.plan(client, plain, { ["Content-Type"] = false, Accept = "*/*" }, false), client.key)
  end
  return access
end

--- Let a part that is a link be fetched by these rules.
--- @param part multimodal.Media
--- @param rules multimodal.Access
--- @param warnings string[]  of what the part came with; added to
--- @return multimodal.Media part
function M.equip(part, rules, warnings)
  part.access = rules
  transport.warn(warnings, rules, part.url)
  return part
end

return M
