--- One prompt, any dialect: each row of the table of the neutral prompt and each rule of turns, as OpenAI's chat, Gemini and
--- Anthropic say it, or refuse it.
local core = require("multimodal.core")
local mm = require("multimodal")
local rows = require("dialect.rows")
local support = require("dialect.support")

local png, png64 = "\137PNG\r\n\26\n", "iVBORw0KGgo="
local wav, wav64 = "RIFF0000WAVE", core.base64_encode("RIFF0000WAVE")
local pdf, pdf64 = "%PDF-1.4", core.base64_encode("%PDF-1.4")
local request, dig, last_part, turns, whole, no = rows.request, rows.dig, rows.last_part, rows.turns, rows.whole, rows.no
local refused, forget, text, image_url, link, of_url = rows.refused, rows.forget, rows.text, rows.image_url, rows.link, rows.of_url
local call, calling = rows.call, rows.calling

local function row(...) return rows.row(it, ...) end

local function inline(mime, data) return { inlineData = { mimeType = mime, data = data } } end
local function base64(kind, mime, data) return { type = kind, source = { type = "base64", media_type = mime, data = data } } end
local tool = mm.tool { name = "f", description = "d", parameters = { type = "object", properties = {} } }
local schema = { type = "object", properties = { a = { type = "string" } }, required = { "a" }, additionalProperties = false }

describe("the worked prompt #small", function()
  local function prompt()
    return { system = "S", messages = {
      mm.user { "T", mm.image { base64 = "AA==", mime = "image/png" } }, calling(), mm.tool_result("c1", "ok"),
    }, tools = { tool }, max_tokens = 300, model = "m" }
  end
  local function golden(path) return assert(core.json_decode(support.read(path), { null = true })) end
  local expected = {
    O = golden("openai/requests.json").tool_loop, G = golden "gemini/worked.json", A = golden("anthropic/prompt.json").worked,
  }
  for who, body in pairs(expected) do
    it("is the golden body of " .. who, function()
      local asked = who == "O" and "openrouter" or who
      assert.same(body, assert(request(asked, prompt())):json())
    end)
  end
end)

