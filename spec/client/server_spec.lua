--- The client against a server that behaves, and misbehaves, to the byte.
local cjson = require("cjson").new()
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")

local done = "[DONE]"

local function chunk(delta, reason)
  return ('{"id":"c1","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}'):format(
    delta, reason and '"' .. reason .. '"' or "null")
end

local function text(piece)
  return chunk('{"content":"' .. piece .. '"}')
end

local function whole(answer)
  return ('{"id":"c1","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"%s"}}],'
    .. '"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'):format(answer)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

--- Every piece of text that comes, and how it ends.
local function drain(stream)
  local texts = {}
  for piece in stream:text() do texts[#texts + 1] = piece end
  return table.concat(texts), stream:reply()
end

describe("a client at a server", function()
  local s, ai

  local function client(more)
    local options = { base_url = s.url .. "/v1", api_key = "sk-canary", model = "gpt-4o" }
    for name, value in pairs(more or {}) do options[name] = value end
    return mm.client(options)
  end

  before_each(function()
    s = server.start()
    ai = client()
  end)
  after_each(function() s:stop() end)

  it("sends what the seed sends, and the bytes of the file", function()
    s:script(server.json(200, whole "A cat."), { times = 2 })
    local prompt = "Describe this image in one sentence."
    local reply = assert(ai:generate { prompt, mm.image "https://example.com/image.jpg" })
    assert.equal("A cat.", reply.text)
    assert(ai:generate { prompt, mm.image "examples/cat.jpg" })
    local seen = assert(s:requests(2))
    local function sample(url)
      return { model = "gpt-4o", messages = { { role = "user", content = {
        { type = "text", text = prompt }, { type = "image_url", image_url = { url = url } },
      } } } }
    end
    assert.same(sample "https://example.com/image.jpg", cjson.decode(seen[1].body))
    local url = "data:image/jpeg;base64," .. core.base64_encode(read "examples/cat.jpg")
    assert.same(sample(url), cjson.decode(seen[2].body))
    for _, request in ipairs(seen) do
      assert.same({ "POST", "/v1/chat/completions", "Bearer sk-canary", "application/json", "application/json" }, {
        request.method, request.path, request.headers.authorization, request.headers["content-type"], request.headers.accept,
      })
      assert.equal(tostring(#request.body), request.headers["content-length"])
      assert.is_nil(request.headers.vendor)
      assert.is_nil(request.headers.expect)
    end
  end)

  it("overrides headers once", function()
    s:script(server.json(200, whole "ok"))
    assert(ai:generate("Hi", { vendor = "google", headers = {
      authorization = "Bearer TOKEN", ["content-type"] = "application/json; charset=utf-8",
    } }))
    local names = {}
    for _, line in ipairs(assert(s:requests(1))[1].header_lines) do
      local name = line:match("^[^:]+"):lower()
      names[name] = (names[name] or 0) + 1
    end
    assert.same({ 1, 1, 1 }, { names.authorization, names["content-type"], names.vendor })
    assert.equal("Bearer TOKEN", s:requests()[1].headers.authorization)
    assert.equal("application/json; charset=utf-8", s:requests()[1].headers["content-type"])
  end)

  it("streams, and keeps the id of the request", function()
    s:script(server.sse({ chunk('{"role":"assistant","content":""}'), text "Hel", text "lo", chunk("{}", "stop"), done }, {
      headers = { ["X-Request-Id"] = "req_1" },
    }))
    local stream = assert(ai:stream { "Hi" })
    assert.equal("req_1", stream.request_id)
    local said, reply = drain(stream)
    assert.same({ "Hello", "Hello", "complete", "req_1" }, { said, reply.text, reply.outcome, reply.request_id })
    assert.equal("text/event-stream", assert(s:requests(1))[1].headers.accept)
    assert.is_true(cjson.decode(s:requests()[1].body).stream)
  end)

  it("streams in any split of the bytes", function()
    local list = { text "سلام", text "图\240\159\144\136", chunk("{}", "stop"), done }
    for size = 1, 40, 3 do
      s:script(server.sse(list, { chunk = size }))
      local said = drain(assert(ai:stream "Hi"))
      assert.equal("سلام图\240\159\144\136", said)
    end
  end)

  it("does not wait for the end of the body after the end mark", function()
    s:script({ server.sse({ text "Hello", chunk("{}", "stop"), done }, { open = true }), { stall = true } })
    local said, reply = drain(assert(ai:stream("Hi", { timeout = 3 })))
    assert.same({ "Hello", "complete" }, { said, reply and reply.outcome })
    mm.sleep(0.4) -- the end of the framing has a quarter of a second to come
    assert(s:closed(1))
  end)

  it("has the socket closed by close, and by a break where Lua tells of it", function()
    for _ = 1, 2 do
      s:script({ server.sse({ text "Hello" }, { open = true }), { stall = true } })
    end
    local stream = assert(ai:stream "Hi")
    stream:close()
    assert.equal("peer", assert(s:closed(1)).by)
    stream = assert(ai:stream "Hi")
    for _ in stream:text() do break end -- luacheck: ignore 512
    if _VERSION ~= "Lua 5.4" then stream:close() end
    assert.equal("peer", assert(s:closed(2)).by)
  end)

  it("has the socket closed when a stream is collected", function()
    s:script({ server.sse({ text "Hello" }, { open = true }), { stall = true } })
    do
      local stream = assert(ai:stream "Hi")
      assert.equal("Hello", stream:text()(stream))
    end
    for _ = 1, 3 do collectgarbage() end
    assert(s:closed(1, { pump = function() mm.step(0.01) end }))
  end)

  it("runs prompts at once in jobs", function()
    s:script(server.sse({ text "a", chunk("{}", "stop"), done }, { every = 0.1 }), { times = -1 })
    mm.run(function()
      local first, second = assert(mm.all(
        function() return drain(assert(ai:stream "A")) end,
        function() return ai:generate("B", { on_event = function() end }) end))
      assert.equal("a", first)
      assert.equal("a", second.text)
    end)
    assert.equal(2, s:accepted())
  end)

  it("closes the stream of a job that ended", function()
    s:script({ server.sse({ text "Hello" }, { open = true }), { stall = true } })
    mm.run(function() assert(ai:stream "Hi") end)
    assert(s:closed(1, { pump = function() mm.step(0.01) end }))
  end)
end)

describe("a server that lies", function()
  local s, ai

  before_each(function()
    s = server.start()
    ai = mm.client { base_url = s.url .. "/v1", model = "m", idle_timeout = 0.3, connect_timeout = 2, retries = 0 }
  end)
  after_each(function() s:stop() end)

  local cut = { text "Once", text " upon" }

  it("about the end of a stream is truncated, with the partial", function()
    local plain = "data: " .. cut[1] .. "\n\ndata: " .. cut[2] .. "\n\n"
    local ways = {
      server.sse(cut),
      { server.sse(cut, { open = true }), { close = true } },
      { server.sse(cut, { open = true }), { wait = 0.05 }, { reset = true } },
      { server.head(200, { ["Content-Type"] = "text/event-stream" }), plain, { close = true } },
      { server.head(200, { ["Content-Type"] = "text/event-stream", ["Content-Length"] = 9999 }), plain, { close = true } },
    }
    for i, steps in ipairs(ways) do
      s:script(steps)
      local said, reply, err = drain(assert(ai:stream "Hi"))
      assert.is_nil(reply)
      assert.same({ i, "Once upon", "truncated", "truncated", "Once upon" }, { i, said, err.kind, err.partial.outcome, err.partial.text })
      assert.equal(200, err.status)
    end
  end)

  it("about the length of a body is truncated", function()
    s:script({ server.text(200, whole "Hi", { length = 9999, headers = { ["Content-Type"] = "application/json" } }), { close = true } })
    local reply, err = ai:generate "Hi"
    assert.is_nil(reply)
    assert.same({ "truncated", "truncated" }, { err.kind, err.partial and err.partial.outcome })
  end)

  it("and stalls is a timeout of the idle clock", function()
    s:script({ server.sse(cut, { open = true }), { stall = true } })
    local said, reply, err = drain(assert(ai:stream "Hi"))
    assert.is_nil(reply)
    assert.same({ "Once upon", "timeout", "idle", "stalled" }, { said, err.kind, err.code, err.partial.outcome })
  end)

  it("and stalls before its head is a timeout of the first byte", function()
    s:script({ { stall = true } })
    local reply, err = ai:generate("Hi", { first_byte_timeout = 0.2, idle_timeout = false })
    assert.is_nil(reply)
    assert.same({ "timeout", "first_byte", 1, true }, { err.kind, err.code, err.attempts, err.maybe_accepted })
    s:script({ { stall = true } })
    reply, err = ai:generate("Hi", { timeout = 0.2 })
    assert.is_nil(reply)
    assert.same({ "timeout", "total" }, { err.kind, err.code })
  end)

  it("with HTML tells its title", function()
    local page = "<!doctype html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    for _, status in ipairs { 502, 200 } do
      for _, method in ipairs { "generate", "stream" } do
        s:script(server.text(status, page, { headers = { ["Content-Type"] = "text/html" } }))
        local reply, err = ai[method](ai, "Hi")
        assert.is_nil(reply)
        assert(err.kind == "server" or err.kind == "protocol", err.kind)
        assert(err.message:find("502 Bad Gateway", 1, true), err.message)
      end
    end
  end)

  it("with an error inside a 200 has the error's kind", function()
    local body = '{"error":{"message":"Rate limited","code":429,"type":"rate_limit_exceeded"}}'
    s:script(server.json(200, body))
    local reply, err = ai:generate "Hi"
    assert.is_nil(reply)
    assert.same({ "rate_limit", "Rate limited" }, { err.kind, err.message })
    for _, steps in ipairs { server.json(200, body), server.sse { body }, server.sse { text "Once", body } } do
      s:script(steps)
      local stream
      stream, err = ai:stream "Hi"
      if stream then
        local said
        said, reply, err = drain(stream)
        assert.same({ "Once", nil, "Once" }, { said, reply, err.partial.text })
      end
      assert.equal("rate_limit", err.kind)
    end
  end)

  it("with an endless line is a protocol error, with the partial", function()
    s:script({
      server.sse({ text "Once" }, { open = true }), { send = "data: ", chunk = 6 },
      { fill = 80 * 1024 * 1024, chunk = 1024 * 1024 },
    })
    local said, reply, err = drain(assert(ai:stream("Hi", { idle_timeout = 20 })))
    assert.is_nil(reply)
    assert.same({ "Once", "protocol", "Once" }, { said, err.kind, err.partial.text })
    assert(s:closed(1))
  end)

  it("with an error status has the gateway's words and headers", function()
    s:script(server.json(429, '{"error":{"message":"Slow down.","code":"rate_limit_exceeded"}}', {
      headers = { ["Retry-After"] = "7", ["X-Request-Id"] = "req_abc" },
    }))
    local reply, err = ai:generate "Hi"
    assert.is_nil(reply)
    assert.same({ "rate_limit", 429, 7, "req_abc", 1 }, { err.kind, err.status, err.retry_after, err.request_id, err.attempts })
    assert(tostring(err):find("^server_spec.lua:%d+: rate_limit %(429, 127.0.0.1 m%): Slow down%. request req_abc$"), tostring(err))
  end)

  it("that is not there is a network error", function()
    local url = s.url
    s:stop()
    local reply, err = mm.client({ base_url = url, model = "m", retries = 0 }):generate "Hi"
    assert.is_nil(reply)
    assert.same({ "network", 1, false }, { err.kind, err.attempts, err.maybe_accepted })
    assert.is_nil(err.partial)
    s = server.start()
  end)

  it("with an empty body, or two values, is a protocol error", function()
    s:script(server.json(200, ""))
    local reply, err = ai:generate "Hi"
    assert.is_nil(reply)
    assert.equal("protocol", err.kind)
    s:script(server.json(200, '{"choices":'))
    reply, err = ai:generate "Hi"
    assert.is_nil(reply)
    assert.equal("protocol", err.kind)
  end)
end)

describe("redirects", function()
  local s, other

  before_each(function()
    s, other = server.start(), server.start()
  end)
  after_each(function()
    s:stop()
    other:stop()
  end)

  local function client()
    return mm.client { base_url = s.url .. "/v1", api_key = "sk-canary", model = "m", headers = { ["x-api-key"] = "k", ["X-Mine"] = "m" } }
  end

  local function moved(status, location)
    return server.text(status, "moved", { headers = { Location = location } })
  end

  it("keep method, body and credentials on the same origin", function()
    for i, status in ipairs { 301, 302, 307, 308 } do
      s:script(moved(status, "/v1/chat/completions/"))
      s:script(server.json(200, whole "there"))
      local reply = assert(client():generate { "Hi", mm.image "examples/cat.jpg" })
      assert.equal("there", reply.text)
      assert.equal(s.url .. "/v1/chat/completions/", reply.url)
      local seen = assert(s:requests(2 * i))
      assert.same({ "POST", "/v1/chat/completions/", "Bearer sk-canary" }, {
        seen[2 * i].method, seen[2 * i].path, seen[2 * i].headers.authorization,
      })
      assert.equal(seen[2 * i - 1].body, seen[2 * i].body)
    end
  end)

  it("make a GET of 303", function()
    s:script(moved(303, "result"))
    s:script(server.json(200, whole "there"))
    assert(client():generate "Hi")
    local seen = assert(s:requests(2))[2]
    assert.same({ "GET", "/v1/chat/result", 0 }, { seen.method, seen.path, seen.body_bytes })
  end)

  it("carry no credential to another origin", function()
    for i, status in ipairs { 301, 302, 303, 307, 308 } do
      s:script(moved(status, other.url .. "/elsewhere"))
      other:script(server.json(200, whole "there"))
      assert(client():generate "Hi")
      local seen = assert(other:requests(i))[i]
      for _, line in ipairs(seen.header_lines) do
        local name = line:match("^[^:]+"):lower()
        assert.is_nil(({ authorization = 1, ["x-api-key"] = 1, ["x-mine"] = 1, cookie = 1 })[name], line)
      end
    end
  end)

  it("end after five", function()
    s:script(moved(307, "/again"), { times = -1 })
    local reply, err = client():generate "Hi"
    assert.is_nil(reply)
    assert.same({ "protocol", "redirect" }, { err.kind, err.code })
    assert.equal(6, #assert(s:requests(6)))
  end)
end)

describe("links", function()
  local s
  before_each(function() s = server.start() end)
  after_each(function() s:stop() end)

  it("are fetched where that is wanted, without credentials, and never from a private address unasked", function()
    local bytes = read "examples/cat.jpg"
    s:script(server.text(200, bytes, { headers = { ["Content-Type"] = "image/jpeg" } }), { path = "/cat.jpg" })
    local ai = mm.client { gateway = mm.mock { "a", "b" }, api_key = "sk-canary", fetch = true }
    local req, err = ai:request { mm.image(s.url .. "/cat.jpg") }
    assert.is_nil(req)
    assert.same({ "permission", "private", "messages[1].content[1]" }, { err.kind, err.code, err.part })
    req = assert(ai:request({ mm.image(s.url .. "/cat.jpg") }, { private = true }))
    assert.equal("data:image/jpeg;base64," .. core.base64_encode(bytes), req:json().messages[1].content[1].image_url.url)
    local seen = assert(s:requests(1))[1]
    assert.same({ "GET", nil }, { seen.method, seen.headers.authorization })
    assert.equal(s.url .. "/cat.jpg", ai:request({ mm.image(s.url .. "/cat.jpg") }, { fetch = false }):json()
      .messages[1].content[1].image_url.url)
  end)

  it("that are not there are errors that name the part", function()
    s:script(server.text(404, "no"))
    local req, err = mm.client({ gateway = mm.mock {}, fetch = true, private = true }):request { "a", mm.image(s.url .. "/cat.jpg?key=k") }
    assert.is_nil(req)
    assert.same({ "not_found", 404, "messages[1].content[2]" }, { err.kind, err.status, err.part })
    assert.is_nil(tostring(err):find("key=k", 1, true))
  end)
end)

local function interpreter()
  local at = 0
  while arg[at - 1] do at = at - 1 end
  return arg[at]
end

local function absolute(path)
  local pipe = assert(io.popen("pwd"))
  local here = pipe:read("*l")
  pipe:close()
  return (path:gsub("[^;]+", function(one)
    return one:find("^/") and one or here .. "/" .. one
  end))
end

describe("examples/describe.lua", function()
  it("describes a picture in streamed text", function()
    local s = server.start()
    s:script(server.sse { text "A cat ", text "on a mat.", chunk("{}", "stop"), done })
    local command = ("cd examples && YOUROUTER_API_KEY=k LUA_PATH='%s' LUA_CPATH='%s' %s describe.lua %s/v1 2>&1"):format(
      absolute(package.path), absolute(package.cpath), interpreter(), s.url)
    local pipe = assert(io.popen(command))
    local out = pipe:read("*a")
    pipe:close()
    assert.equal("A cat on a mat.", (out:gsub("%s+$", "")))
    local content = cjson.decode(assert(s:requests(1))[1].body).messages[1].content
    assert.equal("data:image/jpeg;base64," .. core.base64_encode(read "examples/cat.jpg"), content[2].image_url.url)
    s:stop()
  end)
end)
