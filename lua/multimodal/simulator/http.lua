--- A small HTTP/1.1 server on luv: request bodies pass through in pieces, answers go out at any pace and in any split.
--- Returns serve(options, handler).
local uv = require("luv")

local M = {}

local max_head = 64 * 1024 -- bytes of a request head

local reasons = {
  [200] = "OK", [202] = "Accepted", [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found",
  [405] = "Method Not Allowed", [408] = "Request Timeout", [413] = "Content Too Large", [429] = "Too Many Requests",
  [500] = "Internal Server Error", [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
  [529] = "Overloaded",
}

--- The answer to one request. Its methods run in the coroutine of the handler and wait there.
--- @class multimodal.simulator.Answer
--- @field pace number     seconds between events
--- @field split integer?  bytes in one write; nil: an event a write
local Answer = {}
Answer.__index = Answer

--- Wait in the handler's coroutine.
--- @param seconds number
function Answer:sleep(seconds)
  local co, timer = coroutine.running(), uv.new_timer()
  timer:start(math.floor(seconds * 1000 + 0.5), 0, function()
    timer:close()
    self.connection:resume(co)
  end)
  coroutine.yield()
end

local function put(self, bytes)
  local co = coroutine.running()
  if self.connection.closed then error(self.connection.gone, 0) end
  self.connection.socket:write(bytes, function(err)
    if err then self.connection:close() end
    self.connection:resume(co)
  end)
  coroutine.yield()
end

--- Send bytes as they are, in the split asked for.
--- @param bytes string
function Answer:send(bytes)
  local step = self.split or #bytes
  for from = 1, #bytes, math.max(step, 1) do
    put(self, bytes:sub(from, from + step - 1))
    if self.split and self.pace > 0 then self:sleep(self.pace) end
  end
end

--- Send the head. Without `length` the body is chunked.
--- @param status integer
--- @param headers table<string, string>
--- @param length integer?
function Answer:head(status, headers, length)
  local lines = { ("HTTP/1.1 %d %s"):format(status, reasons[status] or "Status") }
  local names = {}
  for name in pairs(headers) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do lines[#lines + 1] = name .. ": " .. headers[name] end
  lines[#lines + 1] = length and "Content-Length: " .. length or "Transfer-Encoding: chunked"
  self.chunked = not length
  put(self, table.concat(lines, "\r\n") .. "\r\n\r\n")
end

--- Send one event of a body begun with head(); then wait for the pace.
--- @param bytes string
function Answer:event(bytes)
  self:send(self.chunked and ("%x\r\n%s\r\n"):format(#bytes, bytes) or bytes)
  if self.pace > 0 and not self.split then self:sleep(self.pace) end
end

--- End a chunked body.
function Answer:finish()
  if self.chunked then put(self, "0\r\n\r\n") end
end

--- Close the socket now, whatever was promised.
function Answer:cut()
  self.connection:close()
end

--- Send a whole answer.
function Answer:whole(status, headers, body)
  self:head(status, headers, #body)
  self:send(body)
end

local Connection = {}
Connection.__index = Connection

--- Go on with a handler; what it raises ends the connection, and is told unless the peer had gone.
function Connection:resume(co)
  local ok, err = coroutine.resume(co)
  if ok or err == self.gone then return end
  io.stderr:write("simulator: ", debug.traceback(co, tostring(err)), "\n")
  self:close()
end

function Connection:close()
  if self.closed then return end
  self.closed = true
  if self.request and self.request.abort then self.request:abort() end
  if not self.socket:is_closing() then self.socket:close() end
end

local function parse_head(text)
  local request = { headers = {} }
  local line, rest = text:match("^(.-)\r\n(.*)$")
  request.method, request.target = (line or text):match("^(%u+) (%S+) HTTP/1%.[01]$")
  if not request.method then return nil end
  request.path, request.query = request.target:match("^([^?]*)%??(.*)$")
  for name, value in (rest or ""):gmatch("([^:\r\n]+):[ \t]*([^\r\n]*)") do request.headers[name:lower()] = value end
  return request
end

local states = {}

--- Each state takes what it can from the buffer and returns true when another may go on.
function states.head(self)
  local stop = self.buffer:find("\r\n\r\n", 1, true)
  if not stop then
    if #self.buffer > max_head then self:close() end
    return false
  end
  local request = parse_head(self.buffer:sub(1, stop - 1))
  self.buffer = self.buffer:sub(stop + 4)
  if not request then return self:close() end
  self.request = request
  if (request.headers.expect or ""):lower() == "100-continue" then self.socket:write("HTTP/1.1 100 Continue\r\n\r\n") end
  self.handler.begin(request)
  self.left = tonumber(request.headers["content-length"]) or 0
  self.state = request.headers["transfer-encoding"] and "chunk_size" or "body"
  return true
end

local function take(self)
  if self.left > 0 then
    if self.buffer == "" then return false end
    local piece = self.buffer:sub(1, self.left)
    self.buffer = self.buffer:sub(#piece + 1)
    self.left = self.left - #piece
    self.request:body(piece)
  end
  return self.left == 0
end

function states.body(self)
  if not take(self) then return false end
  self:answer()
  return false
end

function states.chunk_size(self)
  local size, stop = self.buffer:match("^(%x+)[^\r\n]*\r\n()")
  if not size then return false end
  self.buffer = self.buffer:sub(stop)
  self.left = tonumber(size, 16)
  self.state = self.left == 0 and "trailer" or "chunk"
  return true
end

function states.chunk(self)
  if not take(self) or #self.buffer < 2 then return false end
  self.buffer = self.buffer:sub(3)
  self.state = "chunk_size"
  return true
end

function states.trailer(self)
  local stop = self.buffer:match("^\r\n()") or self.buffer:match("\r\n\r\n()")
  if not stop then return false end
  self.buffer = self.buffer:sub(stop)
  self:answer()
  return false
end

--- A request that comes while another is answered waits in the buffer.
function states.busy()
  return false
end

function Connection:advance()
  while not self.closed and states[self.state](self) do end -- luacheck: ignore 542
end

function Connection:answer()
  self.state = "busy"
  local request = self.request
  local answer = setmetatable({ connection = self, pace = 0 }, Answer)
  self:resume(coroutine.create(function()
    self.handler.answer(request, answer)
    self.request = nil
    if (request.headers.connection or ""):lower() == "close" then return self:close() end
    self.state = "head"
    self:advance()
  end))
end

local function accept(server, handler)
  local self = setmetatable({ socket = uv.new_tcp(), handler = handler, buffer = "", state = "head", gone = {} }, Connection)
  server:accept(self.socket)
  self.socket:nodelay(true)
  self.socket:read_start(function(err, bytes)
    if err or not bytes then return self:close() end
    self.buffer = self.buffer == "" and bytes or self.buffer .. bytes
    self:advance()
  end)
end

--- Listen; returns the port. The caller runs the loop.
--- @param options {host: string?, port: integer?}
--- @param handler {begin: fun(request), answer: fun(request, answer)}  begin gives the request body(bytes) and abort()
--- @return integer? port, string? err
function M.serve(options, handler)
  local server = uv.new_tcp()
  local ok, err = server:bind(options.host or "127.0.0.1", options.port or 0)
  if ok then
    ok, err = server:listen(512, function(failed)
      if not failed then accept(server, handler) end
    end)
  end
  if not ok then return nil, err end
  return server:getsockname().port
end

return M
