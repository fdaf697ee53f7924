--- Sends a request that stands in a file. usage: load.lua URL PATH FILE
local figures = require("heavy.scripts.figures")
local mm = figures.mm

local ai = figures.client(arg[1], arg[2])
local before = figures.peak()
local reply = assert(ai:generate(mm.load(arg[3])))
figures.say("text", reply.text)
figures.grown(before)
