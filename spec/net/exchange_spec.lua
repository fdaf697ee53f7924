--- One request and its answer over multimodal.net.
local core = require("multimodal.core")
local net = require("multimodal.net")
local drive = require("net.drive")
local server = require("support.server")

local function body(text)
  return assert(core.body_raw({ text }))
end

describe("an exchange", function()
  local s, engine

  before_each(function()
    s, engine = server.start(), assert(net.engine())
  end)
  after_each(function()
    engine:close()
    s:stop()
    drive.assert_clean()
  end)

  it("gets a status, headers and a body #small", function()
    s:script(server.json(200, '{"a":1}', { headers = { ["X-Two"] = { "b", "c" } } }))
    local list, err, exchange = drive.fetch(engine, s.url .. "/path?q=1")
    assert.is_nil(err)
    assert.same({ '{"a":1}' }, list)
    local status, headers = exchange:head()
    assert.equal(200, status)
    assert.equal("application/json", headers["content-type"])
    assert.equal("b, c", headers["x-two"])
    local seen = s:requests(1)[1]
    assert.equal("GET", seen.method)
    assert.equal("/path?q=1", seen.path)
    assert.matches("^multimodal/", seen.headers["user-agent"])
    assert.is_nil(seen.headers["accept-encoding"])
    exchange:close()
  end)

  it("says again until there is something #small", function()
    s:script({ { wait = 0.05 }, server.text(200, "x") })
    local exchange = drive.start(engine, s.url)
    assert.same({ nil, "again" }, { exchange:head() })
    assert.same({ nil, "again" }, { exchange:next() })
    assert.same({ nil, "again" }, { exchange:next_text() })
    assert.equal(1, engine:step(0))
    local ids = {}
    while engine:step(5) > 0 or #ids == 0 do
      local id = engine:pop()
      while id do
        ids[#ids + 1] = id
        id = engine:pop()
      end
    end
    for _, id in ipairs(ids) do assert.equal(exchange:id(), id) end
    assert.equal("x", exchange:next().data)
    assert.same({ n = 1 }, { n = select("#", exchange:next()), (exchange:next()) })
  end)

  it("posts a body of known length, and nothing curl adds by itself #small", function()
    s:script(server.text(200, "ok"))
    local list = drive.fetch(engine, s.url, {
      method = "POST", body = body("a body"), headers = { "Content-Type: text/x", "X-Empty:", "Authorization: Bearer k" },
    })
    assert.same({ "ok" }, list)
    local seen = s:requests(1)[1]
    assert.equal("a body", seen.body)
    assert.equal("6", seen.headers["content-length"])
    assert.equal("text/x", seen.headers["content-type"])
    assert.equal("Bearer k", seen.headers.authorization)
    assert.equal("", seen.headers["x-empty"])
    assert.is_nil(seen.headers.expect)
  end)

  it("has no content type unless told", function()
    s:script(server.text(200, "ok"), { times = 2 })
    drive.fetch(engine, s.url, { method = "POST", body = body("x") })
    drive.fetch(engine, s.url, { method = "POST" })
    local seen = s:requests(2)
    assert.is_nil(seen[1].headers["content-type"])
    assert.is_nil(seen[2].headers["content-type"])
    assert.equal("0", seen[2].headers["content-length"])
  end)

  it("speaks other methods, with and without a body", function()
    s:script(server.text(200, "ok"), { times = 4 })
    for _, method in ipairs({ "PUT", "PATCH", "DELETE", "OPTIONS" }) do
      assert.same({ "ok" }, (drive.fetch(engine, s.url, { method = method, body = method ~= "OPTIONS" and body(method) or nil })))
    end
    local seen = s:requests(4)
    for i, method in ipairs({ "PUT", "PATCH", "DELETE" }) do
      assert.equal(method, seen[i].method)
      assert.equal(method, seen[i].body)
    end
    assert.equal("OPTIONS", seen[4].method)
    s:script({ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" })
    local list, err, exchange = drive.fetch(engine, s.url, { method = "HEAD" })
    assert.same({}, list)
    assert.is_nil(err)
    assert.equal("5", (select(2, exchange:head()))["content-length"])
  end)

  it("keeps the body of an answer from piling up without a decoder", function()
    s:script({ server.head(200, { ["Content-Length"] = 3000000 }), { fill = 3000000 } })
    local list, err, exchange = drive.fetch(engine, s.url, { decoder = false })
    assert.same({}, list)
    assert.is_nil(err)
    assert.equal(200, exchange:head())
    assert.equal(3000000, select(2, exchange:progress()))
  end)

  it("streams events in any split", function()
    local texts = { "one", "two\nlines", "drei" }
    for _, options in ipairs({ {}, { split = 1 }, { chunk = 1 }, { chunk = { 3, 7, 1000 } }, { chunk = 5, split = 2 } }) do
      s:script(server.sse(texts, options))
      local list, err = drive.fetch(engine, s.url)
      assert.is_nil(err)
      assert.same(texts, list)
    end
    assert.equal(1, s:accepted())
  end)

  it("hands out text, and whole events where there is more than text", function()
    local function delta(text) return ('{"choices":[{"index":0,"delta":{"content":"%s"}}]}'):format(text) end
    s:script(server.sse({ delta("a"), delta("b"), '{"usage":{"n":1}}', delta("c") }))
    local decoder = core.decoder({ text = { path = { "choices", "0", "delta", "content" }, ignore = { "id" } } })
    local exchange = drive.start(engine, s.url, { decoder = decoder })
    local got = {}
    while true do
      local text, err = drive.await(engine, exchange, "next_text")
      if not text and err ~= "event" then break end
      got[#got + 1] = text or exchange:next().data
    end
    assert.same({ "a", "b", '{"usage":{"n":1}}', "c" }, got)
  end)

  it("ignores interim heads and trailers, and joins folded values", function()
    s:script({
      "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Long: a\r\n  b\r\n\r\n2\r\nhi\r\n0\r\nX-Late: 1\r\n\r\n",
    })
    local list, err, exchange = drive.fetch(engine, s.url)
    assert.is_nil(err)
    assert.same({ "hi" }, list)
    local status, headers = exchange:head()
    assert.equal(200, status)
    assert.is_nil(headers["x-early"])
    assert.is_nil(headers["x-late"])
    assert.equal("a b", headers["x-long"])
  end)

  it("keeps connections: 100 requests in turn, one connection", function()
    s:script(server.text(200, "ok"), { times = -1 })
    for _ = 1, 100 do
      local list, _, exchange = drive.fetch(engine, s.url)
      assert.same({ "ok" }, list)
      exchange:close()
    end
    assert.equal(1, s:accepted())
  end)

  it("keeps as many connections as were needed at once", function()
    s:script(server.text(200, "ok"), { times = -1 })
    for _ = 1, 3 do
      local exchanges = {}
      for i = 1, 30 do exchanges[i] = drive.start(engine, s.url) end
      for _, exchange in ipairs(exchanges) do
        assert.same({ "ok" }, (drive.read(engine, exchange)))
        exchange:close()
      end
    end
    assert.is_true(s:accepted() <= 30)
  end)

  it("admits so many at once, the others in order", function()
    local narrow = assert(net.engine({ max_in_flight = 2 }))
    s:script({ { wait = 0.02 }, server.text(200, "ok") }, { times = -1 })
    local exchanges = {}
    for i = 1, 6 do exchanges[i] = drive.start(narrow, s.url .. "/" .. i) end
    assert.equal(6, narrow:step(0))
    for _, exchange in ipairs(exchanges) do assert.same({ "ok" }, (drive.read(narrow, exchange))) end
    assert.equal(2, s:accepted())
    local paths = {}
    for i, seen in ipairs(s:requests(6)) do paths[i] = tonumber(seen.path:sub(2)) end
    for i = 3, 6 do assert.is_true(math.abs(paths[i] - i) <= 1) end
    assert.is_true(exchanges[6]:timing().queued > 0.03)
    narrow:close()
  end)

  it("tells the times of an exchange in seconds since its start", function()
    s:script({ { wait = 0.1 }, server.text(200, "ok") })
    local _, _, exchange = drive.fetch(engine, s.url)
    local t = exchange:timing()
    assert.is_true(t.connect > 0 and t.connect <= t.sent)
    assert.is_true(t.sent <= t.first_byte and t.first_byte > 0.09)
    assert.is_true(t.first_byte <= t.total and t.total < 5)
    assert.is_nil(t.tls)
  end)

  it("never sends a POST twice by itself when a kept connection is dead", function()
    for _, size in ipairs({ 0, 10, 100000 }) do
      local from = #s:requests()
      s:script(server.text(200, "first")):script({ { close = true } }):script(server.text(200, "again"))
      local request = { method = "POST", body = size > 0 and body(("x"):rep(size)) or nil }
      assert.same({ "first" }, (drive.fetch(engine, s.url, request)))
      local list, err = drive.fetch(engine, s.url, request)
      assert.same({}, list)
      assert.equal("network", err.kind)
      assert.equal("closed", err.code)
      assert.is_true(err.maybe_accepted)
      assert.equal(from + 2, #s:requests())
      s:clear()
    end
  end)

  it("sends again what may be repeated, from the body's start", function()
    for _, request in ipairs({ { method = "GET" }, { method = "PUT", size = 10 }, { method = "PUT", size = 100000 },
      { method = "POST", size = 10, resend = true }, { method = "POST", size = 100000, resend = true } }) do
      s:script(server.text(200, "first")):script({ { close = true } }):script(server.text(200, "again"))
      request.body = request.size and body(("x"):rep(request.size))
      drive.fetch(engine, s.url, request)
      local list, err = drive.fetch(engine, s.url, request)
      assert.is_nil(err)
      assert.same({ "again" }, list)
      local seen = s:requests(3)
      if request.size then assert.equal(request.size, seen[3].body_bytes) end
      s:clear()
    end
  end)

  it("sends nothing again where that is not wanted, whatever the method", function()
    for _, request in ipairs({ { method = "DELETE" }, { method = "PUT", size = 10 }, { method = "PUT", size = 100000 } }) do
      s:script(server.text(200, "first")):script({ { close = true } }):script(server.text(200, "again"))
      request.resend, request.body = false, request.size and body(("x"):rep(request.size))
      drive.fetch(engine, s.url, request)
      local list, err = drive.fetch(engine, s.url, request)
      assert.same({ {}, "closed", 2 }, { list, err.code, #s:requests() })
      assert.is_true(err.maybe_accepted)
      s:clear()
    end
  end)

  it("refuses what would break a request #small", function()
    local function raises(pattern, request)
      local ok, err = pcall(engine.start, engine, request)
      assert.is_false(ok)
      assert.matches(pattern, tostring(err))
    end
    raises("url must be a string", {})
    raises("url holds a line break", { url = s.url .. "/\r\nHost: x" })
    raises("url holds a line break or a NUL", { url = s.url .. "/\0" })
    raises("method must be capital letters", { url = s.url, method = "GE T" })
    raises("headers%[2%]", { url = s.url, headers = { "A: b", "C: d\r\nE: f" } })
    raises("headers%[1%]", { url = s.url, headers = { "no colon" } })
    raises("headers%[1%]", { url = s.url, headers = { "Content-Length: 7" } })
    raises("headers%[1%] must be a string", { url = s.url, headers = { {} } })
    raises("idle_timeout must be a number", { url = s.url, idle_timeout = "1" })
    raises("idle_timeout must be over 0", { url = s.url, idle_timeout = 0 })
    raises("body must be body, got string", { url = s.url, body = "text" })
    raises("decoder must be decoder", { url = s.url, decoder = {} })
    raises("tls must be a table", { url = s.url, tls = true })
    assert.equal(0, #s:requests())
  end)
end)
