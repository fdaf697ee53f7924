--- An HTTP proxy for specs, in a child process (proxy_main.lua): it tunnels and passes on, asks for a password or refuses, as
--- it is told, and writes down what it was asked for.
--- Names: start.
local cjson = require("cjson").new()
local daemon = require("support.daemon")

local M = {}

local Proxy = {}
Proxy.__index = Proxy

local function main_path()
  local here = debug.getinfo(1, "S").source:match("^@(.*)proxy%.lua$") or "spec/support/"
  if here:find("^/") then return here .. "proxy_main.lua" end
  local pipe = assert(io.popen("pwd"))
  local folder = pipe:read("*l")
  pipe:close()
  return folder .. "/" .. here .. "proxy_main.lua"
end

--- Start a proxy. Every host that ends in .invalid is 127.0.0.1 to it.
--- @param options? {user: string?, password: string?, refuse: integer|"close"|nil}  user: who may pass; refuse: the status of its
---   answer to CONNECT, or that it closes the connection without one
--- @return table proxy   .url .port (text)
function M.start(options)
  local dir = daemon.folder()
  daemon.write(dir .. "/options", cjson.encode(options or {}))
  local self = setmetatable({ dir = dir, offset = 0, list = {} }, Proxy)
  self.daemon, self.port = daemon.start(dir, "proxy", ("lua5.4 '%s' '%s'"):format(main_path(), dir), function(log)
    return log:match("^port (%d+)\n")
  end)
  self.url = "http://127.0.0.1:" .. self.port
  return self
end

--- What it was asked for so far.
--- @return {method: string, target: string, authorization: string?, status: integer?}[]  authorization: the proxy's own
function Proxy:requests()
  local list = {}
  for line in daemon.read(self.dir .. "/requests"):gmatch("[^\n]+\n") do list[#list + 1] = cjson.decode(line) end
  return list
end

function Proxy:stop()
  self.daemon:stop()
  for _, name in ipairs { "options", "requests", "proxy.log" } do os.remove(self.dir .. "/" .. name) end
  os.remove(self.dir)
end

return M
