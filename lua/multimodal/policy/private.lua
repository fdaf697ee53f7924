--- Which hosts of a URL are on this machine or its own network, by their name alone.
--- Names: is_private. Not here: what a public name resolves to.
local M = {}

--- First octet, and the range of the second.
local ranges = {
  { 0, 0, 255 }, { 10, 0, 255 }, { 100, 64, 127 }, { 127, 0, 255 }, { 169, 254, 254 }, { 172, 16, 31 }, { 192, 168, 168 },
  { 192, 0, 0 }, { 198, 18, 19 },
}

local function private_quad(a, b)
  if a >= 224 then return true end
  for _, range in ipairs(ranges) do
    if a == range[1] and b >= range[2] and b <= range[3] then return true end
  end
  return false
end

local function private_v6(address)
  local quad = { address:match("(%d+)%.(%d+)%.%d+%.%d+$") }
  if quad[1] then return private_quad(tonumber(quad[1]), tonumber(quad[2])) end
  local first = tonumber(address:match("^%x+") or "0", 16)
  -- fc00::/7, fe80::/10, ff00::/8; and ::/16 with loopback, which like 64:ff9b:: carries IPv4 addresses in hexadecimal.
  return first >= 0xfc00 or first == 0 or address:find("^0*64:0*ff9b:") ~= nil
end

local local_names = { localhost = true, ["local"] = true, internal = true, lan = true, home = true }

--- Whether a host is this machine or its network: private, loopback, link-local and multicast addresses in any
--- spelling, and names that only a local resolver knows.
--- @param host string  in lower case, as policy/url splits it
--- @return boolean
function M.is_private(host)
  local v6 = host:match("^%[([%x:.]+)[%w%%]*%]$")
  if v6 then return private_v6(v6) end
  local name = host:gsub("%.$", "")
  local a, b, c, d = name:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if a and not name:find("%f[%d]0%d") then
    if tonumber(a) > 255 or tonumber(b) > 255 or tonumber(c) > 255 or tonumber(d) > 255 then return true end
    return private_quad(tonumber(a), tonumber(b))
  end
  -- 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 are addresses to a resolver.
  local last = name:match("[^.]*$")
  if last:find("^%d+$") or last:find("^0x%x*$") then return true end
  return local_names[last] == true or not name:find(".", 1, true)
end

return M
