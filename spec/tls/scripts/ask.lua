--- Ask URLs for their answers under this process's environment: `ask.lua OPTIONS URL...`, where OPTIONS is Lua's text of a table.
--- Prints a line for each: the status, or kind and code.
local mm = require("multimodal")

local written = table.remove(arg, 1)
local options = assert((loadstring or load)("return " .. written))() -- luacheck: ignore 113
options.api_key, options.retries = "sk-canary", 0
for _, url in ipairs(arg) do
  options.base_url = url
  local answer, err = mm.client(options):http { "/" }
  print(answer and answer.status or err.kind .. " " .. tostring(err.code))
end
