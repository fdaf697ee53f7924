--- Links that die: whether one has by its own words, a fresh one in its place, and its bytes.
--- Names: has_died is_dead renew get.
local fetch = require("multimodal.client.fetch")
local moment = require("multimodal.moment")

local M = {}

--- When a signed link dies by its own words, in seconds since 1970; nil of one that does not tell.
local function dies_at(url)
  local vendor, lasts = url:match("[?&]X%-(%a+)%-Expires=(%d+)")
  local y, m, d, h, min, s = url:match("[?&]X%-" .. (vendor or "%a+") .. "%-Date=(%d%d%d%d)(%d%d)(%d%d)T(%d%d)(%d%d)(%d%d)Z")
  if not lasts or not y then return tonumber(url:match("[?&]Expires=(%d%d%d%d%d%d%d%d%d%d?)")) end
  return moment.of(y, m, d, h, min, s) + tonumber(lasts)
end

--- Whether a part's link is past its time, by what its provider says of it or by its own signature.
--- @param part multimodal.Media
--- @return boolean
function M.has_died(part)
  local dies = dies_at(part.url) or part.refresh and part.expires_at
  return dies ~= nil and os.time() >= dies
end

local dead = { [401] = true, [403] = true, [404] = true, [410] = true }

--- Whether an answer says so.
--- @param status integer?
--- @return boolean
function M.is_dead(status)
  return dead[status] == true
end

--- Ask for a fresh link, which becomes the part's.
--- @async
--- @param part multimodal.Media
--- @return boolean? fresh   nil: there is nobody to ask, or no other link
--- @return multimodal.Error? err
function M.renew(part)
  local ask = part.refresh or part.access and part.access.refresh
  if not ask then return nil end
  local old = part.url
  local url, err = ask(part)
  if not url then return nil, err end
  part.url = url
  return url ~= old or nil
end

--- The rules of the call, with the credentials of the client that made the part.
local function rules_of(part, options)
  local own = part.access
  if not options then return own end
  return own and setmetatable({ origin = own.origin, credentials = own.credentials }, { __index = options }) or options
end

--- The bytes of a part that is a link: of a fresh one, where it has died.
--- @async
--- @param part multimodal.Media
--- @param options? table    of the call, where it is not for the part itself to say
--- @return userdata? blob
--- @return multimodal.Error? err
function M.get(part, options)
  local rules, asked, fresh, why = rules_of(part, options), M.has_died(part), nil, nil
  if asked then fresh, why = M.renew(part) end
  local blob, err = fetch.get(part.url, rules)
  if blob or not M.is_dead(err.status) then return blob, err end
  if not asked then fresh, why = M.renew(part) end
  if asked or not fresh then return nil, why or err end
  return fetch.get(part.url, rules)
end

return M
