--- Closing exchanges in every phase, engines, and whole Lua states: the server sees its socket close.
local core = require("multimodal.core")
local net = require("multimodal.net")
local drive = require("net.drive")
local server = require("support.server")
local sizes = require("support.sizes")

local stream = { server.head(200, { ["Content-Type"] = "text/event-stream" }), "data: a\n\n", { stall = true } }

describe("closing", function()
  local s, engine

  before_each(function()
    s, engine = server.start(), assert(net.engine())
  end)
  after_each(function()
    engine:close()
    s:stop()
    drive.assert_clean()
  end)

  local function assert_closed(n)
    assert.equal("peer", assert(s:closed(n)).by)
  end

  it("twice is closing once, and what is closed says so #small", function()
    s:script(stream)
    local exchange = drive.start(engine, s.url)
    assert.equal("a", drive.await(engine, exchange, "next").data)
    exchange:close()
    exchange:close()
    assert.equal(0, net.live())
    for _, method in ipairs({ "head", "next", "next_text" }) do
      local value, err = exchange[method](exchange)
      assert.is_nil(value)
      assert.equal("cancelled", err.kind)
    end
    assert.equal(0, engine:step(0))
    assert.is_nil(engine:pop())
    assert_closed(1)
  end)

  it("is seen by the server although a program started meanwhile runs on", function()
    s:script(stream)
    local exchange = drive.start(engine, s.url)
    assert.equal("a", drive.await(engine, exchange, "next").data)
    local program = assert(io.popen("sleep 30 & echo $!", "r"))
    local pid = program:read("*n")
    exchange:close()
    assert_closed(1)
    os.execute("kill " .. pid)
    program:close()
  end)

  it("works while the answer streams, without a further step", function()
    s:script(stream)
    local exchange = drive.start(engine, s.url)
    assert.equal("a", drive.await(engine, exchange, "next").data)
    exchange:close()
    assert_closed(1)
  end)

  it("works while the answer is awaited", function()
    s:script({ { stall = true } })
    local exchange = drive.start(engine, s.url)
    assert(s:requests(1, { pump = drive.pump(engine) }))
    exchange:close()
    assert_closed(1)
  end)

  it("works while the body is sent", function()
    s:script({ { read = "all", piece = 65536, every = 0.01 }, { stall = true } })
    local exchange = drive.start(engine, s.url, { method = "POST", body = core.body_raw({ ("x"):rep(20000000) }) })
    while exchange:progress() == 0 do engine:step(0.01) end
    exchange:close()
    assert_closed(1)
  end)

  it("works while TLS is being negotiated", function()
    s:script({ { wait = 0.1 } }, { on = "connect" })
    local exchange = drive.start(engine, (s.url:gsub("^http", "https")))
    assert(s:wait(function() return s:accepted() == 1 end, { pump = drive.pump(engine) }))
    exchange:close()
    assert_closed(1)
  end)

  it("works while reading rests", function()
    s:script({ server.head(200, { ["Content-Type"] = "text/event-stream" }), { fill = -1, pattern = "data: x\n\n" } })
    local exchange = drive.start(engine, s.url)
    for _ = 1, 50 do drive.turn(engine, 0.01) end
    exchange:close()
    assert_closed(1)
  end)

  it("works while a name is looked up", function()
    for _ = 1, 10 do
      local exchange = drive.start(engine, "http://name.invalid/")
      engine:step(0)
      exchange:close()
    end
    assert.equal(0, net.live())
  end)

  it("works in the queue, and lets the next one in", function()
    local narrow = assert(net.engine({ max_in_flight = 1 }))
    s:script(stream)
    local first, second, third = drive.start(narrow, s.url), drive.start(narrow, s.url), drive.start(narrow, s.url)
    assert.equal("a", drive.await(narrow, first, "next").data)
    second:close()
    s:script(server.text(200, "third"))
    first:close()
    assert.same({ "third" }, (drive.read(narrow, third)))
    assert.equal(2, #s:requests())
    narrow:close()
  end)

  it("happens to an exchange that is collected", function()
    s:script(stream)
    local exchange = drive.start(engine, s.url)
    assert.equal("a", drive.await(engine, exchange, "next").data)
    exchange = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal(0, net.live())
    assert_closed(1)
  end)

  it("an engine cancels what runs; what had arrived can be read", function()
    local other = assert(net.engine({ max_in_flight = 1 }))
    s:script(stream)
    local running, queued = drive.start(other, s.url), drive.start(other, s.url)
    while not running:head() do drive.turn(other) end
    while s:requests(1)[1] and select(2, running:progress()) < 9 do drive.turn(other) end
    other:close()
    other:close()
    assert_closed(1)
    assert.equal("a", running:next().data)
    assert.equal("cancelled", select(2, running:next()).kind)
    assert.equal("cancelled", select(2, queued:head()).kind)
    assert.is_false(pcall(other.step, other, 0))
  end)

  it("an engine that is collected before its exchanges is clean", function()
    local other = assert(net.engine())
    s:script(stream)
    local exchange = drive.start(other, s.url)
    assert.equal("a", drive.await(other, exchange, "next").data)
    other = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert_closed(1)
    assert.equal("cancelled", select(2, exchange:next()).kind)
    exchange:close()
  end)

  it("leaves nothing after many cycles", function()
    s:script(stream, { times = -1 })
    local function cycle(i)
      local exchange = drive.start(engine, s.url)
      if i % 4 ~= 0 then engine:step(0) end
      exchange:close()
      assert.equal(0, net.live())
    end
    for i = 1, 200 do cycle(i) end
    collectgarbage()
    local before = drive.resident_kib()
    for i = 1, sizes.cancels do cycle(i) end
    collectgarbage()
    local test_build = net.fail_after -- sanitizers keep what is freed
    assert(test_build or drive.resident_kib() - before < 8192)
  end)

  --- Run a script in a Lua of its own, with 20 streams in flight, to its end.
  local function run_child(ending)
    s:script(stream, { times = -1 })
    local script = ([[
      local core, net = require "multimodal.core", require "multimodal.net"
      local engine, exchanges = net.engine(), {}
      for i = 1, 20 do exchanges[i] = engine:start { url = %q, decoder = core.decoder {} } end
      local streaming = {}
      repeat
        engine:step(5)
        while engine:pop() do end
        local n = 0
        for i = 1, 20 do
          streaming[i] = streaming[i] or exchanges[i]:next()
          if streaming[i] then n = n + 1 end
        end
      until n == 20
      %s
      io.write("end")
    ]]):format(s.url, ending)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    assert(file:write(script))
    file:close()
    local pipe = assert(io.popen(("%s %s; echo \" $?\""):format(drive.interpreter(), path)))
    local out = pipe:read("*a")
    pipe:close()
    os.remove(path)
    assert.equal("end 0\n", out)
    for i = 1, 20 do assert_closed(i) end
  end

  it("a Lua state with 20 exchanges in flight is clean", function() run_child("") end)
  it("an engine, then the state, is clean", function() run_child("engine:close()") end)
  it("a state whose engine goes first is clean", function() run_child("engine = nil; collectgarbage(); collectgarbage()") end)
  it("a state whose exchanges go first is clean", function() run_child("exchanges = nil; collectgarbage(); collectgarbage()") end)
end)