describe("the table #small", function()
  teardown(forget)

  row("instructions", { system = "S", "Hi" }, whole, {
    O = { messages = { { role = "system", content = "S" }, { role = "user" } } },
      G = { systemInstruction = { parts = { { text = "S" } } } },
    A = { system = "S" },
  })
  row("instructions with a mark", { system = mm.text("S", { cache_control = { type = "ephemeral" } }), "Hi" }, whole,
    { A = { system = { { type = "text", text = "S", cache_control = { type = "ephemeral" } } } } })
  row("instructions amid a conversation", { messages = { mm.user "a", mm.system "b", mm.user "c" } }, whole, {
    O = { messages = { {}, { role = "system", content = "b" }, {} } }, G = no, A = no,
    mid = { messages = { {}, { role = "system", content = { text "b" } }, {} } },
  })
  row("a turn of the user", "Hi", turns, {
    O = { { role = "user", content = "Hi" } }, G = { { role = "user", parts = { { text = "Hi" } } } },
    A = { { role = "user", content = { text "Hi" } } },
  })
  row("a turn of the assistant", { messages = { mm.user "a", mm.assistant "b" }, "c" }, turns, {
    O = { { role = "user", content = "a" }, { role = "assistant", content = "b" }, { role = "user", content = "c" } },
    G = { { role = "user", parts = { { text = "a" } } }, { role = "model", parts = { { text = "b" } } },
      { role = "user", parts = { { text = "c" } } } },
    A = { { role = "user", content = { text "a" } }, { role = "assistant", content = { text "b" } },
      { role = "user", content = { text "c" } } },
  })
  local two = { call, { id = "c2", name = "g", arguments_raw = "{}" } }
  row("a turn of tools", { messages = { mm.user "a", calling(two[1], two[2]), mm.tool_result("c1", "x"), mm.tool_result("c2",
    { y = 1 }) } },
    whole, {
      O = { messages = { {}, {}, { role = "tool", tool_call_id = "c1", content = "x" },
        { role = "tool", tool_call_id = "c2", content = '{"y":1}' } } },
      G = { contents = { {}, {}, { role = "user", parts = { { functionResponse = { name = "f", response = { output = "x" } } },
        { functionResponse = { name = "g", response = { y = 1 } } } } } } },
      A = { messages = { {}, {}, { role = "user", content = { { type = "tool_result", tool_use_id = "c1", content = "x" },
        { type = "tool_result", tool_use_id = "c2", content = '{"y":1}' } } } } },
    })
  row("text", { "a", "b" }, last_part, { O = text "b", G = { text = "b" }, A = text "b" })
  row("an image by link", { "x", mm.image "https://h/a.png" }, last_part, {
    O = image_url "https://h/a.png", G = link("image/png", "https://h/a.png"), A = of_url("image", "https://h/a.png"),
  })
  row("an image by its bytes", { "x", mm.image { bytes = png } }, last_part, {
    O = image_url("data:image/png;base64," .. png64), G = inline("image/png", png64), A = base64("image", "image/png", png64),
  })
  row("an image of an unusual type", { "x", mm.image { bytes = png, mime = "image/heic" } }, last_part,
    { G = inline("image/heic", png64), A = no })
  row("an uploaded image", function(who)
    return { "x", mm.image { file_id = who == "G" and "files/a" or "file_a", mime = "image/png" } }
  end, last_part, {
    O = no, G = link("image/png", "https://generativelanguage.googleapis.com/v1beta/files/a"),
    A = { type = "image", source = { type = "file", file_id = "file_a" } },
  })
  local googles = "https://generativelanguage.googleapis.com/v1beta/files/a"
  for kind, mime in pairs { image = "image/png", file = "application/pdf" } do
    for name, source in pairs { id = { file_id = "files/a", mime = mime }, link = { url = googles, mime = mime } } do
      row(("what was uploaded to Google, %s by %s"):format(kind, name), { "x", mm[kind](source) }, last_part,
        { O = no, openrouter = no, A = no, vertex = no, G = link(mime, googles) })
    end
  end
  it("a message in Gemini's own form", function()
    local prompt = { messages = { mm.user "a", { role = "user", parts = { { text = "b" } } } } }
    assert.same({ { text = "a" }, { text = "b" } }, assert(request("G", prompt)):json().contents[1].parts)
    for _, who in ipairs { "O", "A" } do refused(who, prompt, "unsupported", "messages[2]") end
  end)
  row("a gs:// link", { "x", mm.image "gs://b/a.png" }, last_part, { O = no, G = no, A = no, vertex = link("image/png", "gs://b/a.png") })
  row("an s3:// link", { "x", mm.image "s3://b/a.png" }, last_part, { O = no, G = no, A = no, gdc = image_url "s3://b/a.png" })
  row("audio by its bytes", { "x", mm.audio { bytes = wav } }, last_part, {
    O = { type = "input_audio", input_audio = { format = "wav", data = wav64 } }, G = inline("audio/wav", wav64), A = no,
  })
  row("audio of another format", { "x", mm.audio { bytes = "fLaC", mime = "audio/flac" } }, last_part, {
    O = no, openrouter = { type = "input_audio", input_audio = { format = "flac", data = "ZkxhQw==" } }, G = inline("audio/flac",
      "ZkxhQw=="),
  })
  row("audio by link", { "x", mm.audio "https://h/a.mp3" }, last_part, { O = no, G = link("audio/mpeg", "https://h/a.mp3"), A = no })
  row("a video by link", { "x", mm.video "https://youtu.be/a" }, last_part, {
    O = no, A = no, G = link("video/mp4", "https://youtu.be/a"), openrouter = { type = "video_url",
      video_url = { url = "https://youtu.be/a" } },
    khatash = { type = "video_url", video_url = { url = "https://youtu.be/a" } },
  })
  row("a piece of a video", { "x", mm.video { "https://youtu.be/a", clip = { 10, 40.5 }, fps = 2 } }, last_part, {
    O = no, A = no, openrouter = no, G = { fileData = { mimeType = "video/mp4", fileUri = "https://youtu.be/a" },
      videoMetadata = { startOffset = "10s", endOffset = "40.5s", fps = 2 } },
  })
  row("a video by its bytes", { "x", mm.video { bytes = "abc", mime = "video/mp4" } }, last_part, {
    O = no, A = no, G = inline("video/mp4", "YWJj"), openrouter = { type = "video_url",
      video_url = { url = "data:video/mp4;base64,YWJj" } },
  })
  row("a document by link", { "x", mm.file "https://h/a.pdf" }, last_part, {
    O = no, G = link("application/pdf", "https://h/a.pdf"), A = of_url("document", "https://h/a.pdf"),
    khatash = { type = "file", file = { url = "https://h/a.pdf", mime_type = "application/pdf" } },
    openrouter = { type = "file", file = { filename = "a.pdf", file_data = "https://h/a.pdf" } },
  })
  row("a document by its bytes", { "x", mm.file { bytes = pdf, filename = "a.pdf" } }, last_part, {
    O = { type = "file", file = { filename = "a.pdf", file_data = "data:application/pdf;base64," .. pdf64 } },
    G = inline("application/pdf", pdf64), glm = no,
    A = { type = "document", title = "a.pdf", source = { type = "base64", media_type = "application/pdf", data = pdf64 } },
  })
  row("text as a document", { "x", mm.file { bytes = "a,b", mime = "text/csv" } }, last_part, {
    G = inline("text/csv", core.base64_encode "a,b"),
    A = { type = "document", source = { type = "text", media_type = "text/plain", data = "a,b" } },
  })
  row("a document of an unusual type", { "x", mm.file { bytes = "x", mime = "application/msword" } }, last_part,
    { A = no, G = inline("application/msword", "eA==") })
  row("an uploaded document", function(who)
    return { "x", mm.file { file_id = who == "G" and "files/a" or "file-a", mime = "application/pdf" } }
  end, last_part, {
    O = { type = "file", file = { file_id = "file-a" } }, khatash = no,
    G = link("application/pdf", "https://generativelanguage.googleapis.com/v1beta/files/a"),
    A = { type = "document", source = { type = "file", file_id = "file-a" } },
  })
  row("a picture of an assistant", { messages = { mm.user "a", mm.assistant { "b", mm.image { bytes = png } } }, "c" }, whole, {
    O = no, A = no, openrouter = { messages = { {}, { content = { text "b" },
      images = { image_url("data:image/png;base64," .. png64) } }, {} } },
    G = { contents = { {}, { role = "model", parts = { { text = "b" }, inline("image/png", png64) } }, {} } },
  })
  row("a call in the history", { messages = { mm.user "a", calling(), mm.tool_result("c1", "x") } }, whole, {
    O = { messages = { {}, { role = "assistant", tool_calls = { { id = "c1", type = "function", ["function"] = { name = "f",
      arguments = '{"a":1}' } } } }, {} } },
    G = { contents = { {}, { role = "model", parts = { { functionCall = { id = core.null, name = "f", args = { a = 1 } } } } }, {} } },
    A = { messages = { {}, { role = "assistant", content = { { type = "tool_use", id = "c1", name = "f", input = { a = 1 } } } }, {} } },
  })
  local failed = { messages = { mm.user "a", calling(), mm.tool_result("c1", "gone", { error = true }) } }
  row("what failed in a tool", failed, { O = { "messages", -1 }, G = last_part.G, A = last_part.A }, {
    O = { role = "tool", tool_call_id = "c1", content = "Error: gone" },
    G = { functionResponse = { name = "f", response = { error = "gone" } } },
    A = { type = "tool_result", tool_use_id = "c1", content = "gone", is_error = true },
  })
  row("a picture of a tool", { messages = { mm.user "a", calling(), mm.tool_result("c1", { "seen", mm.image { bytes = png } }) } }, whole, {
    O = { messages = { {}, {}, { role = "tool", content = "seen" }, { role = "user", content = { text "The result of c1:",
      image_url("data:image/png;base64," .. png64) } } } },
    openrouter = { messages = { {}, {}, { role = "tool", content = { text "seen", image_url("data:image/png;base64," .. png64) } } } },
    G = { contents = { {}, {}, { parts = { { functionResponse = { response = { output = "seen" } } }, { text = "The result of f:" },
      inline("image/png", png64) } } } },
    gemini3 = { contents = { {}, {}, { parts = { { functionResponse = { parts = { inline("image/png", png64) } } } } } } },
    A = { messages = { {}, {}, { content = { { type = "tool_result", content = { text "seen", base64("image", "image/png",
      png64) } } } } } },
  })
  row("tools", { "x", tools = { tool } }, whole, {
    O = { tools = { { type = "function", ["function"] = { name = "f", description = "d", parameters = { type = "object" } } } } },
    G = { tools = { { functionDeclarations = { { name = "f", description = "d", parametersJsonSchema = { type = "object" } } } } } },
    A = { tools = { { name = "f", description = "d", input_schema = { type = "object" } } } },
  })
  for choice, said in pairs {
    auto = { "auto", "AUTO", "auto" }, none = { "none", "NONE", "none" }, required = { "required", "ANY", "any" },
  } do
    row("the choice " .. choice, { "x", tools = { tool }, tool_choice = choice }, whole, {
      O = { tool_choice = said[1] }, G = { toolConfig = { functionCallingConfig = { mode = said[2], allowedFunctionNames = core.null } } },
      A = { tool_choice = { type = said[3] } },
    })
  end
  row("the choice of one tool", { "x", tools = { tool }, tool_choice = "f" }, whole, {
    O = { tool_choice = { type = "function", ["function"] = { name = "f" } } },
    G = { toolConfig = { functionCallingConfig = { mode = "ANY", allowedFunctionNames = { "f" } } } },
    A = { tool_choice = { type = "tool", name = "f" } },
  })
  row("one call at a time", { "x", tools = { tool }, parallel_tools = false }, whole, {
    O = { parallel_tool_calls = false }, G = no, A = { tool_choice = { type = "auto", disable_parallel_tool_use = true } },
  })
  row("a schema", { "x", schema = schema }, whole, {
    O = { response_format = { type = "json_schema", json_schema = { name = "reply", schema = schema } } },
    G = { generationConfig = { responseMimeType = "application/json", responseJsonSchema = schema } },
    A = { output_config = { format = { type = "json_schema", schema = schema } } },
  })
  for level, said in pairs {
    low = { "low", "LOW", 1024 }, medium = { "medium", "MEDIUM", 8192 }, high = { "high", "HIGH", 24576 }, xhigh = { "xhigh", "HIGH",
      24576 },
    max = { "max", "HIGH", 24576 },
  } do
    row("reasoning " .. level, { "x", reasoning = level }, whole, {
      O = { reasoning_effort = said[1] }, openrouter = { reasoning = { effort = said[1] } },
      G = { generationConfig = { thinkingConfig = { thinkingBudget = said[3], includeThoughts = true } } },
      gemini3 = { generationConfig = { thinkingConfig = { thinkingLevel = said[2], includeThoughts = true } } },
      A = { output_config = { effort = said[1] }, thinking = { type = "adaptive" } }, budget = { thinking = { type = "enabled" } },
    })
  end
  row("no reasoning", { "x", reasoning = "none" }, whole, {
    O = { reasoning_effort = "none" }, G = { generationConfig = { thinkingConfig = { thinkingBudget = 0, includeThoughts = false } } },
    A = { thinking = { type = "disabled" } },
  })
  row("a number of tokens to reason", { "x", reasoning = 2000, max_tokens = 3000 }, whole, {
    O = no, openrouter = { reasoning = { max_tokens = 2000 } }, G = { generationConfig = { thinkingConfig = { thinkingBudget = 2000 } } },
    A = { thinking = { type = "enabled", budget_tokens = 2000 }, max_tokens = 3000 },
  })
  row("too few tokens to reason", { "x", reasoning = 100 }, whole, { A = no })
  row("more reasoning than tokens", { "x", reasoning = 3000, max_tokens = 3000 }, whole, { A = no })
  row("the most tokens", { "x", max_tokens = 5 }, whole, {
    O = { max_completion_tokens = 5 }, openrouter = { max_tokens = 5 }, G = { generationConfig = { maxOutputTokens = 5 } },
    A = { max_tokens = 5 },
  })
  row("no word of tokens", { "x" }, whole, { O = { max_completion_tokens = core.null }, G = { generationConfig = core.null },
    A = { max_tokens = 4096 } })
  row("temperature and top_p", { "x", temperature = 0.5, top_p = 0.9 }, whole, {
    O = { temperature = 0.5, top_p = 0.9 }, G = { generationConfig = { temperature = 0.5, topP = 0.9 } }, A = { temperature = 0.5,
      top_p = 0.9 },
  })
  row("top_k", { "x", top_k = 5 }, whole, { O = no, openrouter = { top_k = 5 }, G = { generationConfig = { topK = 5 } },
    A = { top_k = 5 } })
  row("a seed", { "x", seed = 7 }, whole, { O = { seed = 7 }, G = { generationConfig = { seed = 7 } }, A = no })
  row("stop words", { "x", stop = { "a", "b" } }, whole, {
    O = { stop = { "a", "b" } }, G = { generationConfig = { stopSequences = { "a", "b" } } }, A = { stop_sequences = { "a", "b" } },
  })
  row("several choices", { "x", n = 2 }, whole, { O = { n = 2 }, G = { generationConfig = { candidateCount = 2 } }, A = no })
  row("a picture as the answer", { "x", modalities = { "image", "text" }, aspect_ratio = "16:9" }, whole, {
    openrouter = { modalities = { "image", "text" }, image_config = { aspect_ratio = "16:9" } },
    G = { generationConfig = { responseModalities = { "IMAGE", "TEXT" }, imageConfig = { aspectRatio = "16:9" } } }, A = no,
  })
  row("speech as the answer", { "x", modalities = { "text", "audio" }, voice = "v" }, whole, {
    O = { modalities = { "text", "audio" }, audio = { voice = "v" } }, A = no,
    G = { generationConfig = { responseModalities = { "TEXT", "AUDIO" },
      speechConfig = { voiceConfig = { prebuiltVoiceConfig = { voiceName = "v" } } } } },
  })
  row("a mark for the cache", { mm.text("x", { cache_control = { type = "ephemeral" } }) }, last_part, {
    openrouter = { type = "text", text = "x", cache_control = { type = "ephemeral" } },
    A = { type = "text", text = "x", cache_control = { type = "ephemeral" } },
  })
  row("what was cached", { "x", extra = { cachedContent = "cachedContents/a" } }, whole, { G = { cachedContent = "cachedContents/a" } })
  row("further fields", { "x", temperature = 1, extra = { temperature = 0, generationConfig = { topP = 1 },
    metadata = { user_id = "u" } } },
    whole, {
      O = { temperature = 0, metadata = { user_id = "u" } }, A = { temperature = 0, metadata = { user_id = "u" } },
      G = { generationConfig = { temperature = 1, topP = 1 } },
    })

  it("leaves options that only tune out where check says so, and nothing else", function()
    for who, options in pairs {
      O = { top_k = 5, reasoning = 2000 }, G = { parallel_tools = false }, A = { seed = 7, n = 2 }, gdc = { reasoning = "low" },
    } do
      for name, value in pairs(options) do
        local req = assert(request(who, { "x", check = "warn", tools = { tool }, [name] = value }))
        assert(req.warnings[1]:find("^" .. name .. " was left out: "), req.warnings[1])
        assert.is_nil(req:json()[name])
        assert.equal(0, #assert(request(who, { "x", check = "off", [name] = value })).warnings)
      end
    end
    for who, prompt in pairs { A = { "x", modalities = { "image" } }, G = { mm.image "s3://b/a.png" },
      O = { mm.audio "https://h/a.mp3" } } do
      prompt.check = "off"
      refused(who, prompt, "unsupported")
    end
  end)

  it("keeps what only one dialect reads for that one, and says so elsewhere", function()
    local natives = {
      O = { dialect = "openai", native = { reasoning_content = "only-O" } },
      G = { dialect = "gemini", native = { parts = core.array { { item = 1, more = { thoughtSignature = core.raw '"only-G"' } } } } },
      A = { dialect = "anthropic", native = { content = core.array {
        { type = "thinking", thinking = "hm", signature = "only-A" }, text "b" } } },
    }
    for whose, fields in pairs(natives) do
      for _, who in ipairs { "O", "G", "A" } do
        local message = mm.assistant "b"
        message.dialect, message.native = fields.dialect, fields.native
        local req = assert(request(who, { messages = { mm.user "a", message }, "c" }))
        assert.equal(who == whose, tostring(req.body):find("only-" .. whose, 1, true) ~= nil, who .. " of " .. whose)
        if who == whose then assert.same({}, req.warnings) else assert(req.warnings[1]:find("messages[2]", 1, true), req.warnings[1]) end
      end
    end
  end)

  it("takes a part in one dialect's own form there alone", function()
    assert.same({ executableCode = { code = "1" } }, dig(request("G", { { type = "gemini", executableCode = { code = "1" } } }):json(),
      last_part.G))
    for _, who in ipairs { "O", "A" } do
      refused(who, { "x", { type = "gemini", executableCode = { code = "1" } } }, "unsupported", "messages[1].content[2]")
    end
  end)
end)
