--- Redirects between real servers, in every status and direction: what arrives where, what is refused, and that no credential
--- leaves its origin.
local core = require("multimodal.core")
local mm = require("multimodal")
local authority = require("support.authority")
local daemon = require("support.daemon")
local documented = require("tls.documented")
local front = require("support.front")
local server = require("support.server")
local sizes = require("support.sizes")

local answer = server.json(200, {
  id = "c1", model = "m", choices = { { index = 0, finish_reason = "stop", message = { role = "assistant", content = "ok" } } },
})

local statuses = { 301, 302, 303, 307, 308 }

-- What each must not be seen outside its origin, and whether it came at all.
local credentials = {
  ["authorization"] = "Bearer sk-canary", ["x-api-key"] = "canary-a", ["x-goog-api-key"] = "canary-g", ["x-mine"] = "canary-m",
  ["cookie"] = "a=canary", vendor = "canary-v",
}

describe("a redirect", function()
  if not authority.available() then return pending("openssl is not installed") end
  if not front.nginx_available() then return pending("nginx is not installed") end

  local dir, nginx, ports, a, b, at
  local section = documented.section("Redirects")

  setup(function()
    dir = daemon.folder()
    local cert = authority.new(dir):issue("good", { "localhost", "127.0.0.1" })
    a, b = server.start(), server.start()
    nginx, ports = front.nginx(dir, { a = { cert = cert, pass = a.url }, b = { cert = cert, pass = b.url } })
    at = {
      a = a.url, b = b.url, a_name = a.url:gsub("127.0.0.1", "localhost"), a_tls = "https://localhost:" .. ports.a,
      b_tls = "https://localhost:" .. ports.b, a_tls_number = "https://127.0.0.1:" .. ports.a,
    }
  end)

  teardown(function()
    nginx:stop()
    a:stop()
    b:stop()
    os.execute("rm -r '" .. dir .. "'")
  end)

  before_each(function()
    a:clear()
    b:clear()
  end)

  local function client(base_url, options)
    local all = {
      base_url = base_url, api_key = "sk-canary", model = "m", ca_file = dir .. "/ca.pem", proxy = false, vendor = "canary-v",
      headers = { ["x-api-key"] = "canary-a", ["X-Goog-Api-Key"] = mm.secret "canary-g", ["X-Mine"] = "canary-m", Cookie = "a=canary" },
      clock = { sleep = function() end },
    }
    for name, value in pairs(options or {}) do all[name] = value end
    return mm.client(all)
  end

  local function to(status, location)
    return { server.head(status, { Location = location, ["Content-Length"] = 0 }) }
  end

  local function assert_has_all(request)
    for name, value in pairs(credentials) do assert.equal(value, request.headers[name], name) end
  end

  local function assert_has_none(request)
    for name in pairs(credentials) do assert.is_nil(request.headers[name], name) end
    for _, line in ipairs(request.header_lines) do assert.is_nil(line:find("canary", 1, true), line) end
  end

  --- The two requests of a redirect from `from` to `where`, at the servers behind them.
  local function followed(status, from, where, ask)
    a:clear()
    b:clear()
    local behind = (where == at.b or where == at.b_tls) and b or a
    a:script(to(status, where .. "/other"), { path = "/first" })
    behind:script(answer, { path = "/other", times = -1 })
    assert(ask(client(from)))
    local first = assert(a:requests(1))[1]
    local second = behind == a and assert(a:requests(2))[2] or assert(b:requests(1))[1]
    assert.equal("/first", first.path)
    assert.equal("/other", second.path)
    assert_has_all(first)
    return first, second
  end

  local function get(ai)
    return ai:http { "GET", "/first" }
  end

  --- What may be asked for twice is followed with its body, to any origin.
  local function post(ai)
    return ai:http { "POST", "/first", json = { said = "Hi" }, idempotent = true }
  end

  local function each_status(from, where, check)
    for _, status in ipairs(statuses) do
      local _, second = followed(status, from, where, get)
      assert.equal("GET", second.method)
      check(second)
      local first
      first, second = followed(status, from, where, post)
      if status == 303 then
        assert.same({ "GET", 0 }, { second.method, second.body_bytes })
        assert.is_nil(second.headers["content-type"])
      else
        assert.same({ "POST", first.body, "application/json" }, { second.method, second.body, second.headers["content-type"] })
      end
      check(second)
    end
  end

  it("keeps everything on the same origin", function()
    each_status(at.a, at.a, assert_has_all)
    each_status(at.a_tls, at.a_tls, assert_has_all)
    each_status(at.a, "", assert_has_all)
  end)

  it("takes no credential to another port", function()
    each_status(at.a, at.b, assert_has_none)
    each_status(at.a_tls, at.b_tls, assert_has_none)
  end)

  it("takes none to another name, be it of the same server", function()
    each_status(at.a, at.a_name, assert_has_none)
    each_status(at.a_tls, at.a_tls_number, assert_has_none)
  end)

  it("takes none from http to https", function()
    each_status(at.a, at.a_tls, assert_has_none)
    each_status(at.a, at.b_tls, assert_has_none)
  end)

  it("brings none back once it was abroad", function()
    a:script(to(307, at.b .. "/there"), { path = "/first" })
    b:script(to(308, at.a .. "/home"), { path = "/there" })
    a:script(answer, { path = "/home" })
    assert(post(client(at.a)))
    assert_has_none(assert(b:requests(1))[1])
    assert_has_none(assert(a:requests(2))[2])
  end)

  it("never leads from https to http", function()
    for _, status in ipairs(statuses) do
      for _, where in ipairs { at.a, at.b } do
        a:script(to(status, where .. "/other"), { path = "/first" })
        local reply, err = get(client(at.a_tls))
        section:check("from https to http", reply, err)
        assert.same({ status, 1 }, { err.status, err.attempts })
      end
    end
    assert.equal(10, #a:requests())
    assert.equal(0, #b:requests())
  end)

  it("leads nowhere but to http and https, and to no URL with a password", function()
    for location, case in pairs {
      ["ftp://127.0.0.1/"] = "to another scheme", ["file:///etc/passwd"] = "to another scheme",
      ["javascript:alert(1)"] = "to another scheme", [at.b:gsub("//", "//user:pass@")] = "to a URL with a user in it",
    } do
      a:script(to(307, location), { path = "/first" })
      local reply, err = get(client(at.a))
      section:check(case, reply, err)
    end
  end)

  it("that leads nowhere is no answer", function()
    for _, status in ipairs { 300, 302, 304, 307 } do
      a:script({ server.head(status, { Location = status < 302 and "/other" or nil, ["Content-Length"] = status ~= 304 and 0 or nil }) },
        { path = "/first" })
      local reply, err = get(client(at.a))
      if status == 302 then section:check("without a place to go to", reply, err) end
      assert.same({ "protocol", "redirect", 1 }, { err.kind, err.code, err.attempts })
      a:clear()
    end
  end)

  it("ends a loop after five", function()
    a:script(to(307, "/first"), { path = "/first", times = -1 })
    local reply, err = post(client(at.a))
    section:check("more than five in a row", reply, err)
    assert.equal(6, #a:requests())
    assert.equal(1, err.attempts)
    a:clear()
    a:script(to(302, at.b .. "/first"), { path = "/first", times = -1 })
    b:script(to(302, at.a .. "/first"), { path = "/first", times = -1 })
    reply, err = client(at.a):http { "GET", "/first" }
    section:check("more than five in a row", reply, err)
    assert.same({ 3, 3 }, { #a:requests(), #b:requests() })
  end)

  it("of what must not begin twice stays on its origin", function()
    local function create(ai) return ai:http { "POST", "/first", json = { prompt = "a film" } } end
    for _, status in ipairs { 301, 302, 307, 308 } do
      for _, where in ipairs { at.b, at.a_name, at.a_tls } do
        a:clear()
        a:script(to(status, where .. "/other"), { path = "/first" })
        local reply, err = create(client(at.a))
        section:check("of a request that must not begin twice (`POST`, `PUT`, `PATCH`) to another origin", reply, err)
        assert.same({ status, 1, 1, 0 }, { err.status, err.attempts, #a:requests(), #b:requests() })
      end
      local first, second = followed(status, at.a, at.a, create)
      assert.equal(first.body, second.body)
      assert_has_all(second)
    end
    -- See Other: the answer to what was begun is read elsewhere.
    local _, second = followed(303, at.a, at.b, create)
    assert.equal("GET", second.method)
    assert_has_none(second)
  end)

  it("is followed by chats, whole and streamed", function()
    local path = "/chat/completions"
    for _, status in ipairs { 301, 302, 307, 308 } do
      a:clear()
      b:clear()
      a:script(to(status, at.b .. "/v2" .. path), { path = path, times = 2 })
      b:script(answer, { path = "/v2" .. path })
      local reply = assert(client(at.a):generate "Hi")
      assert.equal("ok", reply.text)
      b:script(server.sse { '{"choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":"stop"}]}', "[DONE]" },
        { path = "/v2" .. path })
      assert.equal("ok", assert(assert(client(at.a):stream "Hi"):reply()).text)
      local seen = assert(b:requests(2))
      assert_has_none(seen[1])
      assert_has_none(seen[2])
      assert.equal(a:requests()[1].body, seen[1].body)
    end
  end)

  --- A picture's link in a reply of a client at `from`.
  local function fetched(from, url)
    a:script(server.json(200, { id = "c1", model = "m", choices = { { index = 0, finish_reason = "stop", message = {
      role = "assistant", content = "", images = { { type = "image_url", image_url = { url = url } } } } } } }),
      { path = "/chat/completions" })
    local reply = assert(client(from, { private = true }):generate "Draw.")
    return reply.images[1]:bytes()
  end

  it("of a picture's link takes the key no further than home", function()
    for _, status in ipairs(statuses) do
      for _, where in ipairs { at.b, at.a_name, at.a_tls, at.a } do
        a:clear()
        b:clear()
        a:script(to(status, where .. "/there"), { path = "/picture" })
        local behind = where == at.b and b or a
        behind:script(server.text(200, "\137PNG\r\n\26\n"), { path = "/there" })
        assert.equal("\137PNG\r\n\26\n", assert(fetched(at.a, at.a .. "/picture")))
        local list = behind:requests()
        assert_has_all(a:requests()[2])
        if where == at.a then assert_has_all(list[#list]) else assert_has_none(list[#list]) end
      end
    end
    a:clear()
    a:script(to(302, at.a .. "/there"), { path = "/picture" })
    local bytes, err = fetched(at.a_tls, at.a_tls .. "/picture")
    section:check("from https to http", bytes, err)
    a:script(to(302, "/picture"), { path = "/picture", times = -1 })
    bytes, err = fetched(at.a, at.a .. "/picture")
    section:check("more than five in a row", bytes, err)
  end)

  it("shows a client certificate to the first origin alone", function()
    local one = daemon.folder()
    local me, issuer = authority.new(one):issue("me", { "localhost" }), one .. "/ca.pem"
    local other, seen = front.nginx(one, {
      abroad = { cert = me, clients = issuer }, home = { cert = me, clients = issuer, pass = a.url },
    })
    a:script(to(307, ("https://localhost:%d/"):format(seen.abroad)), { path = "/first" })
    local ai = client("https://localhost:" .. seen.home, { ca_file = issuer, client_cert = me })
    local reply, err = get(ai)
    assert.is_nil(reply)
    assert.same({ "tls", "client_cert" }, { err.kind, err.code })
    a:script(to(307, "/other"), { path = "/first" })
    a:script(answer, { path = "/other" })
    assert(get(ai))
    other:stop()
    os.execute("rm -r '" .. one .. "'")
  end)

  it("is all that docs/network.md tells", function() section:assert_complete() end)

  it("sends a body of any size again #big", function()
    local path = dir .. "/film"
    assert(os.execute(("head -c %d /dev/urandom >%s"):format(sizes.video, path)))
    local blob = assert(core.blob_file(path))
    local sha256 = blob:sha256()
    for _, base_url in ipairs { at.a, at.a_tls } do
      for _, status in ipairs { 307, 308 } do
        a:clear()
        a:script(to(status, "/other"), { path = "/first" })
        a:script(server.json(200, "{}"), { path = "/other" })
        assert(client(base_url):http { "POST", "/first", body = blob })
        local seen = assert(a:requests(2))
        for i = 1, 2 do assert.same({ sizes.video, sha256 }, { seen[i].body_bytes, seen[i].body_sha256 }) end
        assert_has_all(seen[2])
      end
    end
    blob:close()
    os.remove(path)
  end)
end)
