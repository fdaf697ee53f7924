local core = require "multimodal.core"

local PNG = "\137PNG\r\n\26\n" .. ("\0"):rep(24)

local function write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

describe("blob #small", function()
  local live, path, target

  before_each(function()
    collectgarbage()
    live = core.live()
    path, target = os.tmpname(), os.tmpname()
    os.remove(target)
  end)

  after_each(function()
    os.remove(path)
    os.remove(target)
    collectgarbage()
    collectgarbage()
    assert.equal(live, core.live())
  end)

  it("holds bytes", function()
    local blob = core.blob("hello", "text/plain")
    assert.equal(5, blob:size())
    assert.equal("text/plain", blob:mime())
    assert.equal("hello", blob:bytes())
    assert.equal("ell", blob:read(1, 3))
    assert.equal("lo", blob:read(3, 100))
    assert.equal("", blob:read(5, 1))
    assert.equal("", blob:read(100, 1))
    assert.equal("aGVsbG8=", blob:base64())
    assert.equal("data:text/plain;base64,aGVsbG8=", blob:data_url())
    assert.equal("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", blob:sha256())
    assert.is_nil(blob:text())
  end)

  it("finds the type from the bytes", function()
    assert.equal("image/png", core.blob(PNG):mime())
    assert.is_nil(core.blob("?"):mime())
    assert.equal("data:application/octet-stream;base64,Pw==", core.blob("?"):data_url())
  end)

  it("prints as type and size", function()
    assert.equal("image/png, 32 B", tostring(core.blob(PNG)))
    assert.equal("unknown type, 999 B", tostring(core.blob(("x"):rep(999))))
    assert.equal("a/b, 1.0 kB", tostring(core.blob(("x"):rep(1000), "a/b")))
    assert.equal("a/b, 1.2 MB", tostring(core.blob(("x"):rep(1234567), "a/b")))
  end)

  it("is closed once and for all", function()
    local blob = core.blob "x"
    blob:close()
    blob:close()
    assert.has_error(function() blob:bytes() end, "blob is closed")
    assert.equal("blob (closed)", tostring(blob))
  end)

  it("stands for a file", function()
    write(path, PNG)
    local blob = assert(core.blob_file(path))
    assert.equal("image/png", blob:mime())
    assert.equal(32, blob:size())
    assert.equal(PNG, blob:bytes())
    assert.equal("a/b", core.blob_file(path, "a/b"):mime())
  end)

  it("returns errors for files that cannot be read", function()
    local blob, err = core.blob_file "/nowhere/cat.jgp"
    assert.is_nil(blob)
    assert.equal("file", err.kind)
    assert.equal("ENOENT", err.code)
    assert.equal('cannot read "/nowhere/cat.jgp": no such file or directory', err.message)
    err = select(2, core.blob_file "/")
    assert.equal("EISDIR", err.code)
    err = select(2, core.blob_file(path))
    assert.equal(('"%s" is empty'):format(path), err.message)
  end)

  it("raises for what is no path", function()
    assert.has_error(function() core.blob_file "a\0b" end)
    assert.has_error(function() core.blob_file {} end)
    assert.has_error(function() core.blob() end)
  end)

  it("notices a file that changed", function()
    write(path, "0123456789")
    local blob = assert(core.blob_file(path))
    write(path, "0123")
    local bytes, err = blob:bytes()
    assert.is_nil(bytes)
    assert.equal("file", err.kind)
    assert.equal("changed", err.code)
    assert.matches("shrank while it was being sent", err.message)
    write(path, "0123456789x")
    assert.matches("grew", select(2, blob:base64()).message)
    os.remove(path)
    assert.equal("ENOENT", select(2, blob:sha256()).code)
  end)

  it("is saved whole, and replaces nothing unless told to", function()
    local blob, other = core.blob "one", core.blob "two"
    assert.is_true(blob:save(target))
    local done, err = other:save(target)
    assert.is_nil(done)
    assert.equal("EEXIST", err.code)
    assert.equal("one", read(target))
    assert.is_true(other:save(target, { exists = "skip" }))
    assert.equal("one", read(target))
    assert.is_true(other:save(target, { overwrite = true }))
    assert.equal("two", read(target))
    assert.is_true(blob:save(target, { exists = "overwrite" }))
    assert.equal("one", read(target))
    assert.equal("ENOENT", select(2, blob:save "/nowhere/x").code)
    assert.has_error(function() blob:save(target, { exist = "skip" }) end)
    assert.has_error(function() blob:save(target, { exists = "maybe" }) end)
    assert.has_error(function() blob:save "a\0b" end)
  end)

  it("is written piece by piece, in memory and in a file", function()
    for _, memory in ipairs { 0, 1000, 1000000 } do
      local writer = core.blob_writer { memory = memory, mime = "a/b" }
      local parts = {}
      for i = 1, 300 do
        parts[i] = ("%d,"):format(i):rep(100)
        assert.is_true(writer:write(parts[i]))
      end
      local blob = assert(writer:finish())
      assert.equal(table.concat(parts), blob:bytes())
      assert.equal("a/b", blob:mime())
      assert.equal(parts[1]:sub(3, 12), blob:read(2, 10))
      assert.is_true(blob:save(target, { overwrite = true }))
      assert.equal(table.concat(parts), read(target))
      assert.has_error(function() writer:write "x" end)
    end
  end)

  it("joins fragments of base64, padded each or cut anywhere", function()
    local function joined(...)
      local writer = core.blob_writer()
      for _, text in ipairs { ... } do assert.is_true(writer:write_base64(text)) end
      return assert(writer:finish()):bytes()
    end
    assert.equal("\0\1\2\3\4", joined("AAEC", "Aw==", "BA=="))
    assert.equal("\0\1\2\3", joined("A", "AE", "CAw="))
    assert.equal("\0\1\2\3", joined("AA\nECAw"))
    local text = core.base64_encode(PNG:rep(5000))
    assert.equal(PNG:rep(5000), joined(text:sub(1, 100001), text:sub(100002)))
  end)

  it("returns an error for what is not base64", function()
    local writer = core.blob_writer()
    local done, err = writer:write_base64 "AA!A"
    assert.is_nil(done)
    assert.equal("syntax", err.code)
    writer = core.blob_writer()
    assert.is_true(writer:write_base64 "AAAAA")
    assert.equal("syntax", select(2, writer:finish()).code)
  end)

  it("keeps saying what went wrong while it was written", function()
    local writer = core.blob_writer()
    assert.is_nil((writer:write_base64 "AA!A"))
    for _, call in ipairs { "write", "write_base64", "finish" } do
      local done, err = writer[call](writer, "AAAA")
      assert.is_nil(done)
      assert.equal("syntax", err.code)
    end
    writer:close()
  end)

  it("has no descriptor left once a writer is dropped", function()
    for _ = 1, 300 do
      local writer = core.blob_writer { memory = 0 }
      assert.is_true(writer:write(("x"):rep(2000)))
      writer:close()
    end
  end)
end)
