--- What Khatash's guide asks for: K-R1 to K-R5 and K-R7 to K-R14.
local cjson = require("cjson").new()
local core = require("multimodal.core")
local gateway = require("support.gateway")
local mm = require("multimodal")
local server = require("support.server")

local function encoded(path)
  return core.base64_encode(gateway.bytes(path))
end

describe("khatash", function()
  local s, ai
  setup(function() s = server.start() end)
  teardown(function()
    s:stop()
    gateway.clean()
  end)
  before_each(function()
    s:clear()
    ai = gateway.client(s, { gateway = "khatash", model = "openai/gpt-4o-mini" })
  end)

  --- The one part of a message.
  local function part(source, client)
    return assert((client or ai):request { source }):json().messages[1].content[1]
  end

  local function refused(prompt, client)
    local request, err = (client or ai):request(prompt)
    assert.is_nil(request)
    assert.equal("unsupported", err.kind)
    return err
  end

  it("K-R1 takes every kind of input at the address of chat, each with its type", function()
    local made = gateway.media()
    for source, kind in pairs {
      [mm.text "A"] = "text", [mm.image(made.jpg)] = "image_url", [mm.file(made.pdf)] = "file", [mm.audio(made.mp3)] = "input_audio",
      [mm.video(made.mp4)] = "video_url",
    } do
      local body, request = gateway.sent(s, ai, { "Look:", source })
      assert.same({ "/api/v1/chat/completions", kind }, { request.path, body.messages[1].content[2].type })
    end
  end)

  it("K-R2 takes all kinds together, as the guide writes them", function()
    local sample = gateway.sample("khatash/content_types.json", { ["<BASE64_AUDIO_DATA>"] = encoded(gateway.media().mp3) })
    local body = gateway.sent(s, ai, {
      sample.messages[1].content[1].text,
      mm.image "https://example.com/image.jpg",
      mm.file "https://example.com/document.pdf",
      mm.audio(gateway.media().mp3),
      mm.video "https://www.youtube.com/watch?v=...",
    })
    assert.same(sample, body)
  end)

  it("K-R2 takes real media of all kinds together, byte for byte", function()
    local made = gateway.media()
    local body, request = gateway.sent(s, ai, {
      "این‌ها چیست؟", mm.image(made.jpg), mm.file(made.pdf), mm.audio(made.wav), mm.video(made.mp4),
    })
    assert.same({
      { type = "text", text = "این‌ها چیست؟" },
      { type = "image_url", image_url = { url = "data:image/jpeg;base64," .. encoded(made.jpg) } },
      { type = "file", file = { url = "data:application/pdf;base64," .. encoded(made.pdf), mime_type = "application/pdf" } },
      { type = "input_audio", input_audio = { format = "wav", data = encoded(made.wav) } },
      { type = "video_url", video_url = { url = "data:video/mp4;base64," .. encoded(made.mp4) } },
    }, body.messages[1].content)
    assert.equal(tostring(#request.body), request.headers["content-length"])
  end)

  it("K-R3 takes a file by url and mime_type; the same part goes to others in their form", function()
    local link = mm.file "https://example.com/report.pdf"
    local body = gateway.sent(s, ai, { gateway.sample("khatash/pdf.json").messages[1].content[1].text, link })
    assert.same(gateway.sample "khatash/pdf.json", body)
    local router = mm.client { gateway = "openrouter", api_key = "canary-k", model = "m" }
    assert.same({ filename = "report.pdf", file_data = "https://example.com/report.pdf" }, part(link, router).file)
    local data = "data:application/pdf;base64," .. encoded(gateway.media().pdf)
    local openai = mm.client { gateway = "openai", api_key = "canary-k", model = "m" }
    for _, client in ipairs { router, openai } do
      assert.same({ filename = "sample.pdf", file_data = data }, part(mm.file(gateway.media().pdf), client).file)
    end
    assert(refused({ link }, openai).message:find("fetch = true", 1, true))
    s:script(server.text(200, gateway.bytes(gateway.media().pdf)), { path = "/report.pdf" })
    local fetched = assert(openai:request { mm.file(s.url .. "/report.pdf"), fetch = true, private = true }):json()
    assert.same({ filename = "report.pdf", file_data = data }, fetched.messages[1].content[1].file)
  end)

  it("K-R4 ends in a slash on demand, and a redirect to one keeps method, body and key", function()
    local _, request = gateway.sent(s, ai, "Hi", { trailing_slash = true })
    assert.equal("/api/v1/chat/completions/", request.path)
    for i, status in ipairs { 301, 302, 307, 308 } do
      s:clear()
      s:script(server.text(status, "", { headers = { Location = "/api/v1/chat/completions/" } }))
      local prompt = { "این تصویر را توضیح بده", mm.image "https://example.com/cat.png" }
      s:script(gateway.answer("ok" .. i))
      assert.equal("ok" .. i, assert(ai:generate(prompt)).text)
      local seen = assert(s:requests(2))
      for _, one in ipairs(seen) do
        assert.same({ "POST", "Bearer sk-canary" }, { one.method, one.headers.authorization })
        assert.same(gateway.sample "khatash/cat.json", cjson.decode(one.body))
      end
      assert.equal("/api/v1/chat/completions/", seen[2].path)
    end
  end)

  it("K-R5 takes pictures by link and as bytes, several of them", function()
    local made = gateway.media()
    local content = gateway.sent(s, ai, { "A", mm.image "https://h/a.png", mm.image(made.png), mm.image(made.jpg) }).messages[1].content
    assert.equal("https://h/a.png", content[2].image_url.url)
    local sample = gateway.sample("khatash/base64_part.json", { ["..."] = "data:image/png;base64," .. encoded(made.png) })
    assert.same(sample, content[3])
    assert.equal("data:image/jpeg;base64," .. encoded(made.jpg), content[4].image_url.url)
  end)

  it("K-R7 tells the type of a file from its name, and checks it by the bytes", function()
    assert.equal("application/pdf", part(mm.file "https://h/a/report.PDF?page=2#x").file.mime_type)
    assert.equal("text/csv", part(mm.file { "https://h/data", mime = "text/csv" }).file.mime_type)
    assert(refused({ mm.file "https://h/data" }).message:find("mime = ", 1, true))
    local pdf = gateway.bytes(gateway.media().pdf)
    local wrong = gateway.media().folder .. "/report.txt"
    local file = assert(io.open(wrong, "wb"))
    file:write(pdf)
    file:close()
    local request = assert(ai:request { mm.file(wrong) })
    local sent = request:json().messages[1].content[1].file
    assert.same({ "application/pdf", "data:application/pdf;base64," .. core.base64_encode(pdf) }, { sent.mime_type, sent.url })
    assert.equal("messages[1].content[1]: report.txt is application/pdf by its bytes, sent as that", request.warnings[1])
    request = assert(ai:request { mm.file { bytes = pdf, mime = "text/html" } })
    assert.equal("text/html", request:json().messages[1].content[1].file.mime_type)
    assert(request.warnings[1]:find('mime = "text/html" is application/pdf by its bytes, sent as it was said', 1, true))
  end)

  it("K-R8 sends audio as bare base64 with its format, from the type or as the user says", function()
    local made = gateway.media()
    assert.same({ type = "input_audio", input_audio = { format = "mp3", data = encoded(made.mp3) } }, part(mm.audio(made.mp3)))
    assert.same({ type = "input_audio", input_audio = { format = "wav", data = encoded(made.wav) } }, part(mm.audio(made.wav)))
    assert.equal("pcm16", part(mm.audio { bytes = "\0\1", format = "pcm16" }).input_audio.format)
    assert(refused({ mm.audio "https://h/a.mp3" }).message:find("fetch = true", 1, true))
  end)

  it("K-R9 warns of links to videos that only some providers take", function()
    assert.same({}, ai:request({ mm.video "https://www.youtube.com/watch?v=x" }).warnings)
    assert.same({}, ai:request({ mm.video(gateway.media().mp4) }).warnings)
    local warning = ai:request({ "A", mm.video "https://example.com/a.mp4" }).warnings[1]
    assert(warning:find("messages[1].content[2]: ", 1, true) and warning:find("YouTube", 1, true), warning)
  end)

  it("K-R10 checks the model by modality where its models are known, and hears the server's word", function()
    local function model(id, inputs)
      return { id = id, architecture = { input_modalities = inputs, output_modalities = { "text" } } }
    end
    s:script(server.json(200, { data = {
      model("openai/gpt-4o-mini", { "text", "image", "file" }),
      model("google/gemini-2.5-flash", { "text", "image", "audio", "video", "file" }),
    } }), { path = "/api/v1/models" })
    assert(ai:models())
    for _, source in ipairs { mm.audio(gateway.media().mp3), mm.video "https://youtu.be/x" } do
      local err = refused { "Hi", source }
      assert.equal("messages[1].content[2]", err.part)
      assert(err.message:find("google/gemini-2.5-flash", 1, true), err.message)
      assert(ai:request({ "Hi", source }, { model = "google/gemini-2.5-flash" }))
    end
    assert(ai:request { "Hi", mm.image "https://h/a.png", mm.file(gateway.media().pdf) })
    s:script(server.json(404, '{"error":{"code":404,"message":"No endpoints found that support input audio"}}'))
    local reply, err = ai:generate({ "Hi", mm.audio(gateway.media().mp3) }, { check = "off" })
    assert.is_nil(reply)
    assert(err.message:find("support input audio", 1, true))
  end)

  it("K-R11 tells sizes before sending and what it cost after", function()
    local made = gateway.media()
    local seen = assert(ai:estimate { "Hi", mm.image(made.jpg), mm.file(made.pdf) })
    assert.equal(2 + #gateway.bytes(made.jpg) + #gateway.bytes(made.pdf), seen.bytes)
    s:script(gateway.answer("ok", { usage = { prompt_tokens = 7, completion_tokens = 2, total_tokens = 9, cost = 0.00125 } }))
    local usage = assert(ai:generate "Hi").usage
    assert.same({ 7, 2, 9, 0.00125 }, { usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.cost })
    assert.is_nil(select(3, gateway.sent(s, ai, "Hi")).usage)
  end)

  it("K-R12 takes the key from KHATASH_API_KEY, which a shell can fill in", function()
    local real = os.getenv
    os.getenv = function(name) -- luacheck: ignore 122
      if name == "KHATASH_API_KEY" then return "sk-env" end
      return real(name)
    end
    local mine = mm.client { gateway = "khatash", base_url = ai.base.root, model = "m" }
    local ok, seen = pcall(function() return select(2, gateway.sent(s, mine, "Hi")).headers.authorization end)
    os.getenv = real -- luacheck: ignore 122
    assert(ok, seen)
    assert.equal("Bearer sk-env", seen)
    local own = mm.client { gateway = "khatash", model = "m" }
    assert(own:request("Hi"):curl():find('-H "Authorization: Bearer $KHATASH_API_KEY"', 1, true))
    assert.equal("https://ai.khatash.com/api/v1/chat/completions", own:request("Hi").url)
  end)

  it("K-R13 keeps Persian as it is, both ways", function()
    local text = "می‌خواهم این ۱۲۳ تصویر را توضیح بده؛ خلاصه‌ای از این فایل PDF"
    assert(text:find("\226\128\140", 1, true))
    s:script(gateway.answer(text))
    assert.equal(text, assert(ai:generate(text)).text)
    assert(assert(s:requests(1))[1].body:find(text, 1, true))
    for size = 1, 7, 2 do
      s:script(server.sse({ cjson.encode { choices = { { delta = { content = text } } } }, "[DONE]" }, { chunk = size }))
      assert.equal(text, assert(ai:stream(text):reply()).text)
    end
  end)

  it("K-R14 finds what is wrong before sending, and says where and why", function()
    for place, prompt in pairs {
      ["messages[1].content[2]"] = { "A", mm.image "/nowhere/cat.png" },
      ["messages[1].content[1]"] = { mm.image { data_url = "data:image/png;base64,!!" } },
      ["messages[2].content[3]"] = { messages = { mm.system "S", mm.user { "A", "B", mm.audio "https://h/a.mp3" } } },
    } do
      local reply, err = ai:generate(prompt)
      assert.is_nil(reply)
      assert.equal(place, err.part)
      assert(tostring(err):find(place, 1, true), tostring(err))
    end
    for words, source in pairs { ["javascript:"] = "javascript:alert(1)", ["empty string"] = "", ["control character"] = "https://h/\n" } do
      local ok, message = pcall(mm.image, source)
      assert.is_false(ok)
      assert(message:find(words, 1, true), message)
    end
    assert.equal(0, #s:requests())
  end)
end)
