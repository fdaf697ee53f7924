--- Posts a file as a picture. usage: upload.lua BASE FILE. Prints figures.
local measure = require("bench.measure")
local mm = measure.mm

local ai = measure.client(arg[1], "/reply")
local before = measure.now()
assert(ai:generate { "Look.", mm.image { arg[2], mime = "image/png" } })
measure.print(before)
