--- mm.step(0) while N streams are idle. usage: step.lua BASE N TIMES. Prints microseconds a step.
local measure = require("bench.measure")
local mm = measure.mm

local n, times = tonumber(arg[2]), tonumber(arg[3])
local ai = measure.client(arg[1], "/idle")
local open, group = 0, mm.group()
for _ = 1, n do
  group:spawn(function()
    local stream = assert(ai:stream("Hello"))
    open = open + 1
    for _ in stream:text() do open = open + 0 end
  end)
end
repeat mm.step(0.01) until open == n
for _ = 1, 100 do mm.step(0) end
local start = os.clock()
for _ = 1, times do mm.step(0) end
print(("us=%.2f"):format((os.clock() - start) / times * 1e6))
group:cancel()
