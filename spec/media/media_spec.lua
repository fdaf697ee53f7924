local core = require("multimodal.core")
local media = require("multimodal.media")

-- The smallest PNG: one black pixel.
local png = core.base64_decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")

local function file(bytes, suffix)
  local path = os.tmpname() .. (suffix or "")
  local out = assert(io.open(path, "wb"))
  out:write(bytes)
  out:close()
  return path
end

local function misuse(...)
  local ok, message = pcall(media.new, ...)
  assert.is_false(ok)
  return message
end

describe("media", function()
  it("tells links, data URLs and paths apart", function()
    for source, field in pairs {
      ["cat.jpg"] = "path", ["./a:b.jpg"] = "path", ["C:\\cat.jpg"] = "path", ["note: x.png"] = "path",
      ["https://a/b.jpg"] = "url", ["HTTP://a/b"] = "url", ["s3://bucket/Key.jpg"] = "url", ["gs://b/k"] = "url",
      ["data:image/png;base64,AAAA"] = "encoded", ["DATA:image/png;base64,AAAA"] = "encoded",
      ["file:///tmp/a%20b.jpg"] = "path",
    } do
      local part = media.new("image", source)
      assert.is_string(part[field], source)
      for _, other in ipairs { "path", "url", "encoded" } do
        if other ~= field then assert.is_nil(part[other]) end
      end
    end
    assert.equal("/tmp/a b.jpg", media.new("image", "file:///tmp/a%20b.jpg").path)
    assert.equal("/tmp/x", media.new("image", "file://localhost/tmp/x").path)
    assert.equal("s3://bucket/Key.jpg", media.new("image", "s3://bucket/Key.jpg").url)
  end)

  it("takes a source by its name, and does not guess then", function()
    assert.equal("https://a/b", media.new("image", { path = "https://a/b" }).path)
    assert.equal("https://a/b", media.new("image", { url = "https://a/b" }).url)
    assert.equal(png, media.new("image", { bytes = png }):bytes())
    assert.equal(png, media.new("image", { base64 = core.base64_encode(png) }):bytes())
    assert.equal(png, media.new("image", { data_url = core.data_url("image/png", png) }):bytes())
    assert.equal(png, media.new("image", { blob = core.blob(png, "image/png") }):bytes())
    assert.equal(png, media.new("image", core.blob(png, "image/png")):bytes())
  end)

  it("puts data URL and base64 right when they are mixed up, and trims", function()
    assert.equal(png, media.new("image", { base64 = core.data_url("image/png", png) }):bytes())
    assert.equal(png, media.new("image", { data_url = core.base64_encode(png) }):bytes())
    assert.equal(png, media.new("image", { base64 = core.base64_encode(png) .. "\n" }):bytes())
  end)

  it("keeps options beside the source", function()
    local part = media.new("image", { "cat.jpg", detail = "high", extra = { min_pixels = 5 } })
    assert.equal("cat.jpg", part.path)
    assert.same({ detail = "high", extra = { min_pixels = 5 } }, part.options)
    assert.equal("low", media.new("image", "cat.jpg", { detail = "low" }).options.detail)
  end)

  it("takes a part, with other options", function()
    local part = media.new("image", { bytes = png, detail = "low" })
    local again = media.new("image", { part, detail = "high" })
    assert.equal(png, again:bytes())
    assert.equal("high", again.options.detail)
    assert.equal("low", part.options.detail)
    assert.equal("low", media.new("image", part).options.detail)
  end)

  it("reads nothing until it is asked", function()
    local part = media.new("image", "/nowhere/cat.jpg")
    assert.is_nil(part:mime())
    assert.is_nil(part:size())
    local opened, err = part:opened()
    assert.is_nil(opened)
    assert.equal("file", err.kind)
    assert.equal("ENOENT", err.code)
    assert(err.message:find("cat.jpg", 1, true), err.message)
  end)

  it("opens a file into a new part, so that a changed file is seen afresh", function()
    local path = file(png, ".png")
    local part = media.new("image", path)
    local opened = assert(part:opened())
    assert.not_equal(part, opened)
    assert.equal("image/png", opened:mime())
    assert.equal(#png, opened:size())
    assert.is_nil(part.blob)
    local out = assert(io.open(path, "wb"))
    out:write("GIF89a another")
    out:close()
    assert.equal("image/gif", assert(part:opened()):mime())
    os.remove(path)
  end)

  it("tells files that cannot be sent, with what to do", function()
    local empty = file("")
    for path, expected in pairs { ["/nowhere"] = "ENOENT", ["/tmp"] = "EISDIR", [empty] = "EINVAL" } do
      local bytes, err = media.new("image", path):bytes()
      assert.is_nil(bytes)
      assert.same({ "file", expected }, { err.kind, err.code })
      assert(err.message:find(";", 1, true), err.message)
    end
    os.remove(empty)
  end)

  it("tells broken data URLs and base64", function()
    for _, source in ipairs {
      { data_url = "data:image/png;base64,!!!!" }, { base64 = "AAA$" }, { data_url = "data:image/png" },
      { data_url = "hello world!" }, { data_url = "data:image/png;base64," }, { base64 = "" },
    } do
      local bytes, err = media.new("image", source):bytes()
      assert.is_nil(bytes)
      assert.same({ "bad_request", "syntax" }, { err.kind, err.code })
    end
  end)

  it("raises misuse, with the kind", function()
    for words, bad in pairs {
      ["the path has a NUL"] = "a\0b.jpg", ["control character"] = "https://a/\nb", ["empty string"] = "",
      ['"javascript:" is no URL'] = "javascript:alert(1)", ['"blob:" is no URL'] = "blob:https://a/b",
      ['"ftp:" is no URL'] = "ftp://a/b", ["expected a path, a URL, a blob or a part, got number"] = 5,
      ["expected a path, a URL, a blob or a part, got nil"] = nil, ["no source"] = {},
      ["two sources"] = { "a.jpg", url = "https://a/b" }, ["deatil: unknown option; did you mean detail?"] = { "a.jpg", deatil = "x" },
      ["detail: expected a string, got 5"] = { "a.jpg", detail = 5 }, ["bytes: an empty string"] = { bytes = "" },
      ["blob: expected a core.blob"] = { blob = "x" }, ["expected a URL, got boolean"] = { url = true },
    } do
      local message = misuse("image", bad)
      assert(message:find("image: ", 1, true) and message:find(words, 1, true), words .. " <> " .. message)
    end
    assert(misuse("image", nil):find("got nil", 1, true))
    assert(misuse("image", "a.jpg", "high"):find("image: expected a table of options, got a string", 1, true))
    assert(misuse("image", { path = "a\0b" }):find("NUL", 1, true))
  end)

  it("writes media types in one way", function()
    assert.equal("image/jpeg", media.new("image", { "a", mime = "image/JPG; q=1" }):mime())
    assert.equal("image/png", media.new("image", { bytes = png }):mime())
    assert.equal("image/webp", media.new("image", { bytes = png, mime = "image/webp" }):mime())
    assert.equal("image/jpeg", media.new("image", "data:image/jpg;base64,AAAA"):mime())
  end)

  it("picks the kind by the type", function()
    for source, kind in pairs {
      ["a.mp3"] = "audio", ["a.jpg"] = "image", ["a.mp4"] = "video", ["a.pdf"] = "file", ["a.unknown"] = "file",
      ["https://a/b.png?x=y"] = "image", ["data:audio/wav;base64,AAAA"] = "audio",
    } do
      assert.equal(kind, media.attach(source).kind, source)
    end
    local path = file(png, ".dat")
    assert.equal("file", media.attach(path).kind)
    assert.equal("image", assert(media.attach(path):opened()).kind)
    assert.equal("audio", media.attach(media.new("audio", "x.mp3")).kind)
    os.remove(path)
  end)

  it("saves at once or not at all, and overwrites only when told", function()
    local part, path = media.new("image", { bytes = png }), os.tmpname()
    local saved, err = part:save(path)
    assert.is_nil(saved)
    assert.equal("file", err.kind)
    assert.equal("EEXIST", err.code)
    assert.equal(path, part:save(path, { exists = "skip" }))
    assert.equal(path, part:save(path, { overwrite = true }))
    local back = assert(io.open(path, "rb"))
    assert.equal(png, back:read("*a"))
    back:close()
    assert.is_false(pcall(part.save, part, "a\0b"))
    assert.is_false(pcall(part.save, part, path, { overwite = true }))
    os.remove(path)
  end)

  it("prints type and size, and never the query of a link", function()
    assert.equal("image/png, " .. #png .. " B", tostring(media.new("image", { bytes = png })))
    assert.equal("image/png, 1.2 MB", tostring(media.new("image", { bytes = png .. ("x"):rep(1200000), mime = "image/png" })))
    assert.equal("image, https://a/b", tostring(media.new("image", "https://a/b?signature=secret")))
    assert.equal("image, cat.jpg", tostring(media.new("image", "cat.jpg")))
  end)

  it("is made for replies of blobs and links", function()
    local part = media.from_blob("image", core.blob(png, "image/png"), { detail = "x" })
    assert.is_true(media.is(part))
    assert.equal("image/png", part:mime())
    assert.equal(core.data_url("image/png", png), part:data_url())
    assert.equal("https://a/b", media.from_url("image", "https://a/b").url)
  end)

  it("fetches a link once, through what the client layer put in", function()
    local asked = {}
    media.set_fetch(function(part)
      asked[#asked + 1] = part.url
      return core.blob(png, "image/png")
    end)
    local part = media.new("image", "https://a/b")
    assert.equal(part, part:opened())
    assert.is_nil(part.blob)
    assert.equal(png, part:bytes())
    assert.equal(png, part:bytes())
    assert.same({ "https://a/b" }, asked)
  end)
end)
