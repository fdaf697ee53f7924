--- An offline gateway in a process of its own, for demos, prototypes and specs. Returns start(options).
local compat = require("multimodal.compat")

local M = {}

--- @class multimodal.Simulator
--- @field url string   base_url for a client, "http://127.0.0.1:41234/v1"
local Simulator = {}
Simulator.__index = Simulator

local known = { port = "number", pace = "number", split = "number", delay = "number", task = "string", lua = "string" }

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

--- The interpreter that runs this script; in a host of another kind, the Lua of the same version.
local function interpreter()
  local lowest
  for i in pairs(arg or {}) do
    if type(i) == "number" and i < 0 and (not lowest or i < lowest) then lowest = i end
  end
  if lowest then return arg[lowest] end
  return compat.command
end

local program = [[
local options = {%s}
package.path, package.cpath = %q, %q
local file
options.follow = true
options.ready = function(url) file = assert(io.open(%q, "w")) file:write(url, "\n") file:close() end
require("multimodal.simulator.main").run(options)
]]

local function command_for(options, fifo)
  local fields = {}
  for name in pairs(known) do
    if type(options[name]) == "number" then fields[#fields + 1] = ("%s=%.17g"):format(name, options[name]) end
  end
  if options.task then fields[#fields + 1] = ("task=%q"):format(options.task) end
  local source = program:format(table.concat(fields, ","), package.path, package.cpath, fifo)
  -- A child that fails before it is ready still answers on the fifo, so that the parent does not wait.
  return ("%s -e %s || { [ -p %s ] && echo > %s; }"):format(
    quote(options.lua or interpreter()), quote(source), quote(fifo), quote(fifo))
end

--- Start a simulator as a child process. It ends with stop(), and with this process.
--- @param options {port: integer?, pace: number?, split: integer?, delay: number?, task: string?, lua: string?}?
---   pace: seconds between events; split: bytes in one write; delay: seconds before the answer; task: how every task goes,
---   a word of simulator/ark.lua; lua: the interpreter (needs luv)
--- @return multimodal.Simulator? sim
--- @return string? err
function M.start(options)
  options = options or {}
  for name, value in pairs(options) do
    if type(value) ~= known[name] then
      error(("simulator: %s: %s"):format(name, known[name] and "expected " .. known[name] .. ", got " .. type(value)
        or "unknown option (port, pace, split, delay, task, lua)"), 2)
    end
  end
  local fifo = os.tmpname()
  os.remove(fifo)
  os.execute("mkfifo -m 600 " .. quote(fifo))
  local child = assert(io.popen(command_for(options, fifo), "w"))
  local ready = io.open(fifo)
  local url = ready and ready:read("*l")
  if ready then ready:close() end
  os.remove(fifo)
  if not url or url == "" then
    child:close()
    return nil, "the simulator did not start (it needs luv for " .. (options.lua or interpreter()) .. ")"
  end
  return setmetatable({ url = url, child = child }, Simulator)
end

--- End the process and wait until it is gone.
function Simulator:stop()
  if not self.child then return end
  self.child:close()
  self.child = nil
end

Simulator.__close = Simulator.stop

return M
