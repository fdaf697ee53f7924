--- Pictures asked for, received in every form, saved, and sent on; and audio.
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")

local png = "\137PNG\r\n\26\n" .. ("\0\1\2\3"):rep(30)
local jpeg = "\255\216\255\224\0\16JFIF\0\1\1\0\0\1\0\1\0\0\255\217"
local png_url, jpeg_url = core.data_url("image/png", png), core.data_url("image/jpeg", jpeg)

local function encode(value)
  return tostring(assert(core.body(value)))
end

--- A whole reply with this message.
local function whole(message)
  message.role = "assistant"
  return encode { id = "gen-1", model = "m", choices = { { index = 0, finish_reason = "stop", message = message } } }
end

local function image(url, more)
  local element = { type = "image_url", image_url = { url = url } }
  for name, value in pairs(more or {}) do element[name] = value end
  return element
end

local function client(answers, options)
  local fake = mm.mock(answers)
  local all = { gateway = fake, model = "google/gemini-2.5-flash-image-preview", retries = 0 }
  for name, value in pairs(options or {}) do all[name] = value end
  return mm.client(all), fake
end

local function at(gateway, answers, options)
  local fake = mm.mock(answers)
  for name, value in pairs(require("multimodal.gateway." .. gateway)) do
    if name ~= "base_url" and name ~= "like" then fake[name] = value end
  end
  fake.options = { model = "gpt-image-1" }
  local all = { gateway = fake, api_key = "canary-k" }
  for name, value in pairs(options or {}) do all[name] = value end
  return mm.client(all), fake
end

local function bytes_of(list)
  local all = {}
  for i, one in ipairs(list) do all[i] = assert(one:bytes()) end
  return all
end

describe("image #small", function()
  it("asks with modalities at chat completions, as the seed does (O-R1, O-R3, K-R6)", function()
    local ai, fake = client { { mm.image { bytes = png, mime = "image/png" } } }
    local reply = assert(ai:image "Generate a beautiful sunset over mountains")
    local request = fake.requests[1]
    assert.equal("POST", request.method)
    assert(request.url:find("/v1/chat/completions$"))
    assert.same({
      model = "google/gemini-2.5-flash-image-preview",
      messages = { { role = "user", content = "Generate a beautiful sunset over mountains" } },
      modalities = { "image", "text" },
    }, request:json())
    assert.same({ png }, bytes_of(reply.images))
  end)

  it("says shape and size by image_config, and asks image_model where there is one", function()
    local picture = mm.image { bytes = png }
    local ai, fake = client({ picture, picture, picture, picture }, { image_model = "black-forest/flux" })
    assert(ai:image { "A city", aspect_ratio = "16:9", image_size = "2K" })
    local body = fake.requests[1]:json()
    assert.equal("black-forest/flux", body.model)
    assert.same({ aspect_ratio = "16:9", image_size = "2K" }, body.image_config)
    assert(ai:image({ "A city", model = "other" }))
    assert.equal("other", fake.requests[2]:json().model)
    assert(ai:image("A city", { image_model = "third", modalities = { "image" } }))
    assert.equal("third", fake.requests[3]:json().model)
    assert.same({ "image" }, fake.requests[3]:json().modalities)
    assert(ai:with({ modalities = { "image" } }):image "A city")
    assert.same({ "image" }, fake.requests[4]:json().modalities)
  end)

  it("asks a model that is known to give pictures alone for nothing else", function()
    local ai, fake = client {
      { body = encode { data = { { id = "flux", architecture = { output_modalities = { "image" }, input_modalities = { "text" } } } } } },
      mm.image { bytes = png },
    }
    assert(ai:models())
    assert(ai:image({ "A city" }, { model = "flux" }))
    assert.same({ "image" }, fake.requests[2]:json().modalities)
  end)

  it("takes pictures along, and hands its own on to the next prompt", function()
    local ai, fake = client { mm.image { bytes = png, mime = "image/png" }, "A sunset." }
    local pic = assert(ai:image { "Like this, but green.", mm.image { bytes = jpeg } }).images[1]
    assert.equal(jpeg_url, fake.requests[1]:json().messages[1].content[2].image_url.url)
    assert(ai:generate { "What is this?", mm.image(pic) })
    assert.equal(png_url, fake.requests[2]:json().messages[1].content[2].image_url.url)
  end)

  it("is an error of kind no_output without a picture, with the three questions (O-R9, O-R13)", function()
    local ai = client { "I cannot draw.", { status = 200, body = whole { content = core.null, refusal = "No." } } }
    local reply, err = ai:image "Describe a city"
    assert.is_nil(reply)
    assert.same({ "no_output", "I cannot draw.", "mock" }, { err.kind, err.partial.text, err.gateway })
    for _, words in ipairs {
      'does "google/gemini-2.5-flash-image-preview" give pictures? ai:models { output = "image" }',
      "modalities named image (image, text)", "did the prompt ask for a picture?",
    } do
      assert(err.message:find(words, 1, true), err.message)
    end
    assert(err.where:find("^image_spec.lua:%d+$"), err.where)
    err = select(2, ai:image "Draw it")
    assert.same({ "no_output", "refusal" }, { err.kind, err.code })
  end)

  it("passes a refused request on as it is", function()
    local ai = client { { kind = "rate_limit", retry_after = 3 }, { kind = "not_found", message = "No such model." } }
    local _, err = ai:image "A city"
    assert.same({ "rate_limit", 3 }, { err.kind, err.retry_after })
    _, err = ai:image "A city"
    assert(err.message:find('ai:models { output = "image" }', 1, true), err.message)
  end)
end)

