--- Anthropic's dialect against a mock gateway that others wrote: @copilotkit/aimock.
local mm = require("multimodal")

local function start()
  local out = os.tmpname()
  local stop = assert(io.popen("node spec/aimock/server.mjs > " .. out, "w"))
  for _ = 1, 200 do
    local file = assert(io.open(out))
    local url = file:read("*l")
    file:close()
    if url then return url, stop, out end
    os.execute("sleep 0.05")
  end
  error("aimock did not start")
end

describe("anthropic at aimock #aimock", function()
  local url, stop, out, ai
  setup(function()
    url, stop, out = start()
    ai = mm.client { gateway = "anthropic", base_url = url .. "/v1", api_key = "mock", model = "claude-x", retries = 0 }
  end)
  teardown(function()
    stop:close()
    os.remove(out)
  end)

  it("answers text, whole and streamed", function()
    assert.equal("Hi there!", assert(ai:generate "hello").text)
    local whole = assert(ai:generate "unicode")
    local stream, texts = assert(ai:stream "unicode"), {}
    for text in stream:text() do texts[#texts + 1] = text end
    local reply = assert(stream:reply())
    assert.same({ whole.text, whole.text, "stop", "complete" },
      { table.concat(texts), reply.text, reply.finish_reason, reply.outcome })
    assert.is_true(#texts > 10)
  end)

  it("takes a picture", function()
    assert.equal("A red cat.", assert(ai:generate { "What is enclosed?", mm.image "examples/cat.jpg" }).text)
  end)

  it("runs two tools at once, and their results come back", function()
    local weather = mm.tool { name = "weather", parameters = { city = "string" }, run = function(arguments)
      if arguments.city == "Paris" then return { sky = "Paris" } end
      return nil, "no " .. arguments.city
    end }
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
    local stream, texts = assert(ai:stream "cut me off"), {}
    for text in stream:text() do texts[#texts + 1] = text end
    local reply, err = stream:reply()
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
