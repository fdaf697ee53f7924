--- What YouRouter's guide asks for: Y-R1 to Y-R9 and Y-R12 to Y-R15, in its three dialects; Y-R10 is in anthropic_spec.
local core = require("multimodal.core")
local gateway = require("support.gateway")
local mm = require("multimodal")
local server = require("support.server")

local function text(words) return { type = "text", text = words } end
local function link(url) return { type = "image_url", image_url = { url = url } } end

local function with_environment(name, value, fn)
  local real = os.getenv
  os.getenv = function(asked) -- luacheck: ignore 122
    if asked == name then return value end
    return real(asked)
  end
  local ok, err = pcall(fn)
  os.getenv = real -- luacheck: ignore 122
  if not ok then error(err, 0) end
end

describe("yourouter", function()
  local s, ai
  setup(function() s = server.start() end)
  teardown(function()
    s:stop()
    gateway.clean()
  end)
  before_each(function()
    s:clear()
    ai = gateway.client(s, { gateway = "yourouter", model = "gpt-4o" })
  end)

  it("Y-R1 takes text chat and pictures at the same address", function()
    for _, prompt in ipairs { "Hello", { "What is it?", mm.image "https://example.com/image.jpg" } } do
      local _, request = gateway.sent(s, ai, prompt)
      assert.same({ "POST", "/v1/chat/completions" }, { request.method, request.path })
    end
  end)

  it("Y-R2 is at its own address in OpenAI's form unless told otherwise", function()
    local own = mm.client { gateway = "yourouter", model = "gpt-4o", api_key = "canary-k" }
    assert.equal("https://api.yourouter.ai/v1/chat/completions", own:request("Hi").url)
    assert.equal("openai", own.dialect.name)
  end)

  it("Y-R3 keeps blocks in order, with one picture or several", function()
    local body = gateway.sent(s, ai, { "A", mm.image "https://h/1.jpg", mm.image "https://h/2.jpg", "B", mm.image "https://h/3.jpg" })
    assert.same({ { role = "user", content = {
      text "A", link "https://h/1.jpg", link "https://h/2.jpg", text "B", link "https://h/3.jpg",
    } } }, body.messages)
  end)

  it("Y-R4 sends the guide's body, with its headers and nothing else", function()
    local body, request = gateway.sent(s, ai, { "Describe this image in one sentence.", mm.image "https://example.com/image.jpg" })
    assert.same(gateway.sample "yourouter/link.json", body)
    assert.same({ "Bearer sk-canary", "application/json" }, { request.headers.authorization, request.headers["content-type"] })
  end)

  it("Y-R5 has the answer as the text of the reply", function()
    local _, _, reply = gateway.sent(s, ai, "Hi")
    assert.same({ "ok", "ok" }, { reply.text, reply.raw.choices[1].message.content })
  end)

  it("Y-R6 sends private pictures as data URLs that name their type", function()
    local made = gateway.media()
    local png, jpg = core.base64_encode(gateway.bytes(made.png)), core.base64_encode(gateway.bytes(made.jpg))
    local body = gateway.sent(s, ai, { mm.image(made.png) })
    assert.same(gateway.sample("yourouter/base64_part.json", { ["<BASE64_IMAGE>"] = png }), body.messages[1].content[1])
    body = gateway.sent(s, ai, { "What is shown in this image?", mm.image(made.jpg) })
    assert.same(gateway.sample("yourouter/python.json", { ["{encoded}"] = jpg }), body)
    assert.is_nil(body.messages[1].content[2].image_url.url:find("%s"))
  end)

  it("Y-R7 warns of very large pictures, and refuses them above max_inline", function()
    local function picture(bytes) return { mm.image { bytes = "\137PNG\r\n\26\n" .. ("x"):rep(bytes) } } end
    assert.same({}, ai:request(picture(3000000)).warnings)
    local warning = ai:request(picture(4000000)).warnings[1]
    assert(warning:find("messages[1].content[1]", 1, true) and warning:find("https link", 1, true), warning)
    local request, err = ai:request(picture(3000), { max_inline = 4000 })
    assert.is_nil(request)
    assert.same({ "too_large", "messages[1].content[1]" }, { err.kind, err.part })
    assert(ai:request(picture(2900), { max_inline = 4000 }))
  end)

  it("Y-R8 takes the key from YOUROUTER_API_KEY, and another address", function()
    with_environment("YOUROUTER_API_KEY", "sk-env\n", function()
      local mine = mm.client { gateway = "yourouter", base_url = s.url .. "/mine/v1", model = "m" }
      local _, request = gateway.sent(s, mine, "Hi")
      assert.same({ "/mine/v1/chat/completions", "Bearer sk-env" }, { request.path, request.headers.authorization })
    end)
    with_environment("YOUROUTER_API_KEY", nil, function()
      local reply, err = mm.client({ gateway = "yourouter", model = "m" }):generate "Hi"
      assert.is_nil(reply)
      assert.equal("auth", err.kind)
      assert(err.message:find("YOUROUTER_API_KEY", 1, true))
    end)
  end)

  it("Y-R12 has models as configuration alone", function()
    with_environment("MULTIMODAL_CLIENT", "yourouter/gemini-2.5-flash", function()
      assert.equal("gemini-2.5-flash", mm.client():request("Hi"):json().model)
    end)
    local mine = ai:with { aliases = { vision = "gpt-4o", words = "claude-sonnet-4-20250514" }, model = "vision" }
    assert.equal("gpt-4o", mine:request("Hi"):json().model)
    assert.equal("claude-sonnet-4-20250514", mine:request({ "Hi", model = "words" }):json().model)
    assert.equal("other", mine:request({ "Hi", model = "other" }):json().model)
    assert.is_nil(mm.client({ gateway = "yourouter" }).options.model)
  end)

  it("Y-R13 sends vendor only when asked for one", function()
    local _, request = gateway.sent(s, ai, "Hi")
    assert.is_nil(request.headers.vendor)
    _, request = gateway.sent(s, ai, "Hi", { vendor = "google" })
    assert.same({ "google", 1 }, { request.headers.vendor, gateway.counts(request).vendor })
  end)

  it("Y-R14 sends links as links and local files as data URLs, or a link's bytes on demand", function()
    local made = gateway.media()
    local body = gateway.sent(s, ai, { mm.image "https://example.com/large.jpg", mm.image(made.jpg) })
    assert.equal("https://example.com/large.jpg", body.messages[1].content[1].image_url.url)
    assert.equal(1, (body.messages[1].content[2].image_url.url:find("data:image/jpeg;base64,", 1, true)))
    s:script(server.text(200, gateway.bytes(made.jpg)), { path = "/large.jpg" })
    local request = assert(ai:request { mm.image(s.url .. "/large.jpg"), fetch = true, private = true })
    assert.same(body.messages[1].content[2], request:json().messages[1].content[1])
  end)

  it("Y-R15 keeps the id of the request: of a reply, an error, a stream and its reply", function()
    local headers = { headers = { ["X-Request-Id"] = "req_1" } }
    s:script(server.json(200, '{"choices":[{"message":{"content":"A"}}]}', headers))
    local reply = assert(ai:generate "Hi")
    assert.same({ "req_1", { "req_1" } }, { reply.request_id, reply.request_ids })
    s:script(server.json(400, '{"error":{"message":"no"}}', headers))
    local _, err = ai:generate "Hi"
    assert.equal("req_1", err.request_id)
    s:script(server.sse({ '{"choices":[{"delta":{"content":"A"}}]}', "[DONE]" }, headers))
    local stream = assert(ai:stream "Hi")
    assert.equal("req_1", stream.request_id)
    assert.equal("req_1", assert(stream:reply()).request_id)
  end)

  it("warns of a file, which its guide sends in Gemini's dialect alone", function()
    local request = assert(ai:request { mm.file(gateway.media().pdf) })
    assert(request.warnings[1]:find("Gemini", 1, true))
  end)

  it("Y-R9, Y9, Y10 says its Gemini sample in Gemini's dialect, to the byte in URL and headers", function()
    local jpg = gateway.bytes(gateway.media().jpg)
    local gm = mm.client { gateway = "yourouter", dialect = "gemini", base_url = s.url .. "/v1", api_key = "sk-canary",
      model = "gemini-2.5-flash" }
    local before = #s:requests()
    s:script(server.json(200, { candidates = { { finishReason = "STOP", content = { parts = { { text = "A cat." } } } } } }))
    assert.equal("A cat.", assert(gm:generate { "Describe this image in one sentence.", mm.image { bytes = jpg } }).text)
    local request = assert(s:requests(before + 1))[before + 1]
    assert.equal("POST", request.method)
    assert.equal("/v1/projects/cognition/locations/us/publishers/google/models/gemini-2.5-flash:generateContent", request.path)
    local head = request.headers
    assert.same({ "Bearer sk-canary", "application/json", "google", nil },
      { head.authorization, head["content-type"], head.vendor, head["x-goog-api-key"] })
    local sample = gateway.sample("gemini/yourouter.json", { ["<BASE64_IMAGE>"] = require("multimodal.core").base64_encode(jpg) })
    assert.same(sample, require("multimodal.core").json_decode(request.body))
    local own = mm.client { gateway = "yourouter", dialect = "gemini", api_key = "canary-k", model = "gemini-2.5-flash" }
    assert.equal("https://api.yourouter.ai/v1/projects/cognition/locations/us/publishers/google/models/gemini-2.5-flash:generateContent",
      assert(own:request "Hi").url)
  end)

  local native = {
    gemini = {
      "/v1/projects/cognition/locations/us/publishers/google/models/m:generateContent", { vendor = "google" },
      { candidates = { { finishReason = "STOP", content = { parts = { { text = "ok" } } } } } },
    },
    anthropic = {
      "/v1/messages", { vendor = "anthropic", ["anthropic-version"] = "2023-06-01" },
      { type = "message", content = { { type = "text", text = "ok" } }, stop_reason = "end_turn" },
    },
  }
  for dialect, case in pairs(native) do
    it("Y-R1, Y-R2 takes text and pictures at the address of " .. dialect .. " where that is asked for", function()
      local own = mm.client { gateway = "yourouter", base_url = s.url .. "/v1", api_key = "sk-canary", dialect = dialect, model = "m" }
      for _, prompt in ipairs { "Hello", { "What is it?", mm.image { bytes = "\137PNG\r\n\26\n" } } } do
        s:script(server.json(200, case[3]))
        local before = #s:requests()
        assert.equal("ok", assert(own:generate(prompt)).text)
        local request = s:requests(before + 1)[before + 1]
        assert.same({ "POST", case[1] }, { request.method, request.path })
        local expected = {
          authorization = "Bearer sk-canary", ["content-type"] = "application/json", accept = "application/json",
          host = s.url:match("//(.*)"), ["content-length"] = tostring(#request.body),
        }
        for name, value in pairs(case[2]) do expected[name] = value end
        local sent = {}
        for name, value in pairs(request.headers) do sent[name] = value end
        sent["user-agent"], sent["accept-encoding"] = nil, nil
        assert.same(expected, sent)
      end
    end)
  end
end)
