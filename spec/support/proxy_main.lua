--- The child of proxy.lua: an HTTP proxy on luv. Run as `lua5.4 proxy_main.lua DIR`: reads DIR/options, writes DIR/requests,
--- says its port on stdout.
local uv = require("luv")
local cjson = require("cjson").new()

local dir = assert(arg[1], "usage: proxy_main.lua DIR")

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local options = cjson.decode(read(dir .. "/options"))
local log = assert(io.open(dir .. "/requests", "ab"))

local letters <const> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(text)
  local list = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a << 16 | (b or 0) << 8 | (c or 0)
    for k = 3, 0, -1 do
      local digit = n >> 6 * k & 63
      list[#list + 1] = letters:sub(digit + 1, digit + 1)
    end
  end
  local text64 = table.concat(list)
  local over = (3 - #text % 3) % 3
  return text64:sub(1, #text64 - over) .. ("="):rep(over)
end

local wanted = options.user and "Basic " .. base64(options.user .. ":" .. (options.password or ""))

local function shut(socket)
  if not socket:is_closing() then socket:close() end
end

--- Bytes of one go to the other until it ends. `change` makes the first of them others.
local function pour(from, to, change)
  from:read_start(function(_, bytes)
    if bytes and change then bytes, change = change(bytes), nil end
    if bytes and not to:is_closing() then return to:write(bytes) end
    shut(from)
    if not to:is_closing() then to:shutdown(function() shut(to) end) end
  end)
end

local function answer(client, status, more)
  local text = ("HTTP/1.1 %d %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n"):format(status, status == 407 and
    "Proxy Authentication Required" or "Status", more or "")
  client:write(text, function() client:shutdown(function() shut(client) end) end)
end

local function address_of(host)
  if host == "localhost" or host:find("%.invalid$") then return "127.0.0.1" end
  return host
end

--- Connect to where the client wants to go.
local function reach(client, host, port, reached)
  local server = uv.new_tcp()
  local sent = pcall(server.connect, server, address_of(host), port, function(err)
    if not err then return reached(server) end
    shut(server)
    answer(client, 502)
  end)
  if not sent then
    shut(server)
    answer(client, 502)
  end
end

local function tunnel(client, target, rest)
  if options.refuse == "close" then return shut(client) end
  if options.refuse then return answer(client, options.refuse) end
  local host, port = target:match("^(.-):(%d+)$")
  reach(client, host, tonumber(port), function(server)
    client:write("HTTP/1.1 200 Connection established\r\n\r\n")
    if rest ~= "" then server:write(rest) end
    pour(client, server)
    pour(server, client)
  end)
end

local function pass_on(client, method, target, head, rest)
  local host, port, path = target:match("^http://([^/:]+):?(%d*)(.*)$")
  if not host then return answer(client, 400) end
  local lines = { ("%s %s HTTP/1.1"):format(method, path ~= "" and path or "/") }
  for line in head:gmatch("[^\r\n]+") do
    local name = line:match("^([^:]+):")
    if name and not name:lower():find("^proxy%-") and name:lower() ~= "connection" then lines[#lines + 1] = line end
  end
  lines[#lines + 1] = "Connection: close\r\n\r\n"
  reach(client, host, tonumber(port) or 80, function(server)
    server:write(table.concat(lines, "\r\n") .. rest)
    pour(client, server)
    -- One request a connection: the next may be for another server.
    pour(server, client, function(bytes) return (bytes:gsub("\r\n", "\r\nConnection: close\r\n", 1)) end)
  end)
end

local function serve(client, head, rest)
  local method, target = head:match("^(%S+) (%S+) ")
  local given = head:match("\r\n[Pp]roxy%-[Aa]uthorization: ([^\r\n]*)")
  local refused = wanted and given ~= wanted
  log:write(cjson.encode({ method = method, target = target, authorization = given, status = refused and 407 or nil }), "\n")
  log:flush()
  if refused then return answer(client, 407, 'Proxy-Authenticate: Basic realm="specs"\r\n') end
  if method == "CONNECT" then return tunnel(client, target, rest) end
  pass_on(client, method, target, head, rest)
end

local function accept(listener)
  local client, text = uv.new_tcp(), ""
  listener:accept(client)
  client:read_start(function(_, bytes)
    if not bytes then return shut(client) end
    text = text .. bytes
    local head, rest = text:match("^(.-\r\n\r\n)(.*)$")
    if not head then return end
    client:read_stop()
    serve(client, head, rest)
  end)
end

local listener = uv.new_tcp()
assert(listener:bind("127.0.0.1", 0))
assert(listener:listen(64, function() accept(listener) end))
uv.new_signal():start("sigpipe", function() end)
print("port " .. listener:getsockname().port)
io.stdout:flush()
uv.run()
