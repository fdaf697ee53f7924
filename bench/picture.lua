--- Receives a picture and saves it. usage: picture.lua BASE json|sse BYTES FILE. Prints figures.
local measure = require("bench.measure")

local base, form, bytes, path = arg[1], arg[2], arg[3], arg[4]
local ai = measure.client(base, "/" .. form .. "/" .. bytes)
local before = measure.now()
local reply
if form == "sse" then
  reply = assert(assert(ai:stream("Draw.")):reply())
else
  reply = assert(ai:generate("Draw."))
end
assert(reply.images[1]:save(path, { overwrite = true }))
measure.print(before)
