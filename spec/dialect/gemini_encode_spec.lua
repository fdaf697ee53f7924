--- Every row of the neutral prompt's table and every rule of merging, as Gemini says it.
local core = require("multimodal.core")
local mm = require("multimodal")
local support = require("dialect.support")

local png, png_base64 = "\137PNG\r\n\26\n", core.base64_encode("\137PNG\r\n\26\n")

local function client(more)
  local all = { gateway = "google", api_key = "canary-k", model = "gemini-2.5-flash" }
  for name, value in pairs(more or {}) do all[name] = value end
  return mm.client(all)
end

local function sent(prompt, more)
  local req, err = client(more):request(prompt)
  if not req then return nil, err end
  return req:json(), req
end

--- The parts of the only content.
local function parts(prompt, more)
  local body, req = sent(prompt, more)
  if not body then return nil, req end
  return body.contents[1].parts, req
end

local function refused(prompt, more)
  local req, err = client(more):request(prompt)
  assert.is_nil(req)
  return err
end

local call = { id = "c1", name = "f", arguments = { a = 1 }, arguments_raw = '{"a":1}' }
local function called(more)
  local message = mm.assistant {}
  message.tool_calls = more or { call }
  return message
end
local tool = mm.tool { name = "f", description = "d", parameters = { type = "object", properties = {} } }

