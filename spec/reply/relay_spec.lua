--- Events of a stream on their way to a browser.
local cjson = require("cjson").new()
local core = require("multimodal.core")
local mm = require("multimodal")

local png = "\137PNG\r\n\26\n\0\1"

local function read(event)
  local text = mm.sse(event)
  local data = text:match("^data: ([^\n]*)\n\n$")
  assert(data, text)
  return cjson.decode(data)
end

describe("sse #small", function()
  it("is one line of JSON for every event of a stream", function()
    local fake = mm.mock { { "One\ntwo.", mm.image { bytes = png, mime = "image/png" } } }
    local stream = assert(mm.client({ gateway = fake, model = "m" }):stream "Draw")
    local sent, parser = {}, core.sse()
    local next_event, state = stream:events()
    local event = next_event(state)
    while event do
      assert(parser:feed(mm.sse(event)))
      local got = assert(parser:next())
      sent[#sent + 1] = cjson.decode(got.data)
      event = next_event(state)
    end
    local types, text = {}, {}
    for i, one in ipairs(sent) do types[i], text[#text + 1] = one.type, one.type == "text" and one.delta or nil end
    assert.equal("start text text image usage finish done", table.concat(types, " "):gsub("finish usage", "usage finish") .. "")
    assert.equal("One\ntwo.", table.concat(text))
    for _, one in ipairs(sent) do
      if one.type == "image" then assert.equal(core.data_url("image/png", png), one.part.url) end
    end
    local done = sent[#sent].reply
    assert.same({ "One\ntwo.", "stop", "complete", "m" }, { done.text, done.finish_reason, done.outcome, done.model })
    assert.is_nil(done.raw)
  end)

  it("says reasoning, audio, tools and steps", function()
    local call = { id = "c1", name = "f", arguments = { a = core.array {}, b = 1 }, arguments_raw = '{"a":[],"b":1}' }
    assert.same({ type = "reasoning", delta = "Hm." }, read { type = "reasoning", delta = "Hm." })
    assert.same({ type = "audio", delta = core.base64_encode("\0\1\255"), transcript = "Hi" },
      read { type = "audio", delta = "\0\1\255", transcript = "Hi" })
    assert.same({ type = "audio", transcript = "Hi" }, read { type = "audio", delta = "", transcript = "Hi" })
    assert.same({ type = "tool_end", index = 0, call = { id = "c1", name = "f", arguments = { a = {}, b = 1 } } },
      read { type = "tool_end", index = 0, call = call })
    assert(mm.sse({ type = "tool_end", index = 0, call = call }):find('"a":[]', 1, true))
    local value = { "x", { png = mm.image { bytes = png, mime = "image/png" } }, print }
    local result = read { type = "tool_result", call = call, value = value }
    assert.equal("x", result.value[1])
    assert.equal(core.data_url("image/png", png), result.value[2].png.url)
    assert.equal("https://h.org/a.png", read({ type = "image", index = 0, part = mm.image "https://h.org/a.png" }).part.url)
  end)

  it("says of a reply that a tool gave what done says of one", function()
    local fake = mm.mock { "Hi" }
    local reply = assert(mm.client({ gateway = fake, model = "m" }):generate "Hi")
    local value = read({ type = "tool_result", value = { reply } }).value[1]
    assert.same({ "Hi", "complete" }, { value.text, value.outcome })
    assert.same({}, { value.headers, value.raw, value.url })
  end)

  it("says text alone and errors, without a key", function()
    assert.same({ type = "text", delta = "سلام\226\128\140" }, read "سلام\226\128\140")
    local fake = mm.mock { { kind = "rate_limit", retry_after = 2, message = "Slow down." } }
    local _, err = mm.client({ gateway = fake, model = "m", api_key = "sk-canary", retries = 0 }):generate "Hi"
    local sent = read(err)
    assert.same({ "error", "rate_limit", "Slow down.", 429, 2 }, { sent.type, sent.kind, sent.message, sent.status, sent.retry_after })
    assert.is_nil(mm.sse(err):find("canary"))
  end)

  it("raises on what is no event", function()
    local ok, message = pcall(function() mm.sse {} end)
    assert.is_false(ok)
    assert(message:find("relay_spec.lua:%d+: sse: expected an event"), message)
  end)
end)
