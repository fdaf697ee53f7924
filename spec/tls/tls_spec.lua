--- Every fault of TLS at real servers: passed or refused as it must be, named as docs/network.md says, and never tried again.
local mm = require("multimodal")
local authority = require("support.authority")
local daemon = require("support.daemon")
local documented = require("tls.documented")
local front = require("support.front")
local server = require("support.server")

local answer = '{"id":"c1","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]}'

describe("over TLS", function()
  if not authority.available() then return pending("openssl is not installed") end
  if not front.nginx_available() then return pending("nginx is not installed") end

  local dir, nginx, ports, plain
  local daemons, openssl = {}, {}
  local section = documented.section("Certificates of servers")
  local own = documented.section("Certificates of clients")

  local function path(name)
    return dir .. "/" .. name
  end

  local function start_openssl(name, options)
    daemons[#daemons + 1], openssl[name] = front.openssl(dir, "openssl_" .. name, options)
  end

  setup(function()
    dir = daemon.folder()
    local ca = authority.new(dir)
    local certs = {
      good = ca:issue("good", { "localhost", "127.0.0.1" }),
      expired = ca:issue("expired", { "localhost" }, { to = "20210101000000Z" }),
      early = ca:issue("early", { "localhost" }, { from = "20480101000000Z" }),
      other = ca:issue("other", { "other.example.com" }),
      self = ca:issue("self", { "localhost" }, { by_itself = true }),
    }
    ca:issue("me", { "me" })
    ca:issue("stranger", { "me" }, { by_itself = true })
    ca:run("mkdir hashed && cp ca.pem hashed/ && openssl rehash hashed")
    ca:run("cat me.crt stranger.key > mixed.pem")
    ca:run("openssl pkey -in me.key -aes128 -passout pass:hush -out hidden.key && cat me.crt hidden.key > hidden.pem")
    local servers = { plain = { answer = answer }, clients = { cert = certs.good, clients = path "ca.pem", answer = answer } }
    for name, cert in pairs(certs) do
      servers[name] = { cert = cert, answer = answer }
      start_openssl(name, "-cert " .. cert)
    end
    start_openssl("clients_1_2", "-cert good.pem -tls1_2 -Verify 1 -verify_return_error -CAfile ca.pem")
    start_openssl("clients_1_3", "-cert good.pem -tls1_3 -Verify 1 -verify_return_error -CAfile ca.pem")
    start_openssl("old", "-cert good.pem -tls1_1 -cipher ALL:@SECLEVEL=0")
    nginx, ports = front.nginx(dir, servers)
    plain = server.start()
    for _, from in ipairs { ports, openssl } do
      for _, port in pairs(from) do
        for _, known in ipairs { section, own } do
          known:call("localhost:" .. port, "api.example.com")
          known:call("127.0.0.1:" .. port, "api.example.com")
        end
      end
    end
    for _, known in ipairs { section, own } do
      known:call(plain.url:match("127.*"), "api.example.com")
      known:call("localhost", "api.example.com")
      known:call(dir, "/home/me")
    end
  end)

  teardown(function()
    for _, one in ipairs(daemons) do one:stop() end
    nginx:stop()
    plain:stop()
    os.execute("rm -r '" .. dir .. "'")
  end)

  --- A client that would try again at once, and is not to.
  local function client(port, options)
    local all = {
      base_url = ("%s://%s:%d"):format(options.scheme or "https", options.host or "localhost", port), api_key = "sk-canary", model = "m",
      clock = { sleep = function() error("tried again", 0) end }, proxy = false,
    }
    for name, value in pairs(options) do
      if name ~= "scheme" and name ~= "host" then all[name] = value end
    end
    return mm.client(all)
  end

  local function assert_final(err)
    if not err then return end
    assert.is_true(err.attempts == nil or err.attempts == 1)
    assert.is_false(err.retryable)
    assert.is_nil(tostring(err):find("canary", 1, true))
  end

  --- A chat at nginx, and any GET at openssl: both say the same.
  local function both(known, case, name, options)
    local reply, err = client(ports[name], options):generate "Hi"
    assert_final(err)
    known:check(case, reply, err)
    reply, err = client(openssl[name], options):http { "/" }
    assert_final(err)
    known:check(case, reply, err)
  end

  local function at_nginx(known, case, name, options)
    local reply, err = client(ports[name], options):generate "Hi"
    assert_final(err)
    known:check(case, reply, err)
    return reply, err
  end

  local function at_openssl(known, case, name, options)
    local reply, err = client(openssl[name], options):http { "/" }
    assert_final(err)
    known:check(case, reply, err)
    return reply, err
  end

  it("takes a certificate whose issuer ca_file names", function()
    both(section, "its issuer is named by `ca_file`", "good", { ca_file = path "ca.pem" })
  end)

  it("is timed as the others are", function()
    local timing = assert(client(openssl.good, { ca_file = path "ca.pem" }):http { "/" }).timing
    local before = 0
    for _, name in ipairs { "dns", "connect", "tls", "sent", "first_byte", "total" } do
      assert(timing[name] >= before, name)
      before = timing[name]
    end
  end)

  it("takes a certificate whose issuer is in ca_path", function()
    both(section, "its issuer is in the folder `ca_path`, prepared by `openssl rehash`", "good", { ca_path = path "hashed" })
  end)

  it("refuses an unknown issuer", function()
    both(section, "its issuer is unknown", "good", {})
    both(section, "its issuer is unknown", "good", { ca_file = path "self.crt" })
  end)

  it("refuses an expired certificate", function()
    both(section, "it has expired", "expired", { ca_file = path "ca.pem" })
  end)

  it("refuses one that is not valid yet", function()
    both(section, "it is not valid yet", "early", { ca_file = path "ca.pem" })
  end)

  it("refuses one of another host", function()
    both(section, "it is made out to another name", "other", { ca_file = path "ca.pem" })
    both(section, "it is made out to another name", "self", { ca_file = path "self.crt", host = "127.0.0.1" })
  end)

  it("refuses one that signed itself, unless ca_file names it", function()
    both(section, "it is signed by itself", "self", { ca_file = path "ca.pem" })
    both(section, "it is signed by itself, and named by `ca_file`", "self", { ca_file = path "self.crt" })
  end)

  it("accepts any with insecure, and says so each time", function()
    for _, name in ipairs { "good", "expired", "early", "other", "self" } do
      both(section, "any of these, with `insecure = true`", name, { insecure = true })
    end
    local reply = client(ports.self, { insecure = true }):generate { "Hi", on_text = function() end }
    assert.equal(1, #reply.warnings)
    local drawn = client(ports.plain, { insecure = true, scheme = "http" }):generate "Hi"
    assert.same({}, drawn.warnings)
  end)

  it("lets no other client in by what an insecure one left behind", function()
    local ai = client(ports.self, { insecure = true })
    for _ = 1, 2 do
      assert(ai:generate "Hi")
      at_nginx(section, "it is signed by itself", "self", {})
    end
    local good = client(ports.good, { ca_file = path "ca.pem" })
    assert(good:generate "Hi")
    at_nginx(section, "its issuer is unknown", "good", {})
    assert(good:generate "Hi")
  end)

  it("refuses TLS 1.1", function()
    at_openssl(section, "the server speaks TLS 1.1 at best", "old", { ca_file = path "ca.pem" })
    local reply, err = client(openssl.old, { insecure = true }):http { "/" }
    assert.is_nil(reply)
    assert.equal("version", err.code)
  end)

  it("tells plain HTTP behind https://, and TLS behind http://", function()
    at_nginx(section, "the server speaks plain HTTP at the port of an `https://` URL", "plain", {})
    at_nginx(section, "the server speaks TLS at the port of an `http://` URL, and says so", "good", { scheme = "http" })
    local reply, err = client(openssl.good, { scheme = "http", retries = 0 }):http { "/" }
    section:check("the server speaks TLS at the port of an `http://` URL, and hangs up", reply, err)
  end)

  it("tells a server that hangs up in the handshake, which is tried again", function()
    plain:script({ { close = true } }, { on = "connect", times = 3 })
    local waits = 0
    local reply, err = client(plain.port, { host = "127.0.0.1", clock = { sleep = function() waits = waits + 1 end } }):generate "Hi"
    assert.is_nil(reply)
    assert.same({ "tls", "handshake", 3, 2 }, { err.kind, err.code, err.attempts, waits })
    assert.is_false(err.maybe_accepted or false)
  end)

  it("names a file that is not there, or holds no certificate", function()
    at_nginx(section, "`ca_file` is not there", "good", { ca_file = path "none.pem" })
    at_nginx(section, "`ca_file` is a folder", "good", { ca_file = path "hashed" })
    at_nginx(section, "`ca_file` holds no certificate", "good", { ca_file = path "ca.key" })
    at_nginx(section, "`ca_path` is not there", "good", { ca_path = path "none" })
    at_nginx(section, "`ca_path` is a file", "good", { ca_path = path "ca.pem" })
  end)

  it("fetches links by the same rules", function()
    local link = ("https://localhost:%d/a"):format(ports.good)
    local part = mm.image { url = link }
    part.access = { private = true, ca_file = path "ca.pem", proxy = false }
    assert.equal(answer, assert(part:bytes()))
    part = mm.image { url = link }
    part.access = { private = true, proxy = false }
    local bytes, err = part:bytes()
    section:check("its issuer is unknown", bytes, err)
    local insecure = client(ports.plain, { scheme = "http", insecure = true, fetch = true, private = true })
    local made = assert(insecure:request { "Hi", mm.image { url = link, mime = "image/png" }, mm.image { url = link, mime = "image/png" } })
    assert.equal("image/png", made:json().messages[1].content[2].image_url.url:match("^data:([^;]+)"))
    section:check("any of these, with `insecure = true`", made)
    assert.equal(1, #made.warnings)
  end)

  it("shows client_cert to a server that asks", function()
    at_nginx(own, "the server asks, and takes it", "clients", { ca_file = path "ca.pem", client_cert = path "me.pem" })
    for _, name in ipairs { "clients_1_2", "clients_1_3" } do
      local answered = at_openssl(own, "the server asks, and takes it", name, { ca_file = path "ca.pem", client_cert = path "me.pem" })
      assert(answered.body:find("me", 1, true))
    end
    both(own, "the server does not ask", "good", { ca_file = path "ca.pem", client_cert = path "me.pem" })
  end)

  it("tells a server that asks in vain", function()
    local options = { ca_file = path "ca.pem" }
    local _, err = at_nginx(own, "the server asks, and there is none", "clients", options)
    assert.equal(400, err.status)
    _, err = at_openssl(own, "the server asks, and there is none", "clients_1_3", options)
    assert.is_false(err.maybe_accepted or false)
    at_openssl(own, "the server asks in TLS 1.2, and there is none", "clients_1_2", options)
  end)

  it("tells a server that does not take it", function()
    local options = { ca_file = path "ca.pem", client_cert = path "stranger.pem" }
    at_nginx(own, "the server asks, and does not take it, in a page", "clients", options)
    at_openssl(own, "the server asks, and does not take it", "clients_1_3", options)
    at_openssl(own, "the server asks, and does not take it", "clients_1_2", options)
    options.client_cert = path "expired.pem"
    at_openssl(own, "the server asks, and it has expired", "clients_1_3", options)
  end)

  it("says what is missing in client_cert", function()
    for file, case in pairs {
      ["none.pem"] = "`client_cert` is not there", ["me.key"] = "`client_cert` holds no certificate",
      ["me.crt"] = "`client_cert` holds no key", ["hidden.pem"] = "`client_cert` holds a key under a pass phrase",
      ["mixed.pem"] = "`client_cert` holds the key of another certificate",
    } do
      at_nginx(own, case, "clients", { ca_file = path "ca.pem", client_cert = path(file) })
    end
  end)

  it("is all that docs/network.md tells", function()
    section:assert_complete()
    own:assert_complete()
  end)
end)
