--- Which clock ends a call, by the code of its error: whole and streamed, up and down, over attempts and redirects.
local mm = require("multimodal")
local server = require("support.server")

local function chunk(delta, reason)
  return ('{"id":"c1","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}'):format(
    delta, reason and '"' .. reason .. '"' or "null")
end

local whole = '{"id":"c1","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]}'
local first, second, last = chunk '{"role":"assistant","content":"Hel"}', chunk '{"content":"lo"}', chunk("{}", "stop")
local event_stream = server.head(200, { ["Content-Type"] = "text/event-stream", ["Transfer-Encoding"] = "chunked" })
local json_head = server.head(200, { ["Content-Type"] = "application/json", ["Content-Length"] = #whole })
local slow_reader, stalled = { { buffer = 8192 } }, { stall = true }

--- More than goes out while nobody reads, and less than a kernel takes in at once.
local long = ("x"):rep(150000)

describe("the clocks of", function()
  local s, options

  before_each(function()
    s = server.start { deaf = true }
    options = {
      base_url = s.url .. "/v1", api_key = "sk-clocks", model = "m", retries = 0,
      connect_timeout = 9, first_byte_timeout = 9, idle_timeout = 9, timeout = 9,
      clock = { random = function() return 0 end },
    }
  end)
  after_each(function() s:stop() end)

  local function client(more)
    for name, value in pairs(more or {}) do options[name] = value end
    return mm.client(options)
  end

  --- Every way of asking, up to the end of the answer.
  local ways = {
    whole = function(ai, text) return ai:generate(text) end,
    streamed = function(ai, text)
      local stream, err = ai:stream(text)
      if not stream then return nil, err end
      return stream:reply()
    end,
    hooked = function(ai, text) return ai:generate(text, { on_text = function() end }) end,
    posted = function(ai, text) return ai:http { "POST", "/x", json = { text = text } } end,
    read = function(ai) return ai:http { "/x" } end,
    models = function(ai) return ai:models { refresh = true } end,
  }
  local all = { "whole", "streamed", "hooked", "posted", "read", "models" }
  local chats = { "whole", "streamed", "hooked" }
  local senders = { "whole", "streamed", "hooked", "posted" }

  --- What ends each way while the server does these steps; the error of the last.
  local function assert_ends(code, list, ai, steps, text)
    local err
    for _, way in ipairs(list) do
      if steps then s:script(steps) end
      local value
      value, err = ways[way](ai, text or "Hi")
      assert.is_nil(value, way)
      assert.same({ way, "timeout", code }, { way, err.kind, err.code })
      assert(tostring(err):find("timeout (" .. (err.status and err.status .. ", " or "") .. code, 1, true), tostring(err))
    end
    return err
  end

  it("a connection that is never made", function()
    local err = assert_ends("connect", all, client { base_url = s.deaf_url .. "/v1", connect_timeout = 0.1 })
    assert.is_false(err.maybe_accepted)
    -- Nothing was sent, so any operation is tried again.
    for _, way in ipairs { "streamed", "posted" } do
      err = assert_ends("connect", { way }, client { retries = 2 })
      assert.equal(3, err.attempts)
    end
  end)

  it("an answer that never begins", function()
    local ai = client { first_byte_timeout = 0.15 }
    assert_ends("first_byte", all, ai, { stalled })
    assert_ends("first_byte", chats, ai, { event_stream, stalled })
    assert_ends("first_byte", all, ai, { json_head, stalled })
  end)

  it("an answer that is nothing but signs of life", function()
    local ai = client { first_byte_timeout = 0.5, idle_timeout = 0.3 }
    local err = assert_ends("first_byte", chats, ai, { event_stream, { repeats = { server.comment(), { wait = 0.04 } } } })
    assert.same({ "", "failed" }, { err.partial.text, err.partial.outcome })
    assert_ends("first_byte", { "whole" }, ai, { json_head, { repeats = { " ", { wait = 0.02 } } } })
  end)

  it("signs of life between the events, which are no silence", function()
    local ai = client { first_byte_timeout = 0.7, idle_timeout = 0.6 }
    local waiting = { times = 4, repeats = { server.comment(), { wait = 0.1 } } }
    local once = { times = 2, repeats = waiting.repeats }
    for _, way in ipairs(chats) do
      s:script { event_stream, once, server.sse({ first }, { open = true })[2], waiting, waiting,
        server.sse({ second, last, "[DONE]" })[2], server.sse({ second, last, "[DONE]" })[3], server.sse({ "[DONE]" })[2],
        server.last_chunk }
      assert.equal("Hello", assert(ways[way](ai, "Hi")).text)
    end
  end)

  it("silence in the middle of an answer, of which the part is kept", function()
    local ai = client { idle_timeout = 0.3 }
    local cut = { server.sse({ first, second }, { open = true }), stalled }
    local err = assert_ends("idle", { "streamed", "hooked" }, ai, cut)
    assert.same({ "Hello", "stalled", true }, { err.partial.text, err.partial.outcome, err.maybe_accepted })
    err = assert_ends("idle", { "whole" }, ai, cut)
    assert.same({ "Hello", "stalled" }, { err.partial.text, err.partial.outcome })
    err = assert_ends("idle", { "whole", "posted", "read", "models" }, ai, { json_head, whole:sub(1, 40), stalled })
    assert.is_nil(err.partial)
    s:script { json_head, whole:sub(1, 40), stalled }
    err = select(2, ai:generate "Hi")
    assert.same({ "idle", "stalled" }, { err.code, err.partial.outcome })
  end)

  it("silence after the end of what is said, which is the end", function()
    local ai = client { idle_timeout = 0.3 }
    s:script { server.sse({ first, second, last }, { open = true }), stalled }
    local reply = assert(ways.streamed(ai, "Hi"))
    assert.same({ "Hello", "complete" }, { reply.text, reply.outcome })
    s:script { server.sse({ first, second, last }, { open = true }), { repeats = { server.comment(), { wait = 0.05 } } } }
    reply = assert(ways.streamed(client { timeout = 0.5 }, "Hi"))
    assert.same({ "Hello", "complete" }, { reply.text, reply.outcome })
  end)

  it("a body that nobody takes", function()
    s:script(slow_reader, { on = "connect", times = -1 })
    local ai = client { idle_timeout = 0.3 }
    local err = assert_ends("idle", senders, ai, { { read = 1000 }, stalled }, long)
    assert.is_true(err.maybe_accepted)
    assert_ends("idle", senders, client { first_byte_timeout = 0.1 }, { { read = 1000 }, stalled }, long)
  end)

  it("a body that goes out slowly, which is neither silence nor late", function()
    s:script(slow_reader, { on = "connect", times = -1 })
    local ai = client { first_byte_timeout = 0.5, idle_timeout = 0.5 }
    local taking = { read = "all", piece = 16384, every = 0.05 }
    s:script { taking, server.json(200, whole) }
    assert.equal("ok", assert(ways.whole(ai, long)).text)
    s:script { taking, server.sse { first, second, last, "[DONE]" } }
    assert.equal("Hello", assert(ways.streamed(ai, long)).text)
    assert_ends("first_byte", { "whole", "streamed" }, ai, { taking, stalled }, long)
  end)

  it("an answer that comes slowly, but comes", function()
    local ai = client { first_byte_timeout = 0.5, idle_timeout = 0.5 }
    local steady = { split = 8, every = 0.05 }
    local text = table.concat { "data: ", first, "\n\ndata: ", last, "\n\n" }
    s:script { server.head(200, { ["Content-Type"] = "text/event-stream", ["Content-Length"] = #text }),
      { send = text, split = 8, every = 0.05 } }
    assert.equal("Hel", assert(ways.streamed(ai, "Hi")).text)
    for _, way in ipairs { "whole", "posted", "read" } do
      s:script(server.json(200, whole, steady))
      assert(ways[way](ai, "Hi"))
    end
  end)

  it("all that a call takes: attempts, waiting and redirects", function()
    local ai = client { timeout = 0.7, first_byte_timeout = 0.2, retries = 20 }
    s:script({ stalled }, { times = -1 })
    for _, way in ipairs { "whole", "read" } do
      local err = assert_ends("total", { way }, ai)
      assert(err.attempts >= 2 and err.attempts <= 4, err.attempts)
    end
    s:clear()
    s:script({ { wait = 0.2 }, server.text(307, "", { headers = { Location = "/v1/on" } }) }, { times = -1 })
    ai = client { timeout = 0.5, first_byte_timeout = 9 }
    for _, way in ipairs(all) do
      local before = #s:requests()
      assert_ends("total", { way }, ai)
      assert(#s:requests() - before >= 2)
    end
  end)

  it("all that an answer takes, of which the part is kept", function()
    local ai = client { timeout = 0.5, idle_timeout = 0.3 }
    local steps = { server.sse({ first }, { open = true }), { repeats = { server.comment(), { wait = 0.05 } } } }
    local err = assert_ends("total", chats, ai, steps)
    assert.same({ "Hel", "failed" }, { err.partial.text, err.partial.outcome })
    s:script(slow_reader, { on = "connect", times = -1 })
    assert_ends("total", senders, client { idle_timeout = 9 }, { { read = "all", piece = 4096, every = 0.05 }, stalled }, long)
  end)

  it("each other: the first to run out is named", function()
    local names = { connect = "connect_timeout", first_byte = "first_byte_timeout", idle = "idle_timeout", total = "timeout" }
    local function with(code)
      local set = {}
      for of, name in pairs(names) do set[name] = of == code and 0.15 or 5 end
      return client(set)
    end
    assert_ends("connect", chats, with("connect"):with { base_url = s.deaf_url })
    assert_ends("total", chats, with("total"):with { base_url = s.deaf_url })
    for _, code in ipairs { "first_byte", "total" } do assert_ends(code, chats, with(code), { stalled }) end
    local open = { event_stream, { times = 1, repeats = { server.comment() } }, stalled }
    for _, code in ipairs { "first_byte", "idle", "total" } do assert_ends(code, chats, with(code), open) end
    local begun = { server.sse({ first }, { open = true }), stalled }
    for _, code in ipairs { "idle", "total" } do assert_ends(code, chats, with(code), begun) end
  end)

  it("nobody, where they are off", function()
    local ai = client { connect_timeout = false, first_byte_timeout = false, idle_timeout = false, timeout = false }
    s:script { { wait = 0.1 }, event_stream, { wait = 0.1 }, server.sse({ first, last, "[DONE]" })[2], { wait = 0.1 },
      server.sse({ last })[2], server.last_chunk }
    assert.equal("Hel", assert(ways.streamed(ai, "Hi")).text)
  end)

  it("a link that is fetched", function()
    local ai = client { fetch = true, private = true, base_url = s.url .. "/v1" }
    local function ends(code, name, steps, url)
      if steps then s:script(steps) end
      local made, err = ai:with({ [name] = 0.15 }):request { mm.image((url or s.url) .. "/cat.png") }
      assert.is_nil(made)
      assert.same({ "timeout", code }, { err.kind, err.code })
    end
    ends("connect", "connect_timeout", nil, s.deaf_url)
    ends("first_byte", "first_byte_timeout", { stalled })
    ends("idle", "idle_timeout", { server.head(200, { ["Content-Length"] = 10, ["Content-Type"] = "image/png" }), "half", stalled })
    ends("total", "timeout", { server.head(200, { ["Content-Length"] = 10, ["Content-Type"] = "image/png" }), "half", stalled })
  end)
end)
