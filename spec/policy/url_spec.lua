local url = require("multimodal.policy.url")

describe("url", function()
  it("splits scheme, host and port", function()
    local parts = url.split("HTTPS://Api.Example.com:8443/v1/a?b=c#d")
    assert.same({ "https", "api.example.com", "8443", "/v1/a", "?b=c" }, {
      parts.scheme, parts.host, parts.port, parts.path, parts.query,
    })
    assert.equal("443", url.split("https://a").port)
    assert.equal("[::1]", url.split("http://[::1]:80/").host)
  end)

  it("refuses what is not to be spoken to", function()
    for bad, why in pairs {
      ["ftp://a/"] = "only http", ["/a"] = "only http", ["http:///a"] = "no host", ["http://u:p@a/"] = "user or a password",
      ["http://a/\r\nb"] = "control", ["http://a b/"] = "space", ["http://a:b/"] = "no host",
    } do
      local parts, message = url.split(bad)
      assert.is_nil(parts)
      assert(message:find(why, 1, true), bad .. ": " .. message)
    end
  end)

  it("knows equal origins", function()
    local function origin(text) return url.origin(url.split(text)) end
    assert.equal(origin "https://A.com/x", origin "https://a.com:443/y?z")
    assert.not_equal(origin "https://a.com", origin "http://a.com")
    assert.not_equal(origin "https://a.com", origin "https://a.com:444")
    assert.not_equal(origin "https://a.com", origin "https://b.a.com")
  end)

  -- The examples of RFC 3986, 5.4, as far as http URLs go.
  it("resolves references", function()
    local base = url.split("http://a/b/c/d;p?q")
    for reference, target in pairs {
      g = "http://a/b/c/g", ["./g"] = "http://a/b/c/g", ["g/"] = "http://a/b/c/g/", ["/g"] = "http://a/g",
      ["//g"] = "http://g", ["?y"] = "http://a/b/c/d;p?y", ["g?y"] = "http://a/b/c/g?y", [""] = "http://a/b/c/d;p?q",
      ["."] = "http://a/b/c/", ["./"] = "http://a/b/c/", [".."] = "http://a/b/", ["../g"] = "http://a/b/g",
      ["../.."] = "http://a/", ["../../g"] = "http://a/g", ["../../../g"] = "http://a/g", ["/./g"] = "http://a/g",
      ["/../g"] = "http://a/g", ["g."] = "http://a/b/c/g.", ["g;x=1/../y"] = "http://a/b/c/y", ["g#s"] = "http://a/b/c/g",
      ["https://z/y"] = "https://z/y", ["g h\195\164"] = "http://a/b/c/g%20h%C3%A4",
    } do
      assert.equal(target, url.resolve(base, reference), reference)
    end
  end)

  it("shows no query", function()
    assert.equal("https://a/b", url.shown("https://a/b?signature=x#y"))
  end)
end)
