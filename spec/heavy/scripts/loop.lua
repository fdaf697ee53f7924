--- Receives pictures one after the other and keeps none. usage: loop.lua URL PATH N
local figures = require("heavy.scripts.figures")

local ai = figures.client(arg[1], arg[2])
local before, descriptors, bytes = figures.peak(), 0, 0
for i = 1, tonumber(arg[3]) do
  local reply = assert(ai:generate("Draw."))
  bytes = bytes + reply.images[1]:size()
  if i % 10 == 0 then descriptors = math.max(descriptors, figures.descriptors()) end
end
figures.say("bytes", ("%.0f"):format(bytes))
figures.say("descriptors", descriptors)
figures.grown(before)
