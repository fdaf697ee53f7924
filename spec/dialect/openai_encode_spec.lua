local core = require("multimodal.core")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local openai = require("multimodal.dialect.openai")
local reply = require("multimodal.reply.reply")
local support = require("dialect.support")

local requests = support.json("openai/requests.json")
local plain_profile = { name = "plain", max_tokens_field = "max_tokens", stream_options = false }

local opened, prompt_of = support.opened, support.prompt

local function profile(more) return support.over(plain_profile, more) end

--- The body that goes out, read back with its nulls.
local function sent(prompt, more)
  local request, err, warnings = openai.encode(prompt, profile(more))
  if not request then return nil, err, warnings end
  local text = tostring(assert(core.body(request.body)))
  return assert(core.json_decode(text, { null = true })), text, warnings, request
end

local function image(source) return media.new("image", source) end

describe("openai encode #small", function()
  it("says YouRouter's samples as they stand in its guide", function()
    local body = sent(prompt_of { "Describe this image in one sentence.", image "https://example.com/image.jpg", model = "gpt-4o" })
    assert.same(requests.yourouter_link, body)
    local bytes = core.base64_decode("/9j/4AAQSkZJRg==")
    body = sent(prompt_of { "What is shown in this image?", image { bytes = bytes }, model = "gpt-4o" })
    assert.same(requests.yourouter_base64, body)
  end)

  it("says the samples of the other guides", function()
    local list = { messages.new("user", "What's in this image?"), messages.new("user", { image "s3://file-bucket/image.jpg" }) }
    assert.same(requests.gdc_image, sent(prompt_of { messages = list }, { buckets = true }))
    local song = media.new("audio", { bytes = core.base64_decode("SUQzBAAAAAAA") })
    list = { messages.new("user", "Show me the lyrics of this song."), messages.new("user", { song }) }
    assert.same(requests.gdc_audio, sent(prompt_of { messages = list }))
    local sunset = prompt_of { "Generate a beautiful sunset over mountains", modalities = { "image", "text" },
      model = "google/gemini-2.5-flash-image-preview" }
    assert.same(requests.openroute, sent(sunset))
    local city = prompt_of { "Create an image of a futuristic city", modalities = { "image", "text" },
      model = "google/gemini-2.5-flash-image-preview" }
    city.stream = true
    assert.same(requests.openroute_stream, sent(city))
    assert.same(requests.glm, sent(prompt_of { "这张图片里有什么?", image "https://example.com/image.jpg", model = "GLM-4V-Plus" }))
  end)

  it("says Khatash's sample of all media", function()
    local said = { requests.khatash.messages[1].content[1].text, image "https://example.com/image.jpg",
      media.new("file", { "https://example.com/document.pdf", mime = "application/pdf" }),
      media.new("audio", { bytes = core.base64_decode("SUQzBAAAAAAA") }),
      media.new("video", "https://www.youtube.com/watch?v=..."), model = "openai/gpt-4o-mini" }
    assert.same(requests.khatash, sent(prompt_of(said), { video = true, file = "khatash" }))
  end)

  it("says a tool loop", function()
    local call = { id = "c1", name = "f", arguments = { a = 1 }, arguments_raw = '{"a":1}' }
    local prompt = {
      messages = {
        messages.new("system", "S"), messages.new("user", { "T", image "data:image/png;base64,AA==" }),
        { role = "assistant", content = {}, tool_calls = { call } },
        { role = "tool", content = { { type = "text", text = "ok" } }, tool_call_id = "c1" },
      },
      options = { model = "m", max_tokens = 300, tools = {
        { name = "f", description = "d", parameters = { type = "object", properties = {} }, run = print },
      } },
    }
    opened(prompt.messages)
    local expected = core.json_decode(support.read("openai/requests.json"), { null = true }).tool_loop
    assert.same(expected, (sent(prompt)))
  end)

  it("adds nothing unasked", function()
    local body = sent { messages = { messages.new("user", "Hi") }, options = {} }
    assert.same({ messages = { { role = "user", content = "Hi" } } }, body)
  end)

  it("keeps strings, lists, order and the number of messages", function()
    local list = { messages.new("system", { "A", "B" }), messages.new("user", "C"), messages.new("user", { "D" }),
      messages.new("user", { image "https://a/b.png", "E", image { "https://a/c.png", detail = "low" } }) }
    local body = sent { messages = list, options = {} }
    local function text(said) return { type = "text", text = said } end
    assert.same({
      { role = "system", content = { text "A", text "B" } }, { role = "user", content = "C" }, { role = "user", content = "D" },
      { role = "user", content = { { type = "image_url", image_url = { url = "https://a/b.png" } }, text "E",
        { type = "image_url", image_url = { url = "https://a/c.png", detail = "low" } } } },
    }, body.messages)
  end)

  it("writes options under their names on the wire", function()
    local body, text = sent({ messages = {}, options = {
      model = "m", max_tokens = 10, temperature = 0.5, top_p = 1, seed = 9007199254740991, stop = { "a" }, n = 2,
      reasoning = "low", tool_choice = "f", parallel_tools = false, modalities = { "text", "audio" }, voice = "alloy",
      audio_format = "wav", aspect_ratio = "16:9", system = false,
      schema = { type = "object", title = "An answer", properties = { a = { type = "string" } } },
    } }, { max_tokens_field = "max_completion_tokens" })
    assert.equal(10, body.max_completion_tokens)
    assert.is_nil(body.max_tokens)
    assert.same({ "a" }, body.stop)
    assert.is_truthy(text:find('"seed":9007199254740991', 1, true))
    assert.equal("low", body.reasoning_effort)
    assert.same({ type = "function", ["function"] = { name = "f" } }, body.tool_choice)
    assert.is_false(body.parallel_tool_calls)
    assert.same({ voice = "alloy", format = "wav" }, body.audio)
    assert.same({ aspect_ratio = "16:9" }, body.image_config)
    assert.equal("An_answer", body.response_format.json_schema.name)
    assert.equal("string", body.response_format.json_schema.schema.properties.a.type)
    assert.is_nil(body.stream)
    assert.is_nil(body.messages[1])
  end)

  it("asks a gateway to reason in its own way", function()
    local function asked(value, how)
      local body, err = sent({ messages = {}, options = { reasoning = value } }, { reasoning = how })
      return body or err
    end
    assert.same({ effort = "high" }, asked("high", "object").reasoning)
    assert.same({ max_tokens = 500 }, asked(500, "object").reasoning)
    assert.same({ type = "disabled" }, asked("none", "thinking").thinking)
    assert.equal("unsupported", asked(500, "effort").kind)
    assert.equal("unsupported", asked("hard", "effort").kind)
  end)

  it("asks for usage in a stream only where the gateway takes that", function()
    local prompt = { messages = {}, options = {}, stream = true }
    assert.same({ stream = true, messages = {} }, (sent(prompt)))
    local body, _, _, request = sent(prompt, { stream_options = true })
    assert.same({ include_usage = true }, body.stream_options)
    assert.is_true(request.stream)
    assert.equal("/chat/completions", request.path)
  end)

  it("merges extra fields last, at every level", function()
    local text = messages.text("Hi", { cache_control = { type = "ephemeral" } })
    local said = messages.new("user", { text, image { "https://a/b.png", extra = { min_pixels = 4 } }, extra = { weight = 1 } })
    local body = sent { messages = { said }, options = { temperature = 1, extra = { temperature = 0, top_a = 1 } } }
    assert.equal(0, body.temperature)
    assert.equal(1, body.top_a)
    assert.equal(1, body.messages[1].weight)
    assert.same({ type = "ephemeral" }, body.messages[1].content[1].cache_control)
    assert.is_nil(body.messages[1].content[1].extra)
    assert.equal(4, body.messages[1].content[2].min_pixels)
  end)

  it("names the part that it cannot say, and the way out", function()
    local function fault(part, more)
      local prompt = { messages = opened { messages.new("user", "x"), messages.new("user", { "y", part }) }, options = {} }
      local request, err = openai.encode(prompt, profile(more))
      assert.is_nil(request)
      assert.equal("unsupported", err.kind)
      assert.equal("messages[2].content[2]", err.part)
      assert.is_truthy(err.message:find(";", 1, true))
      return err.message
    end
    fault(image "s3://bucket/key.png")
    fault(media.new("video", "https://a/b.mp4"))
    fault(media.new("audio", "https://a/b.mp3"))
    fault(media.new("audio", { bytes = "no known audio" }))
    fault(media.new("audio", { bytes = "x", format = "flac" }), { audio_formats = { mp3 = true } })
    fault(media.new("file", "https://a/b.pdf"))
    fault(media.new("file", { bytes = "x" }), { file = "none" })
    fault(media.new("file", { bytes = "x" }), { file = "file_url" })
    local err = select(2, openai.encode({ messages = {}, options = { top_k = 4 } }, profile { refuses = { top_k = true } }))
    assert.equal("unsupported", err.kind)
  end)

  it("writes files as each gateway takes them", function()
    local function file(part, flavour)
      return sent({ messages = opened { messages.new("user", { "x", part }) }, options = {} }, { file = flavour }).messages[1].content[2]
    end
    local bytes = media.new("file", { bytes = "%PDF-1.4", filename = "a.pdf" })
    local data = "data:application/pdf;base64,JVBERi0xLjQ="
    local link = media.new("file", { "https://h/x/a.pdf?sig=1", mime = "application/pdf" })
    assert.same({ type = "file", file = { filename = "a.pdf", file_data = data } }, file(bytes))
    bytes = media.new("file", { bytes = "%PDF-1.4", filename = "C# notes?.pdf" })
    assert.same({ type = "file", file = { filename = "C# notes?.pdf", file_data = data } }, file(bytes))
    assert.same({ type = "file", file = { filename = "a.pdf", file_data = link.url } }, file(link, "openrouter"))
    assert.same({ type = "file", file = { url = link.url, mime_type = "application/pdf" } }, file(link, "khatash"))
    assert.same({ type = "file_url", file_url = { url = link.url } }, file(link, "file_url"))
  end)

  it("gives bare base64 where a gateway wants it", function()
    local part = image { bytes = core.base64_decode("/9j/4AAQSkZJRg==") }
    local body = sent({ messages = opened { messages.new("user", { part }) }, options = {} }, { image_base64 = "raw" })
    assert.equal("/9j/4AAQSkZJRg==", body.messages[1].content[1].image_url.url)
  end)

  it("warns of what gateways are known to refuse", function()
    local tools = { { name = "a b", parameters = {} } }
    assert.equal("300", sent({ messages = {}, options = { extra = { n = "300" } } }).n)
    local _, _, warnings = sent { messages = {}, options = { stop = { "1", "2", "3", "4", "5" }, n = 200, tools = tools } }
    assert.equal(3, #warnings)
    local large = image { bytes = "\137PNG\r\n\26\n" .. ("x"):rep(4 * 1024 * 1024) }
    _, _, warnings = sent { messages = opened { messages.new("user", { large }) }, options = {} }
    assert.equal(1, #warnings)
    assert.is_truthy(warnings[1]:find("messages[1].content[1]", 1, true))
    local small = image { bytes = "\137PNG\r\n\26\n" .. ("x"):rep(1492) }
    _, _, warnings = sent({ messages = opened { messages.new("user", { small }) }, options = {} },
      { name = "own", limits = { image = { bytes = 1200, total = 1300 } } })
    assert.same({
      "messages[1].content[1]: 1.5 KB; own takes up to 1.2 KB", "1.5 KB of images; own takes up to 1.3 KB in a request",
    }, warnings)
  end)

  it("lets no audio of an assistant go back that its gateway did not name", function()
    local said = messages.new("assistant", { media.new("audio", { bytes = "RIFF\0\0\0\0WAVEfmt " }) })
    said.dialect = "openai"
    for _, audio in ipairs { 7, "a", { id = "another" } } do
      said.native = { audio = audio }
      local _, err = openai.encode({ messages = opened { said }, options = {} }, {})
      assert.same({ "unsupported", "messages[1].content[1]" }, { err.kind, err.part })
    end
  end)

  it("sends a raw request as it is, with a model and the method's stream", function()
    local raw = core.json_decode('{"messages":[{"role":"user","content":[]},{"role":"user","content":null}],"top_a":1}', { null = true })
    local body = sent { raw = raw, options = { model = "m" } }
    assert.equal(core.null, body.messages[2].content)
    assert.equal("m", body.model)
    assert.is_nil(raw.model)
    local _, text = sent { raw = raw, options = {} }
    assert.equal('{"messages":[{"content":[],"role":"user"},{"content":null,"role":"user"}],"top_a":1}', text)
    assert.is_true(sent({ raw = raw, options = {}, stream = true }, { stream_options = true }).stream)
    assert.is_nil(sent({ raw = raw, options = {}, stream = true }, { stream_options = true }).stream_options)
    assert.is_nil(sent({ raw = { stream = true }, options = {} }).stream)
    assert.is_false(sent({ raw = { stream = false }, options = {} }).stream)
    assert.equal("own", sent({ raw = { model = "own" }, options = { model = "m" } }).model)
  end)
end)

describe("openai encode of what came back #small", function()
  --- The assistant's message that a body's reply puts into the next request.
  local function echoed(body, more)
    local neutral = assert(openai.decode { data = body, media = {} })
    local list = messages.of { messages.new("user", "x"), reply.new(neutral), messages.new("user", "y") }
    local request, err = sent({ messages = list, options = {} }, more)
    if not request then return nil, err end
    return request.messages[2]
  end

  local function echoed_fixture(name, more)
    return echoed(support.read("openai/stream/" .. name .. ".json"), more)
  end

  local function received(name)
    return core.json_decode(support.read("openai/stream/" .. name .. ".json"), { null = true }).choices[1].message
  end

  it("is plain text where it was", function()
    assert.same({ role = "assistant", content = "AB" }, echoed_fixture("obfuscated"))
  end)

  it("has reasoning and its details as received, and only if received", function()
    local wire, came = echoed_fixture("reasoning_details"), received("reasoning_details")
    assert.same(came.reasoning_details, wire.reasoning_details)
    assert.equal(core.null, wire.reasoning_details[2].format)
    assert.equal(came.reasoning, wire.reasoning)
    assert.equal("Yes.", wire.content)
    assert.same({ role = "assistant", content = "42", reasoning_content = "Let me think." }, echoed_fixture("reasoning_content"))
    assert.same({ role = "assistant", content = "A" },
      echoed '{"choices":[{"message":{"content":"A","reasoning":"","reasoning_content":null,"refusal":"","annotations":[]}}]}')
  end)

  it("has tool calls with all that came beside them", function()
    assert.same(received("tool_calls_gemini").tool_calls, echoed_fixture("tool_calls_gemini").tool_calls)
    local wire = echoed_fixture("tool_calls")
    assert.equal(core.null, wire.content)
    assert.same(received("tool_calls").tool_calls, wire.tool_calls)
  end)

  it("has the same from a stream", function()
    for _, name in ipairs { "tool_calls", "tool_calls_gemini", "reasoning_details", "reasoning_content", "annotations", "refusal" } do
      local state = support.run(openai, support.read("openai/stream/" .. name .. ".sse"))
      local list = messages.of { reply.new(assert(openai.finish(state))) }
      assert.same(echoed_fixture(name), sent({ messages = list, options = { check = "off" } }).messages[1], name)
    end
  end)

  it("has the parse of a file, a refusal and the id of its audio", function()
    local wire = echoed_fixture("annotations")
    assert.equal(1, #wire.annotations)
    assert.equal("h1", wire.annotations[1].file.hash)
    assert.equal("I can't help with that.", echoed_fixture("refusal").refusal)
    assert.same({ role = "assistant", content = core.null, audio = { id = "audio_1" } }, echoed_fixture("audio"))
  end)

  it("has its pictures beside the text, or says that they cannot go back", function()
    local wire = echoed_fixture("openrouter_image")
    assert.equal("I've generated a beautiful sunset.", wire.content)
    assert.equal(received("openrouter_image").images[1].image_url.url, wire.images[1].image_url.url)
    local none, err = echoed_fixture("openrouter_image", { assistant_images = false })
    assert.is_nil(none)
    assert.equal("unsupported", err.kind)
    assert.equal("messages[2].content[2]", err.part)
  end)

  it("drops what belongs to another dialect", function()
    local message = { role = "assistant", content = { { type = "text", text = "A" } }, dialect = "gemini", native = { parts = {} } }
    local body, _, warnings = sent { messages = { message, messages.new("user", "B") }, options = {} }
    assert.same({ role = "assistant", content = "A" }, body.messages[1])
    assert(warnings[1]:find("messages[1]", 1, true) and warnings[1]:find("gemini", 1, true), warnings[1])
  end)
end)
