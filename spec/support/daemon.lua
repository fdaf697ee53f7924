--- Real servers of specs as child processes: each ends with `stop`, or when this process does, however that ends.
--- Names: start folder ports write read.
local M = {}

local Daemon = {}
Daemon.__index = Daemon

local function shell(command)
  local ok = os.execute(command)
  assert(ok == true or ok == 0, command)
end

--- A folder of its own.
--- @return string path
function M.folder()
  local path = os.tmpname()
  os.remove(path)
  shell("mkdir -m 700 '" .. path .. "'")
  return path
end

function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

--- The text of a file, "" where there is none yet.
function M.read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read("*a")
  file:close()
  return text
end

--- Ports of 127.0.0.1 that nobody has.
--- @param n integer
--- @return integer[]
function M.ports(n)
  local pipe = assert(io.popen(([[exec lua5.4 -e '
    local uv, held = require("luv"), {}
    for i = 1, %d do
      held[i] = uv.new_tcp()
      assert(held[i]:bind("127.0.0.1", 0))
      print(held[i]:getsockname().port)
    end']]):format(n)))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = tonumber(line) end
  pipe:close()
  assert(#list == n, "lua5.4 with luv gave no ports")
  return list
end

--- Start a server and wait for it. Its output goes to DIR/NAME.log.
--- @param dir string      it runs there
--- @param name string
--- @param command string  a program and its arguments
--- @param ready fun(log: string): any   what start returns second
--- @return table daemon
--- @return any
function M.start(dir, name, command, ready)
  local log = ("%s/%s.log"):format(dir, name)
  M.write(log, "")
  -- A shell waits for the end of its input, which is the end of this process at the latest.
  local pipe = assert(io.popen(("cd '%s' && exec env -u LD_PRELOAD %s >'%s' 2>&1 & p=$!; exec 2>/dev/null; cat >&2; kill $p; wait $p")
    :format(dir, command, log), "w"))
  local self = setmetatable({ pipe = pipe, log = log }, Daemon)
  local limit = os.time() + 10
  repeat
    local value = ready(M.read(log))
    if value then return self, value end
    os.execute("sleep 0.005")
  until os.time() > limit
  self:stop()
  error(name .. " did not start: " .. M.read(log))
end

--- End it, and wait for that.
function Daemon:stop()
  if self.pipe then self.pipe:close() end
  self.pipe = nil
end

return M