describe("pictures in a reply #small", function()
  local function read(message)
    local ai = client { { body = whole(message) } }
    return assert(ai:generate "Draw")
  end

  it("come from images, parts, data URLs and links in content, each of them (O-R4, O-R7, K-R6)", function()
    local reply = read { content = "Two.", images = { image(png_url), { image_url = { url = jpeg_url } }, image "https://h.org/c.png" } }
    assert.equal("Two.", reply.text)
    assert.same({ png, jpeg }, bytes_of { reply.images[1], reply.images[2] })
    assert.same({ "image/png", "image/jpeg" }, { reply.images[1]:mime(), reply.images[2]:mime() })
    assert.equal("https://h.org/c.png", reply.images[3].url)
    assert.same({ png }, bytes_of(read({ content = { { type = "text", text = "x" }, image(png_url) } }).images))
    reply = read { content = "Here: ![a](" .. png_url .. ") done" }
    assert.same({ png }, bytes_of(reply.images))
    assert.equal("https://h.org/a.webp", read({ content = "![x](https://h.org/a.webp)" }).images[1].url)
    assert.equal("https://h.org/a.png?sig=1", read({ content = "https://h.org/a.png?sig=1" }).images[1].url)
  end)

  it("are an empty list where there are none, and malformed ones are left out (O-R10)", function()
    assert.same({}, read({ content = "x" }).images)
    assert.same({}, read({ content = "x", images = core.null }).images)
    local reply = read { content = "x", images = { { type = "image_url" }, 3, image(png_url) } }
    assert.equal(1, #reply.images)
    assert.is_true(#reply.warnings > 0)
  end)

  it("have the type that their bytes have (O-R8)", function()
    local reply = read { images = { image(core.data_url("image/png", jpeg)) }, content = "" }
    assert.equal("image/jpeg", reply.images[1]:mime())
    assert.equal(jpeg, reply.images[1]:bytes())
  end)

  it("stream in delta.images, whole, once each (O-R5)", function()
    local function chunk(delta, reason)
      return "data: " .. encode { choices = { { index = 0, delta = delta, finish_reason = reason or core.null } } } .. "\n\n"
    end
    local body = ": OPENROUTER PROCESSING\n\n" .. chunk { role = "assistant", content = "A " } ..
      chunk { images = { image(png_url, { index = 0 }) } } .. "\n" .. chunk { images = { image(png_url, { index = 0 }) } } ..
      chunk { images = { image(jpeg_url) } } .. chunk({ content = "city." }, "stop") .. "data: [DONE]\n\n"
    local ai = client { { body = body } }
    local stream = assert(ai:stream { "Create an image of a futuristic city", modalities = { "image", "text" } })
    local seen = {}
    for picture, index in stream:images() do seen[index + 1] = assert(picture:bytes()) end
    local reply = assert(stream:reply())
    assert.same({ png, jpeg }, seen)
    assert.same({ png, jpeg }, bytes_of(reply.images))
    assert.equal("A city.", reply.text)
  end)

  it("are saved whole, never over a file unless that is said (O-R12)", function()
    local picture = read({ content = "", images = { image(png_url) } }).images[1]
    local path = os.tmpname()
    local saved, err = picture:save(path)
    assert.is_nil(saved)
    assert.same({ "file", "EEXIST" }, { err.kind, err.code })
    assert.equal(path, assert(picture:save(path, { overwrite = true })))
    local file = assert(io.open(path, "rb"))
    assert.equal(png, file:read("*a"))
    file:close()
    os.remove(path)
  end)

  it("know the end of their file's name by their type (O-R12)", function()
    assert.equal("png", read({ content = "", images = { image(png_url) } }).images[1]:extension())
    assert.equal("jpg", mm.image("https://example.com/a.jpeg?x=1.png"):extension())
    assert.equal("pdf", mm.file({ bytes = "%PDF-1.7", mime = "application/pdf" }):extension())
    assert.equal("bin", mm.image("https://example.com/a"):extension())
  end)
end)

describe("a picture", function()
  it("comes back streamed, is saved, and goes into a second prompt", function()
    local sim = assert(require("multimodal.simulator").start { split = 7 })
    finally(function() sim:stop() end)
    local ai = mm.client { base_url = sim.url, api_key = "canary-k", model = "simulated" }
    local bytes = png .. ("\1\2\3\4\5"):rep(20000)
    local stream = assert(ai:stream { "Again.", mm.image { bytes = bytes, mime = "image/png" }, modalities = { "image", "text" } })
    local picture
    for one in stream:images() do picture = one end
    assert(stream:reply())
    local path = os.tmpname()
    assert(picture:save(path, { overwrite = true }))
    local first = assert(ai:generate { "What?", mm.image(path) }).text
    local second = assert(ai:generate { "What?", mm.image(picture) }).text
    os.remove(path)
    assert.equal(first, second)
    assert(second:find("sha256 " .. core.sha256():update(bytes):hex(), 1, true), second)
  end)
end)

describe("a link in a reply", function()
  local s, other

  before_each(function() s, other = server.start(), server.start() end)
  after_each(function()
    s:stop()
    other:stop()
  end)

  local function asked(link, options)
    s:script(server.json(200, whole { content = "", images = { image(link) } }), { path = "/v1/chat/completions" })
    local all = { base_url = s.url .. "/v1", api_key = "sk-canary", model = "m", private = true }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(mm.client(all):image "A city").images[1]
  end

  local function found(at_server)
    at_server:script(server.text(200, png, { headers = { ["Content-Type"] = "image/png" } }), { path = "/a.png" })
  end

  it("is fetched on save, with no credentials to another origin (K-R6)", function()
    found(other)
    local picture = asked(other.url .. "/a.png")
    assert.is_nil(picture:mime() or picture:size())
    assert.equal(0, #other:requests())
    local path = os.tmpname()
    assert(picture:save(path, { overwrite = true }))
    os.remove(path)
    assert.same({ png, "image/png", #png }, { picture:bytes(), picture:mime(), picture:size() })
    local seen = assert(other:requests(1))
    assert.equal(1, #seen)
    assert.is_nil(seen[1].headers.authorization)
    assert.is_nil((seen[1].head or ""):find("canary"))
  end)

  it("gets the key on the client's own origin, and loses it at a redirect to another", function()
    s:script({ server.head(302, { Location = other.url .. "/a.png", ["Content-Length"] = 0 }) }, { path = "/files/1" })
    found(other)
    assert.equal(png, assert(asked(s.url .. "/files/1"):bytes()))
    assert.equal("Bearer sk-canary", assert(s:requests(2))[2].headers.authorization)
    assert.is_nil(assert(other:requests(1))[1].headers.authorization)
  end)

  it("is not fetched from a private address without the client's word", function()
    local bytes, err = asked(other.url .. "/a.png", { private = false }):bytes()
    assert.is_nil(bytes)
    assert.same({ "permission", "private" }, { err.kind, err.code })
    assert.equal(0, #other:requests())
  end)

  it("is followed five times, and not to another scheme", function()
    other:script({ server.head(302, { Location = "/loop", ["Content-Length"] = 0 }) }, { times = 10 })
    local bytes, err = asked(other.url .. "/loop"):bytes()
    assert.is_nil(bytes)
    assert.same({ "protocol", "redirect" }, { err.kind, err.code })
    assert.equal(6, #assert(other:requests(6)))
    other:clear()
    other:script({ server.head(302, { Location = "file:///etc/passwd", ["Content-Length"] = 0 }) })
    assert.equal("redirect", select(2, asked(other.url .. "/x"):bytes()).code)
  end)

  it("is limited in size", function()
    local fetch = require("multimodal.client.fetch")
    local before = fetch.max_bytes
    fetch.max_bytes = 50000
    finally(function() fetch.max_bytes = before end)
    other:script(server.text(200, ("x"):rep(300000)))
    local picture = asked(other.url .. "/a.png")
    local bytes, err = picture:bytes()
    assert.is_nil(bytes)
    assert.same({ "too_large", "too_large" }, { err.kind, err.code })
  end)

  it("is fetched as it comes in a stream, by the client's rules", function()
    found(other)
    s:script(server.sse {
      encode { choices = { { index = 0, delta = { images = { image(other.url .. "/a.png") } } } } },
      encode { choices = { { index = 0, delta = { content = "x" }, finish_reason = "stop" } } }, "[DONE]",
    })
    local ai = mm.client { base_url = s.url .. "/v1", api_key = "canary-k", model = "m", private = true }
    local stream, bytes = assert(ai:stream "Draw"), nil
    for picture in stream:images() do bytes = assert(picture:bytes()) end
    assert.equal(png, bytes)
    assert(stream:reply())
  end)

  it("says what failed", function()
    other:script(server.text(404, "gone"))
    local _, err = asked(other.url .. "/a.png?sig=canary"):bytes()
    assert.same({ "not_found", 404 }, { err.kind, err.status })
    assert.is_nil(tostring(err):find("canary"))
  end)
end)

describe("the endpoint for pictures #small", function()
  it("is asked where chat gives none", function()
    local ai, fake = at("openai", { { body = encode { created = 1, data = {
      { b64_json = core.base64_encode(png), revised_prompt = "A red city" }, { b64_json = core.base64_encode(jpeg) },
    }, usage = { input_tokens = 3, output_tokens = 5, total_tokens = 8 } } } })
    local reply = assert(ai:image { "A city", aspect_ratio = "3:2", n = 2 })
    assert(fake.requests[1].url:find("/v1/images/generations$"))
    assert.same({ model = "gpt-image-1", prompt = "A city", size = "1536x1024", n = 2 }, fake.requests[1]:json())
    assert.same({ png, jpeg }, bytes_of(reply.images))
    assert.same({ "A red city", 8, "image/png", "complete" },
      { reply.text, reply.usage.total_tokens, reply.images[1]:mime(), reply.outcome })
  end)

  it("edits pictures that come along", function()
    local ai, fake = at("openai", { { body = encode { data = { { url = "https://h.org/1.png" } } } } })
    local reply = assert(ai:image { "Greener", mm.image { bytes = png, mime = "image/png" }, extra = { quality = "high" } })
    assert(fake.requests[1].url:find("/v1/images/edits$"))
    assert.same({ model = "gpt-image-1", prompt = "Greener", images = { { image_url = png_url } }, quality = "high" },
      fake.requests[1]:json())
    assert.equal("https://h.org/1.png", reply.images[1].url)
  end)

  it("refuses what it cannot say, and tells of no picture", function()
    local ai = at("openai", { { body = '{"data":[]}' }, { kind = "content_filter" }, { body = "<html>" } })
    local _, err = ai:image { "A city", aspect_ratio = "21:9" }
    assert.same({ "unsupported", "aspect_ratio" }, { err.kind, err.part })
    assert.equal("no_output", select(2, ai:image "A city").kind)
    assert.equal("content_filter", select(2, ai:image "A city").kind)
    assert.equal("protocol", select(2, ai:image "A city").kind)
  end)
end)

describe("audio #small", function()
  local wav = "RIFF\36\0\0\0WAVEfmt \16\0\0\0\1\0\1\0\192\93\0\0\128\187\0\0\2\0\16\0data\0\0\0\0"

  it("is asked for with voice and format, and comes with its transcript", function()
    local ai, fake = client { { body = whole { content = core.null, audio = {
      id = "audio_1", data = core.base64_encode(wav), transcript = "Hello.", expires_at = 1,
    } } } }
    local reply = assert(ai:generate { "Say hello.", modalities = { "text", "audio" }, voice = "alloy", audio_format = "wav" })
    local body = fake.requests[1]:json()
    assert.same({ { "text", "audio" }, { voice = "alloy", format = "wav" } }, { body.modalities, body.audio })
    assert.same({ wav, "Hello.", "audio_1" }, { reply.audio:bytes(), reply.audio.transcript, reply.audio.id })
  end)

  it("is joined right from fragments cut anywhere, or padded each", function()
    local sound = ("\0\1\2\253\254\255pcm"):rep(50)
    local encoded = core.base64_encode(sound)
    local function stream_of(fragments)
      local list = { { audio = { id = "audio_1", transcript = "" } } }
      for _, fragment in ipairs(fragments) do list[#list + 1] = { audio = { data = fragment } } end
      list[#list + 1] = { audio = { transcript = "Hel" } }
      list[#list + 1] = { audio = { transcript = "lo.", expires_at = 5 } }
      local text = {}
      for i, delta in ipairs(list) do
        local choice = { index = 0, delta = delta, finish_reason = i == #list and "stop" or core.null }
        text[i] = "data: " .. encode { choices = { choice } } .. "\n\n"
      end
      return table.concat(text) .. "data: [DONE]\n\n"
    end
    for size = 1, 9 do
      local cut, padded = {}, {}
      for from = 1, #encoded, size do cut[#cut + 1] = encoded:sub(from, from + size - 1) end
      for from = 1, #sound, size do padded[#padded + 1] = core.base64_encode(sound:sub(from, from + size - 1)) end
      for _, fragments in ipairs { cut, padded } do
        local ai = client { { body = stream_of(fragments) } }
        local stream = assert(ai:stream { "Say hello.", modalities = { "text", "audio" }, voice = "alloy", audio_format = "pcm16" })
        local pieces, words = {}, {}
        local next_event, state = stream:events()
        local event = next_event(state)
        while event do
          if event.type == "audio" then pieces[#pieces + 1], words[#words + 1] = event.delta or "", event.transcript end
          event = next_event(state)
        end
        local reply = assert(stream:reply())
        assert.equal(sound, reply.audio:bytes())
        assert.equal(sound, table.concat(pieces))
        assert.same({ "Hello.", "Hello.", "audio_1" }, { reply.audio.transcript, table.concat(words), reply.audio.id })
        local again = ai:request({ "What was said?", mm.audio { blob = reply.audio.blob, format = reply.audio.options.format } }):json()
        assert.same({ data = encoded, format = "pcm16" }, again.messages[1].content[2].input_audio)
      end
    end
  end)
end)
