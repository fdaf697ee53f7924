--- Every name that multimodal.core and multimodal.net show to Lua: arguments, results and errors as the design has them.
local core = require("multimodal.core")

local PNG = "\137PNG\r\n\26\n" .. ("\0"):rep(24)
local LONG = core.base64_encode(("x"):rep(15000))

local function names(t)
  local list = {}
  for name in pairs(t) do list[#list + 1] = name end
  table.sort(list)
  return list
end

--- A call that returned nil and the error table.
local function refused(kind, code, value, err, more)
  assert.is_nil(value)
  assert.is_nil(more)
  assert.equal("table", type(err))
  assert.same({ kind = kind, code = code }, { kind = err.kind, code = err.code })
  assert.equal("string", type(err.message))
end

--- Raised, as misuse of the argument at a place.
local function misused(pattern, call, ...)
  local done, err = pcall(call, ...)
  assert.is_false(done)
  assert.matches(pattern, tostring(err))
end

local function events(decoder, text)
  assert.is_true(decoder:feed(text))
  local list = {}
  for event in function() return decoder:next() end do list[#list + 1] = event end
  return list
end

describe("the core's names #small", function()
  local live, path

  before_each(function()
    collectgarbage()
    live, path = core.live(), os.tmpname()
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
    collectgarbage()
    collectgarbage()
    assert.equal(live, core.live())
  end)

  it("are these", function()
    local shown = names(core)
    for i = #shown, 1, -1 do
      if shown[i] == "fail_after" then table.remove(shown, i) end
    end
    assert.same({
      "array", "backoff", "base64_decode", "base64_encode", "base64_of", "blob", "blob_file", "blob_writer", "body",
      "body_raw", "data_url", "data_url_of", "data_url_parse", "decoder", "file_folder", "file_lock", "file_move",
      "file_write", "is_terminal", "json_decode", "json_scan", "live", "mime_from_path", "mime_sniff", "null", "poll", "random",
      "raw", "sha256", "sse", "version",
    }, shown)
    assert.equal("string", type(core.version))
    assert.equal("number", type(core.live()))
  end)

  it("base64_encode, base64_decode: both alphabets, padded or not", function()
    assert.equal("+/8=", core.base64_encode("\251\255"))
    for _, text in ipairs({ "+/8=", "+/8", "-_8=", "-_8" }) do assert.equal("\251\255", core.base64_decode(text)) end
    assert.equal("", core.base64_decode(core.base64_encode("")))
    refused("bad_request", "syntax", core.base64_decode("A!"))
    refused("bad_request", "syntax", core.base64_decode("A"))
    misused("#1", core.base64_encode)
    misused("#1", core.base64_decode, {})
  end)

  it("mime_sniff, mime_from_path: a type, or nil", function()
    assert.equal("image/png", core.mime_sniff(PNG))
    assert.is_nil(core.mime_sniff("nothing known"))
    assert.equal("audio/mpeg", core.mime_from_path("a.mp3"))
    assert.is_nil(core.mime_from_path("a"))
    misused("NUL", core.mime_from_path, "a\0.mp3")
    misused("#1", core.mime_sniff)
  end)

  it("data_url, data_url_parse: there and back", function()
    local url = core.data_url("image/png", PNG)
    assert.equal("data:image/png;base64," .. core.base64_encode(PNG), url)
    assert.same({ "image/png", PNG }, { core.data_url_parse(url) })
    refused("bad_request", "syntax", core.data_url_parse("http://x"))
    refused("bad_request", "syntax", core.data_url_parse("data:image/png;base64,!"))
    misused("#1", core.data_url, "no type", "x")
    misused("#2", core.data_url, "image/png")
  end)

  it("blob, and what it can do", function()
    local blob = core.blob(PNG)
    assert.equal(#PNG, blob:size())
    assert.equal("image/png", blob:mime())
    assert.equal("a/b", core.blob(PNG, "a/b"):mime())
    assert.is_nil(core.blob("?"):mime())
    assert.equal(PNG, blob:bytes())
    assert.equal(PNG:sub(2, 4), blob:read(1, 3))
    assert.equal("", blob:read(1000, 3))
    assert.equal(core.base64_encode(PNG), blob:base64())
    assert.equal(core.data_url("image/png", PNG), blob:data_url())
    assert.equal(64, #blob:sha256())
    assert.is_nil((blob:prefix()))
    assert.is_true(blob:save(path))
    refused("file", "EEXIST", blob:save(path))
    assert.is_true(blob:save(path, { exists = "skip" }))
    assert.is_true(blob:save(path, { exists = "overwrite" }))
    assert.is_true(blob:save(path, { overwrite = true }))
    misused("unknown option 'over'", blob.save, blob, path, { over = true })
    misused("NUL", blob.save, blob, "a\0b")
    misused("#1", core.blob)
    blob:close()
    blob:close()
    misused("blob is closed", blob.size, blob)
  end)

  it("blob_file: a path's bytes, read when they are asked for", function()
    assert.is_true(core.blob(PNG):save(path))
    local blob = core.blob_file(path)
    assert.same({ #PNG, "image/png", PNG }, { blob:size(), blob:mime(), blob:bytes() })
    assert.equal("a/b", core.blob_file(path, "a/b"):mime())
    os.remove(path)
    refused("file", "ENOENT", blob:bytes())
  end)

  it("blob_file: what it refuses", function()
    refused("file", "ENOENT", core.blob_file(path))
    refused("file", "EISDIR", core.blob_file("/"))
    assert.is_true(core.file_write(path, ""))
    refused("file", "EINVAL", core.blob_file(path))
    misused("NUL", core.blob_file, "a\0b")
    misused("#1", core.blob_file)
  end)

  it("blob_writer: bytes and base64, then a blob", function()
    local writer = core.blob_writer({ mime = "a/b", memory = 0 })
    assert.is_true(writer:write("ab"))
    for _, text in ipairs({ "Y", "2Q=", "ZQ==" }) do assert.is_true(writer:write_base64(text)) end
    local blob = writer:finish()
    assert.same({ "abcde", "a/b" }, { blob:bytes(), blob:mime() })
    misused("closed", writer.write, writer, "x")
    misused("unknown option 'size'", core.blob_writer, { size = 1 })
    misused("memory", core.blob_writer, { memory = -1 })
    writer = core.blob_writer()
    refused("bad_request", "syntax", writer:write_base64("!"))
    writer:close()
  end)

  it("body: JSON with sorted keys and media in place", function()
    local blob = core.blob("abc", "a/b")
    local body = core.body({ b = core.base64_of(blob), a = core.data_url_of(blob), c = { 1, true, core.null } })
    local text = '{"a":"data:a/b;base64,YWJj","b":"YWJj","c":[1,true,null]}'
    assert.equal(#text, body:length())
    assert.equal(text, tostring(body))
    assert.equal(text:sub(3, 7), body:read(2, 5))
    assert.equal("", body:read(#text, 5))
    body:close()
    body:close()
    misused("body is closed", body.length, body)
    misused("closed", body.read, body, 0, 1)
  end)

  it("body: what cannot be written is nil and an error with its path", function()
    local cycle = {}
    cycle.a = { cycle }
    local cases = {
      ["a[1]: table contains itself"] = cycle,
      ["x: NaN cannot be written"] = { x = 0 / 0 },
      ["x: table has a hole at 2"] = { x = { 1, nil, 3 } },
      ["x: table is a list and has named fields"] = { x = { 1, a = 2 } },
      ["x: cannot write a function"] = { x = print },
      ["x: a blob needs core.base64_of or core.data_url_of"] = { x = core.blob("a") },
    }
    for message, value in pairs(cases) do
      local body, err = core.body(value)
      refused("bad_request", "invalid", body, err)
      assert.equal(message, err.message)
    end
    refused("bad_request", "utf8", core.body({ "\255" }))
    misused("#1", core.body)
  end)

  it("body_raw: text, blobs and ranges", function()
    local blob = core.blob("abcdef")
    assert.equal("<abcdefbcd>", tostring(core.body_raw({ "<", blob, { blob, 1, 3 }, ">" })))
    misused("#1", core.body_raw, { 1, {} })
    misused("outside", core.body_raw, { { blob, 5, 3 } })
    misused("#1", core.body_raw)
  end)

  it("array, null, raw: what JSON tells apart and Lua does not", function()
    assert.equal("[[],{},null,1.50]", tostring(core.body({ core.array({}), {}, core.null, core.raw("1.50") })))
    local t = {}
    assert.equal(t, core.array(t))
    assert.equal("userdata", type(core.null))
    misused("not JSON at byte 2", core.raw, "1x")
    misused("#1", core.array)
  end)

  it("base64_of, data_url_of: a blob only", function()
    misused("#1", core.base64_of, "text")
    misused("#1", core.data_url_of, {})
    local text = tostring(core.body(core.data_url_of(core.blob("a", "a/b"), "c/d")))
    assert.equal('"data:c/d;base64,YQ=="', text)
    misused("#2", core.data_url_of, core.blob("a"), "no type")
  end)

  it("json_decode: strict, the last duplicate wins", function()
    assert.same({ a = 2, b = { 1 } }, core.json_decode('{"a":1,"a":2,"b":[1],"c":null}'))
    assert.equal(core.null, core.json_decode("null", { null = true }))
    assert.is_nil((core.json_decode("null")))
    assert.equal("[]", tostring(core.body(core.json_decode("[]"))))
    assert.equal("\239\191\189", core.json_decode([["\ud800"]]))
    for _, text in ipairs({ "", "{", "[1,]", "01", "'a'", "NaN", "1 2", '"\1"', '{"a":1,}' }) do
      refused("protocol", "syntax", core.json_decode(text))
    end
    refused("protocol", "utf8", core.json_decode('"\255"'))
    assert.is_not_nil(core.json_decode(("["):rep(512) .. ("]"):rep(512)))
    refused("protocol", "depth", core.json_decode(("["):rep(513) .. ("]"):rep(513)))
    misused("#1", core.json_decode)
    misused("#2", core.json_decode, "1", 2)
  end)

  it("json_decode: integers stay, exact keeps what no number holds", function()
    local math_type = math.type
    if math_type then assert.equal("integer", math_type(core.json_decode("3"))) end
    local digits = "123456789012345678901234567890.5"
    assert.equal(digits, tostring(core.body(core.json_decode(digits, { exact = true }))))
    assert.equal("number", type(core.json_decode(digits)))
  end)

  it("json_decode: marks are media, amid text a list that prints as it came", function()
    local media = { core.blob("abc", "a/b") }
    assert.equal(media[1], core.json_decode('"\0011\001"', { media = media }))
    local mixed = core.json_decode('"see \0011\001!"', { media = media })
    assert.equal("multimodal.mixed", getmetatable(mixed).__name)
    assert.same({ "see ", "!" }, { mixed[1], mixed[3] })
    assert.equal(media[1], mixed[2])
    refused("protocol", "syntax", core.json_decode('"\0012\001"', { media = media }))
  end)

  it("json_scan: complete, and the longest prefix that can be closed", function()
    local scan = core.json_scan()
    assert.equal("", scan:closed())
    assert.is_true(scan:feed('{"a":[1,{"b":"x'))
    assert.is_false(scan:complete())
    assert.equal('{"a":[1,{"b":"x"}]}', scan:closed())
    assert.is_true(scan:feed('"}]}'))
    assert.is_true(scan:complete())
    refused("protocol", "syntax", scan:feed("x"))
    refused("protocol", "syntax", scan:feed(" "))
  end)

  it("sse: strict events, sticky errors", function()
    local parser = core.sse({ max_event = 10 })
    assert.is_true(parser:feed("event: a\nid: 7\nretry: 20\ndata: x\n\ndata: y\n\n"))
    assert.same({ type = "a", data = "x", id = "7" }, parser:next())
    assert.same({ type = "message", data = "y", id = "7" }, parser:next())
    assert.is_nil(parser:next())
    assert.equal(20, parser:retry())
    refused("protocol", "too_large", parser:feed("data: z\n\ndata: 12345678901\n\n"))
    assert.equal("z", parser:next().data)
    refused("protocol", "too_large", parser:feed("\n"))
    local other = core.sse()
    other:finish()
    assert.is_nil(other:retry())
    misused("finish", other.feed, other, "x")
    misused("unknown option 'max'", core.sse, { max = 1 })
  end)

  it("decoder: formats by head and first byte", function()
    local cases = {
      { "text/event-stream", "sse", "data: 1\n\n" },
      { "application/json", "json", '{"a":1}' },
      { "application/json", "json-array", "[1]" },
      { "application/x-ndjson", "ndjson", "{}\n" },
      { "image/png", "bytes", PNG },
    }
    for _, case in ipairs(cases) do
      local decoder = core.decoder({ format = "auto" })
      decoder:head(200, case[1])
      assert.is_true(decoder:feed(case[3]))
      assert.is_true(decoder:finish())
      assert.equal(case[2], decoder:format())
      assert.is_table(decoder:next())
      assert.is_nil(decoder:next())
      misused("finish", decoder.feed, decoder, "x")
    end
  end)

  it("decoder: an error's body is one event", function()
    local decoder = core.decoder()
    assert.equal("error", decoder:head(500, "text/event-stream"))
    assert.is_true(decoder:feed("data: busy\n\n"))
    assert.is_true(decoder:finish())
    assert.same({ type = "error", data = "busy", id = "" }, decoder:next())
  end)

  it("decoder: long base64 is a medium, counted from 1", function()
    local decoder = core.decoder({ format = "sse", lift_above = 16384, memory = 0, lenient = false })
    decoder:head(200, "text/event-stream")
    local event = events(decoder, 'data: {"a":"' .. LONG .. '"}\n\n')[1]
    assert.equal('{"a":"\0011\001"}', event.data)
    assert.equal(LONG, event.media[1]:base64())
  end)

  it("decoder: limits are sticky, behind the events before them", function()
    for option, text in pairs({ max_event = "data: " .. ("y "):rep(50000) .. "\n\n", max_media = '"' .. LONG .. '"' }) do
      local decoder = core.decoder({ format = "ndjson", [option] = 10000 })
      decoder:head(200)
      refused("protocol", "too_large", decoder:feed("1\n" .. text:gsub("^data: ", '"')))
      assert.equal("1", decoder:next().data)
      refused("protocol", "too_large", decoder:next())
      refused("protocol", "too_large", decoder:feed("1\n"))
      refused("protocol", "too_large", decoder:finish())
    end
  end)

  it("decoder: text alone is handed out without a table", function()
    local decoder = core.decoder({ format = "sse", text = { path = { "d", "0", "t" }, ignore = { "id" } } })
    decoder:head(200, "text/event-stream")
    assert.same({ nil, "again" }, { decoder:next_text() })
    assert.is_true(decoder:feed('data: {"id":"1","d":[{"t":"a"}]}\n\ndata: {"x":1,"d":[{"t":"b"}]}\n\n'))
    assert.equal("a", decoder:next_text())
    assert.same({ nil, "event" }, { decoder:next_text() })
    assert.equal('{"x":1,"d":[{"t":"b"}]}', decoder:next().data)
  end)

  it("decoder: what it refuses", function()
    misused("unknown format 'xml'", core.decoder, { format = "xml" })
    misused("unknown option 'max'", core.decoder, { max = 1 })
    misused("max_event", core.decoder, { max_event = -1 })
    misused("unknown option 'paths'", core.decoder, { text = { paths = {} } })
    local decoder = core.decoder()
    for _, status in ipairs({ -1, 1e20, 0 / 0 }) do misused("HTTP status", decoder.head, decoder, status) end
    decoder:close()
    misused("decoder is closed", decoder.next, decoder)
  end)

  it("backoff: nil, retry_after, or a part of the doubled base", function()
    assert.equal(1, core.backoff(2, nil, nil, 1))
    assert.equal(8, core.backoff(9, nil, nil, 1))
    assert.equal(0.5, core.backoff(2, nil, nil, 0.5))
    assert.equal(60, core.backoff(1, 60, nil, 0))
    assert.is_nil(core.backoff(1, 61, nil, 0))
    assert.equal(61, core.backoff(1, 61, { max_retry_after = 100 }, 0))
    assert.equal(3, core.backoff(9, nil, { base = 2, cap = 3 }, 1))
    misused("#1", core.backoff, 0, nil, nil, 1)
    misused("#4", core.backoff, 1, nil, nil, 2)
    misused("unknown option 'low'", core.backoff, 1, nil, { low = 1 }, 1)
  end)

  it("poll: wait, done or failed", function()
    local machine = core.poll {
      delays = { 5, 5, 5, 10, 10, 20 }, first = 2, max_delay = 8, jitter = 0.1, timeout = 100, max_failures = false,
      states = { completed = "succeeded" },
    }
    assert.same({ "wait", 2 }, { machine:next(0, { random = 0.5 }) })
    assert.same({ "wait", 4.5 }, { machine:next(2, { state = "queued", random = 0 }) })
    assert.same({ "wait", 7 }, { machine:next(7, { error = "rate_limit", retry_after = 7, random = 0.5 }) })
    assert.same({ "done", "succeeded" }, { machine:next(14, { state = "completed" }) })
    assert.same({ "failed", "auth" }, { machine:next(14, { error = "auth" }) })
    assert.same({ "failed", "timeout" }, { machine:next(100, { state = "running" }) })
    misused("unknown option 'delay'", core.poll, { delay = 1 })
    misused("#2", machine.next, machine)
  end)

  it("sha256: in pieces", function()
    local h = core.sha256()
    h:update("a")
    h:update("bc")
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", h:hex())
    misused("string expected", h.update, h)
  end)

  it("file_move, file_folder, is_terminal", function()
    assert.is_true(core.file_write(path .. ".from", "a"))
    assert.is_true(core.file_move(path .. ".from", path, { sync = true, exclusive = true }))
    refused("file", "ENOENT", core.file_move(path .. ".from", path))
    misused("unknown option 'append'", core.file_move, path, path, { append = true })
    misused("NUL", core.file_move, path, "a\0b")
    misused("#2", core.file_move, path)
    refused("file", "ENOTDIR", core.file_folder(path))
    misused("NUL", core.file_folder, "a\0b")
    assert.is_boolean(core.is_terminal(2))
    misused("expected 0, 1 or 2", core.is_terminal, 3)
    misused("#1", core.is_terminal)
  end)

  it("file_write, file_lock, random", function()
    assert.is_true(core.file_write(path, "a", { sync = true }))
    assert.is_true(core.file_write(path, "b", { append = true }))
    assert.equal("ab", core.blob_file(path):bytes())
    refused("file", "EEXIST", core.file_write(path, "c", { exclusive = true }))
    refused("file", "ENOENT", core.file_write(path .. "x/y", "c"))
    misused("unknown option 'atomic'", core.file_write, path, "c", { atomic = true })
    misused("NUL", core.file_write, "a\0b", "c")
    local lock = assert(core.file_lock(path))
    assert.same({ nil, "held" }, { core.file_lock(path) })
    lock:close()
    assert(core.file_lock(path)):close()
    refused("file", "ENOENT", core.file_lock(path .. "x/y"))
    assert.equal(16, #core.random(16))
    assert.are_not.equal(core.random(16), core.random(16))
    misused("#1", core.random, -1)
  end)
end)

describe("the net's names #small", function()
  local net = require("multimodal.net")

  it("are these, and an engine's and an exchange's", function()
    local engine = assert(net.engine())
    assert.equal(0, net.live())
    assert.equal(0, engine:step(0))
    assert.is_nil(engine:pop())
    assert.equal("number", type(engine:fd()))
    assert.is_nil(engine:timeout())
    local exchange = assert(engine:start({ method = "GET", url = "http://127.0.0.1:9/" }))
    assert.equal("number", type(exchange:id()))
    assert.equal(1, net.live())
    assert.same({ nil, "again" }, { exchange:head() })
    assert.same({ nil, "again" }, { exchange:next() })
    assert.same({ nil, "again" }, { exchange:next_text() })
    assert.same({ 0, 0 }, { exchange:progress() })
    assert.equal("number", type(exchange:timing().total))
    exchange:close()
    exchange:close()
    assert.equal(0, net.live())
    engine:close()
    engine:close()
    assert.is_false(pcall(engine.step, engine, 0))
  end)

  it("refuse what is no request", function()
    local engine = assert(net.engine())
    local cases = {
      ["url must be a string"] = {},
      ["line break or a NUL"] = { url = "http://x/\r\nA: b" },
      ["method must be capital letters"] = { url = "http://x", method = "get " },
      ["idle_timeout must be over 0"] = { url = "http://x", idle_timeout = -1 },
      ["headers%[1%]"] = { url = "http://x", headers = { "A: b\nC: d" } },
      ["decoder must be"] = { url = "http://x", decoder = {} },
      ["body must be"] = { url = "http://x", body = "text" },
    }
    for pattern, request in pairs(cases) do misused(pattern, engine.start, engine, request) end
    engine:close()
    collectgarbage()
    assert.equal(0, net.live())
  end)
end)
