--- Requests as they come: tables, JSON text and files, sent as equal JSON.
local cjson = require("cjson").new()
local core = require("multimodal.core")
local mm = require("multimodal")

local ai = mm.client { base_url = "https://your-proxy-domain.com/v1", api_key = "canary-k", model = "gpt-4o" }

local fixtures
do
  local file = assert(io.open("spec/fixtures/openai/requests.json"))
  fixtures = file:read("*a")
  file:close()
end

local function file(bytes)
  local path = os.tmpname()
  local out = assert(io.open(path, "wb"))
  out:write(bytes)
  out:close()
  return path
end

--- A value with explicit nulls and exact numbers, for comparing what JSON says.
local function read(text)
  return assert(core.json_decode(text, { null = true, exact = true }))
end

local function text_of(prompt, options)
  return tostring(assert(ai:request(prompt, options)).body)
end

--- Equal JSON: the same text once keys are sorted by the same writer.
local function assert_equal_json(expected, sent)
  assert.equal(tostring(core.body(read(expected))), tostring(core.body(read(sent))))
end

local odd = [[{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"input_audio",
  "input_audio":{"data":"SUQzBAAAAAAA","format":"mp3"}}]},{"role":"assistant","content":null,"tool_calls":[]},
  {"role":"user","content":[]},{"role":"user","content":[{"type":"text","text":"x"}]}],"logit_bias":{},"stop":null,
  "seed":9007199254740993,"temperature":0.1,"top_a":1e400,"user":"\u0641\u200c\ud83d\ude00"}]]

describe("a raw request #small", function()
  it("goes out as equal JSON, from text, a file and a table", function()
    local path = file(odd)
    assert_equal_json(odd, text_of(mm.raw(odd)))
    assert_equal_json(odd, text_of(mm.load(path)))
    assert_equal_json(odd, text_of(mm.raw(read(odd))))
    assert_equal_json(odd, text_of(mm.raw("\239\187\191" .. odd)))
    os.remove(path)
  end)

  it("is any request of the seeds (G-R2, G-R3, G-R14)", function()
    for name, request in pairs(read(fixtures)) do
      local text = tostring(core.body(request))
      local sent = read(text_of(mm.raw(text)))
      if not request.model then sent.model = nil end
      if request.stream then sent.stream = true end
      assert.same(read(text), sent, name)
    end
  end)

  it("takes the client's model where it names none (G-R2)", function()
    local request = { messages = { { role = "user", content = "Hi" } }, top_a = 1 }
    assert.same({ model = "gpt-4o", messages = request.messages, top_a = 1 }, cjson.decode(text_of(mm.raw(request))))
    assert.is_nil(request.model)
    assert.equal("other", cjson.decode(text_of(mm.raw(request), { model = "other" })).model)
    local nameless = mm.client { gateway = "openai", api_key = "canary-k" }
    local ok, message = pcall(function() return nameless:request(mm.raw(request)) end)
    assert.is_false(ok)
    assert(message:find("raw_spec.lua:%d+: model: expected a string"), message)
    assert.equal("m", nameless:request(mm.raw(odd)):json().model)
  end)

  it("is not given the client's options, and lets the method say stream", function()
    local client = ai:with { temperature = 1, max_tokens = 5, extra = { top_a = 2 }, system = "Be brief." }
    local request = mm.raw { messages = { { role = "user", content = "Hi" } } }
    local sent = cjson.decode(tostring(client:request(request).body))
    assert.same({ model = "gpt-4o", messages = { { role = "user", content = "Hi" } } }, sent)
    local streamed = mm.raw { messages = core.array {}, stream = true, stream_options = { include_usage = true } }
    assert.is_nil(cjson.decode(text_of(streamed)).stream)
    local fake = mm.mock { "Hello.", "Hello." }
    local mocked = mm.client { gateway = fake }
    assert(assert(mocked:stream(request)):reply())
    assert.is_true(fake.requests[1]:json().stream)
    assert.is_nil(fake.requests[1]:json().stream_options)
  end)

  it("takes fields of the call by extra, and refuses options that would be dropped", function()
    local request = mm.raw { messages = { { role = "user", content = "Hi" } }, top_a = 1 }
    assert.equal(2, cjson.decode(text_of(request, { extra = { top_a = 2 } })).top_a)
    local ok, message = pcall(function() return ai:request(request, { max_tokens = 5 }) end)
    assert.is_false(ok)
    assert(message:find("raw_spec.lua:%d+: max_tokens: a raw request goes out as it is"), message)
  end)

  it("is refused where it is none, by kind", function()
    local function refused(request, kind, words)
      local sent, err = ai:generate(request)
      assert.is_nil(sent)
      assert.equal(kind, err.kind)
      assert(err.message:find(words, 1, true), err.message)
    end
    refused(mm.raw "{", "bad_request", "the text is no request")
    refused(mm.raw "", "bad_request", "empty")
    refused(mm.raw "[]", "bad_request", "expected an object")
    refused(mm.raw "3", "bad_request", "expected an object")
    refused(mm.raw "null", "bad_request", "expected an object")
    refused(mm.load "no/such.json", "file", "no/such.json")
    refused(mm.load ".", "file", "directory")
    for _, call in ipairs {
      function() mm.raw(5) end, function() mm.load(nil) end, function() mm.load "a\0b" end, function() mm.raw({}, 5) end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert(message:find("raw_spec.lua:%d+: "), message)
    end
    local closed = ai:with { files = false }
    assert.equal("forbidden", select(2, closed:request(mm.load "x.json")).code)
  end)
end)

describe("messages written as plain tables #small", function()
  it("go out as equal JSON", function()
    local messages = read(odd).messages
    assert_equal_json(tostring(core.body { model = "gpt-4o", messages = messages }), text_of { messages = messages })
  end)

  it("are the seeds', for every one of them", function()
    for name, request in pairs(read(fixtures)) do
      local sent = read(text_of { messages = request.messages })
      assert.equal(tostring(core.body(request.messages)), tostring(core.body(sent.messages)), name)
    end
  end)

  it("may hold parts of ours amid", function()
    local sent = cjson.decode(text_of { messages = { { role = "user", content = { "What?", mm.image "https://h.org/a.png" } } } })
    assert.same({ role = "user", content = {
      { type = "text", text = "What?" }, { type = "image_url", image_url = { url = "https://h.org/a.png" } },
    } }, sent.messages[1])
  end)
end)

describe("extra #small", function()
  it("adds fields at request, message and part level", function()
    local sent = cjson.decode(text_of {
      messages = { mm.user { "First.", extra = { cache_control = { type = "ephemeral" } } } },
      mm.text("Look.", { cache_control = { type = "a" } }),
      mm.image { "https://h.org/a.png", extra = { cache_control = { type = "b" } } },
      extra = { provider = { order = { "x" } } },
    })
    assert.same({ order = { "x" } }, sent.provider)
    assert.equal("ephemeral", sent.messages[1].cache_control.type)
    assert.equal("a", sent.messages[2].content[1].cache_control.type)
    assert.equal("b", sent.messages[2].content[2].cache_control.type)
  end)
end)
