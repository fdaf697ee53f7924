--- Reads a stream of text events. usage: events.lua BASE N CHUNK text|table. Prints figures; fails unless every text came.
local measure = require("bench.measure")

local n = tonumber(arg[2])
local ai = measure.client(arg[1], "/events/" .. arg[2] .. "/" .. arg[3])
local before = measure.now()
local stream = assert(ai:stream("Hello"))
local texts, length = 0, 0
if arg[4] == "text" then
  for text in stream:text() do texts, length = texts + 1, length + #text end
else
  for event in stream:events() do
    if event.type == "text" then texts, length = texts + 1, length + #event.delta end
  end
end
measure.print(before)
assert(length == 20 * n, "texts are missing")
assert(texts > 0)
