--- Receives one reply with many pictures. usage: many.lua URL PATH FOLDER
local figures = require("heavy.scripts.figures")

local ai = figures.client(arg[1], arg[2])
local before = figures.peak()
local reply = assert(ai:generate("Draw."))
local bytes = 0
for _, picture in ipairs(reply.images) do bytes = bytes + picture:size() end
figures.say("pictures", #reply.images)
figures.say("bytes", ("%.0f"):format(bytes))
figures.say("descriptors", figures.descriptors())
assert(reply.images[1]:save(arg[3] .. "/first"))
assert(reply.images[#reply.images]:save(arg[3] .. "/last"))
figures.grown(before)
