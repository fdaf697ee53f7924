local core = require "multimodal.core"
local sizes = require "support.sizes"

local SSE = "text/event-stream"

local function each_event(decoder, events)
  for event in decoder.next, decoder do events[#events + 1] = event end
  return events
end

--- The events of a body fed in chunks.
local function decode(chunks, type, options, status)
  options = options or {}
  if options.lenient == nil then options.lenient = true end
  local decoder, events = core.decoder(options), {}
  decoder:head(status or 200, type or SSE)
  for _, chunk in ipairs(chunks) do
    assert(decoder:feed(chunk))
    each_event(decoder, events)
  end
  assert(decoder:finish())
  each_event(decoder, events)
  decoder:close()
  return events
end

local function bytes_of(text)
  local chunks = {}
  for i = 1, #text do chunks[i] = text:sub(i, i) end
  return chunks
end

--- The events as lines "type: data", fed whole, byte by byte and at every split; all agree.
local function lines(text, type, options, status)
  local function described(chunks)
    local list = {}
    for i, event in ipairs(decode(chunks, type, options, status)) do
      list[i] = event.type .. ": " .. event.data
    end
    return list
  end
  local whole = described { text }
  assert.same(whole, described(bytes_of(text)))
  for cut = 1, #text - 1 do
    assert.same(whole, described { text:sub(1, cut), text:sub(cut + 1) })
  end
  return whole
end

local L1 = '{"choices":[{"index":0,"delta":{"content":"A"},"finish_reason":"stop"}]}'
local A = '{"choices":[{"delta":{"content":"A"}}]}'
local B = '{"choices":[{"delta":{"content":"B"},"finish_reason":"stop"}]}'

--- The vectors of lenient chat streams, as far as framing decides them.
local vectors = {
  { "L1: no blank line at the end", "data: " .. L1, { "message: " .. L1 } },
  { "L2: no line end after the end mark", "data: " .. L1 .. "\n\ndata: [DONE]",
    { "message: " .. L1, "message: [DONE]" } },
  { "L3: events a single line end apart", "data: " .. A .. "\ndata: " .. B .. "\n\n",
    { "message: " .. A, "message: " .. B } },
  { "L4: comments", (": OPENROUTER PROCESSING\n\n"):rep(3) .. "data: " .. L1,
    { "message: " .. L1 } },
  { "L5: the end of the body after an event", "data: " .. A .. "\n\n", { "message: " .. A } },
  { "L8: JSON though a stream was asked for", L1, { "message: " .. L1 }, "application/json" },
  { "L10: HTML", "<html><head><title>502 Bad Gateway</title>",
    { "error: <html><head><title>502 Bad Gateway</title>" }, "text/html", 502 },
  { "L15: a named error", 'event: error\ndata: {"message":"boom"}\n\n',
    { 'error: {"message":"boom"}' } },
  { "L16: a raw error line", '{"error":{"message":"bad"}}\n', { 'error: {"error":{"message":"bad"}}' } },
  { "L17: empty events", "data:\n\ndata: null\n\ndata: " .. L1,
    { "message: ", "message: null", "message: " .. L1 } },
  { "L32: an event stream that is an error", 'event:error\ndata:{"code":"x","message":"m"}\n\n',
    { 'error: {"code":"x","message":"m"}' }, SSE, 400 },
}

describe("decoder #small", function()
  local live

  before_each(function()
    collectgarbage()
    live = core.live()
  end)

  after_each(function()
    collectgarbage()
    collectgarbage()
    assert.equal(live, core.live())
  end)

  for _, vector in ipairs(vectors) do
    it("frames " .. vector[1], function()
      assert.same(vector[3], lines(vector[2], vector[4], nil, vector[5]))
    end)
  end

  it("tells type, data and id, and media only where there are some", function()
    local events = decode { "id: 7\nevent: x\ndata: 1\n\ndata: 2\n\n" }
    assert.same({ { type = "x", data = "1", id = "7" }, { type = "message", data = "2", id = "7" } },
      events)
  end)

  it("collects an error that is spread over lines", function()
    local text = "data: " .. A .. '\r\n\r\n{\n  "error": {\n    "code": 503\n  }\n}\n'
    assert.same({ "message: " .. A, 'error: {\n  "error": {\n    "code": 503\n  }\n}\n' }, lines(text))
    assert.same({ "message: " .. A, 'error: {\n  "error": {\n    "code": 503\n  }\n}\n' },
      lines(text, SSE, { lenient = false }))
  end)

  it("is strict where it is not lenient", function()
    assert.same({}, lines("data: " .. L1, SSE, { lenient = false }))
    assert.same({ "message: " .. A .. "\n" .. B },
      lines("data: " .. A .. "\ndata: " .. B .. "\n\n", SSE, { lenient = false }))
  end)

  it("mends what is not UTF-8", function()
    assert.same({ "message: \239\191\189a\239\191\189" }, lines "data: \255a\226\130\n\n")
  end)

  it("hands out a body in the pieces that came", function()
    local decoder = core.decoder { format = "pieces", max_event = 1 }
    assert.equal("pieces", decoder:head(206, "video/mp4"))
    local pieces = { "ab", "\1\255\0", ("x"):rep(100000), "{}" }
    for _, piece in ipairs(pieces) do assert.is_true(decoder:feed(piece)) end
    assert.is_true(decoder:finish())
    for _, piece in ipairs(pieces) do
      local event = decoder:next()
      assert.is_true(event.data == piece)
      assert.is_nil(event.media)
    end
    assert.is_nil((decoder:next()))
    decoder = core.decoder { format = "pieces" }
    assert.equal("error", decoder:head(404, "text/plain"))
    decoder:feed "gone"
    decoder:finish()
    assert.equal("gone", decoder:next().data)
  end)

  it("names the format", function()
    local function format(type, body, options)
      local decoder = core.decoder(options)
      local first = decoder:head(200, type)
      if body then decoder:feed(body) end
      local last = decoder:format()
      decoder:close()
      return first, last
    end
    assert.equal("sse", (format "text/event-stream; charset=utf-8"))
    assert.equal("bytes", (format "image/png"))
    assert.equal("json", (format("text/event-stream", nil, { format = "json" })))
    assert.same({ "auto", "json-array" }, { format("application/json", " [{") })
    assert.same({ "auto", "json" }, { format("application/json", "\239\187\191{") })
    assert.same({ "auto", "sse" }, { format("application/json", "data:") })
    assert.same({ "auto", "error" }, { format("text/plain", "<html>") })
    assert.same({ "auto", "ndjson" }, { format(nil, "{}") })
  end)

  it("cuts a JSON array into its elements", function()
    assert.same({ 'message: {"a":"]}"}', 'message: {"b":[1]}' },
      lines('[{"a":"]}"}\n,\r\n{"b":[1]}\n]', "application/json"))
  end)

  it("reads lines of JSON", function()
    assert.same({ 'message: {"a":1}', 'message: {"b":2}' },
      lines('{"a":1}\n\n{"b":2}', "application/x-ndjson"))
  end)

  it("takes a body as one medium", function()
    local event = decode({ "GIF8", "9a and more" }, "image/gif")[1]
    assert.equal("", event.data)
    assert.equal("GIF89a and more", event.media[1]:bytes())
    assert.equal("image/gif", event.media[1]:mime())
    event = decode({ "GIF89a and more" }, "application/octet-stream", { format = "bytes" })[1]
    assert.equal("image/gif", event.media[1]:mime())
  end)

  it("keeps a MiB of an error body", function()
    local event = decode({ ("x"):rep(900000), ("y"):rep(900000) }, "text/plain", nil, 500)[1]
    assert.equal("error", event.type)
    assert.equal(1024 * 1024, #event.data)
  end)

  it("fails for good past its limits, after the events before", function()
    local decoder = core.decoder { max_event = 100, format = "sse" }
    decoder:head(200, SSE)
    local done, err = decoder:feed("data: 1\n\ndata: " .. ("x"):rep(101))
    assert.is_nil(done)
    assert.equal("protocol", err.kind)
    assert.equal("too_large", err.code)
    assert.equal("1", decoder:next().data)
    assert.equal("too_large", select(2, decoder:next()).code)
    assert.equal("too_large", select(2, decoder:feed "x").code)
    assert.equal("too_large", select(2, decoder:next_text()).code)
    decoder:close()
    decoder = core.decoder { max_media = 299, lift_above = 100, format = "json" }
    done, err = decoder:feed('"' .. ("AAAA"):rep(100) .. '"')
    assert.is_nil(done)
    assert.equal("too_large", err.code)
    decoder:close()
  end)

  it("raises for misuse", function()
    assert.has_error(function() core.decoder { formt = "sse" } end)
    assert.has_error(function() core.decoder { format = "xml" } end)
    assert.has_error(function() core.decoder { text = { path = { {} } } } end)
    local decoder = core.decoder()
    decoder:finish()
    assert.has_error(function() decoder:feed "x" end)
    decoder:close()
    assert.has_error(function() decoder:next() end, "decoder is closed")
  end)

  local text = { path = { "choices", "0", "delta", "content" }, ignore = { "obfuscation" },
    same = { "id", "model" } }

  local function delta(content, more)
    return ('data: {"id":"x","choices":[{"index":0,"delta":{"content":%s}%s}]}\n\n')
      :format(content, more or "")
  end

  --- What next_text and next give, texts as strings and other events as {data}.
  local function taken(body, size)
    local decoder, list = core.decoder { lenient = true, text = text }, {}
    decoder:head(200, SSE)
    for i = 1, #body, size do
      assert(decoder:feed(body:sub(i, i + size - 1)))
      while true do
        local got, why = decoder:next_text()
        if not got and why == "again" then break end
        if why == "event" then got = { decoder:next().data } end
        list[#list + 1] = got
      end
    end
    assert(decoder:finish())
    assert.is_nil((decoder:next_text()))
    assert.equal(0, select("#", decoder:next_text()) - 1)
    decoder:close()
    return list
  end

  it("hands out text as text, and all else whole", function()
    local body = delta '"A"' .. delta '"B"' .. delta '"\\u00e9\\n"' .. delta('"C"', ',"finish_reason":null')
      .. delta('"D"', ',"finish_reason":"stop"') .. "data: [DONE]\n\n"
    local want = { { delta('"A"'):sub(7, -3) }, "B", "\195\169\n", "C",
      { delta('"D"', ',"finish_reason":"stop"'):sub(7, -3) }, { "[DONE]" } }
    for size = 1, #body do assert.same(want, taken(body, size)) end
  end)

  it("compares nothing with an event that repeats a key", function()
    local odd = 'data: {"id":"x","id":"x","choices":[{"index":0,"delta":{"content":"A"}}]}\n\n'
    local body = odd .. delta '"B"' .. delta '"C"' .. delta '"\\ud83d\\ude00"' .. delta '"\\ud83d"'
    local want = { { odd:sub(7, -3) }, { delta('"B"'):sub(7, -3) }, "C", "\240\159\152\128",
      { delta('"\\ud83d"'):sub(7, -3) } }
    for size = 1, #body do assert.same(want, taken(body, size)) end
  end)

  it("agrees both ways", function()
    local body = {}
    for i = 1, 200 do
      local content = ('"%s"'):format(("\\u00e9 %d \\\"x\\\" "):format(i):rep(i % 7))
      body[i] = delta(i % 11 == 0 and "null" or content,
        i % 13 == 0 and ',"finish_reason":"stop"' or i % 3 == 0 and ',"logprobs":null' or "")
    end
    body = table.concat(body)
    local function content_of(data)
      return core.json_decode(data).choices[1].delta.content or ""
    end
    local one, other = {}, {}
    for i, got in ipairs(taken(body, 100)) do
      one[i] = type(got) == "string" and got or content_of(got[1])
    end
    for i, event in ipairs(decode { body }) do other[i] = content_of(event.data) end
    assert.same(other, one)
  end)
end)

--- A line of /proc/self/status, in KiB.
local function status(name)
  for line in io.lines "/proc/self/status" do
    local value = line:match("^" .. name .. ":%s+(%d+)")
    if value then return tonumber(value) end
  end
end

local function descriptors()
  local pipe = assert(io.popen(("ls /proc/%d/fd | wc -l"):format(status "Pid")))
  local n = tonumber(pipe:read "*a")
  pipe:close()
  return n
end

--- What a program prints that this Lua runs after the shell `before`.
local function output_of(before, program)
  local first, path = 0, os.tmpname()
  while arg[first - 1] do first = first - 1 end
  local file = assert(io.open(path, "w"))
  file:write(program)
  file:close()
  local pipe = assert(io.popen(("%s '%s' '%s' 2>&1"):format(before, arg[first], path)))
  local output = pipe:read "*a"
  pipe:close()
  os.remove(path)
  return output
end

describe("decoder of large media #big", function()
  --- Feed a stream with one picture of n bytes of base64 `quantum`s, and hand out its event.
  local function picture(n, type, head, tail)
    local decoder = core.decoder { lenient = true }
    local piece = ("QUJD"):rep(4096)
    decoder:head(200, type)
    assert(decoder:feed(head))
    for _ = 1, n / 12288 do assert(decoder:feed(piece)) end
    assert(decoder:feed(tail))
    assert(decoder:finish())
    local event = decoder:next()
    decoder:close()
    return event
  end

  local n = sizes.picture - sizes.picture % 12288
  local head = '{"choices":[{"delta":{"images":[{"image_url":{"url":"data:image/png;base64,'
  local tail = '"}}]}}]}'

  for _, case in ipairs {
    { "one SSE event", SSE, "data: " .. head, tail .. "\n\n" },
    { "one JSON reply", "application/json", head, tail },
  } do
    it("takes a picture out of " .. case[1] .. " with little memory", function()
      local path = os.tmpname()
      assert(picture(2 * 12288, case[2], case[3], case[4]).media[1]:save(path, { overwrite = true }))
      collectgarbage()
      local before = status "VmHWM"
      local event = picture(n, case[2], case[3], case[4])
      assert.equal(n, event.media[1]:size())
      assert(event.media[1]:save(path, { overwrite = true }))
      assert.is_true(status "VmHWM" - before <= 8 * 1024)
      local file = assert(io.open(path, "rb"))
      assert.equal(n, file:seek "end")
      file:seek("set", n - 6)
      assert.equal("ABCABC", file:read "*a")
      file:close()
      os.remove(path)
    end)
  end

  it("keeps nothing of pictures that nobody keeps", function()
    local piece = 2 * 1024 * 1024 - 2 * 1024 * 1024 % 12288
    picture(piece, SSE, "data: " .. head, tail .. "\n\n")
    collectgarbage()
    local before, most = status "VmHWM", 0
    for i = 1, sizes.loop do
      assert.equal(piece, picture(piece, SSE, "data: " .. head, tail .. "\n\n").media[1]:size())
      if i % 50 == 0 then most = math.max(most, descriptors()) end
    end
    assert.is_true(status "VmHWM" - before <= 16 * 1024)
    assert.is_true(most <= 64)
  end)

  local short_of = [[
    local core = require "multimodal.core"
    local kept = {}
    for i = 1, 200 do
      local decoder = core.decoder { format = "bytes", memory = 0 }
      local ok, err = decoder:feed "x"
      if not ok then return print(err.kind, err.code) end
      decoder:finish()
      if KEEP then kept[i] = decoder end
    end
    print "ok"
  ]]

  it("collects garbage that holds descriptors before it gives up", function()
    assert.equal("ok\n", output_of("ulimit -n 40;", short_of))
    assert.equal("file\tEMFILE\n", output_of("ulimit -n 40;", "KEEP = true " .. short_of))
  end)

  it("takes many pictures out of one reply", function()
    local decoder = core.decoder { lenient = true }
    local quanta = ("QUJD"):rep(math.floor(100 * 1024 / 3))
    decoder:head(200, "application/json")
    assert(decoder:feed '{"data":[')
    collectgarbage()
    local before = status "VmHWM"
    for i = 1, sizes.many do
      assert(decoder:feed((i > 1 and "," or "") .. '{"b64_json":"'))
      assert(decoder:feed(quanta))
      assert(decoder:feed '"}')
    end
    assert(decoder:feed "]}")
    assert(decoder:finish())
    local event = decoder:next()
    decoder:close()
    assert.equal(sizes.many, #event.media)
    assert.equal(#quanta / 4 * 3, event.media[sizes.many]:size())
    assert.equal("ABCABC", event.media[sizes.many]:read(0, 6))
    assert.is_true(status "VmHWM" - before <= 16 * 1024)
  end)
end)
