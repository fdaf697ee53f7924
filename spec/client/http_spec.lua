--- Any other endpoint of a gateway.
local mm = require("multimodal")
local core = require("multimodal.core")
local server = require("support.server")

local function misuse(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  assert(message:find("http_spec.lua:%d+: http: "), message)
  return message
end

describe("http", function()
  local s, ai

  before_each(function()
    s = server.start()
    ai = mm.client {
      base_url = s.url .. "/v1", api_key = "sk-canary", model = "m", headers = { ["X-A"] = "1" }, temperature = 1, retries = 0,
    }
  end)
  after_each(function() s:stop() end)

  it("sends JSON with the client's key and headers, and reads JSON", function()
    s:script(server.json(200, '{"data":[{"embedding":[0.5,1]}]}', { headers = { ["X-Request-Id"] = "r1" } }))
    local answer = assert(ai:http { "POST", "/embeddings", json = { input = { "a" } }, headers = { ["x-a"] = "2" } })
    assert.equal(200, answer.status)
    assert.equal(0.5, answer.json.data[1].embedding[1])
    assert.equal('{"data":[{"embedding":[0.5,1]}]}', answer.body)
    assert.same({ "r1", "r1" }, { answer.request_id, answer.headers["x-request-id"] })
    local seen = assert(s:requests(1))[1]
    assert.same({ "POST", "/v1/embeddings", '{"input":["a"]}' }, { seen.method, seen.path, seen.body })
    assert.equal("Bearer sk-canary", seen.headers.authorization)
    assert.equal("application/json", seen.headers["content-type"])
    assert.equal("2", seen.headers["x-a"])
  end)

  it("gets with a query, and says nothing of a body it has not", function()
    s:script(server.json(200, "[]"))
    assert.same({}, assert(ai:http { "/models", query = { output = "a b" } }).json)
    local seen = assert(s:requests(1))[1]
    assert.equal("GET", seen.method)
    assert.equal("/v1/models?output=a%20b", seen.path)
    assert.is_nil(seen.headers["content-type"])
    assert.equal(0, seen.body_bytes)
  end)

  it("sends bytes and blobs, and hands bytes on", function()
    local bytes = ("\0\1\255"):rep(1000)
    s:script(server.text(200, bytes, { headers = { ["Content-Type"] = "audio/mpeg" } }), { times = 2 })
    local answer = assert(ai:http { method = "PUT", path = "/files/1", body = "\0abc" })
    assert.equal(bytes, answer.body)
    assert.is_nil(answer.json)
    local path = os.tmpname()
    assert(answer.blob:save(path, { overwrite = true }))
    os.remove(path)
    assert(ai:http { "/files", body = core.blob("\137PNG\r\n\26\n", "image/png") })
    local seen = assert(s:requests(2))
    assert.same({ "\0abc", "application/octet-stream" }, { seen[1].body, seen[1].headers["content-type"] })
    assert.same({ "POST", "image/png", 8 }, { seen[2].method, seen[2].headers["content-type"], seen[2].body_bytes })
  end)

  it("has an empty body where none came", function()
    s:script({ server.head(204, {}) })
    local answer = assert(ai:http { "DELETE", "/files/1" })
    assert.same({ 204, "" }, { answer.status, answer.body })
    assert.is_nil(answer.json)
  end)

  it("returns a refusal as the error it is", function()
    s:script(server.json(429, '{"error":{"message":"Slow down.","code":"rate"}}', { headers = { ["Retry-After"] = "2" } }))
    local answer, err = ai:http { "/key" }
    assert.is_nil(answer)
    assert.same({ "rate_limit", 429, 2, "rate" }, { err.kind, err.status, err.retry_after, err.code })
    assert(err.where:find("^http_spec.lua:%d+$"), err.where)
    assert.is_nil(tostring(err):find("canary"))
  end)

  it("keeps its clocks", function()
    s:script({ { stall = true } })
    local answer, err = ai:http { "/key", first_byte_timeout = 0.05 }
    assert.is_nil(answer)
    assert.same({ "timeout", "first_byte" }, { err.kind, err.code })
  end)

  it("raises on what is no call", function()
    assert(misuse(function() ai:http { "GET", "models" } end):find("path: expected one such as", 1, true))
    assert(misuse(function() ai:http { "GET", "https://other.example.com/models" } end):find("path", 1, true))
    assert(misuse(function() ai:http { "/models?x=1" } end):find("query", 1, true))
    assert(misuse(function() ai:http { "/a", jsn = {} } end):find("jsn: unknown option; did you mean json?", 1, true))
    assert(misuse(function() ai:http { "/a", json = {}, body = "" } end):find("one body is enough", 1, true))
    assert(misuse(function() ai:http { "FETCH", "/a" } end):find("method", 1, true))
    assert(misuse(function() ai:http { "/a", json = { 0 / 0 } } end):find("json", 1, true))
    assert(misuse(function() ai:http "x" end):find("expected a table", 1, true))
  end)

  it("works at a mock", function()
    local fake = mm.mock { { body = '{"ok":true}' }, { status = 404, body = '{"error":{"message":"No."}}' } }
    local mocked = mm.client { gateway = fake }
    assert.is_true(assert(mocked:http { "/key" }).json.ok)
    assert.equal("not_found", select(2, mocked:http { "/key" }).kind)
  end)
end)
