--- Starts requests and cancels them: in turn a job that waits for a head that never comes, and a stream that has
--- begun. usage: cancel.lua URL N
local figures = require("heavy.scripts.figures")
local mm = figures.mm
local core = require("multimodal.core")
local net = require("multimodal.net")

local waiting = figures.client(arg[1], "/stall")
local begun = waiting:with { base_url = arg[1] .. "/begin" }
local n, cancelled = tonumber(arg[2]), 0

local function cancel_job()
  local job = mm.spawn(function() return waiting:generate("Hello") end)
  repeat mm.sleep(0.001) until net.live() > 0
  job:cancel()
  local reply, err = job:wait()
  if not reply and err.kind == "cancelled" then cancelled = cancelled + 1 end
end

local function close_stream()
  local stream = assert(begun:stream("Hello"))
  for text in stream:text() do
    if text == "one" then break end
  end
  stream:close()
  local reply, err = stream:reply()
  if not reply and err.kind == "cancelled" and err.partial.text == "one" then cancelled = cancelled + 1 end
end

local before, early
assert(mm.run(function()
  before = figures.peak()
  for i = 1, n do
    if i % 2 == 0 then cancel_job() else close_stream() end
    if i == math.floor(n / 10) then early = figures.resident() end
  end
  return true
end))
figures.say("later", figures.resident() - early)
collectgarbage()
collectgarbage()
figures.say("cancelled", cancelled)
figures.say("core", core.live())
figures.say("net", net.live())
figures.grown(before)
