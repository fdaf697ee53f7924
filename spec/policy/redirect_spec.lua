local redirect = require("multimodal.policy.redirect")

local function request(more)
  local made = {
    method = "POST", url = "https://api.example.com/v1/chat", body = "body", hops = 0,
    headers = {
      "Authorization: Bearer key", "Content-Type: application/json", "Accept: application/json", "x-api-key: key",
      "x-goog-api-key: key", "vendor: google", "X-Mine: mine", "Cookie: a=b",
    },
  }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local function names(headers)
  local list = {}
  for i, header in ipairs(headers) do list[i] = header:match("^[^:]+") end
  return list
end

describe("redirect", function()
  it("keeps method, body and headers on the same origin", function()
    for _, status in ipairs { 301, 302, 307, 308 } do
      local following = assert(redirect.next(request(), status, { location = "/v1/chat/" }))
      assert.equal("https://api.example.com/v1/chat/", following.url)
      assert.equal("POST", following.method)
      assert.equal("body", following.body)
      assert.same(request().headers, following.headers)
      assert.equal(1, following.hops)
    end
  end)

  it("makes a GET without a body of 303", function()
    local following = assert(redirect.next(request(), 303, { location = "result" }))
    assert.equal("https://api.example.com/v1/result", following.url)
    assert.equal("GET", following.method)
    assert.is_nil(following.body)
    assert.equal("Authorization: Bearer key", following.headers[1])
    assert.equal("Accept: application/json", following.headers[2])
  end)

  it("takes only safe headers to another origin, whatever differs", function()
    for _, location in ipairs {
      "https://other.example.com/v1/chat", "https://api.example.com:8443/v1/chat", "//evil.example/v1",
      "https://api.example.com.evil.example/",
    } do
      for _, status in ipairs { 301, 302, 307, 308 } do
        local following = assert(redirect.next(request(), status, { location = location }))
        assert.same({ "Content-Type", "Accept" }, names(following.headers))
        assert.equal("body", following.body)
      end
      assert.same({ "Accept" }, names(assert(redirect.next(request(), 303, { location = location })).headers))
    end
  end)

  it("drops credentials from http to https too", function()
    local following = assert(redirect.next(request { url = "http://api.example.com/v1/chat" }, 308, {
      location = "https://api.example.com/v1/chat",
    }))
    assert.same({ "Content-Type", "Accept" }, names(following.headers))
  end)

  it("knows the same origin in other letters", function()
    local following = assert(redirect.next(request(), 307, { location = "HTTPS://API.example.com:443/x" }))
    assert.equal(8, #following.headers)
  end)

  it("refuses the way from https to http, other schemes, credentials and control characters", function()
    for location, words in pairs {
      ["http://api.example.com/v1"] = "from https to http", ["ftp://api.example.com/"] = "only http",
      ["javascript:alert(1)"] = "only http", ["https://user:pass@api.example.com/"] = "password",
      ["/a\r\nX: y"] = "control character",
    } do
      local following, err = redirect.next(request(), 307, { location = location })
      assert.is_nil(following)
      assert.equal("protocol", err.kind)
      assert.equal("redirect", err.code)
      assert(err.message:find(words, 1, true), err.message)
    end
  end)

  it("takes what must not begin twice to no other origin, but to its answer", function()
    local away = { location = "https://other.example.com/v1" }
    for _, status in ipairs { 301, 302, 307, 308 } do
      local following, err = redirect.next(request { operation = "create" }, status, away)
      assert.is_nil(following)
      assert.same({ "protocol", "redirect", status }, { err.kind, err.code, err.status })
      assert(redirect.next(request { operation = "create" }, status, { location = "/v2" }))
      assert(redirect.next(request { operation = "chat" }, status, away))
    end
    local following = assert(redirect.next(request { operation = "create" }, 303, away))
    assert.same({ "GET", "create" }, { following.method, following.operation })
  end)

  it("remembers that it was abroad", function()
    local home = assert(redirect.next(request(), 307, { location = "/v2" }))
    assert.is_false(home.abroad or false)
    local away = assert(redirect.next(home, 307, { location = "https://other.example.com/" }))
    assert.is_true(away.abroad)
    assert.is_true(assert(redirect.next(away, 307, { location = "https://api.example.com/" })).abroad)
  end)

  it("ends after five", function()
    local hop = request()
    for _ = 1, 5 do hop = assert(redirect.next(hop, 307, { location = "/again" })) end
    local following, err = redirect.next(hop, 307, { location = "/again" })
    assert.is_nil(following)
    assert(err.message:find("more than 5", 1, true))
  end)

  it("is no redirect without a Location, or with another status", function()
    assert.is_nil(redirect.next(request(), 307, {}))
    for _, status in ipairs { 200, 201, 300, 304, 400 } do
      local following, err = redirect.next(request(), status, { location = "/x" })
      assert.is_nil(following)
      assert.is_nil(err)
    end
  end)
end)
