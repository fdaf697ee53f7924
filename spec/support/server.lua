--- A misbehaving HTTP server for specs: what it says is scripted to the byte, what it saw is recorded.
--- In: scripts, lists of steps. Out: requests and closings as the server saw them.
--- Not here: the sockets; they live in a child process (server_main.lua, on luv), so this file needs no
--- module but cjson and runs under every Lua.
---
--- ```lua
--- local s = server.start()
--- s:script { server.head(200, { ["Content-Length"] = 10 }), "half", { wait = 0.1 }, { reset = true } }
--- s:script(server.sse({ '{"n":1}', "[DONE]" }, { split = 1 }), { path = "/v1/stream", times = 2 })
--- ... s:requests()[1].body ... s:closed(1).sent ...
--- s:stop()
--- ```
---
--- A script serves one request (`times` of them, -1: every one): the first one with uses left that fits.
---   path = "/x"       only requests to it, query not counted
---   on = "connect"    runs when a connection is accepted, before anything is read from it
--- A request that no script fits is answered 404 with a text that says so.
---
--- Steps, run in order; afterwards the connection waits for its next request:
---   "bytes"                 sent as they are
---   { send = "bytes" }      likewise, with the framing below
---   { fill = n }            n bytes of `pattern` ("x") repeated; -1 never ends; base64 = true: n bytes, base64 of it
---   { wait = seconds }      { stall = true }  for ever
---   { read = n }            n bytes of the body, or "all"; at most one `every` seconds with `piece` bytes (65536) each;
---                           0 reads nothing. A script without a read step begins with { read = "all" }; one with a read
---                           step takes no byte from the socket outside it, so that nobody notices a closing meanwhile
---   { repeats = { ... } }   the steps in it over and over, `times` of them; without, for ever
---   { buffer = bytes }      what the kernel takes in for this connection before it is read; on = "connect"
---   { close = true }        { reset = true }  with RST       { shutdown = true }  no more bytes, but reads on
---   { ... }                 a list of steps, spliced
--- Framing of send and fill: `chunk` = size or list of sizes, the last repeating: HTTP chunks (end with server.last_chunk);
--- `split` = likewise: each piece is a write of its own; `every` = seconds between the pieces.
local cjson = require("cjson").new()

local M = {}

local Server = {}
Server.__index = Server

M.last_chunk = "0\r\n\r\n"

local reasons = { [200] = "OK", [204] = "No Content", [400] = "Bad Request", [404] = "Not Found", [429] = "Too Many Requests" }

