--- Stands in for multimodal.net with a scripted engine on a virtual clock: what takes an hour takes no time.
--- `driver.use(uv.new(fake_net.new()))`; a request carries its answer as `script`, a list of
---   { at, "head", status, headers }   { at, "text", string }   { at, "event", table }   { at, "fail", err }   { at, "end" }
--- with `at` in seconds after the start, never going back.
local M = {}

local Exchange = {}
Exchange.__index = Exchange

local function announce(self)
  if self.listed then return end
  self.listed = true
  table.insert(self.engine.ready, self)
end

--- What is due by now, or nil and why not.
local function due(self)
  if self.closed then return nil, { kind = "cancelled", message = "closed" } end
  local step = self.script[self.position]
  if not step then return nil end
  if self.started + step[1] > self.engine.net.clock then return nil, "again" end
  if step[2] == "end" then return nil end
  if step[2] == "fail" then return nil, step[3] end
  return step
end

function Exchange:id() return self.number end

function Exchange:head()
  if self.status then return self.status, self.headers end
  local step, why = due(self)
  if not step then return nil, why end
  assert(step[2] == "head", "the script has no head")
  self.status, self.headers, self.position = step[3], step[4] or {}, self.position + 1
  return self.status, self.headers
end

local function content(self)
  if not self.status then
    local status, why = self:head()
    if not status then return nil, why end
  end
  return due(self)
end

function Exchange:next()
  local step, why = content(self)
  if not step then return nil, why end
  self.position = self.position + 1
  return step[2] == "text" and { data = step[3] } or step[3]
end

function Exchange:next_text()
  local step, why = content(self)
  if not step then return nil, why end
  if step[2] == "event" then return nil, "event" end
  self.position = self.position + 1
  return step[3]
end

function Exchange:progress() return 0, self.position - 1 end

function Exchange:timing() return { total = self.engine.net.clock - self.started } end

function Exchange:close()
  if self.closed then return end
  self.closed = true
  self.engine.live[self.number] = nil
  table.insert(self.engine.net.closed, self.number)
end
Exchange.leave = Exchange.close

local Engine = {}
Engine.__index = Engine

function Engine:start(req)
  if req.refused then return nil, req.refused end
  local net = self.net
  net.started = net.started + 1
  local exchange = setmetatable({
    engine = self, number = net.started, script = req.script or {}, position = 1, started = net.clock, announced = 0,
  }, Exchange)
  self.live[exchange.number] = exchange
  return exchange
end

--- When the next step of an exchange that nobody was told of is due.
local function next_due(self)
  local soonest, whose
  for _, exchange in pairs(self.live) do
    local step = exchange.script[exchange.announced + 1]
    local at = step and exchange.started + step[1]
    if at and (not soonest or at < soonest or at == soonest and exchange.number < whose.number) then
      soonest, whose = at, exchange
    end
  end
  return soonest, whose
end

local function deliver(self)
  local at, exchange = next_due(self)
  while at and at <= self.net.clock do
    exchange.announced = exchange.announced + 1
    announce(exchange)
    at, exchange = next_due(self)
  end
end

function Engine:step(seconds)
  self.net.steps = self.net.steps + 1
  deliver(self)
  if not self.ready[1] and seconds > 0 then
    local at = next_due(self)
    if not at and not next(self.live) then return 0 end
    self.net.clock = math.min(at or math.huge, self.net.clock + seconds)
    deliver(self)
  end
  local n = 0
  for _ in pairs(self.live) do n = n + 1 end
  return n
end

function Engine:pop()
  local exchange = table.remove(self.ready, 1)
  if not exchange then return nil end
  exchange.listed = false
  return exchange.number
end

function Engine:fd() return nil end

function Engine:timeout()
  if self.ready[1] then return 0 end
  local at = next_due(self)
  return at and math.max(0, at - self.net.clock)
end

--- Fields: clock (seconds, may be set), closed (numbers of exchanges in the order they were closed), started, steps.
function M.new()
  local net = { clock = 1000, closed = {}, started = 0, steps = 0, slept = 0 }
  function net.now() return net.clock end
  function net.sleep(seconds)
    net.clock, net.slept = net.clock + seconds, net.slept + seconds
  end
  function net.engine()
    return setmetatable({ net = net, live = {}, ready = {} }, Engine)
  end
  return net
end

return M
