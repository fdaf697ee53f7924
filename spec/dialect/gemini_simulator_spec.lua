--- Gemini's dialect against the simulator, and a conversation that changes its dialect on the way.
local mm = require("multimodal")

local weather = mm.tool { name = "weather", description = "The weather.", parameters = { city = "string" },
  run = function(arguments) return { sky = "sunny over " .. arguments.city } end }

describe("gemini at the simulator", function()
  local sim, ai
  setup(function()
    sim = assert(require("multimodal.simulator").start())
    ai = mm.client { gateway = "yourouter", dialect = "gemini", base_url = sim.url, api_key = "any", model = "gemini-2.5-flash" }
  end)
  teardown(function() sim:stop() end)

  it("answers text and pictures, whole and streamed", function()
    local prompt = { "What is it?", mm.image "examples/cat.jpg" }
    local whole = assert(ai:generate(prompt))
    assert(whole.text:find("image/jpeg, 480 x 360 pixels", 1, true), whole.text)
    local streamed = assert(assert(ai:stream(prompt)):reply())
    assert.same({ whole.text, whole.usage, whole.id, "stop" }, { streamed.text, streamed.usage, streamed.id, streamed.finish_reason })
    assert.same(whole.raw, streamed.raw)
  end)

  it("runs tools, whole and streamed, and sends their signatures back", function()
    local seen = {}
    for _, method in ipairs { "generate", "stream" } do
      local reply = ai[method](ai, { "Weather in Paris?", tools = { weather } })
      if method == "stream" then reply = assert(assert(reply):reply()) end
      assert.equal('The tool says: {"sky":"sunny over Paris"}', assert(reply).text)
      assert.equal(1, #reply.steps)
      seen[#seen + 1] = ai:request({ messages = { mm.user "x", reply.messages }, "y" }):json().contents[2].parts[1]
    end
    assert.equal("c2lnbmVk", seen[1].thoughtSignature)
    assert.same(seen[1], seen[2])
  end)

  it("gives data, pictures, models and a count of tokens", function()
    local data = assert(ai:generate { "Order.", schema = mm.schema { name = "string" } }).data
    assert.equal("string", type(data.name))
    assert.equal("image/png", assert(ai:image "A red square").images[1]:mime())
    assert.is_true(assert(ai:count { system = "Be brief.", "Hello" }) > assert(ai:count "Hello"))
    local google = mm.client { gateway = "google", base_url = sim.url:gsub("/v1$", "/v1beta"), api_key = "any", model = "m" }
    assert.equal("gemini-2.5-flash", assert(google:models())[1].id)
    assert.equal('You said: "Hi"', assert(google:generate "Hi").text)
  end)

  it("refuses, and cuts, when it is asked to", function()
    local none, err = ai:with({ headers = { ["X-Simulate"] = "status=429; retry_after=7" }, retries = 0 }):generate "Hi"
    assert.is_nil(none)
    assert.same({ "rate_limit", "RESOURCE_EXHAUSTED", 7 }, { err.kind, err.code, err.retry_after })
    local stream = assert(ai:with({ headers = { ["X-Simulate"] = "cut=2" } }):stream "Hi there you")
    none, err = stream:reply()
    assert.is_nil(none)
    assert.equal("truncated", err.kind)
    assert.equal("You said:", err.partial.text)
  end)

  it("goes on with a conversation of another dialect, and the other way round", function()
    local chat_of = mm.client { gateway = "yourouter", base_url = sim.url, api_key = "any", model = "gpt-4o" }
    local first = assert(chat_of:generate { "Weather in Rome?", tools = { weather } })
    local history = { mm.user "Weather in Rome?" }
    for _, message in ipairs(first.messages) do history[#history + 1] = message end
    local second = assert(ai:generate { messages = history, "Go on." })
    assert.equal('You said: "Go on."', second.text)
    local third = assert(ai:generate { "Weather in Oslo?", tools = { weather } })
    history = { mm.user "Weather in Oslo?", third.messages }
    assert.equal('You said: "And?"', assert(chat_of:generate { messages = history, "And?" }).text)
  end)

  it("keeps a conversation over a dump", function()
    local chat = ai:chat { system = "Be brief.", tools = { weather } }
    assert(chat:say "Weather in Paris?")
    local again = assert(ai:chat(assert(chat:dump())))
    assert.equal('You said: "Thanks"', assert(again:say "Thanks").text)
  end)
end)
