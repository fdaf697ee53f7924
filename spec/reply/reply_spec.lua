local core = require("multimodal.core")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local reply = require("multimodal.reply.reply")

local function choice(text, more)
  local made = { text = text, parts = { { type = "text", text = text } }, citations = {}, tool_calls = {}, finish_reason = "stop" }
  made.message = { role = "assistant", content = made.parts, plain = true }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local function neutral(...)
  return { choices = { ... }, id = "chatcmpl-1", model = "gpt-4o", usage = { total_tokens = 3 }, raw = { x = 1 }, warnings = { "b" } }
end

describe("reply #small", function()
  it("has what the dialect read and what the client knows", function()
    local made = reply.new(neutral(choice("Hello")), {
      gateway = "yourouter", request_id = "req_1", request_ids = { "req_0", "req_1" }, status = 200, headers = { a = "b" },
      attempts = 2, timing = { total = 1 }, outcome = "complete", warnings = { "a" }, model = "asked", data = { 1 },
    })
    assert.equal("Hello", tostring(made))
    assert.equal("<Hello>", "<" .. made .. ">")
    assert.equal("gpt-4o", made.model)
    assert.same({ "a", "b" }, made.warnings)
    assert.same({ "req_0", "req_1" }, made.request_ids)
    assert.equal("complete", made.outcome)
    assert.equal(2, made.attempts)
    assert.is_false(made.from_journal)
    assert.same({ 1 }, made.data)
    assert.is_nil(made.choices)
    assert.is_nil(made.no_such_field)
  end)

  it("falls back to the model that was asked and to ids in headers and body", function()
    local read = neutral(choice("x"))
    read.model, read.raw = nil, { request_id = "zai-1" }
    local made = reply.new(read, { model = "asked" })
    assert.equal("asked", made.model)
    assert.equal("zai-1", made.request_id)
    assert.same({ "zai-1" }, made.request_ids)
    assert.equal("gen-1", reply.new(neutral(choice("x")), { headers = { ["x-generation-id"] = "gen-1" } }).request_id)
    assert.same({}, reply.new(neutral(choice("x"))).request_ids)
  end)

  it("sorts its parts by kind, once", function()
    local picture = media.from_url("image", "https://h/a.png")
    local sound = media.from_blob("audio", core.blob("x"))
    local made = reply.new(neutral(choice("x", { parts = { picture, { type = "text", text = "x" }, sound } })))
    assert.equal(picture, made.images[1])
    assert.equal(sound, made.audio)
    assert.equal(made.images, made.images)
    assert.same({}, made.videos)
    assert.same({}, made.files)
  end)

  it("has its choices where there are several", function()
    local made = reply.new(neutral(choice("A"), choice("B")))
    assert.equal(2, #made.choices)
    assert.equal("A", made.text)
    assert.equal("B", tostring(made.choices[2]))
    assert.same({}, made.choices[2].images)
  end)

  it("stands in a history as its message", function()
    local made = reply.new(neutral(choice("A")))
    assert.same({ made.message }, made.messages)
    local list = messages.of { messages.new("user", "x"), made }
    assert.equal(made.message, list[2])
  end)
end)
