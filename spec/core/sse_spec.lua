local cjson = require("cjson").new()
local core = require "multimodal.core"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- Each character is one byte: U+0080 to U+00FF are two in the JSON.
local function latin1(text)
  return (text:gsub("([\194\195])([\128-\191])", function(first, second)
    return string.char((first:byte() - 194) * 64 + second:byte())
  end))
end

local function drain(parser, events)
  for event in parser.next, parser do events[#events + 1] = event end
end

--- Feed the chunks, taking events after each; returns them and the reconnection time.
local function parse(chunks)
  local parser, events = core.sse(), {}
  for _, chunk in ipairs(chunks) do
    assert.is_true(parser:feed(chunk))
    drain(parser, events)
  end
  parser:finish()
  drain(parser, events)
  local retry = parser:retry()
  parser:close()
  return events, retry
end

local function bytes_of(text)
  local chunks = {}
  for i = 1, #text do chunks[i] = text:sub(i, i) end
  return chunks
end

describe("sse #small", function()
  local live

  before_each(function()
    collectgarbage()
    live = core.live()
  end)

  after_each(function()
    collectgarbage()
    assert.equal(live, core.live())
  end)

  local vectors = cjson.decode(read "spec/fixtures/sse/vectors.json")

  it("has the vectors", function() assert.equal(48, #vectors) end)

  for _, vector in ipairs(vectors) do
    it(("parses %d: %s"):format(vector.n, vector.name), function()
      local chunks = {}
      for i, chunk in ipairs(vector.chunks_latin1) do chunks[i] = latin1(chunk) end
      local whole = table.concat(chunks)
      local retry = vector.retry ~= cjson.null and vector.retry or nil
      local function check(fed, how)
        local events, ms = parse(fed)
        assert.same(vector.events, events, how)
        assert.equal(retry, ms, how)
      end
      check(chunks, "as given")
      check({ whole }, "whole")
      check(bytes_of(whole), "byte by byte")
      for i = 1, #whole - 1 do check({ whole:sub(1, i), whole:sub(i + 1) }, "split at " .. i) end
    end)
  end

  it("forgets the name of a block without data", function()
    assert.same({ { type = "message", data = "a", id = "" } }, (parse { "event: x\n\ndata: a\n\n" }))
  end)

  it("takes CRLF for one line end, wherever it is split", function()
    local text = "event: x\r\ndata: a\r\ndata: b\r\n\r\n"
    local events = { { type = "x", data = "a\nb", id = "" } }
    for i = 1, #text - 1 do assert.same(events, (parse { text:sub(1, i), text:sub(i + 1) })) end
    assert.same(events, (parse(bytes_of(text))))
  end)

  it("ignores an id with a NUL", function()
    assert.same({ { type = "message", data = "a", id = "1" } }, (parse { "id: 1\nid: 2\0\ndata: a\n\n" }))
  end)

  it("mends names and ids too", function()
    local mended = "\239\191\189"
    assert.same({ { type = mended, data = mended .. "a", id = mended } },
      (parse { "event: \255\nid: \226\130\ndata: \240\159a\n\n" }))
  end)

  it("passes on characters that are split over reads", function()
    local text = "gr\195\188\195\159 \226\130\172 \240\159\152\128"
    assert.equal(text, parse(bytes_of("data: " .. text .. "\n\n"))[1].data)
  end)

  it("keeps the last reconnection time", function()
    local parser = core.sse()
    assert.is_nil(parser:retry())
    assert.is_true(parser:feed "retry: 10\nretry: x\n")
    assert.equal(10, parser:retry())
    assert.is_true(parser:feed "retry: 20")
    assert.equal(10, parser:retry())
    assert.is_true(parser:feed "\n")
    assert.equal(20, parser:retry())
    parser:close()
  end)

  it("fails for good where an event is over max_event", function()
    local parser = core.sse { max_event = 4 }
    assert.is_true(parser:feed "data: abcd\n\n")
    local ok, err = parser:feed "data: b\n\ndata: abcde\n\ndata: c\n\n"
    assert.is_nil(ok)
    assert.equal("protocol", err.kind)
    assert.equal("too_large", err.code)
    assert.equal("event over 4 bytes", err.message)
    local again, same = parser:feed "data: d\n\n"
    assert.is_nil(again)
    assert.equal(err.message, same.message)
    assert.equal("abcd", parser:next().data)
    assert.equal("b", parser:next().data)
    assert.is_nil(parser:next())
    parser:close()
  end)

  it("bounds names and ids", function()
    local parser = core.sse()
    local ok, err = parser:feed("event: " .. ("x"):rep(4097))
    assert.is_nil(ok)
    assert.equal("too_large", err.code)
    parser:close()
  end)

  it("passes a long line", function()
    local line, chunk = ("x"):rep(2 * 1024 * 1024), 65536
    local parser = core.sse()
    assert.is_true(parser:feed "data: ")
    for i = 1, #line, chunk do assert.is_true(parser:feed(line:sub(i, i + chunk - 1))) end
    assert.is_nil(parser:next())
    assert.is_true(parser:feed "\n\n")
    assert.is_true(parser:next().data == line)
    parser:close()
  end)

  it("raises misuse", function()
    local parser = core.sse()
    assert.error_matches(function() parser:feed() end, "string expected")
    parser:finish()
    assert.error_matches(function() parser:feed "x" end, "feed after finish")
    parser:close()
    parser:close()
    assert.error_matches(function() parser:next() end, "sse is closed")
    assert.error_matches(function() core.sse { max_events = 1 } end, "unknown option 'max_events'")
    assert.error_matches(function() core.sse { max_event = 0 } end, "max_event: out of range")
    assert.error_matches(function() core.sse { max_event = "1" } end, "max_event: expected number, got string")
  end)
end)
