--- Proxies: by option and by environment, with and without a password, refused and gone; and that the password stays hidden.
local mm = require("multimodal")
local authority = require("support.authority")
local daemon = require("support.daemon")
local documented = require("tls.documented")
local front = require("support.front")
local proxy = require("support.proxy")
local server = require("support.server")

local drive = require("net.drive")

describe("by way of a proxy", function()
  if not authority.available() then return pending("openssl is not installed") end
  if not front.nginx_available() then return pending("nginx is not installed") end

  local dir, nginx, ports, s, port, open, locked
  local section = documented.section("Proxies")
  local password = "canary/42@x" -- as it is; below as a URL has it
  local with_password = "user:canary%2F42%40x@"

  setup(function()
    dir = daemon.folder()
    local ca = authority.new(dir)
    s = server.start()
    port = s.url:match("%d+$")
    nginx, ports = front.nginx(dir, {
      good = { cert = ca:issue("good", { "api.invalid", "localhost" }), pass = s.url },
      expired = { cert = ca:issue("expired", { "api.invalid" }, { to = "20210101000000Z" }) },
      proxy = { cert = ca:issue("proxy", { "localhost" }), answer = '{"by":"proxy"}' },
    })
    open, locked = proxy.start(), proxy.start { user = "user", password = password }
    section:call("127.0.0.1:" .. open.port, "proxy.example.com:3128")
    section:call("127.0.0.1:" .. locked.port, "proxy.example.com:3128")
    section:call("localhost:" .. ports.proxy, "proxy.example.com:3128")
    section:call("api.invalid:" .. ports.good, "api.example.com")
    section:call("api.invalid:" .. ports.expired, "api.example.com")
  end)

  teardown(function()
    open:stop()
    locked:stop()
    nginx:stop()
    s:stop()
    os.execute("rm -r '" .. dir .. "'")
  end)

  before_each(function() s:clear() end)

  local function anything()
    s:script(server.json(200, "{}"))
  end

  local far -- an address that this machine does not know, and the proxies do
  before_each(function() far = { http = "http://api.invalid:" .. port, https = "https://api.invalid:" .. ports.good } end)

  local function shown_nowhere(value, seen)
    seen = seen or {}
    if type(value) == "string" then
      assert.is_nil(value:find("canary", 1, true), value)
    elseif type(value) == "table" and not seen[value] then
      seen[value] = true
      shown_nowhere(tostring(value))
      for name, field in pairs(value) do
        shown_nowhere(name, seen)
        shown_nowhere(field, seen)
      end
    end
  end

  local function client(base_url, options)
    local all = { base_url = base_url, api_key = "canary-key", model = "m", ca_file = dir .. "/ca.pem", clock = { sleep = function() end } }
    for name, value in pairs(options) do all[name] = value end
    local ai = mm.client(all)
    shown_nowhere(ai)
    return ai
  end

  --- A GET by the proxy, as its row in the docs has it, with as many attempts.
  local function ask(case, base_url, options, attempts)
    local answer, err = client(base_url, options):http { "/a" }
    section:check(case, answer, err)
    if err then
      shown_nowhere(err)
      assert.equal(attempts or 1, err.attempts)
      assert.is_false(err.maybe_accepted or false)
    end
    return answer, err
  end

  --- What this call asked of a proxy.
  local function asked(of, call)
    local before, list = #of:requests(), {}
    call()
    for i, request in ipairs(of:requests()) do list[i - before] = request end
    return list
  end

  it("goes to http:// in whole, and to https:// through a tunnel", function()
    local list = asked(open, function()
      anything()
      ask("an `http://` URL by `proxy`", far.http, { proxy = open.url })
      anything()
      ask("an `https://` URL by `proxy`", far.https, { proxy = open.url })
      anything()
      ask("an `http://` URL by `proxy`", far.http, { proxy = "127.0.0.1:" .. open.port })
    end)
    assert.same({ { "GET", far.http .. "/a" }, { "CONNECT", "api.invalid:" .. ports.good } },
      { { list[1].method, list[1].target }, { list[2].method, list[2].target } })
    assert.equal(3, #list)
    for _, request in ipairs(s:requests(3)) do assert.equal("Bearer canary-key", request.headers.authorization) end
    assert.is_nil(list[1].authorization)
  end)

  it("shows the password of its URL to the proxy alone", function()
    for name, base_url in pairs(far) do
      anything()
      local list = asked(locked, function()
        local url = "http://" .. with_password .. "127.0.0.1:" .. locked.port
        ask(("an `%s://` URL by `proxy` with a password"):format(name), base_url, { proxy = url })
      end)
      assert.equal(1, #list)
      assert.is_nil(list[1].status)
    end
    for _, request in ipairs(s:requests(2)) do assert.is_nil(request.headers["proxy-authorization"]) end
  end)

  it("says that it wants a password, or another, and asks once", function()
    for name, base_url in pairs(far) do
      local list = asked(locked, function()
        ask("it wants a user and a password", base_url, { proxy = locked.url })
        ask("it does not accept them", base_url, { proxy = "http://user:canary@127.0.0.1:" .. locked.port })
      end)
      assert.equal(2, #list, name)
      assert.equal(407, list[1].status)
    end
    assert.equal(0, #s:requests())
    local ai = client(far.http, { proxy = locked.url })
    local stream, err = ai:stream "Hi"
    assert.is_nil(stream)
    assert.same({ "auth", "proxy", 1 }, { err.kind, err.code, err.attempts })
  end)

  local function refusing(how, case)
    local one = proxy.start { refuse = how }
    section:call("127.0.0.1:" .. one.port, "proxy.example.com:3128")
    ask(case, far.https, { proxy = one.url }, 3)
    assert.equal(3, #one:requests())
    -- Nothing was sent, so what must not begin twice may be tried again too.
    local answer, err = client(far.https, { proxy = one.url }):http { "POST", "/tasks", json = {} }
    assert.is_nil(answer)
    assert.equal(3, err.attempts)
    assert.is_false(err.maybe_accepted or false)
    assert.equal(6, #one:requests())
    one:stop()
  end

  it("tells a tunnel that was refused, and tries again", function()
    refusing(403, "it refuses the tunnel")
    refusing(502, "it cannot reach the server")
    refusing("close", "it hangs up instead")
    assert.equal(0, #s:requests())
  end)

  it("tells a proxy that is gone, and tries again", function()
    local gone = daemon.ports(1)[1]
    section:call("127.0.0.1:" .. gone, "proxy.example.com:3128")
    for _, base_url in pairs(far) do
      ask("it is not there", base_url, { proxy = "http://" .. with_password .. "127.0.0.1:" .. gone }, 3)
      ask("its name is unknown", base_url, { proxy = "http://proxy.invalid:3128" }, 3)
      local _, err = client(base_url, { proxy = "http://127.0.0.1:" .. gone }):http { "POST", "/tasks", json = {} }
      assert.equal(3, err.attempts)
    end
  end)

  it("refuses what is no URL of a proxy, and shows none of it", function()
    section:call("http://", "http://")
    for _, url in ipairs { "http://user:canary#42@127.0.0.1:1", "http://user:can/ary@127.0.0.1:1", "http://", "http://a b:1" } do
      ask("`proxy` is no URL", far.http, { proxy = url })
    end
    local ok, message = pcall(client, far.http, { proxy = {} })
    assert.is_false(ok)
    assert(message:find("proxy: expected a string", 1, true), message)
  end)

  it("tells a server's certificate apart from its own", function()
    ask("the server's certificate has expired", "https://api.invalid:" .. ports.expired, { proxy = open.url })
    ask("its own certificate, where it is reached over TLS, is from an unknown issuer", far.https,
      { proxy = "https://localhost:" .. ports.proxy, ca_file = false })
    local answer = ask("it is reached over TLS", far.http, { proxy = "https://localhost:" .. ports.proxy })
    assert.equal("proxy", answer.json.by)
    answer = client(far.http, { proxy = "https://localhost:" .. ports.proxy, ca_file = false, insecure = true }):http { "/a" }
    assert.equal("proxy", answer.json.by)
  end)

  it("takes redirects and links the same way", function()
    local fresh = proxy.start()
    s:script({ server.head(307, { Location = far.https .. "/b", ["Content-Length"] = 0 }) })
    anything()
    assert(client(far.http, { proxy = fresh.url, headers = { ["X-Mine"] = "1" } }):http { "/a" })
    local list = fresh:requests()
    assert.same({ "GET", "CONNECT" }, { list[1].method, list[2].method })
    local seen = assert(s:requests(2))
    assert.same({ "Bearer canary-key", "1" }, { seen[1].headers.authorization, seen[1].headers["x-mine"] })
    assert.is_nil(seen[2].headers.authorization)
    assert.is_nil(seen[2].headers["x-mine"])
    fresh:stop()
    fresh = proxy.start()
    anything()
    local part = mm.image { url = far.https .. "/picture" }
    part.access = { proxy = fresh.url, ca_file = dir .. "/ca.pem", private = true }
    assert.equal("{}", assert(part:bytes()))
    assert.equal("CONNECT", fresh:requests()[1].method)
    fresh:stop()
  end)

  it("leaves out what no_proxy names, and asks no proxy of the system's with proxy = false", function()
    local list = asked(open, function()
      for _, except in ipairs { "localhost", "a.example, LOCALHOST.", ".localhost other", "*", "localhost,127.0.0.1" } do
        anything()
        ask("`no_proxy` names the host", "http://localhost:" .. port, { proxy = open.url, no_proxy = except })
      end
      for _, except in ipairs { "127.0.0.1", "127.0.0.0/8", "10.0.0.0/8 127.0.0.1/32" } do
        anything()
        ask("`no_proxy` names the host", s.url, { proxy = open.url, no_proxy = except })
      end
      anything()
      ask("`proxy = false`", s.url, { proxy = false })
    end)
    assert.equal(0, #list)
    list = asked(open, function()
      for _, except in ipairs { "host", "local", "calhost", "127.0.0.1", "", "x.localhost" } do
        anything()
        assert(client("http://localhost:" .. port, { proxy = open.url, no_proxy = except }):http { "/a" })
      end
      for _, except in ipairs { "0.0.1", "127.0.0.2", "10.0.0.0/8", "127.0.0.1/99", "::1", "localhost" } do
        anything()
        assert(client(s.url, { proxy = open.url, no_proxy = except }):http { "/a" })
      end
    end)
    assert.equal(12, #list)
  end)

  --- What a process with such an environment gets, and what it asked of the proxy.
  local function under(environment, options, ...)
    local lines
    local urls = table.concat({ ... }, "' '")
    local list = asked(open, function()
      local pipe = assert(io.popen(("env -u http_proxy -u HTTP_PROXY -u https_proxy -u HTTPS_PROXY -u all_proxy -u ALL_PROXY -u no_proxy "
        .. "-u NO_PROXY %s LUA_PATH='%s' LUA_CPATH='%s' %s spec/tls/scripts/ask.lua '%s' '%s' 2>&1"):format(
        environment, package.path, package.cpath, drive.interpreter(), options, urls)))
      lines = pipe:read("*a"):gsub("\n$", "")
      pipe:close()
    end)
    return lines, #list
  end

  it("goes by the environment as curl does", function()
    local here = "http://127.0.0.1:" .. port
    local trusting = ("{ ca_file = %q }"):format(dir .. "/ca.pem")
    for _, case in ipairs {
      { "http_proxy=" .. open.url, "{}", far.http, "200", 1 },
      { "HTTP_PROXY=" .. open.url, "{}", far.http, "network resolve", 0 }, -- a header of a request, to a CGI script
      { "https_proxy=" .. open.url, trusting, far.https, "200", 1 },
      { "HTTPS_PROXY=" .. open.url, trusting, far.https, "200", 1 },
      { "https_proxy=" .. open.url .. " HTTPS_PROXY=http://proxy.invalid", trusting, far.https, "200", 1 },
      { "ALL_PROXY=" .. open.url, trusting, far.https, "200", 1 },
      { "all_proxy=" .. open.url, "{}", far.http, "200", 1 },
      { "https_proxy=" .. open.url, "{}", far.http, "network resolve", 0 },
      { "http_proxy=" .. open.url .. " NO_PROXY=127.0.0.1", "{}", here, "200", 0 },
      { "http_proxy=" .. open.url .. " no_proxy=.0.0.1", "{}", here, "200", 1 },
      { "http_proxy=" .. open.url .. " NO_PROXY=invalid", "{}", far.http, "network resolve", 0 },
      { "http_proxy=" .. open.url .. " NO_PROXY=*", '{ no_proxy = "" }', far.http, "200", 1 },
      { "http_proxy=" .. open.url, "{ proxy = false }", here, "200", 0 },
      { "http_proxy=http://proxy.invalid", ("{ proxy = %q }"):format(open.url), far.http, "200", 1 },
      { "http_proxy=http://proxy.invalid", "{}", far.http, "network proxy", 0 },
      { "http_proxy=", "{}", here, "200", 0 },
    } do
      s:script(server.json(200, "{}"), { times = -1 })
      local text, count = under(case[1], case[2], case[3])
      assert.same({ case[4], case[5] }, { text, count }, case[1] .. " " .. case[2])
      s:clear()
    end
  end)

  it("works with tinyproxy", function()
    local there = os.execute("command -v tinyproxy >/dev/null 2>&1")
    if there ~= true and there ~= 0 then return pending("tinyproxy is not installed") end
    local at = daemon.ports(1)[1]
    daemon.write(dir .. "/tinyproxy.conf", ("Port %d\nListen 127.0.0.1\nTimeout 10\nMaxClients 10\nBasicAuth user canary\n"
      .. "ConnectPort %d\n"):format(at, ports.good))
    local tiny = daemon.start(dir, "tinyproxy", "tinyproxy -d -c tinyproxy.conf", function(log)
      return log:find("Accepting connections", 1, true) or nil
    end)
    section:call("127.0.0.1:" .. at, "proxy.example.com:3128")
    section:call("localhost:" .. ports.proxy, "api.example.com")
    local known = ("http://user:canary@127.0.0.1:%d"):format(at)
    anything()
    ask("an `http://` URL by `proxy` with a password", "http://localhost:" .. port, { proxy = known })
    anything()
    ask("an `https://` URL by `proxy` with a password", "https://localhost:" .. ports.good, { proxy = known })
    for _, base_url in ipairs { "http://localhost:" .. port, "https://localhost:" .. ports.good } do
      ask("it wants a user and a password", base_url, { proxy = ("http://127.0.0.1:%d"):format(at) })
    end
    tiny:stop()
    assert.equal(2, #s:requests())
    assert(s:requests()[1].headers.via, "not by tinyproxy")
  end)

  it("is all that docs/network.md tells", function() section:assert_complete() end)
end)
