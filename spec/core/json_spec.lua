--- Reading JSON, and the words it is spoken with.
local core = require("multimodal.core")
local cjson = require("cjson").new()
local corpus = require("support.json_corpus")

local has_integers = math.type ~= nil
local ROUNDS = 4000

local function decode(text, options)
  local value, err = core.json_decode(text, options)
  if err then error(("%s in %s"):format(err.message, text), 2) end
  return value
end

local function refused(text, message, options)
  local value, err = core.json_decode(text, options)
  assert.is_nil(value, text)
  assert.equal("protocol", err.kind, text)
  if message then assert.equal(message, err.message) end
  return err
end

local function is_array(value)
  return type(value) == "table" and getmetatable(value) == getmetatable(core.array({}))
end

--- Text with media in it, read through a decoder: the marked text and the blobs.
local function lifted(text)
  local decoder = core.decoder({ format = "json", lift_above = 16 })
  decoder:head(200, "application/json")
  assert.is_truthy(decoder:feed(text))
  assert.is_truthy(decoder:finish())
  local event = decoder:next()
  return event.data, event.media
end

describe("json_decode", function()
  after_each(function()
    collectgarbage()
    collectgarbage()
    assert.equal(0, core.live())
  end)

  it("reads every kind of value", function()
    assert.equal("x", decode('"x"'))
    assert.equal(true, decode("true"))
    assert.equal(false, decode(" false "))
    assert.equal(1.5, decode("1.5"))
    assert.is_nil(decode("null"))
    assert.same({ a = { 1, { b = "c" }, {} }, d = {} }, decode('{"a":[1,{"b":"c"},[]],"d":{}}'))
    assert.equal("x", decode('\239\187\191"x"'))
    assert.equal("", decode('""'))
    assert.equal("\0", decode('"\\u0000"'))
  end)

  it("accepts what RFC 8259 allows", function()
    local texts = {
      "[]", "[ ]", "{}", "[[]]", '[""]', "[1 ]", "[\n1]", "\t[1]\r\n", "0", "-0", "[-1]", "[0e1]", "[0e+1]", "[1E22]", "[1e-2]",
      "[123.456789]", "[-0.0]", "[1,null]", "[null,1,2,null]", '{"":0}', '{"a":"b","a":"b"}', '{"a":{"a":{"a":[]}}}',
      '"\\u0061\\u30af\\uFFFF"', '"\\ud801\\udc37"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\127"', '"\194\128"', '"\239\191\191"',
      '"\240\144\128\128"', '"\244\143\191\191"', '"/"', '"//, /* no comment */"', '"[{]}"', "[1e400]",
      '["\226\128\168\226\128\169"]', '{"\\u0000":1}', "[1.0000000000000000000000000000000000000000000001]",
    }
    for _, text in ipairs(texts) do decode(text) end
  end)

  it("refuses what RFC 8259 does not", function()
    local texts = {
      "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", '["a" "b"]', "[1}", '{"a":1]', '{"a"}',
      '{"a":}', '{"a",1}', '{"a" 1}', "{a:1}", "{'a':1}", "{1:1}", '{"a":1,}', '{"a":1,,"b":2}', '{"a":1 "b":2}', '{"a":1}}',
      '{"a":1}#', "[1]x", "[1] [2]", "1 2", "nul", "nulll", "True", "tru", "undefined", "NaN", "-NaN", "Infinity", "-Infinity",
      "inf", "nan", "+1", "-", "--1", "- 1", "01", "-01", "00", "1.", "-1.", ".5", "-.5", "1.e1", "1e", "1e+", "1e-", "1e1.5", "0x1F",
      "1_000", "1a", "0e", "[1.2.3]", "1,000", "'a'", '"a', '"a\\"', '"\\', '"\\x41"', '"\\a"', '"\\u"', '"\\u1"', '"\\u12g4"',
      '"\\U0041"', '"\\\n"', '"\n"', '"\t"', '"\r"', '"\0"', '"\1"', '"\31"', "\0", "[\0]", "[1]\0", "[\v1]", "[\f]", "/**/1", "1//",
      '"\128"', '"\192\128"', '"\193\191"', '"\224\128\128"', '"\237\160\128"', '"\244\144\128\128"', '"\245\128\128\128"', '"\255"',
      '"\195"', '"\226\130"', '"\240\159\152"', '{"\255":1}', "\254\255", "[\195\169]", "\239\187\191", "\239\187",
      '\239\187\191\239\187\191""', "*", "[*]", "<html>", "data: {}", '{"a":1}\n{"b":2}', "$", "[1;2]", "(1)", '"a"b"',
    }
    for _, text in ipairs(texts) do refused(text) end
  end)

  it("says what is wrong, and at which byte", function()
    refused('{"a" 1}', "byte 6: expected ':'")
    refused("[1 2]", "byte 4: expected ',' or ']'")
    refused('{"a":1', "byte 7: unexpected end of text")
    refused('{"a":1]', "byte 7: expected ',' or '}'")
    refused("{1}", "byte 2: expected a key")
    refused("[1,]", "byte 4: expected a value")
    refused("[1] x", "byte 5: expected the end of the text")
    refused('["a\nb"]', "byte 4: control character in a string")
    refused('["abc', "byte 6: unfinished string")
    refused("[01]", "byte 2: number with a leading zero")
    refused('["\\x"]', "byte 3: invalid escape")
    assert.equal("syntax", refused("[").code)
    local err = refused('["a\255"]', "byte 4: invalid UTF-8")
    assert.equal("utf8", err.code)
  end)

  it("keeps integers whole", function()
    if has_integers then
      assert.equal("integer", math.type(decode("1")))
      assert.equal("float", math.type(decode("1.0")))
      assert.equal("float", math.type(decode("1e2")))
      assert.equal(math.maxinteger, decode("9223372036854775807"))
      assert.equal(math.mininteger, decode("-9223372036854775808"))
      assert.equal("float", math.type(decode("9223372036854775808")))
      assert.equal("-0.0", tostring(decode("-0")))
    else
      assert.equal("1694268190", tostring(decode("1694268190")))
      assert.equal(9007199254740992, decode("9007199254740993"))
    end
  end)

  it("keeps as text what no number can hold, when asked to be exact", function()
    local texts = { "123456789012345678901234567890", "0.1000000000000000055511151231257827", "1e400", "-1e-400", "9223372036854775808" }
    if not has_integers then texts[#texts + 1] = "9007199254740993" end
    for _, text in ipairs(texts) do
      local value = decode("[" .. text .. "]", { exact = true })[1]
      assert.equal(getmetatable(core.raw("1")), getmetatable(value))
      assert.equal(text, tostring(value))
      assert.equal("[" .. text .. "]", tostring(core.body({ value })))
      assert.equal("number", type(decode(text)))
    end
    for _, text in ipairs({ "1", "0.1", "1e2", "1.50", "9007199254740991", "0.30000000000000004" }) do
      assert.equal("number", type(decode(text, { exact = true })), text)
    end
  end)

  it("reads null as nothing, or as core.null", function()
    assert.equal(cjson.null, core.null)
    assert.same({ b = 1 }, decode('{"a":null,"b":1}'))
    local value = decode('{"a":null,"b":[null,2]}', { null = true })
    assert.equal(core.null, value.a)
    assert.equal(core.null, value.b[1])
    assert.equal(2, value.b[2])
    assert.equal(core.null, decode("null", { null = true }))
  end)

  it("takes the last of equal keys, wherever it stands", function()
    assert.equal(2, decode('{"a":1,"a":2}').a)
    assert.is_nil(decode('{"a":1,"a":null}').a)
    local members = {}
    for i = 1, 100 do members[i] = ('"k%d":%d'):format(i % 20, i) end
    local value = decode("{" .. table.concat(members, ",") .. "}")
    for i = 81, 100 do assert.equal(i, value["k" .. i % 20]) end
  end)

  it("marks arrays, so that an empty one goes back as one", function()
    local value = decode('{"a":[],"o":{},"n":[[],{}]}')
    assert.is_true(is_array(value.a))
    assert.is_true(is_array(value.n))
    assert.is_true(is_array(value.n[1]))
    assert.is_nil(getmetatable(value.o))
    assert.is_nil(getmetatable(value))
    assert.equal('{"a":[],"n":[[],{}],"o":{}}', tostring(core.body(value)))
    assert.equal("multimodal.array", getmetatable(value.a).__name)
  end)

  it("mends lone surrogates, and joins pairs", function()
    assert.equal("\239\191\189", decode('"\\ud800"'))
    assert.equal("\239\191\189x", decode('"\\udfffx"'))
    assert.equal("\239\191\189A", decode('"\\ud83d\\u0041"'))
    assert.equal("\239\191\189\240\159\152\128", decode('"\\ud83d\\ud83d\\ude00"'))
    assert.equal("\239\191\189\n", decode('"\\ud83d\\n"'))
  end)

  it("keeps the halves of a pair on demand, in three bytes each", function()
    assert.equal("a\237\160\189", core.json_decode('"a\\ud83d"', { halves = true }))
    assert.equal("\237\184\128", core.json_decode('"\\ude00"', { halves = true }))
    assert.equal("\240\159\152\128", core.json_decode('"\\ud83d\\ude00"', { halves = true }))
  end)

  it("nests 512 deep and no deeper, in any coroutine", function()
    local function nested(n, open, close)
      return open:rep(n) .. "1" .. close:rep(n)
    end
    for _, brackets in ipairs({ { "[", "]" }, { '{"a":', "}" }, { '[0,{"b":2,"a":', "}]" } }) do
      local levels = #brackets[2]
      local most = 512 / levels
      local value = coroutine.wrap(function() return decode(nested(most, brackets[1], brackets[2])) end)()
      for _ = 1, most * levels do value = value.a or value[2] or value[1] end
      assert.equal(1, value)
      local err = refused(nested(most + 1, brackets[1], brackets[2]))
      assert.equal("depth", err.code)
    end
    assert.equal("depth", refused(("["):rep(1000000)).code)
  end)

  it("reads objects and arrays of any size", function()
    local items, members = {}, {}
    for i = 1, 100000 do
      items[i] = tostring(i)
      members[i] = ('"key %d":"a\\n%d"'):format(i, i)
    end
    local list = decode("[" .. table.concat(items, ",") .. "]")
    assert.equal(100000, #list)
    local object = decode("{" .. table.concat(members, ",") .. "}")
    for i = 1, 100000, 999 do
      assert.equal(i, list[i])
      assert.equal("a\n" .. i, object["key " .. i])
    end
    for n = 0, 70 do
      local value = decode("[" .. table.concat(items, ",", 1, n) .. "]")
      assert.equal(n, #value)
      for i = 1, n do assert.equal(i, value[i]) end
    end
  end)

  it("raises for a wrong argument", function()
    assert.has_error(function() core.json_decode() end)
    assert.has_error(function() core.json_decode({}) end)
    assert.has_error(function() core.json_decode("1", "null") end)
    assert.has_error(function() core.json_decode("1", { media = 1 }) end)
  end)
end)

describe("json_decode with media", function()
  after_each(function()
    collectgarbage()
    collectgarbage()
    assert.equal(0, core.live())
  end)

  it("puts a medium where a string is one mark", function()
    local blob = core.blob("x")
    local value = decode('{"a":"\0011\001","b":["\0012\001","c"]}', { media = { blob, core.blob("y") } })
    assert.equal(blob, value.a)
    assert.equal("y", value.b[1]:bytes())
    assert.equal("c", value.b[2])
  end)

  it("makes a list of text and media where there is both", function()
    local a, b = core.blob("x"), core.blob("y")
    local value = decode('"see \0011\001\\n\0012\001\0011\001."', { media = { a, b } })
    assert.equal("multimodal.mixed", getmetatable(value).__name)
    assert.equal(6, #value)
    assert.equal("see ", value[1])
    assert.equal(a, value[2])
    assert.equal("\n", value[3])
    assert.equal(b, value[4])
    assert.equal(a, value[5])
    assert.equal(".", value[6])
  end)

  it("takes no escaped character for a mark", function()
    local blob = core.blob("x")
    assert.equal("\0011\001", decode('"\\u00011\\u0001"', { media = { blob } }))
    local value = decode('"\\u00011\0011\001\\u0001"', { media = { blob } })
    assert.equal(3, #value)
    assert.equal("\0011", value[1])
    assert.equal(blob, value[2])
    assert.equal("\001", value[3])
  end)

  it("refuses marks that name nothing", function()
    refused('"\0011\001"', "byte 2: control character in a string")
    refused('"\0012\001"', nil, { media = { core.blob("x") } })
    refused('"\0010\001"', nil, { media = { core.blob("x") } })
    refused('"\001"', nil, { media = { core.blob("x") } })
    refused('"\0011"', nil, { media = { core.blob("x") } })
    refused('"\0011x"', nil, { media = { core.blob("x") } })
    refused('\0011\001', nil, { media = { core.blob("x") } })
  end)

  local bytes = ("\0\1\2 some bytes \255"):rep(9)
  local base64 = core.base64_encode(bytes)

  it("gives back the original text of what was lifted", function()
    local url = "data:image/png;base64," .. base64
    local texts = {
      base64, base64 .. base64:sub(1, 40), base64:sub(1, -3), core.base64_encode(bytes .. "x"), core.base64_encode(bytes .. "xy"),
      url, url:sub(1, -2), url .. "eA", url .. "eA==", "see " .. url:sub(1, -2) .. " there", "see " .. url, url .. " there",
      "a " .. url .. " b\n\"" .. url .. "\" c", url .. url,
    }
    for _, text in ipairs(texts) do
      local json = tostring(core.body({ x = text }))
      local marked, media = lifted(json)
      local value = decode(marked, { media = media })
      assert.equal(json, tostring(core.body(value)))
      if type(value.x) == "table" then assert.equal(text, tostring(value.x)) end
    end
    local marked, media = lifted(tostring(core.body({ x = "a " .. url .. " b" })))
    assert.equal(1, #media)
    assert.equal(bytes, decode(marked, { media = media }).x[2]:bytes())
  end)

  it("keeps keys as text", function()
    local value = decode('{"a\0011\001":1}', { media = { core.blob("xyz") } })
    assert.equal(1, value["aeHl6"])
  end)
end)

--- Whether our value is what cjson read: null as given, integers and arrays as ours are.
local function same(ours, theirs, null)
  if theirs == cjson.null then return ours == null end
  if type(ours) ~= type(theirs) then return false end
  if type(ours) == "number" then return ours + 0.0 == theirs or (ours ~= ours and theirs ~= theirs) end
  if type(ours) ~= "table" then return ours == theirs end
  for key, value in pairs(theirs) do
    if not same(ours[key], value, null) then return false end
  end
  for key in pairs(ours) do
    if theirs[key] == nil then return false end
  end
  return true
end

--- What cjson lets pass and RFC 8259 does not: control characters, broken UTF-8, other numbers.
local function lenient(text)
  local lower = text:lower()
  return text:find("[%z\1-\31\128-\255]") or lower:find("nan") or lower:find("inf") or lower:find("0x") or lower:find("%-*0%d")
    or lower:find("%.[^%d]") or lower:find("%.$") or lower:find("[^%d]%.") or lower:find("%+")
end

describe("json_decode beside cjson", function()
  it("reads the same out of every text", function()
    local source = corpus.new(1)
    for _ = 1, ROUNDS do
      local text = source:text()
      local theirs = cjson.decode(text)
      if not same(decode(text), theirs, nil) then error("differs: " .. text) end
      if not same(decode(text, { null = true }), theirs, core.null) then error("differs: " .. text) end
    end
  end)

  it("reads the same out of every fixture, and of every event in them", function()
    local pipe, texts = assert(io.popen("find spec/fixtures -name '*.json' -o -name '*.sse'")), {}
    for path in pipe:lines() do
      local file = assert(io.open(path, "rb"))
      local content = file:read("*a")
      file:close()
      if path:find("%.json$") then texts[#texts + 1] = content end
      for data in content:gmatch("data: ?({[^\r\n]*})") do texts[#texts + 1] = data end
    end
    pipe:close()
    local read = 0
    for _, text in ipairs(texts) do
      local good, theirs = pcall(cjson.decode, text)
      local ours, err = core.json_decode(text, { null = true })
      if good then
        assert(not err and same(ours, theirs, core.null), "differs: " .. text:sub(1, 200))
        read = read + 1
      elseif not err then
        assert(text:lower():find("\\ud[89a-f]"), "accepted: " .. text:sub(1, 200))
      end
    end
    assert.is_true(read > 100)
  end)

  it("accepts and refuses alike, but for what is known", function()
    local source = corpus.new(2)
    local counts = { both = 0, neither = 0, surrogate = 0, strict = 0 }
    for _ = 1, ROUNDS do
      local text = source:mutant()
      local ours, err = core.json_decode(text, { null = true })
      local good, theirs = pcall(cjson.decode, text)
      local kind
      if not err and good then
        kind = "both"
        if not same(ours, theirs, core.null) then error("differs: " .. text) end
      elseif not err then
        kind = "surrogate"
        if not text:lower():find("\\ud[89a-f]") then error("accepted: " .. text) end
      elseif good then
        kind = "strict"
        if not lenient(text) then error("refused: " .. err.message .. ": " .. text) end
      else
        kind = "neither"
      end
      counts[kind] = counts[kind] + 1
    end
    for kind, count in pairs(counts) do assert.is_true(count > 0, kind) end
  end)

  it("goes to text and back without change", function()
    local source = corpus.new(3)
    for _ = 1, ROUNDS do
      local text = source:text()
      local value = decode(text, { null = true, exact = true })
      local once = tostring(assert(core.body(value)))
      local again = decode(once, { null = true, exact = true })
      assert.equal(once, tostring(assert(core.body(again))))
      if not same(decode(once), cjson.decode(text), nil) then error("differs: " .. text) end
    end
  end)
end)

describe("array", function()
  it("marks a table and returns it", function()
    local t = { 1 }
    assert.equal(t, core.array(t))
    assert.equal("multimodal.array", getmetatable(t).__name)
    assert.has_error(function() core.array() end)
    assert.has_error(function() core.array("x") end)
  end)
end)

describe("raw", function()
  it("is JSON text, written verbatim", function()
    local raw = core.raw(' {"b": 1.0, "a": [1e400]} ')
    assert.equal(' {"b": 1.0, "a": [1e400]} ', tostring(raw))
    assert.equal('{"x": {"b": 1.0, "a": [1e400]} }', tostring(core.body({ x = raw })))
  end)

  it("is checked", function()
    for _, text in ipairs({ "", "[1,]", "1 2", '"\255"', "\239\187\1911", '"\0011\001"' }) do
      assert.has_error(function() core.raw(text) end)
    end
    assert.has_error(function() core.raw() end)
    local long = "[" .. ("1,"):rep(2000) .. "1]"
    assert.equal(long, tostring(core.raw(long)))
  end)
end)
