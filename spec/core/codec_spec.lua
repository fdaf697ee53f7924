--- base64, media types and data URLs as Lua sees them.
local core = require("multimodal.core")

local function every_byte()
  local bytes = {}
  for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
  return table.concat(bytes)
end

local function failed(kind, code, value, err, extra)
  assert.is_nil(value)
  assert.is_nil(extra)
  assert.equal(kind, err.kind)
  assert.equal(code, err.code)
  assert.is_string(err.message)
  return err
end

describe("base64", function()
  it("encodes the vectors of RFC 4648", function()
    local vectors = {
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
    }
    for bytes, text in pairs(vectors) do
      assert.equal(text, core.base64_encode(bytes))
      assert.equal(bytes, core.base64_decode(text))
    end
  end)

  it("reads back what it wrote, at every length", function()
    local source = every_byte():rep(2)
    for n = 0, #source do
      local bytes = source:sub(1, n)
      assert.equal(bytes, core.base64_decode(core.base64_encode(bytes)))
    end
  end)

  it("reads and writes megabytes", function()
    local bytes = every_byte():rep(4096)
    local text = core.base64_encode(bytes)
    assert.equal(#bytes / 1048576, 1)
    assert.equal(1398104, #text)
    assert.equal(bytes, core.base64_decode(text))
  end)

  it("accepts either alphabet, missing padding and white space", function()
    assert.equal("\251\255\191", core.base64_decode("-_-_"))
    assert.equal("\251\255\191", core.base64_decode("+/+/"))
    assert.equal("foob", core.base64_decode("Zm9vYg"))
    assert.equal("foob", core.base64_decode(" Zm9v\r\n\tYg=\n="))
  end)

  it("returns an error for anything else", function()
    for _, text in ipairs { "Z", "Zg=", "Zg===", "=", "Zm9v!", "Zg==Zg==", "Zm\0v" } do
      failed("bad_request", "syntax", core.base64_decode(text))
    end
    assert.matches("byte 4", failed("bad_request", "syntax", core.base64_decode("Zm9v!")).message, 1, true)
  end)

  it("raises for a wrong type", function()
    assert.has_error(function() core.base64_encode(nil) end)
    assert.has_error(function() core.base64_decode({}) end)
  end)
end)

describe("mime", function()
  it("knows types by their first bytes", function()
    assert.equal("image/png", core.mime_sniff("\137PNG\r\n\26\n" .. ("\0"):rep(100)))
    assert.equal("image/jpeg", core.mime_sniff("\255\216\255"))
    assert.equal("video/mp4", core.mime_sniff("\0\0\0\24ftypisom"))
    assert.is_nil(core.mime_sniff("hello"))
    assert.is_nil(core.mime_sniff(""))
  end)

  it("knows types by extension", function()
    assert.equal("audio/mpeg", core.mime_from_path("a.mp3"))
    assert.equal("image/jpeg", core.mime_from_path("/photos/CAT.JPG"))
    assert.is_nil(core.mime_from_path("README"))
    assert.is_nil(core.mime_from_path("a.unknown"))
    assert.has_error(function() core.mime_from_path("a.png\0.txt") end)
  end)
end)

describe("data URL", function()
  it("is built with the usual name of the type and no parameters", function()
    assert.equal("data:image/png;base64,Zm9v", core.data_url("image/png", "foo"))
    assert.equal("data:image/jpeg;base64,", core.data_url("Image/JPG", ""))
    assert.equal("data:text/plain;base64,Zg==", core.data_url("text/plain; charset=utf-8", "f"))
  end)

  it("reads back what it wrote", function()
    local mime, bytes = core.data_url_parse(core.data_url("audio/wav", every_byte()))
    assert.equal("audio/wav", mime)
    assert.equal(every_byte(), bytes)
  end)

  it("is read in all its forms", function()
    local function reads(url, mime, bytes)
      local got_mime, got_bytes, extra = core.data_url_parse(url)
      assert.equal(mime, got_mime)
      assert.equal(bytes, got_bytes)
      assert.is_nil(extra)
    end
    reads("DATA:image/jpg;BASE64,Zm9v", "image/jpeg", "foo")
    reads("data:;base64,Zm9v", "text/plain", "foo")
    reads("data:,a%20b%00", "text/plain", "a b\0")
    reads("data:text/html;charset=utf-8,<p>", "text/html", "<p>")
    reads("data:image/png;name=a;base64,-_-_", "image/png", "\251\255\191")
    reads("data:,", "text/plain", "")
  end)

  it("returns an error when it is broken", function()
    for _, url in ipairs { "", "data", "data:image/png;base64", "http://a,b", "data:png,", "data:a/b;base64,Z" } do
      failed("bad_request", "syntax", core.data_url_parse(url))
    end
  end)

  it("raises for what is no media type", function()
    assert.has_error(function() core.data_url("png", "foo") end)
    assert.has_error(function() core.data_url("image/png") end)
    assert.has_error(function() core.data_url_parse() end)
  end)

  it("leaves nothing alive", function() assert.equal(0, core.live()) end)
end)