--- The bytes of a response head. A list as a value repeats the header.
--- @param status integer
--- @param headers table<string, string|number|string[]>
--- @return string
function M.head(status, headers)
  local names, lines = {}, { ("HTTP/1.1 %d %s"):format(status, reasons[status] or "Status") }
  for name in pairs(headers or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local values = headers[name]
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      lines[#lines + 1] = name .. ": " .. tostring(value)
    end
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function with(defaults, headers)
  local all = {}
  for name, value in pairs(defaults) do all[name] = value end
  for name, value in pairs(headers or {}) do all[name] = value or nil end
  return all
end

--- A whole reply with its Content-Length.
--- @param status integer
--- @param text string
--- @param options? {headers: table?, length: integer?, split: any, every: number?}  length: the one claimed, when it lies
function M.text(status, text, options)
  options = options or {}
  local headers = with({ ["Content-Type"] = "text/plain", ["Content-Length"] = options.length or #text }, options.headers)
  return { M.head(status, headers), { send = text, split = options.split, every = options.every } }
end

--- Likewise of JSON: text as it is, or a table through cjson.
function M.json(status, value, options)
  options = with({}, options)
  options.headers = with({ ["Content-Type"] = "application/json" }, options.headers)
  return M.text(status, type(value) == "string" and value or cjson.encode(value), options)
end

--- A chunked event stream: one `data:` block for each string.
--- @param list string[]
--- @param options? {headers: table?, chunk: any, split: any, every: number?, open: boolean?}
---   chunk: sizes over the whole stream, else one chunk a block; every: seconds between blocks; open: without the last chunk
function M.sse(list, options)
  options = options or {}
  local headers = with({ ["Content-Type"] = "text/event-stream", ["Transfer-Encoding"] = "chunked" }, options.headers)
  local steps, blocks = { M.head(200, headers) }, {}
  for i, data in ipairs(list) do blocks[i] = "data: " .. data:gsub("\n", "\ndata: ") .. "\n\n" end
  if options.chunk then blocks = { table.concat(blocks) } end
  for i, block in ipairs(blocks) do
    steps[#steps + 1] = {
      send = block, chunk = options.chunk or #block, split = options.split, every = options.chunk and options.every,
    }
    if options.every and i < #blocks then steps[#steps + 1] = { wait = options.every } end
  end
  if not options.open then steps[#steps + 1] = M.last_chunk end
  return steps
end

--- Text that is neither an event nor a part of one, as gateways send it while they wait: one chunk.
function M.comment(text)
  return { send = ": " .. (text or "OPENROUTER PROCESSING") .. "\n\n", chunk = 65536 }
end

--- Write one line for the child; it reads them before it answers the next request.
function Server:tell(record)
  assert(self.scripts:write(cjson.encode(record), "\n"))
  assert(self.scripts:flush())
end

--- Say what the next request, or the next ones that fit, get.
--- @param steps table
--- @param options? {path: string?, on: "connect"?, times: integer?}
function Server:script(steps, options)
  options = options or {}
  self:tell({ steps = steps, path = options.path, on = options.on, times = options.times or 1 })
  return self
end

--- Drop the scripts that are left and forget the requests so far.
function Server:clear()
  self:tell({ clear = true })
  self:poll()
  self.seen, self.by_id = {}, {}
end

local apply = {
  listen = function(self, entry)
    self.port, self.url = entry.port, ("http://127.0.0.1:%d"):format(entry.port)
  end,
  deaf = function(self, entry)
    self.deaf_url = ("http://127.0.0.1:%d"):format(entry.port)
  end,
  connect = function(self, entry)
    self.connections[entry.connection] = { connected = entry.at }
  end,
  request = function(self, entry)
    entry.headers = entry.headers or {}
    self.by_id[entry.request], self.seen[#self.seen + 1] = entry, entry
  end,
  body = function(self, entry)
    local request = self.by_id[entry.request]
    if not request then return end
    request.body, request.body_sha256, request.body_bytes = entry.body, entry.sha256, entry.bytes
    request.body_at, request.complete = entry.at, entry.complete
  end,
  answered = function(self, entry)
    local request = self.by_id[entry.request]
    if request then request.answered, request.sent = entry.at, entry.sent end
  end,
  closed = function(self, entry)
    local connection = self.connections[entry.connection]
    connection.closed, connection.sent, connection.by, connection.error = entry.at, entry.sent, entry.by, entry.error
  end,
}

--- Read what the child has noted since the last time.
function Server:poll()
  self.log:seek("set", self.offset)
  local text, from = self.log:read("*a") or "", 1
  -- Not by a pattern: of a long line that is still being written it would look for the end from each byte of it.
  local till = text:find("\n", from, true)
  while till do
    local entry = cjson.decode(text:sub(from, till))
    apply[entry.event](self, entry)
    from = till + 1
    till = text:find("\n", from, true)
  end
  self.offset = self.offset + from - 1
end

local function nap()
  os.execute("sleep 0.005")
end

--- Poll until `ready` gives a value. `pump` runs between the looks: an engine's step, where the client needs turns.
function Server:wait(ready, options)
  local limit = os.time() + (options and options.timeout or 5) + 1
  repeat
    self:poll()
    local value = ready()
    if value then return value end
    local pump = options and options.pump or nap
    pump()
  until os.time() >= limit
  return nil, "nothing seen in time"
end

--- What was asked, in order of arrival. Fields: connection, request (numbers from 1), method, path, version, headers by
--- lower-case name (repeated ones joined by ", "), header_lines as sent, at, and once the body was read: body (when at most
--- 1 MiB), body_bytes, body_sha256 (where core is built), body_at, complete; once answered: answered, sent (bytes since the
--- connection began). Times are seconds since the server started.
--- @param n? integer       wait until so many have come and their bodies are read
--- @param options? {timeout: number?, pump: fun()?}
--- @return table[]? requests
--- @return string? err
function Server:requests(n, options)
  if not n then
    self:poll()
    return self.seen
  end
  return self:wait(function()
    return #self.seen >= n and self.seen[n].body_bytes and self.seen
  end, options)
end

--- Wait until the n-th connection of this server is closed, by whichever side was first.
--- @param n integer
--- @param options? {timeout: number?, pump: fun()?}
--- @return {connected: number, closed: number, sent: integer, by: "peer"|"server", error: string?}?
--- @return string? err
function Server:closed(n, options)
  return self:wait(function()
    local connection = self.connections[n]
    return connection and connection.closed and connection
  end, options)
end

--- Connections accepted so far.
--- @return integer
function Server:accepted()
  self:poll()
  return #self.connections
end

--- End the child and remove its files.
function Server:stop()
  if not self.alive then return end
  self.alive:close()
  self.alive = nil
  self.scripts:close()
  self.log:close()
  os.remove(self.dir .. "/scripts")
  os.remove(self.dir .. "/log")
  os.remove(self.dir)
end

local function new_file(path)
  local file = assert(io.open(path, "wb"))
  return file
end

local function main_path()
  return (debug.getinfo(1, "S").source:match("^@(.*)server%.lua$") or "spec/support/") .. "server_main.lua"
end

--- Start a server of its own on a free port. It ends with `stop`, or when this process does.
--- @param options? {deaf: boolean?}  deaf: with a second port, .deaf_url, whose queue is full: no connection to it is made
--- @return table server   .url .port
function M.start(options)
  local deaf = options and options.deaf
  local dir = os.tmpname()
  os.remove(dir)
  assert(os.execute("mkdir -m 700 '" .. dir .. "'"))
  local scripts = new_file(dir .. "/scripts")
  new_file(dir .. "/log"):close()
  local alive = assert(io.popen(("exec lua5.4 '%s' '%s' %s"):format(main_path(), dir, deaf and "deaf" or ""), "w"))
  local self = setmetatable({
    dir = dir, alive = alive, scripts = scripts, log = assert(io.open(dir .. "/log", "rb")), offset = 0,
    seen = {}, by_id = {}, connections = {},
  }, Server)
  assert(self:wait(function() return self.port and (self.deaf_url or not deaf) end), "server_main.lua did not start")
  return self
end

return M
