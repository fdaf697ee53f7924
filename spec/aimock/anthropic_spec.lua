--- Anthropic's dialect against a mock gateway that others wrote: @copilotkit/aimock.
local aimock = require("aimock.support")
local mm = require("multimodal")

describe("anthropic at aimock #aimock", function()
  local url, stop, out, ai
  setup(function()
    url, stop, out = aimock.start()
    ai = mm.client { gateway = "anthropic", base_url = url .. "/v1", api_key = "mock", model = "claude-x", retries = 0 }
  end)
  teardown(function()
    stop:close()
    os.remove(out)
  end)

  it("answers text, whole and streamed", function()
    assert.equal("Hi there!", assert(ai:generate "hello").text)
    local whole = assert(ai:generate "unicode")
    local texts, reply = aimock.read(assert(ai:stream "unicode"))
    assert(reply)
    assert.same({ whole.text, whole.text, "stop", "complete" },
      { table.concat(texts), reply.text, reply.finish_reason, reply.outcome })
    assert.is_true(#texts > 10)
  end)

  it("takes a picture", function()
    assert.equal("A red cat.", assert(ai:generate { "What is enclosed?", mm.image "examples/cat.jpg" }).text)
  end)

  it("runs two tools at once, and their results come back", function()
    local weather = aimock.weather(mm)
    for _, method in ipairs { "generate", "stream" } do
      local reply, err = ai[method](ai, { "Compare the weather", tools = { weather } })
      if method == "stream" and reply then reply, err = reply:reply() end
      assert(reply, tostring(err))
      assert.equal("Paris is sunny; the other I cannot find.", reply.text)
      assert.equal("I ask.", reply.steps[1].text)
      assert.same({ city = "Ōsló 🌨" }, reply.steps[1].tool_calls[2].arguments)
    end
  end)

  it("thinks", function()
    local whole = assert(ai:generate "think first")
    local streamed = assert(assert(ai:stream "think first"):reply())
    assert.same({ "Four.", "Two and two make four." }, { whole.text, whole.reasoning })
    assert.same({ "Four.", "Two and two make four." }, { streamed.text, streamed.reasoning })
  end)

  it("refuses with the right kind", function()
    for prompt, expected in pairs {
      ["slow down"] = { "rate_limit", 429 }, ["bad key"] = { "auth", 401 }, ["broken"] = { "server", 500 },
    } do
      for _, method in ipairs { "generate", "stream" } do
        local reply, err = ai[method](ai, prompt)
        assert.is_nil(reply)
        assert.equal(expected[2], err.status)
        assert.equal(expected[1], err.kind)
      end
    end
  end)

  it("keeps what had arrived before a cut", function()
    local texts, reply, err = aimock.read(assert(ai:stream "cut me off"))
    assert.is_nil(reply)
    assert.equal("truncated", err.kind)
    assert.equal(table.concat(texts), err.partial.text)
    assert.is_truthy(("one two three four"):find(err.partial.text, 1, true))
  end)

  it("ends with its limit as a reply", function()
    assert.equal("length", assert(ai:generate "too long").finish_reason)
    assert.equal("length", assert(assert(ai:stream "too long"):reply()).finish_reason)
  end)
end)
