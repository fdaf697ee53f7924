--- The driver on the real engine, against the server that misbehaves.
local child = require("support.child")
local core = require("multimodal.core")
local driver = require("multimodal.runtime.driver")
local job = require("multimodal.runtime.job")
local jobs = require("multimodal.runtime.jobs")
local net = require("multimodal.net")
local server = require("support.server")
local uv = require("multimodal.runtime.uv")

describe("the uv driver", function()
  local s, before

  before_each(function()
    s = server.start()
    before = driver.use(uv.new())
  end)

  after_each(function()
    s:stop()
    driver.use(before)
    collectgarbage()
    collectgarbage()
    assert.equal(0, job.alive())
    assert.equal(0, net.live())
  end)

  local function get(path)
    local decoder = core.decoder({ format = "sse", text = { path = { "t" } } })
    return assert(driver.current():request({ method = "GET", url = s.url .. path, decoder = decoder, idle_timeout = 5 }))
  end

  local function script(path, n, every)
    local list = {}
    for i = 1, n do list[i] = ('{"t":"%d"}'):format(i % 10) end
    s:script(server.sse(list, { every = every }), { path = path })
  end

  local function text_of(path)
    local exchange = get(path)
    assert.equal(200, (exchange:head()))
    local list, text, why = {}, exchange:next_text()
    while text do
      list[#list + 1] = text
      text, why = exchange:next_text()
    end
    assert.is_nil(why)
    return table.concat(list)
  end

  it("streams outside a job", function()
    script("/a", 12, 0.005)
    assert.equal("123456789012", text_of("/a"))
  end)

  it("streams many at once in jobs", function()
    for i = 1, 20 do script("/" .. i, 5, 0.05) end
    local paths = {}
    for i = 1, 20 do paths[i] = "/" .. i end
    local seen = #s:requests()
    local texts = assert(jobs.map(paths, text_of, { limit = 20 }))
    assert.equal(20, #texts)
    for i = 1, 20 do assert.equal("12345", texts[i]) end
    local last_came, first_ended = 0, math.huge
    for i, request in ipairs(s:requests(seen + 20)) do
      if i > seen then last_came, first_ended = math.max(last_came, request.at), math.min(first_ended, request.answered) end
    end
    assert.is_true(last_came < first_ended)
  end)

  it("sleeps with and without a request under way", function()
    local now = driver.current().now
    local start = now()
    jobs.sleep(0.05)
    assert.is_true(now() - start >= 0.05)
    s:script({ { wait = 0.3 }, server.sse({ '{"t":"x"}' }) })
    local slept
    start = now()
    jobs.run(function()
      jobs.spawn(text_of, "/slow")
      jobs.sleep(0.05)
      slept = now() - start
    end)
    assert.is_true(slept >= 0.05 and slept < 0.25)
    assert.is_true(now() - start >= 0.3)
  end)

  it("closes the socket at once when a job is cancelled", function()
    s:script({ server.head(200, { ["Content-Type"] = "text/event-stream" }), 'data: {"t":"x"}\n\n', { stall = true } })
    local _, err = jobs.timeout(0.1, text_of, "/stall")
    assert.equal("timeout", err.kind)
    assert.equal("peer", assert(s:closed(1)).by)
    local connection = s:closed(1)
    assert.is_true(connection.closed - connection.connected < 1)
  end)

  it("gives failures of the network their kind", function()
    s:script({ { reset = true } })
    local exchange = get("/reset")
    local status, err = exchange:head()
    assert.is_nil(status)
    assert.equal("network", err.kind)
    assert.equal("network", select(2, exchange:next()).kind)
    local refused = driver.current():request({ method = "GET", url = "http://127.0.0.1:1/", decoder = core.decoder({}) })
    assert.equal("network", select(2, refused:head()).kind)
  end)

  it("steps beside a game's loop", function()
    script("/a", 5, 0.02)
    script("/b", 5, 0.02)
    local texts = {}
    for _, path in ipairs({ "/a", "/b" }) do
      jobs.spawn(function() texts[path] = text_of(path) end)
    end
    local steps = 0
    while jobs.step(0.002) > 0 do
      steps = steps + 1
      net.sleep(0.001)
    end
    assert.same({ ["/a"] = "12345", ["/b"] = "12345" }, texts)
    -- More than there were events: a step with nothing to do does not wait for something.
    assert.is_true(steps > 10)
  end)

  it("returns from step in time while a stream is faster than the game", function()
    local list = {}
    for i = 1, 4000 do list[i] = '{"t":"x"}' end
    s:script(server.sse(list, { chunk = 4000 }))
    local taken, most, now = 0, 0, driver.current().now
    jobs.spawn(function()
      local exchange = get("/fast")
      while exchange:next_text() do
        taken = taken + 1
        local busy = now() + 0.00005
        while now() < busy do end -- luacheck: ignore 542
      end
    end)
    repeat
      local earlier = taken
      local alive = jobs.step(0.002)
      most = math.max(most, taken - earlier)
    until alive == 0
    assert.equal(4000, taken)
    -- 40 of 50 us fill the budget.
    assert.is_true(most <= 42, most .. " texts in a step")
  end)

  it("closes what is collected", function()
    s:script({ server.head(200, { ["Content-Type"] = "text/event-stream" }), 'data: {"t":"x"}\n\n', { stall = true } })
    get("/left"):head()
    collectgarbage()
    collectgarbage()
    assert.equal("peer", assert(s:closed(1)).by)
  end)

  it("lets a foreign coroutine read", function()
    script("/a", 3)
    assert.equal("123", coroutine.wrap(function() return (text_of("/a")) end)())
    script("/b", 3)
    assert.equal("123", (jobs.run(function() return (coroutine.wrap(function() return (text_of("/b")) end)()) end)))
  end)

  it("costs no table and no closure an event", function()
    local list = {}
    for i = 1, 2000 do list[i] = '{"t":"twenty bytes of text"}' end
    s:script(server.sse(list, { chunk = 16000 }))
    local exchange = get("/many")
    exchange:head()
    for _ = 1, 100 do exchange:next_text() end
    collectgarbage()
    collectgarbage("stop")
    local heap = collectgarbage("count")
    local n = 0
    while exchange:next_text() do n = n + 1 end
    heap = collectgarbage("count") - heap
    collectgarbage("restart")
    assert.equal(1900, n)
    assert.is_true(heap * 1024 / n < 60, heap * 1024 / n .. " bytes an event")
  end)

  it("ends a wait for SIGINT's hook", function()
    local one = child.start(child.pid .. [[
      local jobs = require "multimodal.runtime.jobs"
      print "ready"
      jobs.run(jobs.sleep, 60)
    ]])
    os.execute("kill -INT " .. one:wait_for("ready"):match("pid (%d+)"))
    local said = one:wait()
    assert.matches("interrupted", said)
  end)
end)
