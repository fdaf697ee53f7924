--- What web servers say about TLS in a page, which is an answer by then: as the error that it is.
--- Names: told. Not here: failures of TLS itself; the network tells them.
local url = require("multimodal.policy.url")

local M = {}

--- Statuses of such pages; 495 to 497 are nginx's own, which it sends as 400 unless told otherwise.
local statuses = { [400] = true, [495] = true, [496] = true, [497] = true }

--- What the page says in lower case, the code, and what is said of it here; %s is the host.
local pages = {
  { "no required ssl certificate was sent", "client_cert",
    "%s wants a client certificate: name a PEM file with the certificate and its key with client_cert" },
  { "the ssl certificate error", "client_cert", "%s does not accept client_cert" },
  { "plain http request was sent to https port", "tls_wanted", "%s speaks TLS at this port: write https://" }, -- nginx
  { "http request to an https server", "tls_wanted", "%s speaks TLS at this port: write https://" }, -- Go
  { "plain http to an ssl-enabled server port", "tls_wanted", "%s speaks TLS at this port: write https://" }, -- Apache
}

--- Make the error of a refused answer the one of TLS where its page says so.
--- @param err multimodal.Error  changed
--- @param asked string          the URL
--- @return multimodal.Error
function M.told(err, asked)
  if not statuses[err.status] then return err end
  local said = ((err.body or "") .. "\n" .. err.message):lower()
  for _, page in ipairs(pages) do
    if said:find(page[1], 1, true) then
      local parts = url.split(asked)
      err.kind, err.code, err.retryable = "tls", page[2], false
      err.message = page[3]:format(parts and parts.authority or "the server")
      return err
    end
  end
  return err
end

return M
