--- What the guide of a GLM-4V proxy asks for: Z-R1 to Z-R9.
local gateway = require("support.gateway")
local mm = require("multimodal")
local server = require("support.server")

local function misuse(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  return message
end

describe("glm", function()
  local s, ai
  setup(function() s = server.start() end)
  teardown(function()
    s:stop()
    gateway.clean()
  end)
  before_each(function()
    s:clear()
    ai = mm.client { gateway = "glm", base_url = s.url .. "/v1", api_key = "your-api-key", model = "GLM-4V-Plus" }
  end)

  it("Z-R1 listens where the user says", function()
    local _, request = gateway.sent(s, ai, "Hi")
    assert.same({ "POST", "/v1/chat/completions" }, { request.method, request.path })
    local own = mm.client { gateway = "glm", base_url = "https://your-proxy-domain.com/v1", api_key = "canary-k", model = "GLM-4V" }
    assert.equal("https://your-proxy-domain.com/v1/chat/completions", own:request("Hi").url)
    assert(misuse(mm.client, { gateway = "glm" }):find("base_url: this gateway needs one", 1, true))
  end)

  it("Z-R2 wants a model, and keeps its letters", function()
    for _, model in ipairs { "GLM-4V", "GLM-4V-Plus" } do
      assert.equal(model, gateway.sent(s, ai, "Hi", { model = model }).model)
    end
  end)

  it("Z-R3 takes text and pictures in the content of a message", function()
    local body = gateway.sent(s, ai, { messages = { mm.user "A", mm.assistant "B" }, "C", mm.image "https://h/c.png" })
    assert.same({
      { role = "user", content = "A" }, { role = "assistant", content = "B" },
      { role = "user", content = { { type = "text", text = "C" }, { type = "image_url", image_url = { url = "https://h/c.png" } } } },
    }, body.messages)
  end)

  it("Z-R4 leaves the temperature to the server unless it is set", function()
    assert.is_nil(gateway.sent(s, ai, "Hi").temperature)
    assert.equal(0.3, gateway.sent(s, ai, "Hi", { temperature = 0.3 }).temperature)
  end)

  it("Z-R5 writes max_tokens as an integer", function()
    local function written(value) return tostring(ai:request("Hi", { max_tokens = value }).body) end
    assert(written(300):find('"max_tokens":300,', 1, true))
    assert(written(1e6):find('"max_tokens":1000000,', 1, true))
    assert(written(2 ^ 20):find('"max_tokens":1048576,', 1, true))
    assert(misuse(written, 1.5):find("max_tokens: expected a positive integer", 1, true))
  end)

  it("Z-R6 sends the guide's request, its Chinese unchanged", function()
    local prompt = { "这张图片里有什么?", mm.image "https://example.com/image.jpg" }
    local body, request = gateway.sent(s, ai, prompt)
    assert.same(gateway.sample "glm/request.json", body)
    assert(request.body:find("这张图片里有什么?", 1, true))
  end)

  it("Z-R7 reads the guide's reply", function()
    s:script(server.json(200, gateway.sample_text "glm/reply.json"))
    local reply = assert(ai:generate "Hi")
    assert.same({ "chatcmpl-456", "GLM-4V-Plus", "这张图片显示的是一只可爱的猫咪...", "stop" }, {
      reply.id, reply.model, reply.text, reply.finish_reason,
    })
    assert.same({ 1200, 80, 1280 }, { reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.total_tokens })
    assert.is_nil(reply.refusal)
  end)

  it("Z-R8 misses a model or messages before anything is sent", function()
    local none = mm.client { gateway = "glm", base_url = s.url .. "/v1", api_key = "canary-k" }
    assert(misuse(none.generate, none, "Hi"):find("model: expected a string, got nil", 1, true))
    assert(misuse(ai.generate, ai, {}):find("prompt: nothing to say", 1, true))
    assert(misuse(ai.generate, ai, { messages = {} }):find("prompt: nothing to say", 1, true))
    assert.equal(0, #s:requests())
  end)

  it("Z-R9 carries the key and the type, and gives the text of the first choice", function()
    local _, request, reply = gateway.sent(s, ai, "Hi")
    assert.same({ "Bearer your-api-key", "application/json" }, { request.headers.authorization, request.headers["content-type"] })
    assert.equal(reply.raw.choices[1].message.content, reply.text)
  end)

  it("says what it cannot take, where, and the way out", function()
    for source, word in pairs { [mm.audio { bytes = "x", format = "mp3" }] = "audio", [mm.video "https://h/a.mp4"] = "video",
      [mm.file { bytes = "%PDF-1.4" }] = "files" } do
      local request, err = ai:request { "Hi", source }
      assert.is_nil(request)
      assert.same({ "unsupported", "messages[1].content[2]" }, { err.kind, err.part })
      assert(err.message:find(word, 1, true) and err.message:find(";", 1, true), err.message)
    end
    local request, err = ai:request { "Hi", reasoning = "high" }
    assert.is_nil(request)
    assert.equal("unsupported", err.kind)
  end)
end)
