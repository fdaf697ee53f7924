local error_class = require("multimodal.error")
local mm = require("multimodal")

local function misuse(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  assert.is_string(message)
  return message
end

local function environment(values, fn)
  local real = os.getenv
  os.getenv = function(name) -- luacheck: ignore 122
    if values[name] ~= nil then return values[name] or nil end
    return real(name)
  end
  local ok, err = pcall(fn)
  os.getenv = real -- luacheck: ignore 122
  if not ok then error(err, 0) end
end

describe("a client #small", function()
  it("is a gateway and a model", function()
    local ai = mm.client { gateway = "yourouter", model = "gpt-4o", api_key = "canary-k" }
    local req = assert(ai:request "Hi")
    assert.equal("POST", req.method)
    assert.equal("https://api.yourouter.ai/v1/chat/completions", req.url)
    assert.equal("gpt-4o", req:json().model)
    assert.equal("multimodal.client: yourouter gpt-4o", tostring(ai))
  end)

  it("is a word: gateway, first slash, model", function()
    local ai = mm.client "yourouter/google/gemini-2.5-flash"
    assert.equal("google/gemini-2.5-flash", ai.options.model)
    assert.equal("yourouter", ai.name)
  end)

  it("reads MULTIMODAL_CLIENT", function()
    environment({ MULTIMODAL_CLIENT = "openai/gpt-4o" }, function()
      assert.equal("multimodal.client: openai gpt-4o", tostring(mm.client()))
      assert.equal("gpt-5", mm.client({ model = "gpt-5" }).options.model)
    end)
    environment({ MULTIMODAL_CLIENT = false }, function()
      assert(misuse(mm.client):find("set MULTIMODAL_CLIENT", 1, true))
    end)
  end)

  it("takes any base_url, with its path and port as they are", function()
    for base, url in pairs {
      ["https://your-proxy-domain.com/v1"] = "https://your-proxy-domain.com/v1/chat/completions",
      ["https://your-proxy-domain.com/v1/"] = "https://your-proxy-domain.com/v1/chat/completions",
      ["http://Host:8080/v1/projects/P/locations/P"] = "http://Host:8080/v1/projects/P/locations/P/chat/completions",
      ["https://h/openai?api-version=1"] = "https://h/openai/chat/completions?api-version=1",
    } do
      assert.equal(url, mm.client({ base_url = base, model = "m" }):request("Hi").url)
    end
    local ai = mm.client { base_url = "https://h/v1", model = "m", trailing_slash = true, query = { a = "b c", z = 1 } }
    assert.equal("https://h/v1/chat/completions/?a=b%20c&z=1", ai:request("Hi").url)
    assert.equal("https://h/v1/chat/completions/?z=1", ai:request({ "Hi", query = { a = false } }).url)
  end)

  it("takes a gateway as a table", function()
    local ai = mm.client { gateway = {
      name = "mine", base_url = "http://h/v1", dialect = "openai", max_tokens_field = "max_tokens", key_variable = "MINE_KEY",
    } }
    assert.equal("mine", ai.name)
    assert(ai:request("Hi"):curl():find("$MINE_KEY", 1, true))
  end)

  it("refuses what it does not know, at the caller's line", function()
    for words, spec in pairs {
      ['gateway: "openia" is unknown'] = { gateway = "openia" },
      ["modle: unknown option; did you mean model?"] = { gateway = "openai", modle = "x" },
      ["base_url: ftp://h: only http"] = { base_url = "ftp://h" },
      ["base_url: https://h/: it has a user"] = { base_url = "https://u:p@h/" },
      ['dialect: openai speaks openai, not "klingon"'] = { gateway = "openai", dialect = "klingon" },
      ["api_key: expected a string, a function or mm.secret, got a table"] = { gateway = "openai", api_key = {} },
    } do
      local message = misuse(mm.client, spec)
      assert(message:find(words, 1, true), message)
    end
    assert(misuse(function() mm.client { gateway = "openai", modle = "x" } end):find("client_spec.lua:%d+: modle"))
    assert(misuse(mm.client, 5):find("expected a table or a word", 1, true))
    assert(misuse(mm.client, "a b/c"):find('"gateway/model"', 1, true))
  end)

  it("wants a model where the gateway needs one", function()
    local ai = mm.client { gateway = "openai", api_key = "canary-k" }
    assert(misuse(ai.request, ai, "Hi"):find("model: expected a string, got nil", 1, true))
    assert.equal("gpt-4o", ai:request("Hi", { model = "gpt-4o" }):json().model)
  end)

  it("derives others: the nearest option wins, false removes", function()
    local ai = mm.client { base_url = "https://h/v1", model = "a", temperature = 1, headers = { ["X-A"] = "1", ["X-B"] = "2" } }
    local derived = ai:with { model = "b", temperature = false, headers = { ["x-a"] = "3" } }
    local req = derived:request "Hi"
    assert.equal("b", req:json().model)
    assert.is_nil(req:json().temperature)
    assert.same({ "3", "2" }, { req.headers["x-a"], req.headers["X-B"] })
    assert.is_nil(req.headers["X-A"])
    assert.equal("a", ai:request("Hi"):json().model)
    assert.equal("c", derived:request({ "Hi", model = "c" }):json().model)
    assert.equal("d", derived:request({ "Hi", model = "c" }, { model = "d" }):json().model)
  end)

  it("does not take its key, address and model to another gateway", function()
    local ai = mm.client { base_url = "https://h/v1", api_key = "canary-k", model = "m" }
    local other = ai:with { gateway = "openai", model = "gpt-4o" }
    assert.equal("https://api.openai.com/v1/chat/completions", other:request("Hi").url)
    environment({ OPENAI_API_KEY = false }, function()
      local reply, err = other:generate "Hi"
      assert.is_nil(reply)
      assert.equal("auth", err.kind)
      assert(err.message:find("set OPENAI_API_KEY or pass api_key", 1, true))
      assert.equal("openai", err.gateway)
      assert(err.where:find("^client_spec.lua:%d+$"), err.where)
    end)
  end)

  it("takes no secret header to another gateway", function()
    local ai = mm.client { base_url = "https://h/v1", model = "m", headers = {
      ["X-Trace"] = "1", ["X-Auth-Token"] = "canary-t", ["X-Mine"] = mm.secret "canary-m" } }
    local shown = ai:with({ gateway = "openai", api_key = "canary-k", model = "m" }):request("Hi").headers
    assert.same({ "1", nil, nil }, { shown["X-Trace"], shown["X-Auth-Token"], shown["X-Mine"] })
    assert.equal("$X_MINE", ai:with({ model = "n" }):request("Hi").headers["X-Mine"])
  end)

  it("makes a call on a derived client where the call names one", function()
    local ai = mm.client { gateway = "yourouter", api_key = "canary-k", model = "m" }
    assert.equal("https://h/v1/chat/completions", ai:request({ "Hi", base_url = "https://h/v1" }).url)
  end)
end)

describe("headers #small", function()
  local function headers(options, call)
    local all = { base_url = "https://h/v1", model = "m" }
    for name, value in pairs(options) do all[name] = value end
    return mm.client(all):request("Hi", call).headers
  end

  it("are Authorization, Content-Type and Accept", function()
    assert.same({
      Authorization = "Bearer $API_KEY", ["Content-Type"] = "application/json", Accept = "application/json",
    }, headers { api_key = "canary-k" })
    assert.is_nil(headers({}).Authorization)
  end)

  it("carry vendor only on demand", function()
    assert.is_nil(headers({}).vendor)
    assert.equal("google", headers({ vendor = "google" }).vendor)
    assert.is_nil(headers({ vendor = "google" }, { vendor = false }).vendor)
  end)

  it("are overridden without regard to case, and taken away by false", function()
    local shown = headers { api_key = "canary-k", headers = {
      authorization = "Bearer TOKEN", ["content-type"] = "application/json; charset=utf-8", ACCEPT = false,
    } }
    assert.same({ authorization = "$AUTHORIZATION", ["content-type"] = "application/json; charset=utf-8" }, shown)
  end)

  it("refuse line breaks, NULs and other bytes that are not to be sent", function()
    for _, bad in ipairs { "a\r\nX: y", "a\nb", "a\0b", "\195\164", "a\127" } do
      assert(misuse(headers, { headers = { ["X-A"] = bad } }):find("headers: X-A: has a line break", 1, true))
      assert(misuse(headers, { vendor = bad }):find("headers: vendor", 1, true))
    end
    assert(misuse(headers, { headers = { ["X A"] = "b" } }):find("is no name of a header", 1, true))
    assert(misuse(headers, { headers = { ["X-A\r\nB"] = "b" } }):find("is no name of a header", 1, true))
    assert(misuse(headers, { headers = { ["X-A"] = true } }):find("expected a string, got boolean", 1, true))
    assert(misuse(headers, { headers = { "X-A: b" } }):find("is no name of a header", 1, true))
  end)
end)

describe("a key #small", function()
  local canary = "sk-canary-0123456789"

  local function shows(value)
    return tostring(value):find("canary", 1, true) ~= nil
  end

  it("is nowhere to be seen", function()
    for _, given in ipairs { canary, mm.secret(canary), function() return canary end } do
      local ai = mm.client { gateway = "yourouter", model = "m", api_key = given, headers = { ["x-api-key"] = canary } }
      local req = ai:request "Hi"
      assert.is_false(shows(ai))
      assert.is_false(shows(req))
      assert.is_false(shows(req:curl()))
      assert(req:curl():find('"Authorization: Bearer $YOUROUTER_API_KEY"', 1, true), req:curl())
      assert(req:curl():find('"x-api-key: $X_API_KEY"', 1, true), req:curl())
      for _, value in pairs(req.headers) do assert.is_false(shows(value)) end
    end
  end)

  it("is in no dump of what holds it", function()
    local function dumped(value, seen)
      if type(value) == "string" then return value:find("canary", 1, true) ~= nil end
      if type(value) ~= "table" or seen[value] then return false end
      seen[value] = true
      for name, item in pairs(value) do
        if dumped(name, seen) or dumped(item, seen) then return true end
      end
      return false
    end
    assert.is_true(dumped({ { "sk-canary" } }, {}))
    local ai = mm.client { gateway = mm.mock { "a", { kind = "auth" }, "b" }, api_key = canary, headers = { Cookie = canary } }
    ai = ai:with { headers = { ["X-Api-Key"] = canary } }
    local call = { "Hi", headers = { authorization = "Bearer " .. canary } }
    for _, value in ipairs { ai, ai:request(call), ai:generate(call), select(2, ai:generate(call)), ai:stream(call) } do
      assert.is_false(dumped(value, {}))
    end
    assert.equal("Bearer " .. canary, call.headers.authorization)
  end)

  it("is known by the name of its header", function()
    local shown = mm.client({ base_url = "https://h", model = "m", headers = {
      ["Ocp-Apim-Subscription-Key"] = "canary-s", ["X-Auth-Token"] = "canary-t", ["cf-aig-authorization"] = "canary-c",
      ["X-Monkey"] = "1", ["Idempotency-Key"] = "2", ["X-Keyboard"] = "3" } }):request("Hi").headers
    for name, value in pairs(shown) do assert.is_false(shows(value), name) end
    assert.same({ "1", "2", "3" }, { shown["X-Monkey"], shown["Idempotency-Key"], shown["X-Keyboard"] })
  end)

  it("prints as secret", function()
    assert.equal("secret", tostring(mm.secret(canary)))
    assert.same({}, (function(t) local n = {} for k in pairs(t) do n[k] = true end return n end)(mm.secret(canary)))
  end)

  it("is refused when it would break the request, without being shown", function()
    for _, bad in ipairs { "sk-canary\r\nX: y", "sk-canary\0", "sk-canary\195\164", "", "  " } do
      local reply, err = mm.client({ base_url = "https://h", model = "m", api_key = bad }):generate "Hi"
      assert.is_nil(reply)
      assert.equal("auth", err.kind)
      assert.is_false(shows(err))
    end
  end)

  it("comes from a function for each request, cached as long as it says", function()
    local lines = {}
    local asked = 0
    local function client(seconds)
      local fake = mm.mock { "a", "b" }
      fake.driver = { now = os.time, request = function(_, wire)
        lines[#lines + 1] = wire.headers[1]
        return nil, error_class.new { kind = "network", message = "no" }
      end }
      return mm.client { gateway = fake, retries = 0, api_key = function()
        asked = asked + 1
        return "token" .. asked .. "\n", seconds
      end }
    end
    local ai = client()
    ai:generate "a"
    ai:generate "b"
    assert.same({ "Authorization: Bearer token1", "Authorization: Bearer token2" }, lines)
    ai = client(60)
    ai:generate "a"
    ai:generate "b"
    assert.same({ "Authorization: Bearer token3", "Authorization: Bearer token3" }, { lines[3], lines[4] })
  end)

  it("may be missing from its function, with the reason", function()
    local ai = mm.client { base_url = "https://h", model = "m", api_key = function() return nil, "the vault is shut" end }
    local reply, err = ai:generate "Hi"
    assert.is_nil(reply)
    assert.equal("auth", err.kind)
    assert(err.message:find("the vault is shut", 1, true))
  end)
end)
