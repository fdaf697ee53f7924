--- Values that a gateway is known to refuse: warnings, since it may have learned since.
--- Names: warn.
local refuse = require("multimodal.dialect.refuse")

local M = {}

local function warn_of(name, value, range, profile, warnings)
  local measured = type(value) == "string" and #value or value
  if type(measured) ~= "number" then return end
  if measured >= range[1] and not (range[2] and measured > range[2]) then return end
  warnings[#warnings + 1] = ("%s: %s %s %s"):format(name, refuse.who(profile),
    range[2] and ("takes %g to %g"):format(range[1], range[2]) or ("wants at least %g"):format(range[1]),
    type(value) == "string" and "characters" or "; the provider may refuse it")
end

--- @param body table          the values by their names on the wire
--- @param names string[]      those that are looked at
--- @param profile multimodal.Profile
--- @param warnings string[]   is appended to
function M.warn(body, names, profile, warnings)
  local limits = profile.limits
  if not limits then return end
  for _, name in ipairs(names) do
    local range = limits[name]
    if range and body[name] ~= nil then warn_of(name, body[name], range, profile, warnings) end
  end
end

return M