describe("gemini encode #small", function()
  it("says the worked prompt as the reference does", function()
    local body = sent { system = "S", messages = {
      mm.user { "T", mm.image { base64 = "AA==", mime = "image/png" } }, called(), mm.tool_result("c1", "ok"),
    }, tools = { tool }, max_tokens = 300 }
    assert.same(assert(core.json_decode(support.read "gemini/worked.json", { null = true })), body)
  end)

  it("names the model and the verb in the URL", function()
    local _, req = sent("Hi", { model = "gemini 2/x" })
    assert.equal("https://generativelanguage.googleapis.com/v1beta/models/gemini%202%2Fx:generateContent", req.url)
    assert.is_nil(req:json().model)
    req = client():request { "Hi", on_text = print }
    assert.equal("https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", req.url)
    assert.is_nil(req:json().stream)
    assert(client({ model = "models/m" }):request("Hi").url:find("/v1beta/models/m:generateContent", 1, true))
    assert(client({ model = "tunedModels/m" }):request("Hi").url:find("/v1beta/tunedModels/m:generateContent", 1, true))
  end)

  it("sends raw requests as they are", function()
    local req = client():request(mm.raw('{"contents":[{"parts":[{"text":"Hi"}]}],"model":"m2","safetySettings":[]}', "gemini"))
    assert.same({ contents = { { parts = { { text = "Hi" } } } }, safetySettings = {} }, req:json())
    assert(req.url:find("/models/m2:generateContent", 1, true))
  end)

  it("says text, and leaves empty text out", function()
    assert.same({ { text = "a" }, { text = "b" } }, parts { "a", "", "b" })
    assert.same({ { text = "a", thoughtSignature = "x" } }, parts { mm.text("a", { thoughtSignature = "x" }) })
  end)

  it("says bytes of every kind as inlineData", function()
    for kind, mime in pairs { image = "image/webp", audio = "audio/mpeg", video = "video/mp4", file = "application/pdf" } do
      local list, req = parts { mm[kind] { bytes = "abc", mime = mime } }
      assert.same({ { inlineData = { mimeType = mime, data = "YWJj" } } }, list)
      assert.same({}, req.warnings)
    end
  end)

  it("says links of every kind as fileData", function()
    for kind, url in pairs { image = "https://h/a.png", audio = "https://h/a.mp3", video = "https://h/a.mp4", file = "https://h/a.pdf" } do
      local list = parts { mm[kind](url) }
      assert.equal(url, list[1].fileData.fileUri)
      assert.truthy(list[1].fileData.mimeType)
    end
    assert.equal("video/mp4", parts({ mm.video "https://www.youtube.com/watch?v=x" })[1].fileData.mimeType)
    local list, req = parts { mm.image "https://h/a" }
    assert.equal("image/jpeg", list[1].fileData.mimeType)
    assert(req.warnings[1]:find("does not tell its type", 1, true))
    list = parts { mm.file { file_id = "files/abc", mime = "application/pdf" } }
    assert.same({ mimeType = "application/pdf", fileUri = "https://generativelanguage.googleapis.com/v1beta/files/abc" }, list[1].fileData)
  end)

  it("refuses links that the host does not read, with a way out", function()
    local err = refused { "x", mm.image "s3://b/k.png" }
    assert.same({ "unsupported", "messages[1].content[2]" }, { err.kind, err.part })
    assert.equal("unsupported", refused({ mm.image "gs://b/k.png" }).kind)
    local vertex = { gateway = "vertex", project = "p" }
    assert.equal("gs://b/k.png", parts({ mm.image "gs://b/k.png" }, vertex)[1].fileData.fileUri)
    assert(refused({ mm.file { file_id = "files/a" } }, vertex).message:find("AI Studio", 1, true))
    local own = { gateway = { name = "own", like = "google", base_url = "https://h", links = false } }
    assert(refused({ mm.image "https://h/a.png" }, own).message:find("fetch = true", 1, true))
    assert.equal("unsupported", refused({ mm.file { file_id = "file-abc" } }).kind)
    assert.equal("unsupported", refused({ { type = "image", source = { type = "url", url = "https://h/a.png" } } }).kind)
  end)

  it("says which piece of a video is looked at", function()
    local list = parts { mm.video { bytes = "abc", mime = "video/mp4", clip = { 10, 40.5 }, fps = 2 } }
    assert.same({ startOffset = "10s", endOffset = "40.5s", fps = 2 }, list[1].videoMetadata)
    list = parts { mm.video { bytes = "abc", mime = "video/mp4", extra = { videoMetadata = { fps = 5 } } } }
    assert.same({ fps = 5 }, list[1].videoMetadata)
    local other = mm.client { gateway = "openrouter", api_key = "canary-k", model = "m" }
    local _, err = other:request { mm.video { "https://h/a.mp4", fps = 2 } }
    assert.equal("unsupported", err.kind)
  end)

  it("says detail to Gemini 3, and not to others", function()
    local part = mm.image { bytes = png, detail = "high" }
    assert.same({ level = "MEDIA_RESOLUTION_HIGH" }, parts({ part }, { model = "gemini-3-pro" })[1].mediaResolution)
    assert.equal("unsupported", refused({ part }).kind)
    local list, req = parts({ part }, { check = "warn" })
    assert.is_nil(list[1].mediaResolution)
    assert.equal(1, #req.warnings)
    assert.equal(0, #select(2, parts({ part }, { check = "off" })).warnings)
  end)

  it("refuses GIF unless it is told not to", function()
    assert.equal("unsupported", refused({ mm.image { bytes = "GIF89a" } }).kind)
    assert.equal("image/gif", parts({ mm.image { bytes = "GIF89a" } }, { check = "warn" })[1].inlineData.mimeType)
  end)

  it("takes parts and messages in its own form", function()
    assert.same({ { executableCode = { code = "1" } } }, parts { { type = "gemini", executableCode = { code = "1" } } })
    assert.same({ { text = "Hi" } }, parts { messages = { { role = "user", parts = { { text = "Hi" } } } } })
  end)

  it("reads parts that were written for OpenAI's chat", function()
    local list = parts { { type = "image_url", image_url = { url = "data:image/png;base64,iVBORw0KGgo=" } },
      { type = "image_url", image_url = { url = "https://h/a.png" } },
      { type = "input_audio", input_audio = { data = "AAAA", format = "mp3" } },
      { type = "video_url", video_url = { url = "https://h/a.mp4" } },
      { type = "file", file = { filename = "a.pdf", file_data = "data:application/pdf;base64,JVBERi0=" } } }
    assert.same({
      { inlineData = { mimeType = "image/png", data = "iVBORw0KGgo=" } },
      { fileData = { mimeType = "image/png", fileUri = "https://h/a.png" } },
      { inlineData = { mimeType = "audio/mp3", data = "AAAA" } }, { fileData = { mimeType = "video/mp4", fileUri = "https://h/a.mp4" } },
      { inlineData = { mimeType = "application/pdf", data = "JVBERi0=" } },
    }, list)
    local err = refused { "Hi", { type = "image_url", image_url = { url = 5 } } }
    assert.same({ "unsupported", "messages[1].content[2]" }, { err.kind, err.part })
  end)

  it("says what is further in a tool, and leaves marks for another's cache out", function()
    local mark = { cache_control = { type = "ephemeral" } }
    local body, req = sent { mm.text("Hi", mark), mm.image { bytes = png, extra = mark }, system = { mm.text("S", mark) }, tools = {
      mm.tool { name = "f", extra = { cache_control = mark.cache_control, behavior = "BLOCKING" } } } }
    assert.same({ { text = "Hi" }, { inlineData = { mimeType = "image/png", data = "iVBORw0KGgo=" } } }, body.contents[1].parts)
    assert.same({ parts = { { text = "S" } } }, body.systemInstruction)
    assert.same({ { name = "f", behavior = "BLOCKING" } }, body.tools[1].functionDeclarations)
    assert.equal(4, #req.warnings)
    assert(req.warnings[1]:find("cache_control", 1, true))
  end)

  it("says every option in generationConfig", function()
    local body = sent({ "Hi", max_tokens = 5, temperature = 0.5, top_p = 0.9, top_k = 3, stop = "x", seed = 7, n = 2,
      modalities = { "text", "image" }, aspect_ratio = "16:9", image_size = "2K", voice = "Kore", reasoning = 100,
      extra = { generationConfig = { presencePenalty = 1 }, safetySettings = core.array { { category = "c", threshold = "OFF" } } } })
    assert.same({
      maxOutputTokens = 5, temperature = 0.5, topP = 0.9, topK = 3, stopSequences = { "x" }, seed = 7, candidateCount = 2,
      responseModalities = { "TEXT", "IMAGE" }, imageConfig = { aspectRatio = "16:9", imageSize = "2K" },
      speechConfig = { voiceConfig = { prebuiltVoiceConfig = { voiceName = "Kore" } } },
      thinkingConfig = { thinkingBudget = 100, includeThoughts = true }, presencePenalty = 1,
    }, body.generationConfig)
    assert.same({ { category = "c", threshold = "OFF" } }, body.safetySettings)
  end)

  it("says reasoning as a level or as a budget, by the model", function()
    local function thinking(value, model)
      return sent({ "Hi", reasoning = value }, { model = model }).generationConfig.thinkingConfig
    end
    for word, level in pairs { minimal = "MINIMAL", low = "LOW", medium = "MEDIUM", high = "HIGH", xhigh = "HIGH", max = "HIGH" } do
      assert.same({ thinkingLevel = level, includeThoughts = true }, thinking(word, "gemini-3-pro-preview"))
    end
    for word, budget in pairs { low = 1024, medium = 8192, high = 24576 } do
      assert.same({ thinkingBudget = budget, includeThoughts = true }, thinking(word, "gemini-2.5-pro"))
    end
    assert.same({ thinkingBudget = 0, includeThoughts = false }, thinking("none", "gemini-2.5-flash"))
    assert.equal("unsupported", refused({ "Hi", reasoning = "much" }).kind)
  end)

  it("says a schema in both forms", function()
    local schema = mm.schema { name = "string", price = "number?" }
    local config = sent({ "Hi", schema = schema }).generationConfig
    assert.equal("application/json", config.responseMimeType)
    assert.equal("object", config.responseJsonSchema.type)
    local own = { gateway = { name = "own", like = "google", base_url = "https://h", schema = "openapi" } }
    config = sent({ "Hi", tools = { tool }, schema = {
      type = "object", additionalProperties = false, ["$defs"] = { d = { type = "integer" } }, required = { "a" },
      properties = { a = { type = { "string", "null" } }, b = { ["$ref"] = "#/$defs/d" }, c = { const = "x" },
        d = { oneOf = { { type = "string" }, { type = "number" } } } },
    } }, own).generationConfig
    assert.same({ type = "OBJECT", required = { "a" }, properties = {
      a = { type = "STRING", nullable = true }, b = { type = "INTEGER" }, c = { type = "STRING", enum = { "x" } },
      d = { anyOf = { { type = "STRING" }, { type = "NUMBER" } } },
    } }, config.responseSchema)
    local two = { tool, mm.tool { name = "g", parameters = { a = "string" } } }
    local declared = sent({ "Hi", tools = two }, own).tools[1].functionDeclarations
    assert.same({ nil, { type = "OBJECT", properties = { a = { type = "STRING" } }, required = { "a" } } },
      { declared[1].parameters, declared[2].parameters })
    local err = refused({ "Hi", schema = { type = "object", allOf = { { type = "object" } } } }, own)
    assert.same({ "unsupported", "schema" }, { err.kind, err.part })
  end)

  it("says tools and their choice", function()
    local bare = mm.tool { name = "g" }
    local body = sent { "Hi", tools = { tool, bare, { type = "google_search" } }, tool_choice = "f" }
    assert.same({ { functionDeclarations = { { name = "f", description = "d", parametersJsonSchema = { type = "object", properties = {} } },
      { name = "g" } } }, { googleSearch = {} } }, body.tools)
    assert.same({ functionCallingConfig = { mode = "ANY", allowedFunctionNames = { "f" } } }, body.toolConfig)
    for choice, mode in pairs { auto = "AUTO", none = "NONE", required = "ANY" } do
      assert.same({ functionCallingConfig = { mode = mode } }, sent({ "Hi", tools = { tool }, tool_choice = choice }).toolConfig)
    end
  end)

  it("refuses knobs that it has no words for, or leaves them out", function()
    for name, value in pairs { parallel_tools = false, audio_format = "mp3" } do
      local prompt = { "Hi", tools = { tool }, [name] = value }
      local err = refused(prompt)
      assert.same({ "unsupported", name }, { err.kind, err.part })
      local _, req = sent(prompt, { check = "warn" })
      assert(req.warnings[#req.warnings]:find(name, 1, true))
      assert.truthy(sent(prompt, { check = "off" }))
    end
    assert.equal("unsupported", refused({ "Hi", n = 2, on_text = print }).kind)
  end)

  it("refuses what stands in the cache already", function()
    local err = refused { system = "S", "Hi", extra = { cachedContent = "cachedContents/a" } }
    assert.same({ "bad_request", "conflicting_option" }, { err.kind, err.code })
    assert.equal("cachedContents/a", sent({ "Hi", extra = { cachedContent = "cachedContents/a" } }).cachedContent)
  end)

  it("joins instructions, refuses later ones, and puts Gemma's before the user's words", function()
    assert.same({ parts = { { text = "A" }, { text = "B" } } }, sent({ system = { "A", "B" }, "Hi" }).systemInstruction)
    assert.same({ parts = { { text = "A" }, { text = "B" } } },
      sent({ messages = { mm.system "A", mm.system "B" }, "Hi" }).systemInstruction)
    local err = refused { messages = { mm.user "a", mm.system "b" } }
    assert.same({ "unsupported", "messages[2]" }, { err.kind, err.part })
    local body, req = sent({ system = "A", "Hi" }, { model = "gemma-3-27b-it" })
    assert.is_nil(body.systemInstruction)
    assert.same({ { text = "A" }, { text = "Hi" } }, body.contents[1].parts)
    assert.equal(1, #req.warnings)
  end)

  it("refuses instructions alone, empty turns, and an assistant at the end", function()
    assert.same({ "unsupported", "messages" }, { refused({ messages = { mm.system "A" } }).kind,
      refused({ messages = { mm.system "A" } }).part })
    assert.equal("bad_request", refused({ "" }).kind)
    assert.equal("unsupported", refused({ messages = { mm.user "a", mm.assistant "b" } }).kind)
  end)

  it("joins what one side says in a row, in order, and drops an assistant that said nothing", function()
    local body = sent { messages = { mm.user "a", mm.user "b", mm.assistant "", mm.user "c", mm.assistant "d" }, "e" }
    assert.same({
      { role = "user", parts = { { text = "a" }, { text = "b" }, { text = "c" } } },
      { role = "model", parts = { { text = "d" } } }, { role = "user", parts = { { text = "e" } } },
    }, body.contents)
  end)

  it("answers calls in their order, in one content", function()
    local two = { call, { id = "c2", name = "g", arguments_raw = "" } }
    local body = sent { messages = { mm.user "a", called(two), mm.tool_result("c2", { x = 1 }), mm.tool_result("c1", "no",
      { error = true }) }, "b" }
    assert.same({ { functionCall = { name = "f", args = { a = 1 } } }, { functionCall = { name = "g", args = {} } } },
      body.contents[2].parts)
    assert.same({
      { functionResponse = { name = "f", response = { error = "no" } } }, { functionResponse = { name = "g", response = { x = 1 } } },
      { text = "b" },
    }, body.contents[3].parts)
    for value, response in pairs { ["[1,2]"] = { output = { 1, 2 } }, ["5"] = { output = "5" },
      ['{"error":"x"}'] = { output = { error = "x" } } } do
      body = sent { messages = { mm.user "a", called(), mm.tool_result("c1", value) } }
      assert.same(response, body.contents[3].parts[1].functionResponse.response)
    end
  end)

  it("refuses results without calls and calls without results", function()
    assert.equal("bad_request", refused({ messages = { mm.user "a", mm.tool_result("c9", "x") } }).kind)
    assert.equal("missing_tool_result", refused({ messages = { mm.user "a", called() }, "b" }).code)
  end)

  it("refuses arguments that are no object", function()
    local err = refused { messages = { mm.user "a", called { { id = "c1", name = "f", arguments_raw = "[1" } }, mm.tool_result("c1",
      "x") } }
    assert.same({ "bad_request", "tool_arguments", "messages[2]" }, { err.kind, err.code, err.part })
  end)

  it("shows what tools showed: in the answer to Gemini 3, else behind all answers", function()
    local list = { messages = { mm.user "a", called(), mm.tool_result("c1", { "seen", mm.image { bytes = png } }) } }
    local data = { inlineData = { mimeType = "image/png", data = png_base64 } }
    local older = sent(list).contents[3].parts
    assert.same({ { functionResponse = { name = "f", response = { output = "seen" } } }, { text = "The result of f:" }, data }, older)
    local newer = sent(list, { model = "gemini-3-pro" }).contents[3].parts
    assert.same({ { functionResponse = { name = "f", response = { output = "seen" }, parts = { data } } } }, newer)
  end)

  it("reads a history in OpenAI's form", function()
    local body = sent { messages = {
      { role = "user", content = "a" },
      { role = "assistant", content = core.null, tool_calls = { { id = "c1", type = "function", ["function"] = { name = "f",
      arguments = '{"a":1}' } } } },
      { role = "tool", tool_call_id = "c1", content = "ok" },
    } }
    assert.same({ { functionCall = { name = "f", args = { a = 1 } } } }, body.contents[2].parts)
    assert.same({ { functionResponse = { name = "f", response = { output = "ok" } } } }, body.contents[3].parts)
  end)

  it("signs calls of others for Gemini 3, the first of a turn", function()
    local two = { call, { id = "c2", name = "g", arguments_raw = "{}" } }
    local list = { messages = { mm.user "a", called(two), mm.tool_result("c1", "x"), mm.tool_result("c2", "y") } }
    local model = sent(list, { model = "gemini-3-flash" }).contents[2].parts
    assert.equal("skip_thought_signature_validator", model[1].thoughtSignature)
    assert.is_nil(model[2].thoughtSignature)
    assert.is_nil(sent(list).contents[2].parts[1].thoughtSignature)
  end)

  it("shows pictures of an assistant, and leaves foreign blocks out with a warning", function()
    local message = mm.assistant { "See", mm.image { bytes = png } }
    local body = sent { messages = { mm.user "a", message }, "b" }
    assert.same({ { text = "See" }, { inlineData = { mimeType = "image/png", data = png_base64 } } }, body.contents[2].parts)
    message.dialect, message.native = "openai", { reasoning = "hm" }
    message.content[3] = { type = "thing" }
    local own, req = sent { messages = { mm.user "a", message }, "b" }
    assert.same(body, own)
    assert.equal(2, #req.warnings)
  end)

  it("refuses bytes above max_inline, and warns of large ones", function()
    local part = mm.file { bytes = ("x"):rep(300), mime = "application/pdf" }
    assert.same({ "too_large", "max_inline" }, { refused({ part, max_inline = 100 }).kind, refused({ part, max_inline = 100 }).code })
  end)
end)

describe("gemini sends back #small", function()
  for _, name in ipairs { "thought_tool", "image", "parallel_calls", "code", "signature_last", "partial_calls" } do
    for _, way in ipairs { "whole", "streamed", "saved" } do
      it(("exactly what came, %s: %s"):format(way, name), function()
        local expected = assert(core.json_decode(support.read("gemini/stream/" .. name .. ".json"), { null = true, exact = true }))
        local answer = way == "streamed" and { headers = { ["content-type"] = "text/event-stream" },
      body = support.read("gemini/stream/" .. name .. ".sse") }
          or { body = support.read("gemini/stream/" .. name .. ".json") }
        local fake = mm.mock { answer, "ok", "ok" }
        local ai = mm.client { gateway = fake, dialect = "gemini", model = "gemini-2.5-flash" }
        local chat = ai:chat {}
        local reply = assert(chat:say "Hi")
        if way == "saved" then chat = assert(ai:chat(assert(chat:dump()))) end
        local said = { "And?" }
        for _, one in ipairs(reply.tool_calls) do chat.messages[#chat.messages + 1] = mm.tool_result(one, "sunny") end
        assert(chat:say(said))
        local contents = assert(core.json_decode(tostring(fake.requests[2].body), { null = true, exact = true })).contents
        assert.same(expected.candidates[1].content.parts, contents[2].parts)
        for i, one in ipairs(expected.candidates[1].content.parts) do
          if name == "parallel_calls" and one.functionCall then
            assert.equal(one.functionCall.id, contents[3].parts[i - 1].functionResponse.id)
          end
        end
      end)
    end
  end

  it("no ids to a host that refuses them", function()
    local list = { mm.user "a", require("multimodal.prompt.messages").adopt {
      role = "assistant", content = {}, dialect = "gemini", tool_calls = { call }, native = { parts = { { call = 1, id = "srv1" } } },
    }, mm.tool_result("c1", "x") }
    local vertex = sent({ messages = list }, { gateway = "vertex", project = "p" })
    assert.is_nil(vertex.contents[2].parts[1].functionCall.id)
    assert.is_nil(vertex.contents[3].parts[1].functionResponse.id)
    local studio = sent { messages = list }
    assert.equal("srv1", studio.contents[3].parts[1].functionResponse.id)
  end)
end)
