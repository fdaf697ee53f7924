--- Receives a picture and saves it. usage: picture.lua URL PATH sse|json FILE
local figures = require("heavy.scripts.figures")

local ai = figures.client(arg[1], arg[2])
local before, start = figures.peak(), os.clock()
local reply
if arg[3] == "sse" then
  reply = assert(assert(ai:stream("Draw.")):reply())
else
  reply = assert(ai:generate("Draw."))
end
assert(reply.images[1]:save(arg[4]))
figures.say("mime", reply.images[1]:mime())
figures.say("cpu", os.clock() - start)
figures.grown(before)
