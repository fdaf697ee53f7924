--- Sends a document inside a request of a dialect, or uploads it first. usage: document.lua URL FILE DIALECT [GATEWAY]
local figures = require("heavy.scripts.figures")
local mm = figures.mm

local plain = figures.client(arg[1], "/up")
local ai = plain:with { dialect = arg[3] }
if arg[4] then ai = mm.client { gateway = arg[4], base_url = arg[1] .. "/up", api_key = "key", model = "m", timeout = 300 } end
local before = figures.peak()
local reply = assert(ai:generate { "Read.", mm.file { arg[2], mime = "application/pdf" }, upload = arg[4] and "auto" or nil })
figures.say("text", reply.text)
figures.grown(before)
