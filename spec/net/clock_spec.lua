--- The four clocks of an exchange, each alone.
local core = require("multimodal.core")
local net = require("multimodal.net")
local drive = require("net.drive")
local server = require("support.server")

describe("the clock of", function()
  local s, engine

  before_each(function()
    s, engine = server.start(), assert(net.engine())
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
