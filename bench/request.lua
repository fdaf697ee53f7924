--- Small requests, one after the other. usage: request.lua BASE N. Prints figures.
local measure = require("bench.measure")

local ai = measure.client(arg[1], "/reply")
local before = measure.now()
for _ = 1, tonumber(arg[2]) do
  local reply = assert(ai:generate("Hello"))
  assert(reply.text == "a short answer")
end
measure.print(before)
