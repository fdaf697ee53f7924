--- Sends a film beside a text. usage: video.lua URL PATH GATEWAY FILE
local figures = require("heavy.scripts.figures")
local mm = figures.mm

figures.client(arg[1], arg[2])
local ai = mm.client { gateway = arg[3], base_url = arg[1] .. arg[2], api_key = "key", model = "m", timeout = 300 }
local before = figures.peak()
local reply = assert(ai:generate { "Look.", mm.video { arg[4], mime = "video/mp4" } })
figures.say("text", reply.text)
figures.grown(before)
