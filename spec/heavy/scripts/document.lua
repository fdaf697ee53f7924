--- Sends a document inside a request of a dialect. usage: document.lua URL FILE DIALECT
local figures = require("heavy.scripts.figures")
local mm = figures.mm

local plain = figures.client(arg[1], "/up")
local ai = plain:with { dialect = arg[3] }
local before = figures.peak()
local reply = assert(ai:generate { "Read.", mm.file { arg[2], mime = "application/pdf" } })
figures.say("text", reply.text)
figures.say("encoded", assert(ai:estimate { mm.file { arg[2], mime = "application/pdf" } }).encoded_bytes)
figures.grown(before)
