local cjson = require("cjson").new()
local core = require "multimodal.core"

--- A small generator of its own, so that every Lua draws the same cases.
local function random_from(seed)
  return function(n)
    seed = (seed * 16807) % 2147483647
    return seed % n + 1
  end
end

local fragments = {
  "a", "text ", "\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\195\188", "\226\130\172",
  "\240\159\152\128", "}", "]", ",", ":", "{", "[", "0",
}
local scalars = { "0", "-1", "12", "3.25", "-0.5", "1e3", "2.5E-2", "6e+1", "true", "false", "null" }

local function string_text(random)
  local parts = {}
  for i = 1, random(6) - 1 do parts[i] = fragments[random(#fragments)] end
  return '"' .. table.concat(parts) .. '"'
end

local function space(random) return random(4) == 1 and (" \n\t\r"):sub(random(4)) or "" end

--- Random JSON. Keys are numbered, so that none comes twice.
local function value_text(random, depth)
  local kind = random(depth > 0 and 6 or 4)
  if kind <= 2 then return scalars[random(#scalars)] end
  if kind <= 4 then return string_text(random) end
  local items = {}
  for i = 1, random(4) - 1 do
    local item = space(random) .. value_text(random, depth - 1) .. space(random)
    items[i] = kind == 5 and item or ('%s"k%d%s%s:%s'):format(space(random), i, string_text(random):sub(2), space(random), item)
  end
  local open, close = "[", "]"
  if kind == 6 then open, close = "{", "}" end
  return open .. space(random) .. table.concat(items, ",") .. close
end

--- Whether `part` could still grow into `whole`: strings and lists by their beginnings, numbers and
--- literals as they are, except that the last number may have been cut.
local function is_prefix(part, whole)
  if type(part) ~= type(whole) then return false end
  if type(part) == "string" then return whole:sub(1, #part) == part end
  if type(part) ~= "table" then return part == whole or type(part) == "number" end
  for key, value in pairs(part) do
    if whole[key] == nil or not is_prefix(value, whole[key]) then return false end
  end
  return true
end

local function scan_of(text)
  local scan = core.json_scan()
  assert.is_true(scan:feed(text))
  return scan
end

local function closed(text)
  local scan = scan_of(text)
  local result = scan:closed()
  scan:close()
  return result
end

describe("json_scan #small", function()
  local live

  before_each(function()
    collectgarbage()
    live = core.live()
  end)

  after_each(function()
    collectgarbage()
    assert.equal(live, core.live())
  end)

  it("closes what is open", function()
    assert.equal('{"a":[1,{"b":"x"}]}', closed '{"a":[1,{"b":"x')
    assert.equal("", closed "")
    assert.equal("", closed " tru")
    assert.equal("[true]", closed "[true")
    assert.equal("[]", closed "[tru")
    assert.equal('{"a":1}', closed '{"a":1,"b')
    assert.equal('{"a":1}', closed '{"a":1,"b":')
    assert.equal('["a"]', closed '["a\\u00')
    assert.equal('["a"]', closed '["a\\ud83d')
    assert.equal('["a"]', closed '["a\240\159\152')
    assert.equal("[1]", closed "[1.")
    assert.equal("[]", closed "[-")
  end)

  it("makes every prefix of random JSON a part of the whole", function()
    for seed = 1, 150 do
      local text = "[" .. value_text(random_from(seed * 7919), 4) .. "]"
      local whole = cjson.decode(text)
      local scan, last = core.json_scan(), -1
      for i = 1, #text do
        assert.is_false(scan:complete())
        assert.is_true(scan:feed(text:sub(i, i)))
        local now = scan:closed()
        local part = cjson.decode(now)
        assert(is_prefix(part, whole), ("%s\nof %s\nclosed as %s"):format(text:sub(1, i), text, now))
        assert.equal(closed(text:sub(1, i)), now)
        assert(#now >= last - 5, now) -- it only grows, but for the brackets
        last = #now
      end
      assert.is_true(scan:complete())
      assert.equal(text, scan:closed())
      scan:close()
    end
  end)

  it("accepts what cjson accepts, and nothing else", function()
    local strict = require("cjson").new()
    strict.decode_invalid_numbers(false)
    local random = random_from(4711)
    local noise = { "}", "]", ",", ":", '"', "\\", "0", "x", " ", "{", "[", "-", ".", "e", "\255", "\1" }
    local good, bad = 0, 0
    for _ = 1, 1500 do
      local text = "[" .. value_text(random, 3) .. "]"
      local at = random(#text)
      text = text:sub(1, at - 1) .. noise[random(#noise)] .. text:sub(at + random(2) - 1)
      local scan = core.json_scan()
      local ok = scan:feed(text) and scan:complete()
      local oracle = pcall(strict.decode, text)
      scan:close()
      if ok then
        good = good + 1
        assert(oracle or text:find("\\ud", 1, true), text) -- cjson refuses lone surrogates
      elseif oracle then -- what cjson lets pass: any byte in a string, and numbers as strtod takes them
        assert(text:find "[\1\128-\255]" or text:find "%.[^%d]" or text:find "%-%.", text)
      else
        bad = bad + 1
      end
    end
    assert(good > 100 and bad > 100)
  end)

  it("tells a complete value", function()
    for _, text in ipairs { "{}", "[]", '""', "1", " null\n", '{"a":[1]} ' } do
      local scan = scan_of(text)
      assert.is_true(scan:complete(), text)
      scan:close()
    end
    for _, text in ipairs { "", "{", '"a', "1.", "-", "nul", "[1] 2" } do
      local scan = core.json_scan()
      scan:feed(text)
      assert.is_false(scan:complete(), text)
      scan:close()
    end
  end)

  it("fails for good, keeping what came before", function()
    local scan = core.json_scan()
    local ok, err = scan:feed '{"a":[1}'
    assert.is_nil(ok)
    assert.equal("protocol", err.kind)
    assert.equal("syntax", err.code)
    assert.equal("malformed JSON at byte 7", err.message)
    local again, same = scan:feed "]"
    assert.is_nil(again)
    assert.equal(err.message, same.message)
    assert.equal('{"a":[1]}', scan:closed())
    scan:close()

    local codes = { utf8 = '"\255', depth = ("["):rep(513), syntax = "01" }
    for code, text in pairs(codes) do
      scan = core.json_scan()
      ok, err = scan:feed(text)
      assert.is_nil(ok)
      assert.equal(code, err.code)
      scan:close()
    end
  end)

  it("stays linear when asked after every eighth of growth", function()
    local function written(size)
      local item = '{"name":"a name of some length","list":[1,2,3]},'
      local text = "[" .. item:rep(math.floor(size / #item))
      local scan, next_ask, bytes = core.json_scan(), 1, 0
      for i = 1, #text, 100 do
        scan:feed(text:sub(i, i + 99))
        if i >= next_ask then
          bytes = bytes + #scan:closed()
          next_ask = i * 1.125
        end
      end
      scan:close()
      return bytes / #text
    end
    local small, large = written(50000), written(800000)
    assert(large < 12 and large < small * 1.5, "bytes written for each byte read: " .. large)
  end)

  it("raises misuse", function()
    local scan = core.json_scan()
    assert.error_matches(function() scan:feed() end, "string expected")
    scan:close()
    scan:close()
    assert.error_matches(function() scan:complete() end, "json_scan is closed")
  end)
end)
