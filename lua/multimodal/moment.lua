--- Moments as texts write them, as seconds since 1970.
--- Names: of http rfc3339.
local M = {}

--- Days since 1970-01-01 of a date in the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local leaps = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  return 365 * year + leaps + math.floor((153 * month - 457) / 5) + day - 719469
end

--- Seconds of a date and a time in UTC; numbers may be texts of digits.
--- @param year number|string
--- @param month number|string
--- @param day number|string
--- @param hour number|string
--- @param minute number|string
--- @param second number|string
--- @return number
function M.of(year, month, day, hour, minute, second)
  return days(tonumber(year), tonumber(month), tonumber(day)) * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second)
end

local months = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10, nov = 11, dec = 12 }

--- The three forms of an HTTP date (RFC 9110, 5.6.7).
--- @param text string
--- @return number?
function M.http(text)
  local day, name, year, clock = text:match("^%a+, (%d+)[ -](%a+)[ -](%d+) (%d+:%d+:%d+)")
  if not day then
    name, day, clock, year = text:match("^%a+ (%a+) +(%d+) (%d+:%d+:%d+) (%d+)$")
  end
  local month = name and months[name:sub(1, 3):lower()]
  if not month then return nil end
  year = tonumber(year)
  if year < 100 then year = year + (year < 70 and 2000 or 1900) end
  return M.of(year, month, day, clock:match("(%d+):(%d+):(%d+)"))
end

--- RFC 3339: "2026-05-14T10:32:17.5+02:00".
--- @param text string
--- @return number?
function M.rfc3339(text)
  local year, month, day, hour, minute, rest = text:match("^(%d%d%d%d)-(%d%d)-(%d%d)[Tt ](%d%d):(%d%d):(.*)$")
  local second, zone = (rest or ""):match("^(%d%d%.?%d*)(.*)$")
  if not second then return nil end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign and not zone:find("^[Zz]$") then return nil end
  local offset = sign and (sign == "-" and -1 or 1) * (tonumber(hours) * 3600 + tonumber(minutes) * 60) or 0
  return M.of(year, month, day, hour, minute, second) - offset
end

return M
