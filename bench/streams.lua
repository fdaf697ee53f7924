--- Many streams at once. usage: streams.lua BASE N EVENTS. Prints figures; fails unless every text came.
local measure = require("bench.measure")
local mm = measure.mm

local n, events = tonumber(arg[2]), tonumber(arg[3])
local ai = measure.client(arg[1], "/together/" .. arg[2] .. "/" .. arg[3])
local before = measure.now()
local done = 0
assert(mm.run(function()
  for _ = 1, n do
    mm.spawn(function()
      local length = 0
      for text in assert(ai:stream("Hello")):text() do length = length + #text end
      assert(length == 20 * events, "texts are missing")
      done = done + 1
    end)
  end
  return true
end))
measure.print(before)
assert(done == n)
