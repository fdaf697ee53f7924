--- The four clocks of an exchange, each alone.
local core = require("multimodal.core")
local net = require("multimodal.net")
local drive = require("net.drive")
local server = require("support.server")

describe("the clock of", function()
  local s, engine

  before_each(function()
    s, engine = server.start { deaf = true }, assert(net.engine())
  end)
  after_each(function()
    engine:close()
    s:stop()
    drive.assert_clean()
  end)

  --- It ran out by its own name, not before its time, and long before the others.
  local function assert_ran_out(code, seconds, err, exchange)
    assert.equal("timeout", err.kind)
    assert.equal(code, err.code)
    local total = exchange:timing().total
    assert.is_true(total > seconds - 0.01 and total < seconds + 1.5, ("%s after %.3f s"):format(code, total))
    exchange:close()
    assert.equal("peer", assert(s:closed(1)).by)
  end

  local function clocks(name, seconds)
    local request = { connect_timeout = 9, first_byte_timeout = 9, idle_timeout = 9, timeout = 9 }
    request[name] = seconds
    return request
  end

  it("connecting runs while nobody takes the connection", function()
    local _, err = drive.fetch(engine, s.deaf_url, clocks("connect_timeout", 0.2))
    assert.same({ "timeout", "connect", false }, { err.kind, err.code, err.maybe_accepted })
  end)

  it("connecting covers TLS", function()
    s:script({ { wait = 0.5 } }, { on = "connect" })
    local _, err, exchange = drive.fetch(engine, (s.url:gsub("^http", "https")), clocks("connect_timeout", 0.2))
    assert.is_false(err.maybe_accepted)
    assert_ran_out("connect", 0.2, err, exchange)
  end)

  it("the first byte starts when the request is sent", function()
    s:script({ { stall = true } })
    local _, err, exchange = drive.fetch(engine, s.url, clocks("first_byte_timeout", 0.2))
    assert.is_true(err.maybe_accepted)
    assert_ran_out("first_byte", 0.2, err, exchange)
  end)

  it("the first byte does not run while a body is sent", function()
    s:script({ { read = "all", piece = 65536, every = 0.01 }, server.text(200, "ok") })
    local request = clocks("first_byte_timeout", 1.5)
    request.method, request.body = "POST", core.body_raw({ ("x"):rep(12000000) }) -- more than kernels buffer
    local list, err, exchange = drive.fetch(engine, s.url, request)
    assert.is_nil(err)
    assert.same({ "ok" }, list)
    assert.is_true(exchange:timing().total > 1.6)
  end)

  local alive = { { repeats = { server.comment(), { wait = 0.05 } } } }
  local event_stream = server.head(200, { ["Content-Type"] = "text/event-stream", ["Transfer-Encoding"] = "chunked" })

  it("the first byte is not ended by a head", function()
    s:script({ event_stream, { stall = true } }):script({ server.head(200, { ["Content-Length"] = 5 }), { stall = true } })
    for _ = 1, 2 do
      local list, err, exchange = drive.fetch(engine, s.url, clocks("first_byte_timeout", 0.2))
      assert.same({ {}, "first_byte", true }, { list, err.code, err.maybe_accepted })
      exchange:close()
    end
  end)

  it("the first byte is not ended by comments, which keep silence away", function()
    s:script({ event_stream, alive })
    local request = clocks("first_byte_timeout", 0.8)
    request.idle_timeout = 0.4
    local list, err, exchange = drive.fetch(engine, s.url, request)
    assert.same({ {}, "first_byte" }, { list, err.code })
    exchange:close()
  end)

  it("the first byte is not ended by white space before a value", function()
    s:script({ server.head(200, { ["Content-Type"] = "application/json", ["Transfer-Encoding"] = "chunked" }),
      { repeats = { { send = "  \n", chunk = 3 }, { wait = 0.05 } } } })
    local request = clocks("first_byte_timeout", 0.8)
    request.idle_timeout = 0.4
    local list, err, exchange = drive.fetch(engine, s.url, request)
    assert.same({ {}, "first_byte" }, { list, err.code })
    exchange:close()
  end)

  it("the first byte is ended by the first of an event that comes slowly", function()
    local request = clocks("first_byte_timeout", 0.9)
    request.idle_timeout = 0.6
    s:script({ event_stream, { times = 4, repeats = alive[1].repeats },
      { send = "data: slow and steady\n\n", chunk = 1, split = 6, every = 0.05 }, server.last_chunk })
    s:script({ server.head(200, { ["Content-Length"] = 13 }), { send = '{"a":"bcdef"}', split = 1, every = 0.1 } })
    for _, expected in ipairs { "slow and steady", '{"a":"bcdef"}' } do
      local list, err = drive.fetch(engine, s.url, request)
      assert.is_nil(err)
      assert.same({ expected }, list)
    end
  end)

  it("the first byte does not run while the kernel still has the body", function()
    s:script({ { buffer = 8192 } }, { on = "connect" })
    s:script({ { read = "all", piece = 16384, every = 0.05 }, server.text(200, "ok") })
    local request = clocks("first_byte_timeout", 0.6)
    request.idle_timeout = 0.6
    request.method, request.body = "POST", core.body_raw({ ("x"):rep(150000) })
    local list, err = drive.fetch(engine, s.url, request)
    assert.is_nil(err)
    assert.same({ "ok" }, list)
  end)

  it("silence runs while the kernel cannot get rid of a body", function()
    s:script({ { buffer = 8192 } }, { on = "connect" })
    s:script({ { read = 1000 }, { stall = true } })
    local request = clocks("idle_timeout", 0.3)
    request.method, request.body = "POST", core.body_raw({ ("x"):rep(300000) })
    local _, err, exchange = drive.fetch(engine, s.url, request)
    assert.same({ "timeout", "idle", true }, { err.kind, err.code, err.maybe_accepted })
    exchange:close()
  end)

  it("silence starts anew when a body is sent after the head of its answer", function()
    s:script({ { buffer = 8192 } }, { on = "connect" })
    s:script({ { read = 1000 }, server.head(200, { ["Content-Length"] = 2 }), { read = "all", piece = 16384, every = 0.05 },
      { wait = 0.3 }, "ok" })
    local request = clocks("idle_timeout", 0.6)
    request.method, request.body = "POST", core.body_raw({ ("x"):rep(150000) })
    local list, err = drive.fetch(engine, s.url, request)
    assert.is_nil(err)
    assert.same({ "ok" }, list)
  end)

  it("silence runs between bytes", function()
    s:script(server.sse({ "a", "b", "c" }, { every = 0.15 })):script({ server.sse({ "a" }, { open = true }), { stall = true } })
    local list, err = drive.fetch(engine, s.url, clocks("idle_timeout", 0.3))
    assert.is_nil(err)
    assert.same({ "a", "b", "c" }, list)
    local exchange
    list, err, exchange = drive.fetch(engine, s.url, clocks("idle_timeout", 0.3))
    assert.same({ "a" }, list)
    assert_ran_out("idle", 0.3, err, exchange)
  end)

  it("silence runs while a body is not taken", function()
    s:script({ { read = 1000 }, { stall = true } })
    local request = clocks("idle_timeout", 0.3)
    request.method, request.body = "POST", core.body_raw({ ("x"):rep(30000000) })
    local _, err, exchange = drive.fetch(engine, s.url, request)
    assert.is_true(err.maybe_accepted)
    assert.is_true(exchange:progress() < 30000000)
    assert.equal("idle", err.code)
    assert.is_true(exchange:timing().total < 2)
  end)

  it("silence does not run while nobody reads", function()
    local block = "data: " .. ("x"):rep(994) .. "\n\n"
    s:script({ server.head(200, { ["Content-Type"] = "text/event-stream" }), { fill = 3000000, pattern = block }, { close = true } })
    local exchange = drive.start(engine, s.url, clocks("idle_timeout", 0.2))
    local at = os.time()
    while os.time() < at + 2 do drive.turn(engine, 0.05) end
    local list, err = drive.read(engine, exchange)
    assert.is_nil(err)
    assert.equal(math.floor(3000000 / #block), #list)
  end)

  it("silence does not run while Lua is busy elsewhere", function()
    s:script({ { wait = 0.1 }, server.text(200, "ok") })
    local exchange = drive.start(engine, s.url, clocks("first_byte_timeout", 0.5))
    engine:step(0)
    os.execute("sleep 0.8")
    local list, err = drive.read(engine, exchange)
    assert.is_nil(err)
    assert.same({ "ok" }, list)
  end)

  it("everything runs through it all", function()
    s:script(server.sse({ "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" }, { every = 0.1 }))
    local list, err, exchange = drive.fetch(engine, s.url, clocks("timeout", 0.35))
    assert.is_true(#list >= 2 and #list < 10)
    assert_ran_out("total", 0.35, err, exchange)
  end)

  it("everything runs in the queue too", function()
    local narrow = assert(net.engine({ max_in_flight = 1 }))
    s:script({ { stall = true } }, { times = -1 })
    local first, second = drive.start(narrow, s.url), drive.start(narrow, s.url, clocks("timeout", 0.2))
    local _, err = drive.read(narrow, second)
    assert.equal("total", err.code)
    assert.is_false(err.maybe_accepted)
    first:close()
    narrow:close()
  end)
end)
