--- Reads streams at once, a job each. usage: streams.lua URL PATH N
local figures = require("heavy.scripts.figures")
local mm = figures.mm

local ai = figures.client(arg[1], arg[2])
local now = require("multimodal.net").now
local before, start, ended = figures.peak(), now(), 0
assert(mm.run(function()
  for _ = 1, tonumber(arg[3]) do
    mm.spawn(function()
      local pieces = {}
      for text in assert(ai:stream("Hello")):text() do pieces[#pieces + 1] = text end
      if table.concat(pieces) == "one two three" then ended = ended + 1 end
    end)
  end
  return true
end))
figures.say("wall", ("%.3f"):format(now() - start))
figures.say("ended", ended)
figures.grown(before)
