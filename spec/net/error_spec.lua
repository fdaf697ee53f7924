--- What an exchange says when it fails: kind, code, a sentence with the host, and no secret.
local core = require("multimodal.core")
local net = require("multimodal.net")
local drive = require("net.drive")
local server = require("support.server")

describe("a failed exchange", function()
  local s, engine

  before_each(function()
    s, engine = server.start(), assert(net.engine())
  end)
  after_each(function()
    engine:close()
    s:stop()
    drive.assert_clean()
  end)

  local function assert_fails(url, options, kind, code, words)
    options = options or {}
    options.headers = { "Authorization: Bearer hush" }
    local list, err, exchange = drive.fetch(engine, url, options)
    assert.is_table(err, "no error; head " .. tostring(exchange:head()))
    assert.same({ kind, code }, { err.kind, err.code })
    assert(err.message:find(words, 1, true), err.message)
    assert.is_nil(err.message:find("hush", 1, true))
    assert.is_nil(err.message:find("/path", 1, true))
    return err, list, exchange
  end

  --- The port of a server that is gone.
  local function dead_url()
    local other = server.start()
    local url = other.url
    other:stop()
    return url
  end

  it("names what refuses #small", function()
    local url = dead_url()
    local err = assert_fails(url .. "/path?key=hush", nil, "network", "refused", "refused by " .. url:match("//(.*)"))
    assert.is_false(err.maybe_accepted)
    assert.equal(err, select(2, pcall(error, err)))
  end)

  it("names what does not resolve", function()
    local err = assert_fails("http://u:hush@no-such-host.invalid/path?hush", nil, "network", "resolve", '"no-such-host.invalid"')
    assert.is_false(err.maybe_accepted)
  end)

  it("speaks http and https alone", function()
    assert_fails("ftp://127.0.0.1/path", nil, "protocol", "scheme", "http and https")
    assert_fails("file:///etc/passwd", nil, "protocol", "scheme", "http and https")
    assert_fails("http://a b/path", nil, "protocol", "url", "malformed")
  end)

  it("tells a server that says nothing", function()
    s:script({ { close = true } })
    local err = assert_fails(s.url .. "/path", nil, "network", "closed", s.url:match("//(.*)"))
    assert.is_true(err.maybe_accepted)
  end)

  it("tells a server that speaks no HTTP", function()
    s:script({ "SSH-2.0-OpenSSH\r\n\r\n", { close = true } })
    assert_fails(s.url .. "/path", nil, "protocol", "http", "HTTP")
  end)

  it("tells a cut answer after the events before it", function()
    local cuts = {
      { server.text(200, "half", { length = 10 }), { close = true } },
      { server.text(200, "half", { length = 10 }), { wait = 0.05 }, { reset = true } },
      { server.sse({ "a", "b" }, { open = true }), { close = true } },
      { server.sse({ "a", "b" }, { open = true }), { wait = 0.05 }, { reset = true } },
      { server.sse({ "a", "b" }, { open = true }), "5\r\nda", { close = true } },
    }
    for i, steps in ipairs(cuts) do
      s:script(steps)
      local err, list, exchange = assert_fails(s.url .. "/path", nil, "network", "cut", "before the end")
      assert.same(i > 2 and { "a", "b" } or {}, list)
      assert.equal(200, exchange:head())
      assert.is_true(err.maybe_accepted)
    end
  end)

  it("takes the end of a connection for the end of an answer that names none #small", function()
    s:script({ server.head(200, { ["Content-Type"] = "text/event-stream" }), "data: a\n\n", { close = true } })
    local list, err = drive.fetch(engine, s.url)
    assert.is_nil(err)
    assert.same({ "a" }, list)
  end)

  it("ends an answer that is longer than it says", function()
    s:script({ server.text(200, "hello and more", { length = 5 }) })
    local list, err = drive.fetch(engine, s.url)
    assert.is_nil(err)
    assert.same({ "hello" }, list)
  end)

  it("bounds a head", function()
    local lines = {}
    for i = 1, 80 do lines[i] = ("X-%d: %s\r\n"):format(i, ("v"):rep(5000)) end
    s:script({ "HTTP/1.1 200 OK\r\n" .. table.concat(lines) .. "\r\n", { close = true } })
    local _, err = drive.fetch(engine, s.url)
    assert.equal("protocol", err.kind)
    assert.equal("too_large", err.code)
  end)

  it("gives an answer that is an error as an answer", function()
    s:script(server.json(429, '{"error":{"message":"slow down"}}'))
    local list, err, exchange = drive.fetch(engine, s.url)
    assert.is_nil(err)
    assert.equal(429, exchange:head())
    assert.same({ '{"error":{"message":"slow down"}}' }, list)
  end)

  it("goes through the proxy it is told, or none", function()
    s:script(server.text(200, "from the proxy"))
    assert.same({ "from the proxy" }, (drive.fetch(engine, "http://far.invalid/path", { proxy = s.url })))
    assert.equal("http://far.invalid/path", s:requests(1)[1].path)
    s:script({ "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n" })
    local err = assert_fails("https://far.invalid/path", { proxy = s.url }, "auth", "proxy", "wants a user and a password")
    assert.is_false(err.maybe_accepted)
    assert_fails("http://far.invalid/path", { proxy = dead_url() }, "network", "proxy", "refused the connection")
    s:script(server.text(200, "ok"))
    assert.same({ "ok" }, (drive.fetch(engine, s.url, { proxy = dead_url(), no_proxy = "127.0.0.1" })))
    s:script(server.text(200, "ok"))
    assert.same({ "ok" }, (drive.fetch(engine, s.url, { proxy = "" })))
  end)

  describe("over TLS", function()
    local dir, tls

    setup(function()
      dir = os.tmpname()
      os.remove(dir)
      assert(os.execute("mkdir -m 700 " .. dir))
      assert(os.execute(("openssl req -x509 -newkey rsa:2048 -nodes -keyout %s/key -out %s/cert -days 2 -subj /CN=localhost "
        .. "-addext subjectAltName=DNS:localhost 2>%s/log"):format(dir, dir, dir)))
      tls = assert(io.popen(("cd %s && exec openssl s_server -accept 127.0.0.1:0 -cert cert -key key -www 2>&1"):format(dir)))
      local line
      repeat line = assert(tls:read("*l"), "openssl s_server did not start") until line:find("^ACCEPT")
      tls = { pipe = tls, port = line:match(":(%d+)$") }
    end)
    teardown(function()
      os.execute(("for p in /proc/[0-9]*; do [ \"$(readlink $p/cwd 2>/dev/null)\" = %s ] && kill ${p#/proc/}; done"):format(dir))
      tls.pipe:close()
      for _, name in ipairs({ "key", "cert", "log" }) do os.remove(dir .. "/" .. name) end
      os.remove(dir)
    end)

    it("says what is wrong with a certificate, and reads trusted ones", function()
      local url = ("https://localhost:%s/path"):format(tls.port)
      local err = assert_fails(url, nil, "tls", "self_signed", "localhost:" .. tls.port)
      assert.is_false(err.maybe_accepted)
      assert_fails(("https://127.0.0.1:%s/path"):format(tls.port), { tls = { ca_file = dir .. "/cert" } }, "tls", "wrong_host", "127.0.0.1")
      assert_fails(url, { tls = { ca_file = dir .. "/none" } }, "file", "ENOENT", "ca_file")
      assert_fails(url, { tls = { client_cert = dir .. "/none", insecure = true } }, "file", "ENOENT", "client_cert")
      for _, options in ipairs({ { ca_file = dir .. "/cert" }, { insecure = true } }) do
        local _, other, exchange = drive.fetch(engine, url, { tls = options, decoder = core.decoder({ format = "bytes" }) })
        assert.is_nil(other and other.message)
        assert.equal(200, exchange:head())
        assert.is_true(exchange:timing().tls > 0)
      end
    end)

    it("tells a server that speaks no TLS", function()
      s:script({ "HTTP/1.1 400 Bad\r\n\r\n", { close = true } }, { on = "connect" })
      assert_fails((s.url:gsub("http", "https")) .. "/path", nil, "tls", "no_tls", s.url:match("//(.*)"))
    end)
  end)
end)
