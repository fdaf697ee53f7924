--- Against a mock gateway that others wrote: @copilotkit/aimock (it takes wrong shapes, so it proves only half).

local aimock = require("aimock.support")
local mm = require("multimodal")

local function red_cat()
  local path = os.tmpname() .. ".png"
  assert(os.execute("convert -size 32x32 xc:red " .. path))
  return path
end

--- What holds of chat at both of its addresses, /v1 as OpenAI's and /api/v1 as OpenRouter's.
local function speaks_chat(gateway, root)
  local url, stop, out, ai

  setup(function()
    url, stop, out = aimock.start()
    ai = mm.client { gateway = gateway, base_url = url .. root, api_key = "mock", model = "openai/gpt-4o", retries = 0 }
  end)

  teardown(function()
    stop:close()
    os.remove(out)
  end)

  it("answers text", function()
    local reply = assert(ai:generate "hello")
    assert.equal("Hi there!", reply.text)
    assert.equal("stop", reply.finish_reason)
    assert.equal("complete", reply.outcome)
    assert.is_truthy(reply.request_id)
  end)

  it("sees a picture", function()
    local path = red_cat()
    assert.equal("A red cat.", assert(ai:generate { "What is shown?", mm.image(path) }).text)
    local texts = {}
    for text in assert(ai:stream { "What is shown?", mm.image(path) }):text() do texts[#texts + 1] = text end
    assert.equal("A red cat.", table.concat(texts))
    os.remove(path)
  end)

  it("streams what it answers whole, in chunks of one character", function()
    local whole = assert(ai:generate "unicode")
    local stream, texts = assert(ai:stream "unicode"), {}
    for text in stream:text() do texts[#texts + 1] = text end
    assert.equal(whole.text, table.concat(texts))
    assert.is_true(#texts > 10)
    local reply = assert(stream:reply())
    assert.equal(whole.text, reply.text)
    assert.equal("stop", reply.finish_reason)
  end)

  it("counts usage", function()
    assert.equal(13, assert(ai:generate "usage").usage.total_tokens)
    assert.equal(13, assert(assert(ai:stream "usage"):reply()).usage.total_tokens)
  end)

  it("ends with length and content_filter as replies", function()
    assert.equal("length", assert(ai:generate "too long").finish_reason)
    assert.equal("length", assert(assert(ai:stream "too long"):reply()).finish_reason)
    assert.equal("content_filter", assert(ai:generate "forbidden").finish_reason)
    assert.equal("content_filter", assert(assert(ai:stream "forbidden"):reply()).finish_reason)
  end)

  it("refuses with the right kind", function()
    for prompt, expected in pairs {
      ["slow down"] = {
        kind = "rate_limit", status = 429, code = gateway == "openai" and "rate_limit_exceeded" or "429", retry_after = 7,
      },
      ["bad key"] = { kind = "auth", status = 401, code = gateway == "openai" and "invalid_api_key" or "401" },
      ["broken"] = { kind = "server", status = 500 },
    } do
      for _, method in ipairs { "generate", "stream" } do
        local reply, err = ai[method](ai, prompt)
        assert.is_nil(reply)
        for field, value in pairs(expected) do assert.equal(value, err[field], prompt .. " " .. field) end
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

  it("has two parallel calls answered in a second turn, whole and streamed", function()
    local weather = aimock.weather(mm)
    local prompt = { "Compare the weather", tools = { weather } }
    local whole = assert(ai:generate(prompt))
    assert.equal("Paris is sunny; the other I cannot find.", whole.text)
    assert.same({ "call_paris", "call_oslo" }, { whole.steps[1].tool_calls[1].id, whole.steps[1].tool_calls[2].id })
    assert.equal("I ask.", whole.steps[1].text)
    local stream, types = assert(ai:stream(prompt)), {}
    for event in stream:events() do
      if event.type ~= types[#types] then types[#types + 1] = event.type end
    end
    local reply = assert(stream:reply())
    assert.equal(whole.text, reply.text)
    assert.equal("Ōsló 🌨", reply.steps[1].tool_calls[2].arguments.city)
    local said = table.concat(types, " ")
    assert(said:find("finish .*tool_result step start text finish"), said)
  end)

  it("tells what it thought before", function()
    assert.equal("Two and two make four.", assert(ai:generate "think first").reasoning)
    local reply = assert(assert(ai:stream "think first"):reply())
    assert.same({ "Four.", "Two and two make four." }, { reply.text, reply.reasoning })
  end)

  it("answers with data", function()
    local schema = mm.schema { customer = "string", pieces = "integer" }
    assert.same({ customer = "Acme", pieces = 40 }, assert(ai:generate { "an order", schema = schema }).data)
    local last
    for value in assert(ai:stream { "an order", schema = schema }):data() do last = value end
    assert.same({ customer = "Acme", pieces = 40 }, last)
  end)

  it("keeps every character of a prompt and of its answer", function()
    for _, said in ipairs {
      "می‌خواهم این ۱۲۳ را بخوانی؛ خانه‌ای", "请描述这张图片", "이 그림을 설명해 주세요", "👩‍👩‍👧 🇮🇷 🤷🏽‍♀️",
    } do
      local prompt = "Say again: " .. said
      assert.equal(said, assert(ai:generate(prompt)).text)
      local stream, texts = assert(ai:stream(prompt)), {}
      for text in stream:text() do texts[#texts + 1] = text end
      assert.equal(said, table.concat(texts))
      assert.equal(said, assert(stream:reply()).text)
    end
  end)

  if gateway == "openai" then
    it("draws at the endpoint for pictures", function()
      local reply = assert(ai:image { "A red dot", model = "gpt-image-1" })
      local picture = reply.images[1]
      assert.same({ "A small red dot", "image/png" }, { reply.text, picture:mime() })
      local path = os.tmpname()
      assert(picture:save(path, { overwrite = true }))
      assert.equal("A red cat.", assert(ai:generate { "What is shown?", mm.image(path) }).text)
      os.remove(path)
    end)
  else
    it("is silent in comments while it works", function()
      local body = { model = "m", stream = true, messages = { { role = "user", content = "what it costs" } } }
      local answer = assert(ai:http { method = "POST", path = "/chat/completions", json = body })
      assert.equal(": OPENROUTER PROCESSING\n\n", answer.body:sub(1, 25))
      local stream, texts = assert(ai:stream "what it costs"), {}
      for text in stream:text() do texts[#texts + 1] = text end
      assert.equal("A little.", table.concat(texts))
      assert.equal(0.00125, assert(stream:reply()).usage.cost)
    end)
  end
end

describe("aimock as OpenAI #aimock", function() speaks_chat("openai", "/v1") end)
describe("aimock as OpenRouter #aimock", function() speaks_chat("openrouter", "/api/v1") end)
