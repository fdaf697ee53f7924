--- Gemini's dialect against a mock gateway that others wrote: @copilotkit/aimock.
local aimock = require("aimock.support")
local mm = require("multimodal")

describe("gemini at aimock #aimock", function()
  local url, stop, out, ai
  setup(function()
    url, stop, out = aimock.start()
    ai = mm.client { gateway = "google", base_url = url .. "/v1beta", api_key = "mock", model = "gemini-2.5-flash", retries = 0 }
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
    assert.same({ whole.text, whole.text, "stop", "complete" }, { table.concat(texts), reply.text, reply.finish_reason, reply.outcome })
    assert.is_true(#texts > 10)
  end)

  it("takes a picture", function()
    assert.equal("A red cat.", assert(ai:generate { "What is attached?", mm.image "examples/cat.jpg" }).text)
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
    assert.same({ whole.text, whole.reasoning }, { streamed.text, streamed.reasoning })
  end)

  it("refuses with the right kind", function()
    for prompt, kind in pairs { ["slow down"] = "rate_limit", ["bad key"] = "auth", broken = "server" } do
      for _, method in ipairs { "generate", "stream" } do
        local none, err = ai[method](ai, prompt)
        assert.is_nil(none)
        assert.equal(kind, err.kind)
      end
    end
  end)

  it("tells a stream that was cut", function()
    local stream = assert(ai:stream "cut me off")
    local none, err = stream:reply()
    assert.is_nil(none)
    assert.equal("truncated", err.kind)
    assert.is_truthy(err.partial.text:find("^one"))
  end)
end)
