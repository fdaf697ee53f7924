--- The simulator as Anthropic.
local mm = require("multimodal")
local simulator = require("multimodal.simulator")

describe("the simulator as Anthropic", function()
  local sim, ai
  setup(function()
    sim = assert(simulator.start())
    ai = mm.client { gateway = "anthropic", base_url = sim.url, api_key = "any", model = "simulated", retries = 0 }
  end)
  teardown(function() sim:stop() end)

  it("answers the same whole and streamed, with thinking", function()
    local prompt = { "What is it?", mm.image { bytes = "\137PNG\r\n\26\n" }, mm.file { bytes = "a text", mime = "text/plain" },
      reasoning = "low" }
    local whole, stream = assert(ai:generate(prompt)), assert(assert(ai:stream(prompt)):reply())
    assert(whole.text:find("an image of type image/png", 1, true) and whole.text:find("a file of type text/plain", 1, true), whole.text)
    assert.same({ whole.text, whole.reasoning, "end_turn" }, { stream.text, stream.reasoning, stream.finish_reason_raw })
    assert.same(whole.usage, stream.usage)
  end)

  it("calls tools, and checks that they are answered", function()
    local tool = mm.tool { name = "weather", parameters = { city = "string" }, run = function(arguments) return "sun in "
      .. arguments.city end }
    for _, method in ipairs { "generate", "stream" } do
      local reply = assert(ai[method](ai, { "How is it in Paris?", tools = { tool }, reasoning = "low" }))
      if method == "stream" then reply = assert(reply:reply()) end
      assert(reply.text:find("sun in Paris", 1, true), reply.text)
      assert.equal(1, #reply.steps)
    end
    local _, err = ai:generate(mm.raw { max_tokens = 1, messages = {
      { role = "user", content = "Hi" }, { role = "assistant", content = { { type = "tool_use", id = "t", name = "f", input = {
        a = 1 } } } },
    } })
    assert.same({ "bad_request", 400 }, { err.kind, err.status })
    assert(err.message:find("without tool_result", 1, true) and err.request_id)
  end)

  it("answers with data, and lists its models", function()
    assert.same({ name = "name" }, assert(ai:generate { "Extract.", schema = mm.schema { name = "string" } }).data)
    assert.same({ "simulated", "Simulated" }, { assert(ai:models())[1].id, ai:models()[1].name })
    local answer = assert(ai:http { "POST", "/messages/count_tokens", json = { model = "m", messages = { { role = "user",
      content = "12345678" } } } })
    assert.equal(2, answer.json.input_tokens)
  end)

  it("refuses, cuts and ends early on request", function()
    local function with(header) return ai:with { headers = { ["X-Simulate"] = header } } end
    for status, kind in pairs { [429] = "rate_limit", [529] = "overloaded", [401] = "auth", [413] = "too_large" } do
      local _, err = with("status=" .. status):generate "Hi"
      assert.same({ kind, status }, { err.kind, err.status })
    end
    local _, err = assert(with("cut=2"):stream "one two three four five"):reply()
    assert.same({ "truncated", 'You said:' }, { err.kind, err.partial.text })
    assert.equal("length", assert(ai:generate { "a long story", max_tokens = 2 }).finish_reason)
  end)
end)
