--- What OpenRoute's guide asks for, where it is said in a request or read from a reply: O-R1, O-R3 to O-R7; and OpenRouter,
--- whose words OpenRoute speaks.
local core = require("multimodal.core")
local gateway = require("support.gateway")
local mm = require("multimodal")
local server = require("support.server")

local model = "google/gemini-2.5-flash-image-preview"

describe("openroute", function()
  local s, ai
  setup(function() s = server.start() end)
  teardown(function()
    s:stop()
    gateway.clean()
  end)
  before_each(function()
    s:clear()
    ai = gateway.client(s, { gateway = "openroute", model = model })
  end)

  it("O-R1 asks for pictures at the address of chat, with both modalities", function()
    local body, request = gateway.sent(s, ai, { "Generate a beautiful sunset over mountains", modalities = { "image", "text" } })
    assert.same({ "POST", "/api/v1/chat/completions" }, { request.method, request.path })
    assert.same({ "image", "text" }, body.modalities)
    local own = mm.client { gateway = "openroute", model = "m", api_key = "canary-k" }
    assert.equal("https://openroute.cn/api/v1/chat/completions", own:request("Hi").url)
  end)

  it("O-R3 sends the guide's bodies, whole and streamed, with its headers", function()
    local body, request = gateway.sent(s, ai, { "Generate a beautiful sunset over mountains", modalities = { "image", "text" } })
    assert.same(gateway.sample "openroute/sunset.json", body)
    assert.same({ "Bearer sk-canary", "application/json" }, { request.headers.authorization, request.headers["content-type"] })
    s:script(server.sse { '{"choices":[{"delta":{"content":"A"}}]}', "[DONE]" })
    assert(ai:stream { "Create an image of a futuristic city", modalities = { "image", "text" } }):reply()
    local streamed = assert(s:requests(2))[2]
    assert.same(gateway.sample "openroute/city.json", core.json_decode(streamed.body))
  end)

  it("O-R4 finds each picture of a reply, and none where there is none", function()
    local png = core.base64_encode(gateway.bytes(gateway.media().png))
    local picture = '{"type":"image_url","image_url":{"url":"data:image/png;base64,' .. png .. '"}}'
    for body, count in pairs {
      ['{"choices":[{"message":{"content":"A","images":[' .. picture .. "," .. picture .. "]}}]}"] = 2,
      ['{"choices":[{"message":{"content":"A","images":[null,{"type":"image_url"},' .. picture .. "]}}]}"] = 1,
      ['{"choices":[{"message":{"content":"A"}}]}'] = 0,
    } do
      s:script(server.json(200, body))
      local reply = assert(ai:generate "A sunset")
      assert.equal(count, #reply.images)
      for _, image in ipairs(reply.images) do assert.equal(png, core.base64_encode(image:bytes())) end
    end
    s:script(server.json(200, "{}"))
    local reply, err = ai:generate "A sunset"
    assert.is_nil(reply)
    assert.equal("protocol", err.kind)
  end)

  it("O-R5 streams pictures and text, and skips comments, empty lines and what is no JSON where asked", function()
    local png = gateway.bytes(gateway.media().png)
    s:script({
      server.head(200, { ["Content-Type"] = "text/event-stream", ["Connection"] = "close" }),
      ': OPENROUTER PROCESSING\n\ndata: {"choices":[{"delta":{"role":"assistant","content":"Here"}}]}\n\n\n\ndata: not JSON\n\n',
      'data: {"choices":[{"delta":{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,'
        .. core.base64_encode(png) .. '"}}]}}]}\n\ndata: [DONE]\n\n',
      { close = true },
    })
    local stream = assert(ai:stream { "A city", modalities = { "image", "text" }, skip_bad_chunks = true })
    local seen = {}
    for picture in stream:images() do seen[#seen + 1] = picture:bytes() end
    local reply = assert(stream:reply())
    assert.same({ "Here", { png } }, { reply.text, seen })
    assert.equal("a chunk that is no JSON was skipped", reply.warnings[1])
  end)

  it("O-R6 reads a picture whose line is cut anywhere", function()
    local png = gateway.bytes(gateway.media().png)
    local line = '{"choices":[{"delta":{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,'
      .. core.base64_encode(png) .. '"}}]}}]}'
    local sizes = { 1, 2, 3, 7 }
    for at = 1, #line + 30 do sizes[#sizes + 1] = { at, 65536 } end
    for _, size in ipairs(sizes) do
      s:script(server.sse({ line, "[DONE]" }, { chunk = size }))
      local reply = assert(assert(ai:stream "A city"):reply())
      assert.same({ 1, png }, { #reply.images, reply.images[1]:bytes() })
    end
  end)

  it("O-R7 reads the guide's reply: text and pictures together", function()
    local png = core.base64_encode(gateway.bytes(gateway.media().png))
    s:script(server.json(200, gateway.sample_text("openroute/reply.json", { ["..."] = "data:image/png;base64," .. png })))
    local reply = assert(ai:generate "A sunset")
    assert.equal("I've generated a beautiful sunset image for you.", reply.text)
    assert.same({ 1, "image/png", gateway.bytes(gateway.media().png) }, { #reply.images, reply.images[1]:mime(), reply.images[1]:bytes() })
    assert.equal("assistant", reply.message.role)
  end)
end)

describe("openrouter", function()
  local s, ai
  setup(function() s = server.start() end)
  teardown(function()
    s:stop()
    gateway.clean()
  end)
  before_each(function()
    s:clear()
    ai = gateway.client(s, { gateway = "openrouter", model = model })
  end)

  it("takes all kinds of media in one prompt, byte for byte", function()
    local made = gateway.media()
    local body, request = gateway.sent(s, ai, {
      "What is all this?", mm.image(made.png), mm.file(made.pdf), mm.audio(made.mp3), mm.video(made.mp4),
    })
    local function bytes(data)
      return assert(core.base64_decode((data:gsub("^data:[^,]*,", ""))))
    end
    local content = body.messages[1].content
    assert.same({ "text", "image_url", "file", "input_audio", "video_url" }, {
      content[1].type, content[2].type, content[3].type, content[4].type, content[5].type,
    })
    assert.equal(gateway.bytes(made.png), bytes(content[2].image_url.url))
    assert.equal(gateway.bytes(made.pdf), bytes(content[3].file.file_data))
    assert.equal("sample.pdf", content[3].file.filename)
    assert.equal(1, (content[3].file.file_data:find("data:application/pdf;base64,", 1, true)))
    assert.equal(gateway.bytes(made.mp3), bytes(content[4].input_audio.data))
    assert.same({ "mp3", nil }, { content[4].input_audio.format, (content[4].input_audio.data:find("data:", 1, true)) })
    assert.equal(gateway.bytes(made.mp4), bytes(content[5].video_url.url))
    assert.equal(tostring(#request.body), request.headers["content-length"])
    assert.equal(core.sha256():update(request.body):hex(), request.body_sha256)
  end)

  it("takes links to files and videos, and uploaded files by their ids", function()
    local content = gateway.sent(s, ai, {
      mm.file "https://h/x/a.pdf?sig=1", mm.video "https://www.youtube.com/watch?v=x", mm.file { file_id = "file-abc" },
    }).messages[1].content
    assert.same({
      { type = "file", file = { filename = "a.pdf", file_data = "https://h/x/a.pdf?sig=1" } },
      { type = "video_url", video_url = { url = "https://www.youtube.com/watch?v=x" } },
      { type = "file", file = { file_id = "file-abc" } },
    }, content)
  end)

  it("names the app only when asked", function()
    local _, request = gateway.sent(s, ai, "Hi")
    assert.same({}, { request.headers["http-referer"], request.headers["x-title"] })
    _, request = gateway.sent(s, ai, "Hi", { app_url = "https://example.com", app_title = "Example" })
    assert.same({ "https://example.com", "Example" }, { request.headers["http-referer"], request.headers["x-title"] })
  end)

  it("needs no model, reasons by an object, and counts tokens by max_tokens", function()
    local body = gateway.client(s, { gateway = "openrouter", model = false }):request({ "Hi", reasoning = "high", max_tokens = 50 }):json()
    assert.same({ messages = { { role = "user", content = "Hi" } }, reasoning = { effort = "high" }, max_tokens = 50 }, body)
    assert.is_nil(ai:request({ "Hi" }, {}):json().stream_options)
  end)

  it("takes nine formats of audio, and says which where it does not", function()
    for mime, format in pairs {
      ["audio/mpeg"] = "mp3", ["audio/wav"] = "wav", ["audio/x-wav"] = "wav", ["audio/ogg"] = "ogg", ["audio/vorbis"] = "ogg",
      ["audio/aac"] = "aac", ["audio/m4a"] = "m4a", ["audio/mp4"] = "m4a", ["audio/aiff"] = "aiff", ["audio/flac"] = "flac",
      ["audio/opus"] = "ogg", ["video/mp4"] = "m4a",
    } do
      local body = ai:request({ mm.audio { bytes = "some bytes", mime = mime } }):json()
      assert.equal(format, body.messages[1].content[1].input_audio.format, mime)
    end
    assert.equal("pcm16", ai:request({ mm.audio { bytes = "\0\1", format = "pcm16" } }):json().messages[1].content[1].input_audio.format)
    local request, err = ai:request { mm.audio { bytes = "x", format = "amr" } }
    assert.is_nil(request)
    assert.equal("unsupported", err.kind)
    assert(err.message:find("mp3", 1, true) and err.message:find("messages[1].content[1]", 1, true), err.message)
    request, err = ai:request { mm.audio { bytes = "x", mime = "video/mpeg" } }
    assert.is_nil(request)
    assert.equal("unsupported", err.kind)
  end)

  it("calls QuickTime by the name that it knows", function()
    local req = ai:request { mm.video { bytes = "\0\0\0\20ftypqt  " } }
    assert.equal(1, (req:json().messages[1].content[1].video_url.url:find("data:video/mov;base64,", 1, true)))
    assert.same({}, req.warnings)
  end)

  it("warns of what providers behind it are known to refuse", function()
    local function warning(prompt) return ai:request(prompt).warnings[1] end
    assert.is_nil(warning { mm.video "https://youtu.be/x" })
    assert(warning({ mm.video "https://h/a.mp4" }):find("YouTube", 1, true))
    assert(warning({ mm.image { bytes = "x", mime = "image/heic" } }):find("image/heic", 1, true))
    assert(warning({ "Hi", max_tokens = 5 }):find("max_tokens", 1, true))
    assert(warning({ "Hi", temperature = 3 }):find("temperature", 1, true))
    assert(warning({ "Hi", extra = { session_id = ("x"):rep(257) } }):find("session_id", 1, true))
    assert(warning({ mm.audio { bytes = ("x"):rep(21 * 1024 * 1024), mime = "audio/wav" } }):find("MB", 1, true))
  end)
end)
