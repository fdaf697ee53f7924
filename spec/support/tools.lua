--- What the specs of tool loops share: a client of a mock, calls in its answers, and a tool.
--- Names: client call calls weather ignore misuse.
local assert = require("luassert")
local mm = require("multimodal")

local M = {}

--- A client of a mock with these answers, and the mock.
function M.client(answers, options)
  local fake = mm.mock(answers)
  local given = { gateway = fake, retries = 0 }
  for name, value in pairs(options or {}) do given[name] = value end
  return mm.client(given), fake
end

function M.call(name, arguments, id)
  return { name = name, arguments = arguments, id = id }
end

--- An answer of calls.
function M.calls(...)
  return { tool_calls = { ... } }
end

M.weather = mm.tool {
  name = "weather", description = "The weather of a city.", parameters = { city = "string" },
  run = function(arguments) return { sky = "sunny in " .. arguments.city } end,
}

function M.ignore() end

--- What a call that must raise says.
function M.misuse(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  assert.is_string(message)
  return message
end

return M
