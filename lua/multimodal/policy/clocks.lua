--- The clocks of a request: their defaults, and one deadline over everything it takes.
--- Names: defaults deadline left.
local error_class = require("multimodal.error")

local M = {}

--- Seconds.
M.defaults = {
  connect_timeout = 10,
  first_byte_timeout = 300,
  idle_timeout = 60,
  timeout = 600,
}

--- One clock of the options; `timeout = false` is none.
--- @param options table
--- @param name string
--- @return number?
function M.of(options, name)
  local value = options[name]
  if value == nil then return M.defaults[name] end
  return value or nil
end

--- When everything must be over, or nil for never.
--- @param options table
--- @param now number
--- @return number?
function M.deadline(options, now)
  local total = M.of(options, "timeout")
  return total and now + total
end

--- Seconds until a deadline; nil when there is none, an error when it has passed.
--- @param deadline number?
--- @param now number
--- @return number?
--- @return multimodal.Error? err
function M.left(deadline, now)
  if not deadline then return nil end
  if deadline > now then return deadline - now end
  return nil, error_class.new { kind = "timeout", code = "total", message = "the request took longer than its timeout" }
end

return M
