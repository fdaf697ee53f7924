--- The child of server.lua: an HTTP/1.1 server on luv that does what its scripts say. Run as
--- `lua5.4 server_main.lua DIR [deaf]`: reads DIR/scripts and writes DIR/log, both JSON lines; ends when its stdin does.
--- Not here: what steps mean (server.lua tells), HTTP beyond heads, lengths and chunked request bodies.
local uv = require("luv")
local cjson = require("cjson").new()

local dir = assert(arg[1], "usage: server_main.lua DIR")
local BLOCK <const> = 65536 -- bytes of generated data in one write
local HIGH_WATER <const> = 1048576 -- unread bytes of one connection before its socket rests
local KEEP_BODY <const> = 1048576 -- bytes of a body that go into the log
local HEAD_MAX <const> = 1048576

local log = assert(io.open(dir .. "/log", "ab"))
local requests = 0

local started <const> = uv.hrtime()

local function note(entry)
  entry.at = (uv.hrtime() - started) / 1e9
  log:write(cjson.encode(entry), "\n")
  log:flush()
end

-- Scripts: a list in order of arrival, read on before each use.
local scripts = { file = assert(io.open(dir .. "/scripts", "rb")), offset = 0 }

local function read_scripts()
  scripts.file:seek("set", scripts.offset)
  for line in scripts.file:read("a"):gmatch("[^\n]*\n") do
    scripts.offset = scripts.offset + #line
    local script = cjson.decode(line)
    if script.clear then
      for i = #scripts, 1, -1 do scripts[i] = nil end
    else
      scripts[#scripts + 1] = script
    end
  end
end

--- The first script that fits, one use taken from it.
local function take_script(on, path)
  read_scripts()
  for i, script in ipairs(scripts) do
    if script.on == on and (not script.path or script.path == path) then
      script.times = script.times - 1
      if script.times == 0 then table.remove(scripts, i) end
      return script.steps
    end
  end
end

-- SHA-256 is the core's: of $SPEC_CORE_CPATH, else of the usual build folder for the Lua that runs this.
local function new_hash()
  package.cpath = (os.getenv("SPEC_CORE_CPATH") or "build/5.4/?.so") .. ";" .. package.cpath
  local ok, core = pcall(require, "multimodal.core")
  return ok and core.sha256 or nil
end
local sha256 = new_hash()

local function take_body(request, bytes)
  request.taken = request.taken + #bytes
  if request.hash then request.hash:update(bytes) end
  if request.taken <= KEEP_BODY then request.kept[#request.kept + 1] = bytes end
end

local function body_ends(request)
  if request.noted then return end
  request.noted = true
  note({
    event = "body", request = request.number, bytes = request.taken, complete = request.complete,
    body = request.taken <= KEEP_BODY and table.concat(request.kept) or nil,
    sha256 = request.hash and request.hash:hex() or nil,
  })
end

-- Connection: one coroutine reads requests and runs steps; callbacks resume it.
local Connection = {}
Connection.__index = Connection
local connections = 0

function Connection:resume(...)
  local ok, err = coroutine.resume(self.thread, ...)
  if not ok then
    io.stderr:write("spec server: ", debug.traceback(self.thread, tostring(err)), "\n")
    self:close("server", tostring(err))
  end
end

--- Suspend until a callback of `what` resumes; a closed connection stays suspended and is collected.
function Connection:await(what)
  self.awaiting = what
  return coroutine.yield()
end

function Connection:signal(what, ...)
  if self.awaiting ~= what or self.ended then return end
  self.awaiting = nil
  self:resume(...)
end

function Connection:close(by, err)
  if self.ended then return end
  self.ended = true
  if self.request then body_ends(self.request) end
  note({ event = "closed", connection = self.number, by = by, sent = self.sent, error = err })
  if not self.tcp:is_closing() then self.tcp:close() end
end

function Connection:start_reading()
  if self.reading or self.eof then return end
  self.reading = true
  self.tcp:read_start(function(err, bytes)
    if bytes then
      self.unread = #self.unread > 0 and self.unread .. bytes or bytes
      if #self.unread >= HIGH_WATER then self:stop_reading() end
      return self:signal("read")
    end
    self.eof = true
    self:signal("read")
    self:close("peer", err)
  end)
end

function Connection:stop_reading()
  if self.reading then self.tcp:read_stop() end
  self.reading = false
end

--- Up to n bytes, "" at the end.
function Connection:receive(n)
  if self.unread == "" and not self.eof then
    self:start_reading()
    self:await("read")
  end
  local bytes = self.unread:sub(1, n)
  self.unread = self.unread:sub(n + 1)
  return bytes
end

--- Read through the first `mark`; nil when the peer ends before it.
function Connection:receive_through(mark)
  local from = 1
  while true do
    local _, last = self.unread:find(mark, from, true)
    if last then return self:receive(last) end
    from = math.max(1, #self.unread - #mark + 2)
    if self.eof or #self.unread > HEAD_MAX then return nil end
    self:start_reading()
    self:await("read")
  end
end

function Connection:write(bytes)
  if bytes == "" then return end
  self.tcp:write(bytes, function(err)
    if err then return self:close("peer", err) end
    self.sent = self.sent + #bytes
    self:signal("write")
  end)
  self:await("write")
end

function Connection:wait(seconds)
  local timer = uv.new_timer()
  timer:start(math.floor(seconds * 1000 + 0.5), 0, function()
    timer:close()
    self:signal("timer")
  end)
  self:await("timer")
end

-- Reading a request.

local function parse_head(head)
  local method, path, version = head:match("^(%S+) (%S+) (HTTP/%d%.%d)\r\n")
  local headers, lines = {}, {}
  for line in head:gsub("^[^\n]*\n", ""):gmatch("([^\r\n]+)\r\n") do
    local name, value = line:match("^([^:]+):%s*(.-)%s*$")
    lines[#lines + 1] = line
    if name then
      name = name:lower()
      headers[name] = headers[name] and headers[name] .. ", " .. value or value
    end
  end
  return { method = method, path = path, version = version, headers = headers, header_lines = lines }
end

--- The next piece of the body, at most n bytes; nil at its end.
function Connection:body_piece(request, n)
  if request.complete then return nil end
  if request.chunked and request.left == 0 then
    local line = self:receive_through("\r\n")
    request.left = line and tonumber(line:match("^%x+"), 16) or 0
    if request.left == 0 then
      request.complete = line ~= nil and self:receive_through("\r\n") ~= nil
      return nil
    end
  end
  local bytes = request.left > 0 and self:receive(math.min(n, request.left)) or ""
  request.left = request.left - #bytes
  if request.chunked and request.left == 0 then self:receive_through("\r\n") end
  request.complete = not request.chunked and request.left == 0
  if bytes == "" then return nil end
  take_body(request, bytes)
  return bytes
end

function Connection:read_body(request, step)
  local wanted = step.read == "all" and math.huge or step.read
  if wanted > 0 and request.headers.expect == "100-continue" and not request.continued then
    request.continued = true
    self:write("HTTP/1.1 100 Continue\r\n\r\n")
  end
  while wanted > 0 do
    local bytes = self:body_piece(request, math.min(step.piece or BLOCK, wanted))
    if not bytes then break end
    wanted = wanted - #bytes
    if step.every then
      self:stop_reading()
      self:wait(step.every)
    end
  end
  if request.complete or self.eof then body_ends(request) end
end

-- Writing: a source of blocks goes through the chunk framer, then through the splitter.

--- Cut what comes into pieces of the given sizes, the last size repeating; `emit` gets each.
local function cutter(sizes, emit)
  if not sizes then return emit, function() end end
  if type(sizes) == "number" then sizes = { sizes } end
  local index, held = 1, ""
  local function size()
    return sizes[math.min(index, #sizes)]
  end
  return function(bytes)
    held = held .. bytes
    local from = 1
    while #held - from + 1 >= size() do
      emit(held:sub(from, from + size() - 1))
      from = from + size()
      index = index + 1
    end
    held = held:sub(from)
  end, function()
    if held ~= "" then emit(held) end
    held = ""
  end
end

function Connection:sink(step)
  local first = true
  local split, flush_split = cutter(step.split, function(piece)
    if step.every and not first then self:wait(step.every) end
    first = false
    self:write(piece)
  end)
  if not step.chunk then return split, flush_split end
  local chunk, flush_chunk = cutter(step.chunk, function(piece)
    split(("%x\r\n"):format(#piece) .. piece .. "\r\n")
  end)
  return chunk, function()
    flush_chunk()
    flush_split()
  end
end

local alphabet <const> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(bytes)
  local padding = -#bytes % 3
  local text = (bytes .. ("\0"):rep(padding)):gsub("...", function(three)
    local a, b, c = three:byte(1, 3)
    local word = a << 16 | b << 8 | c
    local out = {}
    for i = 1, 4 do
      local at = (word >> (24 - 6 * i) & 63) + 1
      out[i] = alphabet:sub(at, at)
    end
    return table.concat(out)
  end)
  return text:sub(1, #text - padding) .. ("="):rep(padding)
end

local texts = {} -- base64 of a block, by pattern

--- A whole number of patterns, near BLOCK bytes long, a multiple of 3 so that base64 blocks join; and its base64.
local function pattern_block(pattern, as_base64)
  local times = math.max(1, BLOCK // (3 * #pattern)) * 3
  local block = pattern:rep(times)
  if not as_base64 then return block, block end
  texts[pattern] = texts[pattern] or base64(block)
  return block, texts[pattern]
end

function Connection:fill(step)
  local put, flush = self:sink(step)
  local block, text = pattern_block(step.pattern or "x", step.base64)
  local left = step.fill < 0 and math.huge or step.fill
  while left >= #block do
    put(text)
    left = left - #block
  end
  local rest = block:sub(1, math.tointeger(left))
  put(step.base64 and base64(rest) or rest)
  flush()
end

function Connection:send(step)
  local put, flush = self:sink(step)
  put(step.send)
  flush()
end

local verbs = {
  send = Connection.send,
  fill = Connection.fill,
  wait = function(self, step) self:wait(step.wait) end,
  stall = function(self) self:await("nothing") end,
  close = function(self) self:close("server") end,
  reset = function(self)
    self.tcp:close_reset()
    self:close("server")
  end,
  shutdown = function(self)
    self.tcp:shutdown(function() self:signal("shutdown") end)
    self:await("shutdown")
  end,
  repeats = function(self, step, request)
    local left = step.times or math.huge
    while left > 0 and not self.ended do
      self:run(step.repeats, request)
      left = left - 1
    end
  end,
  buffer = function(self, step) self.tcp:recv_buffer_size(step.buffer) end,
  read = function(self, step, request)
    if request then self:read_body(request, step) end
    self:stop_reading()
  end,
}

function Connection:run(steps, request)
  for _, step in ipairs(steps) do
    if self.ended then return end
    if type(step) == "string" then
      self:write(step)
    elseif step[1] then
      self:run(step, request)
    elseif next(step) then
      local verb
      for name in pairs(step) do verb = verb or verbs[name] end
      assert(verb, "a step without a verb: " .. cjson.encode(step))(self, step, request)
    end
  end
end

local function reads(steps)
  for _, step in ipairs(steps) do
    if type(step) == "table" and (step.read or step.repeats and reads(step.repeats) or step[1] and reads(step)) then return true end
  end
  return false
end

local function unscripted(request)
  local text = "no script for " .. tostring(request.path) .. "\n"
  return { ("HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s"):format(#text, text) }
end

function Connection:answer(request)
  local steps = take_script(nil, (request.path or ""):gsub("%?.*", "")) or unscripted(request)
  if reads(steps) then
    self:stop_reading()
  else
    self:read_body(request, { read = "all" })
    self:start_reading()
  end
  self:run(steps, request)
  if self.ended then return end
  note({ event = "answered", request = request.number, sent = self.sent })
  self:read_body(request, { read = "all" })
end

function Connection:serve()
  self:start_reading()
  while not self.ended do
    local head = self:receive_through("\r\n\r\n")
    if not head then return self:close(self.eof and "peer" or "server", not self.eof and "head too large" or nil) end
    local request = parse_head(head)
    requests = requests + 1
    request.number, request.taken, request.kept = requests, 0, {}
    request.chunked = (request.headers["transfer-encoding"] or ""):lower() == "chunked"
    request.left = request.chunked and 0 or tonumber(request.headers["content-length"]) or 0
    request.complete = not request.chunked and request.left == 0
    request.hash = sha256 and sha256()
    note({
      event = "request", request = request.number, connection = self.number, method = request.method, path = request.path,
      version = request.version, headers = next(request.headers) and request.headers, header_lines = request.header_lines,
    })
    self.request = request
    self:answer(request)
  end
end

local function accept(listener)
  local tcp = uv.new_tcp()
  listener:accept(tcp)
  tcp:nodelay(true)
  connections = connections + 1
  local self = setmetatable({ tcp = tcp, number = connections, sent = 0, unread = "" }, Connection)
  note({ event = "connect", connection = self.number })
  self.thread = coroutine.create(function()
    local steps = take_script("connect")
    if steps then self:run(steps) end
    self:serve()
  end)
  self:resume()
end

local listener = uv.new_tcp()
assert(listener:bind("127.0.0.1", 0))
assert(listener:listen(1024, function() accept(listener) end))
note({ event = "listen", port = listener:getsockname().port })

-- A second port that accepts nobody: when its queue is full, the kernel leaves further connections without an answer.
local function be_deaf()
  local deaf, calls = uv.new_tcp(), {}
  local port
  local function call(done)
    calls[#calls + 1] = uv.new_tcp()
    calls[#calls]:connect("127.0.0.1", port, done)
  end
  assert(deaf:bind("127.0.0.1", 0))
  port = deaf:getsockname().port
  -- libuv takes one by itself, and none after it until that is accepted.
  assert(deaf:listen(1, function()
    local queued = 0
    for _ = 1, 8 do
      call(function(err)
        queued = queued + (err and 0 or 1)
        if queued == 2 then note({ event = "deaf", port = port }) end
      end)
    end
  end))
  call(function() end)
end
if arg[2] == "deaf" then be_deaf() end

-- A client may close while it is being written to.
uv.new_signal():start("sigpipe", function() end)

local stdin = uv.new_pipe()
stdin:open(0)
stdin:read_start(function(_, bytes)
  if not bytes then os.exit(0) end
end)
uv.run()
