--- Request bodies: tables to JSON with media streamed, and raw segments.
local core = require("multimodal.core")
local cjson = require("cjson").new()

local function json(value)
  local body, err = core.body(value)
  if not body then error(err.message, 2) end
  assert.equal(#tostring(body), body:length())
  return tostring(body)
end

local function refused(value, message, code)
  local body, err = core.body(value)
  assert.is_nil(body)
  assert.equal("bad_request", err.kind)
  assert.equal(message, err.message)
  assert.equal(code or "invalid", err.code)
end

local function write_file(path, bytes)
  local f = assert(io.open(path, "wb"))
  f:write(bytes)
  f:close()
end

--- Bytes that no slice repeats at a multiple of three.
local function some_bytes(n)
  local out = {}
  for i = 1, n do out[i] = string.char((i * 7 + math.floor(i / 251)) % 256) end
  return table.concat(out)
end

describe("body", function()
  after_each(function()
    collectgarbage()
    collectgarbage()
    assert.equal(0, core.live())
  end)

  it("writes every kind of value", function()
    assert.equal('"x"', json("x"))
    assert.equal("true", json(true))
    assert.equal("12", json(12))
    assert.equal("null", json(core.null))
    assert.equal("null", json(cjson.null))
    assert.equal('{"a":[1,2,{"b":null}],"c":false}', json({ a = { 1, 2, { b = core.null } }, c = false }))
  end)

  it("writes keys in byte order, whatever the table's", function()
    local value = {}
    for i = 300, 1, -1 do value[("k%03d"):format(i)] = i end
    local out = {}
    for i = 1, 300 do out[i] = ('"k%03d":%d'):format(i, i) end
    assert.equal("{" .. table.concat(out, ",") .. "}", json(value))
    assert.equal('{"":1,"A":2,"a":3,"a\\u0000":4,"aa":5,"\195\169":6}',
      json({ [""] = 1, A = 2, a = 3, ["a\0"] = 4, aa = 5, ["\195\169"] = 6 }))
  end)

  it("writes numbers so that they read back equal", function()
    assert.equal("[1,1.5,-3,0.1,1e100,100000000000000000000]", json({ 1.0, 1.5, -3, 0.1, 1e100, 1e20 }))
    assert.equal("0.30000000000000004", json(0.1 + 0.2))
    assert.equal("9007199254740991", json(9007199254740991))
    if math.type then
      assert.equal("[9223372036854775807,-9223372036854775808]", json({ math.maxinteger, math.mininteger }))
    end
    for i = -300, 300, 7 do
      local number = 1.1 * 10 ^ i
      assert.equal(number, core.json_decode(json(number)))
    end
  end)

  it("escapes only what it must", function()
    assert.equal('"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u001f\127\195\169\226\128\168"',
      json('"\\/\b\f\n\r\t\0\1\31\127\195\169\226\128\168'))
  end)

  it("tells lists from objects", function()
    assert.equal("[1,2]", json({ 1, 2 }))
    assert.equal("{}", json({}))
    assert.equal("[]", json(core.array({})))
    assert.equal('[["a"],[],{}]', json({ core.array({ "a" }), core.array({}), {} }))
    assert.equal("[1]", json({ [1] = 1 }))
  end)

  it("understands the array marks of cjson where it has them", function()
    local real = package.loaded.cjson
    local array_mt, empty_array_mt = {}, {}
    finally(function() package.loaded.cjson = real end)
    package.loaded.cjson = { array_mt = array_mt, empty_array_mt = empty_array_mt }
    assert.equal("[[],[],{},[1]]", json({
      setmetatable({}, array_mt), setmetatable({}, empty_array_mt), setmetatable({}, {}), setmetatable({ 1 }, array_mt),
    }))
    package.loaded.cjson = real
    assert.equal("[{}]", json({ setmetatable({}, array_mt) }))
  end)

  it("asks no metamethods", function()
    local function no() error("asked") end
    local value = setmetatable({ a = 1 }, { __index = no, __pairs = no, __len = no, __tostring = no, __newindex = no })
    assert.equal('{"a":1}', json(value))
  end)

  it("names the place of what cannot be written", function()
    refused({ messages = { { content = "a" }, { content = { 1, 2, nil, 4 } } } }, "messages[2].content: table has a hole at 3")
    refused({ 1, 2, x = 3 }, "table is a list and has named fields")
    refused({ a = core.array({ x = 3 }) }, "a: table is a list and has named fields")
    refused({ a = { [2] = 1 } }, "a: table has a hole at 1")
    refused({ a = { [1.5] = 1 } }, "a: table has a number key that is no list position")
    refused({ a = { [0] = 1 } }, "a: table has a number key that is no list position")
    refused({ a = { [true] = 1 } }, "a: table has a key that is a boolean")
    refused({ a = { 0 / 0 } }, "a[1]: NaN cannot be written")
    refused({ a = { b = -1 / 0 } }, "a.b: infinity cannot be written")
    refused({ ["a b"] = { print } }, '["a b"][1]: cannot write a function')
    refused({ x = io.stdout }, "x: cannot write a userdata")
    refused({ x = coroutine.create(function() end) }, "x: cannot write a thread")
    refused({ x = core.blob("x") }, "x: a blob needs core.base64_of or core.data_url_of")
    refused({ x = { "ok", "a\255" } }, "x[2]: invalid UTF-8", "utf8")
    refused({ x = { ["a\255"] = 1 } }, 'x["a"]: invalid UTF-8', "utf8")
    refused(nil, "cannot write a nil")
    assert.has_error(function() core.body() end)
  end)

  it("finds cycles, and allows what is only shared", function()
    local loop = { name = "x" }
    loop.list = { loop }
    refused({ a = loop }, "a.list[1]: table contains itself")
    local shared = { 1 }
    assert.equal('{"a":[1],"b":{"c":[1]}}', json({ a = shared, b = { c = shared } }))
  end)

  it("nests 512 deep and no deeper", function()
    local value = 1
    for _ = 1, 512 do value = { value } end
    assert.equal(("["):rep(512) .. "1" .. ("]"):rep(512), json(value))
    local body, err = core.body({ value })
    assert.is_nil(body)
    assert.equal("depth", err.code)
    assert.is_truthy(err.message:find("^%[1%]%[1%].*%.%.%.: nested too deep$"))
  end)

  it("reads any range", function()
    local body = core.body({ a = core.base64_of(core.blob("0123456789")), b = "x" })
    local whole = '{"a":"MDEyMzQ1Njc4OQ==","b":"x"}'
    assert.equal(whole, tostring(body))
    assert.equal(#whole, body:length())
    for offset = 0, #whole + 1 do
      for n = 0, #whole + 1 do
        assert.equal(whole:sub(offset + 1, offset + n), body:read(offset, n))
      end
    end
    assert.has_error(function() body:read(-1, 1) end)
    assert.has_error(function() body:read(0, -1) end)
    assert.has_error(function() body:read(0, 0 / 0) end)
    assert.has_error(function() body:read(0) end)
  end)

  it("is closed once and for all", function()
    local body = core.body({})
    body:close()
    body:close()
    assert.has_error(function() body:length() end, "body is closed")
    assert.equal("multimodal.body (closed)", tostring(body))
    assert.equal(0, core.live())
  end)
end)

describe("body with media", function()
  local path

  before_each(function()
    path = os.tmpname()
  end)

  after_each(function()
    os.remove(path)
    collectgarbage()
    collectgarbage()
    assert.equal(0, core.live())
  end)

  it("writes base64 and data URLs where they stand", function()
    local blob = core.blob("hello", "image/png")
    assert.equal('["aGVsbG8=","data:image/png;base64,aGVsbG8=","x"]',
      json({ core.base64_of(blob), core.data_url_of(blob), "x" }))
    assert.equal('"data:application/octet-stream;base64,aGk="', json(core.data_url_of(core.blob("hi"))))
    assert.has_error(function() core.base64_of("hello") end)
    assert.equal('"data:text/md;base64,aGk="', json(core.data_url_of(core.blob("hi", "text/plain"), "text/md")))
    assert.has_error(function() core.data_url_of() end)
    assert.has_error(function() core.data_url_of(core.blob("hi"), "a picture") end)
  end)

  it("says where a closed blob stands", function()
    local blob = core.blob("hello")
    local marked = core.base64_of(blob)
    blob:close()
    refused({ a = { marked } }, "a[1]: the blob is closed")
    assert.has_error(function() core.base64_of(blob) end, "blob is closed")
  end)

  it("outlives the Lua values it was made of", function()
    local body = core.body({ core.base64_of(core.blob("hello")) })
    collectgarbage()
    collectgarbage()
    assert.equal('["aGVsbG8="]', tostring(body))
  end)

  it("streams files of any length modulo three, in pieces of any size", function()
    for size = 100000, 100002 do
      local bytes = some_bytes(size)
      write_file(path, bytes)
      local body = core.body({ file = core.base64_of(assert(core.blob_file(path, "video/mp4"))) })
      local want = '{"file":"' .. core.base64_encode(bytes) .. '"}'
      assert.equal(#want, body:length())
      for _, n in ipairs({ 4096, 16384, 65537, 1000003 }) do
        local pieces = {}
        local offset = 0
        while offset < body:length() do
          local piece = assert(body:read(offset, n))
          pieces[#pieces + 1] = piece
          offset = offset + #piece
        end
        assert.is_true(want == table.concat(pieces))
      end
      body:close()
    end
  end)

  it("notices a file that changes or goes away", function()
    write_file(path, some_bytes(1000))
    local body = core.body({ core.base64_of(assert(core.blob_file(path))) })
    assert.equal('["', body:read(0, 2))
    write_file(path, some_bytes(999))
    local bytes, err = body:read(2, 100)
    assert.is_nil(bytes)
    assert.equal("file", err.kind)
    assert.equal("changed", err.code)
    assert.has_error(function() tostring(body) end)
    body:close()
    local missing = core.body({ core.base64_of(assert(core.blob_file(path))) })
    os.remove(path)
    bytes, err = missing:read(2, 100)
    assert.is_nil(bytes)
    assert.equal("ENOENT", err.code)
  end)
end)

describe("body_raw", function()
  after_each(function()
    collectgarbage()
    collectgarbage()
    assert.equal(0, core.live())
  end)

  it("joins text, blobs and ranges", function()
    local blob = core.blob("0123456789")
    local body = core.body_raw({ "--x\r\n", blob, "|", { blob, 2, 3 }, { blob, 8 }, { blob }, { blob, 10, 0 }, "" })
    local whole = "--x\r\n0123456789|234" .. "89" .. "0123456789"
    assert.equal(whole, tostring(body))
    assert.equal(#whole, body:length())
    for offset = 0, #whole do assert.equal(whole:sub(offset + 1, offset + 4), body:read(offset, 4)) end
    assert.equal(0, core.body_raw({}):length())
    assert.equal("\0\255", tostring(core.body_raw({ "\0\255" })))
  end)

  it("raises for anything else", function()
    local blob = core.blob("0123456789")
    assert.has_error(function() core.body_raw("x") end)
    assert.has_error(function() core.body_raw({ 1 }) end)
    assert.has_error(function() core.body_raw({ { "x" } }) end)
    assert.has_error(function() core.body_raw({ { blob, 11 } }) end)
    assert.has_error(function() core.body_raw({ { blob, 5, 6 } }) end)
    assert.has_error(function() core.body_raw({ { blob, -1 } }) end)
    assert.has_error(function() core.body_raw({ { blob, "x" } }) end)
  end)
end)
