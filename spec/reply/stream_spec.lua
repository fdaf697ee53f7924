local core = require("multimodal.core")
local mm = require("multimodal")

local function chunk(delta, reason)
  return ('data: {"id":"c1","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n'):format(
    delta, reason and '"' .. reason .. '"' or "null")
end

local function text(piece)
  return chunk('{"content":"' .. piece .. '"}')
end

local done = "data: [DONE]\n\n"

--- Stream a body of these pieces of server-sent events.
local function stream(pieces, options)
  local ai = mm.client { gateway = mm.mock { { body = table.concat(pieces) } }, retries = 0 }
  return ai:stream("Hi", options)
end

local function types(opened)
  local list = {}
  for event in opened:events() do list[#list + 1] = event.type end
  return list
end

local function fed()
  return { chunk('{"role":"assistant","content":""}'), text "Hel", text "lo", chunk("{}", "stop"), done }
end

describe("a stream #small", function()
  it("is an iterator of texts", function()
    local texts = {}
    for piece in assert(stream(fed())):text() do texts[#texts + 1] = piece end
    assert.same({ "Hel", "lo" }, texts)
  end)

  it("is an iterator of events, in order", function()
    local opened, events = assert(stream(fed())), {}
    for event in opened:events() do events[#events + 1] = event end
    assert.same({ "start", "text", "text", "finish", "done" }, (function()
      local list = {}
      for i, event in ipairs(events) do list[i] = event.type end
      return list
    end)())
    assert.same({ "c1", "m" }, { events[1].id, events[1].model })
    assert.equal("Hel", events[2].delta)
    assert.equal("stop", events[4].reason)
    assert.equal(opened:reply(), events[5].reply)
  end)

  it("is a promise, asked early, late and again", function()
    local opened = assert(stream(fed()))
    local reply = assert(opened:reply())
    assert.equal("Hello", reply.text)
    assert.equal(reply, opened:reply())
    assert.same({}, types(opened))
    opened = assert(stream(fed()))
    for piece in opened:text() do assert.equal("Hel", piece) break end -- luacheck: ignore 512
    if _VERSION == "Lua 5.4" then
      local none, err = opened:reply()
      assert.is_nil(none)
      assert.same({ "cancelled", "Hel" }, { err.kind, err.partial.text })
    else
      assert.equal("Hello", assert(opened:reply()).text)
    end
  end)

  it("is a snapshot", function()
    local opened, seen = assert(stream(fed())), {}
    for _ in opened:text() do seen[#seen + 1] = opened.partial.text end
    assert.same({ "Hel", "Hello" }, seen)
    assert.equal(opened:reply(), opened.partial)
    assert.equal("complete", opened.partial.outcome)
    assert.equal("mock", opened.request_id)
  end)

  it("is one pass: what was taken does not come again", function()
    local opened = assert(stream(fed()))
    local next_piece = opened:text()
    assert.equal("Hel", next_piece(opened))
    assert.same({ "text", "finish", "done" }, types(opened))
    assert.same({}, types(opened))
  end)

  it("opens with its first content: a refusal before it is nil, err", function()
    local opened, err = stream { chunk('{"role":"assistant"}'), 'data: {"error":{"message":"full","code":503}}\n\n' }
    assert.is_nil(opened)
    assert.same({ "overloaded", "full" }, { err.kind, err.message })
    opened, err = stream { chunk('{"role":"assistant"}') }
    assert.is_nil(opened)
    assert.equal("truncated", err.kind)
    assert.equal("", err.partial.text)
  end)

  it("opens on an answer without content", function()
    local opened = assert(stream { chunk('{"role":"assistant"}'), chunk("{}", "stop"), done })
    assert.same({ "start", "finish", "done" }, types(opened))
    assert.equal("", opened:reply().text)
  end)

  it("ends at its end mark, whatever follows", function()
    local pieces = fed()
    pieces[#pieces + 1] = 'data: {"error":{"message":"late"}}\n\n'
    assert.equal("Hello", assert(assert(stream(pieces)):reply()).text)
  end)

  it("is complete with a finish reason and no end mark, or an end mark and no finish reason", function()
    assert.equal("complete", assert(assert(stream { text "a", chunk("{}", "stop") }):reply()).outcome)
    local reply = assert(assert(stream { text "a", done }):reply())
    assert.same({ "complete", "stop" }, { reply.outcome, reply.finish_reason })
  end)

  it("ends its iterators with a failure, which reply() tells", function()
    local opened = assert(stream { text "Hel", text "lo", 'data: {"error":{"message":"full","code":503}}\n\n' })
    local texts = {}
    for piece in opened:text() do texts[#texts + 1] = piece end
    assert.same({ "Hel", "lo" }, texts)
    local reply, err = opened:reply()
    assert.is_nil(reply)
    assert.same({ "overloaded", "failed", "Hello" }, { err.kind, err.partial.outcome, err.partial.text })
    assert(err.where:find("^stream_spec.lua:%d+$"), err.where)
  end)

  it("tells a failure that nobody asked about", function()
    local told, before = {}, mm.on_error
    mm.on_error = function(err) told[#told + 1] = err.kind end
    local function leave(ask)
      local opened = assert(stream { text "Hel", "data: {broken\n\n" })
      for _ in opened:text() do end -- luacheck: ignore 542
      if ask then opened:reply() end
    end
    leave(false)
    for _ = 1, 3 do collectgarbage() end
    assert.same({ "protocol" }, told)
    leave(true)
    for _ = 1, 3 do collectgarbage() end
    mm.on_error = before
    assert.same({ "protocol" }, told)
  end)

  it("is cancelled by close, which may be called again", function()
    local opened = assert(stream(fed()))
    opened:close()
    opened:close()
    local reply, err = opened:reply()
    assert.is_nil(reply)
    assert.same({ "cancelled", "cancelled", "Hel" }, { err.kind, err.partial.outcome, err.partial.text })
    assert.same({}, types(opened))
    assert(tostring(opened):find("cancelled", 1, true))
    opened = assert(stream(fed()))
    local reply_before = opened:reply()
    opened:close()
    assert.equal(reply_before, opened:reply())
  end)

  it("never ends a text inside a character", function()
    local piece = "سلام\226\128\140 图 \240\159\144\136"
    local body = table.concat { text(piece), text(piece), chunk("{}", "stop"), done }
    for split = 1, #body - 1 do
      local fake = mm.mock { { body = body } }
      local request = fake.driver.request
      fake.driver.request = function(self, wire, req)
        local exchange = request(self, wire, req)
        exchange.pieces = { body:sub(1, split), body:sub(split + 1) }
        return exchange
      end
      local texts = {}
      for got in assert(mm.client({ gateway = fake }):stream "Hi"):text() do texts[#texts + 1] = got end
      assert.same({ piece, piece }, texts)
    end
  end)

  it("leaves nothing behind", function()
    collectgarbage()
    collectgarbage()
    local before = core.live()
    for _ = 1, 20 do
      local opened = assert(stream(fed()))
      for _ in opened:text() do break end -- luacheck: ignore 512
      opened:close()
      stream { "data: {broken\n\n" }
    end
    collectgarbage()
    collectgarbage()
    assert.equal(before, core.live())
  end)
end)

describe("hooks #small", function()
  local function generate(options)
    return mm.client({ gateway = mm.mock { { body = table.concat(fed()) } } }):generate("Hi", options)
  end

  it("see texts and events of a generate, which gives the reply", function()
    local texts, events = {}, {}
    local reply = assert(generate {
      on_text = function(piece) texts[#texts + 1] = piece end,
      on_event = function(event) events[#events + 1] = event.type end,
    })
    assert.equal("Hello", reply.text)
    assert.same({ "Hel", "lo" }, texts)
    assert.same({ "start", "text", "text", "finish", "done" }, events)
  end)

  it("stop the call with false", function()
    local reply, err = generate { on_text = function() return false end }
    assert.is_nil(reply)
    assert.same({ "cancelled", "hook", "Hel" }, { err.kind, err.code, err.partial.text })
    reply, err = generate { on_event = function(event) return event.type ~= "start" end }
    assert.is_nil(reply)
    assert.same({ "cancelled", "hook" }, { err.kind, err.code })
  end)

  it("go with a stream too", function()
    local seen = {}
    local opened = assert(stream(fed(), { on_text = function(piece) seen[#seen + 1] = piece end }))
    assert.same({}, seen)
    for _ in opened:text() do end -- luacheck: ignore 542
    assert.same({ "Hel", "lo" }, seen)
  end)
end)
