--- Scripts of this Lua in processes of their own, to be killed: run, start, kill, wait.
local M = {}

local function interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- @return string? text
function M.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

--- Run a script to its end. `environment` stands before the command.
--- @return string said  stdout and stderr
function M.run(code, environment)
  local program = os.tmpname()
  write(program, code)
  local pipe = assert(io.popen(("%s %s '%s' 2>&1"):format(environment or "", interpreter(), program)))
  local said = pipe:read("*a")
  pipe:close()
  os.remove(program)
  return (said:gsub("\n$", ""))
end

local Child = {}
Child.__index = Child

--- Start a script and go on.
function M.start(code)
  local base = os.tmpname()
  local self = setmetatable({ base = base }, Child)
  write(base .. ".lua", code)
  os.execute(("( %s '%s.lua' >'%s.out' 2>&1; echo over >'%s.over' ) & echo $! >/dev/null"):format(interpreter(), base, base, base))
  return self
end

--- What it has printed so far.
function Child:said()
  return M.read(self.base .. ".out") or ""
end

function Child:over()
  return M.read(self.base .. ".over") ~= nil
end

local function until_true(ready)
  local limit = os.time() + 20
  while not ready() and os.time() < limit do os.execute("sleep 0.005") end
  return ready()
end

--- Wait until it has printed something; what it printed.
function Child:wait_for(text)
  assert(until_true(function() return self:said():find(text, 1, true) end), "the child printed: " .. self:said())
  return self:said()
end

--- kill -9. The script prints its process id as "pid N" first.
function Child:kill()
  self:wait_for("\n")
  os.execute("kill -9 " .. self:said():match("pid (%d+)") .. " 2>/dev/null")
  self:wait()
end

--- Wait for its end; what it printed. Removes its files.
function Child:wait()
  assert(until_true(function() return self:over() end), "the child is still running: " .. self:said())
  local said = self:said()
  for _, ending in ipairs { "", ".lua", ".out", ".over" } do os.remove(self.base .. ending) end
  return said
end

--- The first line of a script: it says what its process is.
M.pid = [[
do
  local stat = io.open("/proc/self/stat")
  io.stdout:setvbuf("no")
  print("pid " .. stat:read("*n"))
  stat:close()
end
]]

return M
