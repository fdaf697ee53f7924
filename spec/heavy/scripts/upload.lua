--- Posts a file as a picture. usage: upload.lua URL PATH FILE
local figures = require("heavy.scripts.figures")
local mm = figures.mm

local ai = figures.client(arg[1], arg[2])
local before = figures.peak()
local reply = assert(ai:generate { "Look.", mm.image { arg[3], mime = "image/png" } })
figures.say("text", reply.text)
figures.grown(before)
