--- Gemini's dialect against a mock gateway that others wrote: @copilotkit/aimock.
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

describe("gemini at aimock #aimock", function()
  local url, stop, out, ai
  setup(function()
    url, stop, out = start()
    ai = mm.client { gateway = "google", base_url = url .. "/v1beta", api_key = "mock", model = "gemini-2.5-flash", retries = 0 }
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
    assert.same({ whole.text, whole.text, "stop", "complete" }, { table.concat(texts), reply.text, reply.finish_reason, reply.outcome })
    assert.is_true(#texts > 10)
  end)

  it("takes a picture", function()
    assert.equal("A red cat.", assert(ai:generate { "What is attached?", mm.image "examples/cat.jpg" }).text)
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
