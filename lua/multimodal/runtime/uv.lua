--- The driver on multimodal.net (libcurl on libuv), which is loaded when the first request, or the first wait on a clock,
--- needs it.
local Error = require("multimodal.error")
local loop = require("multimodal.runtime.loop")

local M = {}

--- @class multimodal.UvExchange: multimodal.Exchange
local Exchange = {}
Exchange.__index = Exchange

--- Seconds between looks where the system has no descriptor to watch.
local BLIND = 0.01

local CLOSED = "the exchange was closed"

--- What a call of the engine's exchange that brought no value means: true: look again, else the values to return.
local function explain(self, why, deadline)
  if self.closed then return false, Error.new({ kind = "cancelled", message = CLOSED }) end
  if why == nil or why == "event" then return false, why end
  if why == "again" then
    if deadline and self.loop.now() >= deadline then return false, "again" end
    self.loop:wait_exchange(self.id, self, deadline)
    return true
  end
  return false, Error.new(why)
end

--- Status and headers by lower-case name; waits for them.
--- @param deadline number?  on now()'s clock; once it has passed, nil, "again"
function Exchange:head(deadline)
  while true do
    if self.loop.attention then self.loop:checkpoint() end
    local status, more
    if not self.closed then status, more = self.raw:head() end
    if status then return status, more end
    local again, err = explain(self, more, deadline)
    if not again then return nil, err end
  end
end

--- The next event; nil alone is the end.
function Exchange:next()
  while true do
    if self.loop.attention then self.loop:checkpoint() end
    local event, why
    if not self.closed then event, why = self.raw:next() end
    if event then return event end
    local again, err = explain(self, why)
    if not again then return nil, err end
  end
end

--- Text; nil, "event" when next() must take what comes; nil alone is the end.
function Exchange:next_text()
  while true do
    if self.loop.attention then self.loop:checkpoint() end
    local text, why = self.raw_text(self.raw)
    if text then return text end
    local again, err = explain(self, why)
    if not again then return nil, err end
  end
end

function Exchange:progress()
  if self.closed then return self.sent, self.received end
  return self.raw:progress()
end

function Exchange:timing()
  return self.closed and self.figures or self.raw:timing()
end

--- Its figures stay. Whoever waits for it gets the cancelled error.
local function stop(self, how)
  if self.closed then return end
  self.closed, self.figures = true, self.raw:timing()
  self.sent, self.received = self.raw:progress()
  how(self.raw)
  self.loop:forget(self.id)
  if self.done then self.done() end
end

--- Close the socket at once.
function Exchange:close()
  stop(self, self.raw.close)
end

--- It was read to its end mark: the end of the framing may still come, so that the connection can be used again.
function Exchange:leave()
  stop(self, self.raw.leave)
end
Exchange.__close = Exchange.close

--- @param net table?     multimodal.net or what stands in for it
--- @param options table? of net.engine
local function new_io(net, options)
  local io, engine = { in_flight = 0 }, nil
  local function load()
    net = net or require("multimodal.net")
    return net
  end

  function io.now()
    return (net or load()).now()
  end

  -- The engine's own step returns at once when it has nothing in flight. A budget of 0 would be none.
  function io.step(seconds, budget)
    if io.in_flight > 0 then
      io.in_flight = engine:step(seconds, budget == 0 and 1e-6 or budget)
    elseif seconds > 0 then
      load().sleep(seconds)
    end
  end

  function io.start(req)
    engine = engine or load().engine(options)
    io.in_flight = io.in_flight + 1
    return engine:start(req)
  end

  function io.pop()
    return engine and engine:pop()
  end

  --- Descriptor to watch and seconds to sleep; nil while nothing is in flight.
  function io.watch()
    if io.in_flight == 0 then return nil end
    local fd, seconds = engine:fd(), engine:timeout()
    if not fd then seconds = math.min(seconds or BLIND, BLIND) end
    return fd, seconds
  end

  return io
end

--- @class multimodal.UvDriver: multimodal.Loop

local function request(self, req)
  self:must_wait(false)
  local raw, err = self.io.start(req)
  if not raw then return nil, Error.new(err) end
  -- raw_text is kept because it is called for each text of a stream; what is known at the end has its place at once.
  return setmetatable({
    raw = raw, raw_text = raw.next_text, id = raw:id(), loop = self,
    closed = false, figures = false, sent = 0, received = 0, done = false,
  }, Exchange)
end

--- For a foreign loop: what to watch for reading and how long to sleep before the next step; nil: nothing, for ever.
--- @return integer? fd
--- @return number? seconds
local function watch(self)
  local fd, seconds = self.io.watch()
  local patience = self:patience()
  if seconds or patience then seconds = math.min(seconds or patience, patience or seconds) end
  return fd, seconds
end

--- A driver with an engine of its own.
--- @param net table?       stands in for multimodal.net
--- @param options table?   of net.engine
--- @return multimodal.Driver
function M.new(net, options)
  local self = loop.new(new_io(net, options))
  self.request, self.watch = request, watch
  return self
end

return M
