--- Backpressure, and the loop in the hands of others.
local core = require("multimodal.core")
local net = require("multimodal.net")
local drive = require("net.drive")
local server = require("support.server")

local sse = server.head(200, { ["Content-Type"] = "text/event-stream" })

describe("an engine", function()
  local s, engine

  before_each(function()
    s, engine = server.start(), assert(net.engine())
  end)
  after_each(function()
    engine:close()
    s:stop()
    drive.assert_clean()
  end)

  it("reads no further than nobody reads", function()
    local block = "data: " .. ("x"):rep(992) .. "\n\n"
    s:script({ sse, { fill = 20 * 1000 * #block, pattern = block }, { close = true } })
    local exchange = drive.start(engine, s.url)
    for _ = 1, 50 do drive.turn(engine, 0.01) end
    local _, received = exchange:progress()
    assert.is_true(received > 100000 and received < 400000, "received " .. received)
    local list, err = drive.read(engine, exchange)
    assert.is_nil(err)
    assert.equal(20000, #list)
    assert.equal(20000 * #block, select(2, exchange:progress()))
  end)

  it("rests for events without text, too", function()
    s:script({ sse, "id: " .. ("x"):rep(1000) .. "\n\n", { fill = 7000000, pattern = "data:\n\n" }, { close = true } })
    local exchange = drive.start(engine, s.url)
    for _ = 1, 50 do drive.turn(engine, 0.01) end
    assert.is_true(select(2, exchange:progress()) < 100000)
    exchange:close()
  end)

  it("takes the high-water mark as an option, and serves others meanwhile", function()
    local narrow = assert(net.engine({ high_water = 1000 }))
    s:script({ sse, { fill = 900000, pattern = "data: xx\n\n" }, { close = true } })
    local resting = drive.start(narrow, s.url)
    for _ = 1, 20 do drive.turn(narrow, 0.01) end
    assert.is_true(select(2, resting:progress()) < 100000)
    s:script(server.text(200, "ok"))
    assert.same({ "ok" }, (drive.fetch(narrow, s.url)))
    assert.equal(90000, #(drive.read(narrow, resting)))
    narrow:close()
  end)

  it("does not stop in the middle of an event, however long", function()
    local narrow = assert(net.engine({ high_water = 1000 }))
    s:script({ sse, "data: a\n\ndata: ", { fill = 20000000, pattern = "z" }, "\n\ndata: b\n\n", { close = true } })
    local list, err = drive.fetch(narrow, s.url)
    assert.is_nil(err)
    assert.equal(3, #list)
    assert.equal(20000000, #list[2])
    narrow:close()
  end)

  it("gives an error after the events before it when one is over max_event", function()
    s:script({ sse, "data: a\n\ndata: ", { fill = 100000, pattern = "z" }, { stall = true } })
    local list, err, exchange = drive.fetch(engine, s.url, { decoder = core.decoder({ max_event = 10000 }) })
    assert.same({ "a" }, list)
    assert.equal("protocol", err.kind)
    assert.equal("too_large", err.code)
    assert.is_true(err.maybe_accepted)
    exchange:close()
    assert(s:closed(1))
  end)

  it("waits no longer than told, and not at all for nothing #small", function()
    assert.equal(0, engine:step(5))
    assert.equal(0, engine:step())
    s:script({ { stall = true } })
    local exchange = drive.start(engine, s.url)
    local at = exchange:timing().total
    assert.equal(1, engine:step(0.1))
    local waited = exchange:timing().total - at
    assert.is_true(waited > 0.09 and waited < 1, waited)
    exchange:close()
  end)

  it("serves at least one socket whatever the budget, and all of them in the end", function()
    s:script({ { wait = 0.1 }, server.text(200, "ok") }, { times = -1 })
    local exchanges, n = {}, 50
    for i = 1, n do exchanges[i] = drive.start(engine, s.url) end
    local turns = 0
    while engine:step(0.01, 1e-9) > 0 do
      turns = turns + 1
      while engine:pop() do end
    end
    assert.is_true(turns >= n / 2, turns)
    for i = 1, n do assert.equal("ok", exchanges[i]:next().data) end
  end)

  it("comes back to a socket in error that it left for the next turn", function()
    s:script({ { read = "all" }, { wait = 0.7 }, { reset = true } }, { times = -1 })
    local exchanges, n, turns = {}, 20, 0
    for i = 1, n do exchanges[i] = drive.start(engine, s.url) end
    assert(s:requests(n, { pump = function() engine:step(0.01) end }))
    for _ = 1, 8 do engine:step(0.05) end -- libcurl's timers of connecting have passed
    for i = 1, n do assert(s:closed(i)) end
    while engine:step(0.01, 1e-9) > 0 and turns < 10 * n do
      turns = turns + 1
      while engine:pop() do end
    end
    for i = 1, n do
      local event, err = exchanges[i]:next()
      assert.is_nil(event)
      assert.equal("network", type(err) == "table" and err.kind or err)
    end
  end)

  it("offers nothing to wait for while nothing is in flight", function()
    assert.is_nil(engine:timeout())
    assert.is_true(engine:fd() >= 0)
  end)

  it("is driven by a foreign loop through fd and timeout", function()
    local uv = require("luv")
    s:script(server.sse({ "a", "b", "c" }, { every = 0.03 }), { times = -1 })
    local poll, timer, ticks, ticker = uv.new_poll(engine:fd()), uv.new_timer(), 0, uv.new_timer()
    local exchanges, open, got = {}, 5, {}
    for i = 1, open do exchanges[drive.start(engine, s.url, { idle_timeout = 5 })] = i end

    local function finish()
      poll:stop()
      timer:stop()
      ticker:stop()
    end
    local function read()
      for exchange, i in pairs(exchanges) do
        local event, err = exchange:next()
        while event do
          got[i] = (got[i] or "") .. event.data
          event, err = exchange:next()
        end
        if err ~= "again" then
          assert(err == nil, tostring(err and err.message))
          exchanges[exchange] = nil
          open = open - 1
        end
      end
    end
    local function turn()
      engine:step(0)
      while engine:pop() do end
      read()
      if open == 0 then return finish() end
      local seconds = engine:timeout()
      timer:stop()
      if seconds then timer:start(math.ceil(seconds * 1000), 0, turn) end
    end
    poll:start("r", turn)
    ticker:start(10, 10, function() ticks = ticks + 1 end)
    turn()
    uv.run()
    for _, handle in ipairs({ poll, timer, ticker }) do handle:close() end
    uv.run()
    assert.same({ "abc", "abc", "abc", "abc", "abc" }, got)
    assert.is_true(ticks > 2)
    assert.is_nil(engine:timeout())
  end)
end)
