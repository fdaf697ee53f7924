--- What a redirect makes of a request; the transport follows none by itself.
--- Names: next most.
local error_class = require("multimodal.error")
local url = require("multimodal.policy.url")

local M = {}

--- Hops of one request.
M.most = 5

local keeps_method = { [301] = true, [302] = true, [307] = true, [308] = true }

--- Headers that say nothing about who asks: only these go to another origin.
local safe = {
  accept = true, ["accept-encoding"] = true, ["accept-language"] = true, ["content-type"] = true,
  ["content-encoding"] = true, ["user-agent"] = true, range = true, ["if-range"] = true,
}

--- Headers that describe a body, gone with it.
local of_body = { ["content-type"] = true, ["content-encoding"] = true }

local function refuse(status, why)
  return nil, error_class.new {
    kind = "protocol", code = "redirect", status = status, message = "the redirect was refused: " .. why,
  }
end

local function kept(headers, wanted)
  local list = {}
  for _, header in ipairs(headers) do
    if wanted(header:match("^[^:]*"):lower()) then list[#list + 1] = header end
  end
  return list
end

--- The request that a redirect asks for.
--- @param request {method: string, url: string, headers: string[], body: userdata?, hops: integer?, operation: string?}
---   headers as "Name: value"; an operation "create" begins paid work
--- @param status integer
--- @param headers table   of the response, names in lower case
--- @return table? request a new one with `hops` counted, and `abroad` once it has left the origin of the first; nil alone when
---   the response is no redirect
--- @return multimodal.Error? err
function M.next(request, status, headers)
  local location = headers.location
  if not location then return nil end
  if type(location) == "table" then location = location[1] end
  if not location or not (keeps_method[status] or status == 303) then return nil end
  local hops = (request.hops or 0) + 1
  if hops > M.most then return refuse(status, "more than " .. M.most .. " in a row") end

  local from = assert(url.split(request.url))
  if location:find("[%z\1-\31\127]") then return refuse(status, "its Location has a control character in it") end
  local target = url.resolve(from, location)
  local to, why = url.split(target)
  if not to then return refuse(status, "its Location is no URL to follow: " .. why) end
  if from.scheme == "https" and to.scheme == "http" then return refuse(status, "it leads from https to http") end

  local crossed = url.origin(from) ~= url.origin(to)
  local bodiless = status == 303 and request.method ~= "HEAD"
  if crossed and request.operation == "create" and not bodiless then
    return refuse(status, "it leads to another origin, where paid work is not begun; if it belongs there, name that as base_url")
  end
  return {
    method = bodiless and "GET" or request.method,
    url = target,
    headers = kept(request.headers, function(name)
      return not (crossed and not safe[name]) and not (bodiless and of_body[name])
    end),
    body = not bodiless and request.body or nil,
    hops = hops,
    operation = request.operation,
    abroad = request.abroad or crossed,
  }
end

return M
