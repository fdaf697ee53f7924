--- URLs split, joined and compared; only http and https.
--- Names: split origin resolve escape shown.
local M = {}

local ports = { http = "80", https = "443" }

--- Split an absolute http(s) URL. Credentials in it are refused: they would end up in logs.
--- @param url string
--- @return {scheme: string, host: string, port: string, authority: string, path: string, query: string}? parts
--- @return string? why
function M.split(url)
  if url:find("[%c ]") then return nil, "it has a control character or a space in it" end
  local scheme, authority, rest = url:match("^(%a[%w+.-]*)://([^/?#]*)(.*)$")
  scheme = scheme and scheme:lower()
  if not ports[scheme] then return nil, "only http:// and https:// are spoken" end
  if authority:find("@", 1, true) then return nil, "it has a user or a password in it" end
  local host, port = authority:match("^(%b[]):?(%d*)$")
  if not host then host, port = authority:match("^([^:%[%]]+):?(%d*)$") end
  if not host then return nil, "it names no host" end
  local path, query = rest:gsub("#.*$", ""):match("^([^?]*)(.*)$")
  return {
    scheme = scheme, host = host:lower(), port = port ~= "" and port or ports[scheme], authority = authority,
    path = path, query = query,
  }
end

--- Scheme, host and port as one string that is equal for equal origins.
--- @param parts table  of split
--- @return string
function M.origin(parts)
  return parts.scheme .. "://" .. parts.host .. ":" .. parts.port
end

--- `/a/./b/../c` as `/a/c` (RFC 3986, 5.2.4).
local function without_dots(path)
  local kept = {}
  for segment in path:gmatch("/([^/]*)") do
    if segment == ".." then kept[#kept] = nil elseif segment ~= "." then kept[#kept + 1] = segment end
  end
  if path:find("/%.%.?$") then kept[#kept + 1] = "" end
  return "/" .. table.concat(kept, "/")
end

--- Bytes that a Location header may carry raw but a request line may not.
local function clean(reference)
  return (reference:gsub("^%s+", ""):gsub("%s+$", ""):gsub("#.*$", ""):gsub("[ \128-\255]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

--- The absolute URL that `reference` means on the page `base` (RFC 3986, 5.2).
--- @param base table        of split
--- @param reference string  a Location header
--- @return string
function M.resolve(base, reference)
  reference = clean(reference)
  local root = base.scheme .. "://" .. base.authority
  if reference:find("^%a[%w+.-]*:") then return reference end
  if reference:find("^//") then return base.scheme .. ":" .. reference end
  if reference == "" then return root .. base.path .. base.query end
  if reference:find("^%?") then return root .. base.path .. reference end
  local path, query = reference:match("^([^?]*)(.*)$")
  if not path:find("^/") then path = (base.path:match("^(.*/)") or "/") .. path end
  return root .. without_dots(path) .. query
end

--- A value for a query: everything but unreserved characters is escaped.
--- @param value string|number|boolean
--- @return string
function M.escape(value)
  return (tostring(value):gsub("[^%w._~-]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

--- A URL for people: without query, since a signature is a key.
--- @param url string
--- @return string
function M.shown(url)
  return (url:gsub("[?#].*$", ""))
end

return M
