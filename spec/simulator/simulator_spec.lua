--- The offline gateway: what it says of what it received, at any pace and in any split.
local core = require("multimodal.core")
local gateway = require("support.gateway")
local mm = require("multimodal")
local simulator = require("multimodal.simulator")

local function bytes_of(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

local function texts_of(stream)
  local list = {}
  for text in stream:text() do list[#list + 1] = text end
  return list
end

describe("the simulator", function()
  local sim, ai

  setup(function()
    sim = assert(simulator.start())
    ai = mm.client { base_url = sim.url, api_key = "any", model = "simulated", retries = 0 }
  end)

  teardown(function()
    sim:stop()
  end)

  it("says what it received: type, size in pixels, bytes, SHA-256", function()
    local bytes = bytes_of("examples/cat.jpg")
    local reply = assert(ai:generate { "What is this?", mm.image "examples/cat.jpg" })
    assert.is_truthy(reply.text:find("image/jpeg, 480 x 360 pixels, " .. #bytes .. " bytes", 1, true))
    assert.is_truthy(reply.text:find(core.sha256():update(bytes):hex(), 1, true))
    assert.is_truthy(reply.text:find('You said: "What is this?"', 1, true))
    assert.equal("simulated", reply.model)
    assert.is_truthy(reply.request_id:find("^sim%-"))
  end)

  it("knows audio, video and documents in the forms of all gateways", function()
    local made = gateway.media()
    finally(gateway.clean)
    local function seen(kind, mime, path)
      local bytes = bytes_of(path)
      return ("%s of type %s, %d bytes, sha256 %s"):format(kind, mime, #bytes, core.sha256():update(bytes):hex())
    end
    local prompt = { "Which?", mm.audio(made.mp3), mm.video(made.mp4), mm.file(made.pdf) }
    for _, name in ipairs { "openrouter", "openroute", "khatash" } do
      local own = mm.client { gateway = name, base_url = sim.url, api_key = "any", model = "simulated" }
      local text = assert(own:generate(prompt)).text
      for _, words in ipairs {
        seen("an audio", "audio/mpeg", made.mp3), seen("a video", "video/mp4", made.mp4), seen("a file", "application/pdf", made.pdf),
      } do
        assert(text:find(words, 1, true), name .. ": " .. text)
      end
    end
    local zai = mm.client { gateway = "zai", base_url = sim.url, api_key = "any", model = "simulated" }
    local text = assert(zai:generate { "Which?", mm.file "https://example.com/a.pdf" }).text
    assert(text:find("a file at https://example.com/a.pdf", 1, true), text)
  end)

  it("lists a model that takes all of them and gives pictures", function()
    local listed = assert(ai:models())
    assert.same({ "simulated" }, { listed[1].id, listed[2] })
    for _, kind in ipairs { "image", "audio", "video", "file" } do
      assert.equal("simulated", assert(ai:models { input = kind, output = "image" })[1].id, kind)
    end
  end)

  it("says the same for the same prompt, whole and streamed", function()
    local whole = assert(ai:generate { "Hello", mm.image "https://example.com/a.png" })
    local stream = assert(ai:stream { "Hello", mm.image "https://example.com/a.png" })
    assert.equal(whole.text, table.concat(texts_of(stream)))
    local reply = assert(stream:reply())
    assert.same(whole.usage, reply.usage)
    assert.equal(whole.id, reply.id)
    assert.is_truthy(whole.text:find("https://example.com/a.png, which I have not fetched", 1, true))
  end)

  it("gives pictures back as they came", function()
    local bytes = bytes_of("examples/cat.jpg")
    local prompt = { "Again", mm.image "examples/cat.jpg", modalities = { "image", "text" } }
    assert.equal(bytes, assert(ai:generate(prompt)).images[1]:bytes())
    assert.equal(bytes, assert(assert(ai:stream(prompt)):reply()).images[1]:bytes())
  end)

  it("calls the first tool, and tells what it gave", function()
    local got = {}
    local tools = { mm.tool {
      name = "weather", parameters = { city = "string", days = "integer", unit = { "celsius", "kelvin" } },
      run = function(arguments) got[#got + 1] = arguments return { sky = "sunny" } end,
    }, { name = "other" } }
    local prompt = { "What is the weather in Zürich, or in Paris?", tools = tools }
    local whole = assert(ai:generate(prompt))
    assert.equal('The tool says: {"sky":"sunny"}', whole.text)
    local reply = assert(assert(ai:stream(prompt)):reply())
    assert.equal(whole.text, reply.text)
    assert.same({ city = "Paris", days = 1, unit = "celsius" }, got[1])
    assert.same(got[1], got[2])
    assert.equal(whole.steps[1].tool_calls[1].id, reply.steps[1].tool_calls[1].id)
    reply = assert(ai:generate { "Call it", tools = tools, tool_choice = "other" })
    assert.equal("other", reply.tool_calls[1].name)
    assert.same({}, assert(ai:generate { "Do not", tools = tools, tool_choice = "none" }).tool_calls)
    reply = assert(assert(ai:stream { "Für Ärzte: Ölçü", tools = { { name = "f", parameters = {
      type = "object", properties = { a = { const = ("é"):rep(20) } },
    } } } }):reply())
    assert.equal(("é"):rep(20), reply.tool_calls[1].arguments.a)
  end)

  it("answers with JSON that fits a schema", function()
    local schema = mm.schema { name = "string", ["lines?"] = { { sku = "string", price = "number", kind = { "a", "b" } } }, ok = "boolean" }
    local reply = assert(ai:generate { "Extract the offer of Acme.", schema = schema })
    assert.same({ name = "Acme", lines = { { sku = "Acme", price = 1, kind = "a" } }, ok = true }, reply.data)
    local last
    for value in assert(ai:stream { "Extract the offer of Acme.", schema = schema }):data() do last = value end
    assert.same(reply.data, last)
    local ranges = { type = "object", ["$defs"] = { n = { type = "integer", exclusiveMinimum = 4, maximum = 9 } }, properties = {
      n = { ["$ref"] = "#/$defs/n" },
      list = { type = "array", minItems = 2, items = { anyOf = { { type = "null" }, { type = "string" } } } },
      text = { type = "string", minLength = 20, maxLength = 22 },
    } }
    reply = assert(ai:generate { "go", schema = ranges })
    assert.equal(5, reply.data.n)
    assert.equal(20, #reply.data.text)
  end)

  it("draws a red square for those who sent none", function()
    local picture = assert(ai:generate { "Draw", modalities = { "image", "text" } }).images[1]
    assert.equal("image/png", picture:mime())
    assert.equal("\137PNG\r\n\26\n", picture:bytes():sub(1, 8))
  end)

  it("writes in any split, to the same effect", function()
    local plain = assert(ai:generate "Split me")
    for _, split in ipairs { 1, 2, 7, 100 } do
      local small = ai:with { headers = { ["X-Simulate"] = "split=" .. split } }
      assert.equal(plain.text, assert(small:generate "Split me").text)
      assert.equal(plain.text, table.concat(texts_of(assert(small:stream "Split me"))))
    end
  end)

  it("refuses, cuts and limits as asked", function()
    local function asked(words)
      return ai:with { headers = { ["X-Simulate"] = words } }
    end
    local _, err = asked("status=429; retry_after=3"):generate "x"
    assert.equal("rate_limit", err.kind)
    assert.equal(3, err.retry_after)
    local stream = assert(asked("cut=3"):stream "one two three four five six")
    local _, cut = stream:reply()
    assert.equal("truncated", cut.kind)
    assert.equal('You said: "one', cut.partial.text)
    local reply = assert(ai:generate { "a long sentence that must end early", max_tokens = 3 })
    assert.equal("length", reply.finish_reason)
    assert.equal(12, #reply.text)
  end)

  it("wants a key, and answers what it does not know", function()
    local function curl(rest)
      local pipe = io.popen("env -u LD_PRELOAD curl -s " .. sim.url .. rest)
      local text = pipe:read("*a")
      pipe:close()
      return text
    end
    assert.is_truthy(curl("/chat/completions -d '{}'"):find("invalid_api_key", 1, true))
    assert.is_truthy(curl("/nowhere -H 'Authorization: Bearer k'"):find("Nothing is served at GET /v1/nowhere.", 1, true))
    assert.is_truthy(curl("/chat/completions -H 'Authorization: Bearer k' -d '{'"):find("invalid_json", 1, true))
    assert.is_truthy(curl("/models -H 'Authorization: Bearer k'"):find('"id":"simulated"', 1, true))
  end)

  it("answers fifty at once", function()
    local list = {}
    for i = 1, 50 do list[i] = i end
    local replies = assert(mm.map(list, function(i)
      return ai:generate("number " .. i)
    end, { limit = 50 }))
    for i = 1, 50 do assert.equal(('You said: "number %d"'):format(i), replies[i].text) end
  end)

  it("refuses an unknown option, and ends with stop", function()
    assert.has_error(function()
      simulator.start { prot = 1 }
    end, "simulator: prot: unknown option (port, pace, split, delay, task, lua)")
    local other = assert(simulator.start { delay = 0 })
    other:stop()
    other:stop()
    local _, err = mm.client({ base_url = other.url, api_key = "canary-k", model = "m", retries = 0 }):generate "x"
    assert.equal("network", err.kind)
  end)

  it("is a command that prints its URL", function()
    local lua = jit and "luajit" or "lua" .. _VERSION:match("%d%.%d")
    local pipe = io.popen("timeout 1 " .. lua .. " bin/multimodal simulate --port 0 --quiet")
    local url = pipe:read("*l")
    assert.is_truthy(url:find("^http://127%.0%.0%.1:%d+/v1$"))
    pipe:close()
    for _, words in ipairs { "--help", "-h", "simulate --help", "simulate --port 0 -h" } do
      local help = io.popen(lua .. " bin/multimodal " .. words)
      assert.is_truthy(help:read("*a"):find("^usage: multimodal simulate"), words)
      help:close()
    end
  end)
end)
