--- Drives exchanges in specs: read to the end, collect what came.
--- In: an engine of multimodal.net. Out: events, text, errors.
local core = require("multimodal.core")
local net = require("multimodal.net")

local M = {}

--- @param engine userdata
--- @param url string
--- @param options? table      of engine:start; `decoder = false` for none
function M.start(engine, url, options)
  local request = { url = url, decoder = core.decoder({}) }
  for name, value in pairs(options or {}) do request[name] = value end
  if options and options.decoder == false then request.decoder = nil end
  return assert(engine:start(request))
end

--- Step until something is ready, and forget what.
function M.turn(engine, seconds)
  engine:step(seconds or 5)
  while engine:pop() do end
end

--- Call a method of an exchange until it does not say "again".
function M.await(engine, exchange, method)
  while true do
    local a, b = exchange[method](exchange)
    if a ~= nil or b ~= "again" then return a, b end
    M.turn(engine)
  end
end

--- The data of every event, and the error that ended it.
function M.read(engine, exchange)
  local list = {}
  while true do
    local event, err = M.await(engine, exchange, "next")
    if not event then return list, err end
    list[#list + 1] = event.data
  end
end

--- Start, read to the end. Returns the data of the events, the error, the exchange.
function M.fetch(engine, url, options)
  local exchange = M.start(engine, url, options)
  local list, err = M.read(engine, exchange)
  return list, err, exchange
end

--- Keep an engine going while a server of the specs is waited for.
function M.pump(engine)
  return function() engine:step(0.005) end
end

--- Everything is collected and nothing of this spec lives.
function M.assert_clean()
  if jit then jit.flush() end -- compiled traces hold what they were recorded with
  collectgarbage()
  collectgarbage()
  assert(net.live() == 0, "live exchanges: " .. net.live())
  assert(core.live() == 0, "live core objects: " .. core.live())
end

--- The command of the Lua that runs this spec.
function M.interpreter()
  local i = -1
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

function M.resident_kib()
  for line in io.lines("/proc/self/status") do
    local kib = line:match("^VmRSS:%s+(%d+)")
    if kib then return tonumber(kib) end
  end
end

return M
