--- What goes out in Anthropic's dialect: its column of every row of the tables, and the rules of turns.
local anthropic = require("multimodal.dialect.anthropic")
local core = require("multimodal.core")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local schemas = require("multimodal.prompt.schema")
local support = require("dialect.support")
local tools_of = require("multimodal.prompt.tools")

local golden = support.json("anthropic/prompt.json")
local plain_profile = { name = "plain", headers = { ["anthropic-version"] = "2023-06-01" } }
local png, pdf = "\137PNG\r\n\26\n", "%PDF-1.4"

local prompt_of = support.prompt

local function profile(more) return support.over(plain_profile, more) end

--- The body that goes out, read back with its nulls; the warnings; the request.
local function sent(prompt, more)
  if not prompt.options then prompt = prompt_of(prompt) end
  local request, err, warnings = anthropic.encode(prompt, profile(more))
  assert(request, err and tostring(err))
  local text = tostring(assert(core.body(request.body)))
  return assert(core.json_decode(text, { null = true })), warnings, request, text
end

local function refused(prompt, kind, place, words, more)
  if not prompt.options then prompt = prompt_of(prompt) end
  local request, err = anthropic.encode(prompt, profile(more))
  assert.is_nil(request)
  assert.same({ kind, place }, { err.kind, err.part }, tostring(err))
  assert(not words or err.message:find(words, 1, true), err.message)
  if kind == "unsupported" then assert(err.message:find("Anthropic", 1, true) and err.message:find("[;,:]"), err.message) end
  return err
end

local function content(said, more)
  return sent(said, more).messages[1].content
end

local function part(kind, source, options) return media.new(kind, source, options) end
local function text(said) return { type = "text", text = said } end
local function user(...) return messages.new("user", { ... }) end
local function assistant(...) return messages.new("assistant", { ... }) end
local function calling(...)
  local message = messages.adopt { role = "assistant", content = {}, tool_calls = {} }
  for i, id in ipairs { ... } do message.tool_calls[i] = { id = id, name = "f", arguments_raw = '{"n":' .. i .. "}" } end
  return message
end
local function result(id, ...)
  local message = messages.new("tool", { ... })
  message.tool_call_id, message.plain = id, type(...) == "string" and select("#", ...) == 1
  return message
end
local tools = { { name = "f", description = "d", parameters = { type = "object", properties = {} }, run = print } }

describe("anthropic encode #small", function()
  it("says the worked example and the body of YouRouter's guide", function()
    local call = { id = "c1", name = "f", arguments_raw = '{"a":1}' }
    local prompt = prompt_of({ messages = {
      user("T", part("image", "data:image/png;base64,AA==")),
      messages.adopt { role = "assistant", content = {}, tool_calls = { call } }, result("c1", "ok"),
    }, system = "S", model = "m", max_tokens = 300 })
    prompt.options.tools = tools
    assert.same(golden.worked, (sent(prompt)))
    local jpeg = part("image", { bytes = core.base64_decode "/9j/4AAQSkZJRg==" })
    local body, warnings, request = sent { "Describe this image in one sentence.", jpeg, model = "claude-sonnet-4-20250514",
      max_tokens = 300 }
    assert.same(golden.yourouter, body)
    assert.same({ {}, "/messages", "POST", false, {} }, { warnings, request.path, request.method, request.stream, request.headers })
  end)

  describe("the table", function()
    it("instructions: a string, blocks where they carry marks, and none amid a conversation", function()
      assert.equal("S", sent({ "Hi", system = "S" }).system)
      assert.same({ text "A", text "B" }, sent({ "Hi", system = { "A", "B" } }).system)
      local marked = { type = "text", text = "S", cache_control = { type = "ephemeral" } }
      assert.same({ marked }, sent({ "Hi", system = messages.text("S", { cache_control = { type = "ephemeral" } }) }).system)
      local late = { messages = { user "Hi", messages.new("system", "Later.") } }
      refused(late, "unsupported", "messages[2]", "before all")
      assert.same({ role = "system", content = { text "Later." } }, sent(late, { mid_system = true }).messages[2])
      refused({ "Hi", system = { part("image", { bytes = png }) } }, "unsupported", "messages[1].content[1]")
    end)

    it("turns of user, assistant and tool", function()
      local body = sent { messages = { user "A", assistant "B", user "C" } }
      assert.same({ { role = "user", content = { text "A" } }, { role = "assistant", content = { text "B" } },
        { role = "user", content = { text "C" } } }, body.messages)
      assert.equal(4096, body.max_tokens)
      assert.equal(99, sent({ "Hi" }, { default_max_tokens = 99 }).max_tokens)
    end)

    it("text, with the fields beside it", function()
      assert.same({ text "A", { type = "text", text = "B", cache_control = { type = "ephemeral", ttl = "1h" } } },
        content { "A", messages.text("B", { cache_control = { type = "ephemeral", ttl = "1h" } }) })
    end)

    it("images by link, by bytes and by id", function()
      assert.same({ { type = "image", source = { type = "url", url = "https://h/a.png" } } }, content { part("image", "https://h/a.png") })
      assert.same({ { type = "image", source = { type = "base64", media_type = "image/png", data = "iVBORw0KGgo=" } } },
        content { part("image", { bytes = png }) })
      local body, _, request = sent { part("image", { file_id = "file_1" }) }
      assert.same({ { type = "image", source = { type = "file", file_id = "file_1" } } }, body.messages[1].content)
      assert.equal("files-api-2025-04-14", request.headers["anthropic-beta"])
      _, _, request = sent({ part("image", { file_id = "file_1" }) }, { headers = { ["Anthropic-Version"] = "2026-10-21" } })
      assert.is_nil(request.headers["anthropic-beta"])
      refused({ part("image", { bytes = png, mime = "image/heic" }) }, "unsupported", "messages[1].content[1]", "JPEG")
      refused({ part("image", "http://h/a.png") }, "unsupported", "messages[1].content[1]", "fetch")
      for _, link in ipairs { "gs://b/a.png", "s3://b/a.png" } do
        refused({ "Hi", part("image", link) }, "unsupported", "messages[1].content[2]", link:sub(1, 5))
      end
      local _, warnings = sent { part("image", { "https://h/a.png", detail = "high" }) }
      assert(warnings[1]:find("detail", 1, true))
    end)

    it("no audio and no video, however they come", function()
      for _, one in ipairs { part("audio", { bytes = "RIFF0000WAVE" }), part("audio", "https://h/a.mp3"), part("video", "https://h/a.mp4"),
        part("video", { bytes = "x", mime = "video/mp4" }), { type = "video_url", video_url = { url = "https://h/a.mp4" } },
        { type = "input_audio", input_audio = { data = "UklGRg==", format = "wav" } } } do
        refused({ "Hi", one }, "unsupported", "messages[1].content[2]", "gemini")
      end
    end)

    it("documents by link, by bytes, as text and by id", function()
      local function document(source, more)
        local block = { type = "document", source = source }
        for name, value in pairs(more or {}) do block[name] = value end
        return { block }
      end
      assert.same(document { type = "url", url = "https://h/a.pdf" }, content { part("file", "https://h/a.pdf") })
      assert.same(document { type = "base64", media_type = "application/pdf", data = "JVBERi0xLjQ=" }, content { part("file", {
        bytes = pdf }) })
      assert.same(document({ type = "text", media_type = "text/plain", data = "a,\"b\"\n" }, { title = "t.csv", citations = {
        enabled = true } }),
        content { part("file", { bytes = "a,\"b\"\n", mime = "text/csv", filename = "t.csv", extra = { citations = {
          enabled = true } } }) })
      assert.same(document { type = "file", file_id = "file_1" }, content { part("file", { file_id = "file_1" }) })
      refused({ part("file", { bytes = "x", mime = "application/msword" }) }, "unsupported", "messages[1].content[1]", "convert")
      refused({ part("file", { bytes = png }) }, "unsupported", "messages[1].content[1]", "mm.image")
      refused({ part("file", "https://h/a.csv") }, "unsupported", "messages[1].content[1]", "fetch")
      local _, warnings = sent { part("file", "https://h/download") }
      assert(warnings[1]:find("PDF", 1, true))
    end)

    it("nothing but text of an assistant", function()
      refused({ messages = { user "Hi", assistant(part("image", { bytes = png })) }, "And?" }, "unsupported", "messages[2].content[1]",
        "message of the user")
    end)

    it("reasoning of its own as it came, of others not at all", function()
      local own = assert(anthropic.decode { media = {}, data = support.read "anthropic/stream/server_tools.json" }).choices[1].message
      local body, warnings, _, sent_text = sent { messages = { user "Hi", messages.adopt(own), user "And?" } }
      local whole = core.json_decode(support.read "anthropic/stream/server_tools.json", { null = true })
      assert.same(whole.content, body.messages[2].content)
      assert.same({}, warnings)
      assert.is_truthy(sent_text:find('"glow":0.25', 1, true))
      local foreign = messages.adopt { role = "assistant", content = { text "B" }, dialect = "openai", native = {
        reasoning_content = "secret" } }
      body, warnings, _, sent_text = sent { messages = { user "Hi", foreign, user "And?" } }
      assert.same({ text "B" }, body.messages[2].content)
      assert.is_nil(sent_text:find("secret", 1, true))
      assert(warnings[1]:find("messages[2]", 1, true) and warnings[1]:find("openai", 1, true))
    end)

    it("thinking stays in front where the text after it was changed", function()
      local own = messages.adopt(assert(anthropic.decode { media = {},
        data = support.read "anthropic/stream/thinking_tool.json" }).choices[1].message)
      own.content = { text "Edited." }
      local said = sent { messages = { user "Hi", own, result("toolu_1", "ok") } }
      assert.same({ { type = "thinking", thinking = "hm", signature = "SIG" }, text "Edited.",
        { type = "tool_use", id = "toolu_1", name = "f", input = { a = "xy" } } }, said.messages[2].content)
    end)

    it("calls with an object, results as text or blocks", function()
      local failed = result("b", "no")
      failed.error = true
      local body = sent { messages = { user "Hi", calling("a", "b", "c"), result("a", { "A", part("image", { bytes = png }) }),
        failed, result("c", "") } }
      local results = body.messages[3].content
      assert.same({ n = 2 }, body.messages[2].content[2].input)
      assert.same({ text "A", "image" }, { results[1].content[1], results[1].content[2].type })
      assert.same({ type = "tool_result", tool_use_id = "b", content = "no", is_error = true }, results[2])
      assert.same({ type = "tool_result", tool_use_id = "c" }, results[3])
      refused({ messages = { user "Hi", calling "a", result("a", part("audio", { bytes = "RIFF0000WAVE" })) } }, "unsupported",
        "messages[3].content[1]")
    end)

    it("tools, in our form and in its own", function()
      local prompt = prompt_of "Hi"
      local search = { type = "web_search_20250305", name = "web_search" }
      prompt.options.tools = { { name = "f", strict = true, extra = { cache_control = { type = "ephemeral" } } }, search }
      assert.same({ { name = "f", strict = true, cache_control = { type = "ephemeral" }, input_schema = { type = "object",
        properties = {}, additionalProperties = false } },
        search }, sent(prompt).tools)
    end)

    it("no words in the parameters of a strict tool that are refused there", function()
      local parameters = { type = "object", properties = { a = { type = "integer", minimum = 0 } }, required = { "a" } }
      local function asked(strict, check)
        local prompt = prompt_of "Hi"
        prompt.options.tools, prompt.options.check = { tools_of.new { name = "f", parameters = parameters, strict = strict } }, check
        return prompt
      end
      refused(asked(true), "unsupported", "tools[1]", "arguments.a: minimum")
      local body, warnings = sent(asked(true, "warn"))
      assert.same({ type = "object", properties = { a = { type = "integer" } }, required = { "a" }, additionalProperties = false },
        body.tools[1].input_schema)
      assert.equal(2, #warnings)
      assert.same(parameters, sent(asked()).tools[1].input_schema)
    end)

    it("no choice where there are no tools to choose from", function()
      for _, choice in ipairs { "auto", "none" } do assert.is_nil(sent({ "Hi", tool_choice = choice }).tool_choice) end
      local search = { type = "web_search_20250305", name = "web_search" }
      assert.same({ type = "none" }, sent({ "Hi", tool_choice = "none", extra = { tools = { search } } }).tool_choice)
    end)

    it("the choice of a tool, and one call at a time", function()
      local function choice(value, parallel)
        local prompt = prompt_of "Hi"
        prompt.options.tools, prompt.options.tool_choice, prompt.options.parallel_tools = tools, value, parallel
        return sent(prompt).tool_choice
      end
      assert.same({ type = "auto" }, choice "auto")
      assert.same({ type = "any" }, choice "required")
      assert.same({ type = "none" }, choice("none", false))
      assert.same({ type = "tool", name = "f", disable_parallel_tool_use = true }, choice("f", false))
      assert.same({ type = "auto", disable_parallel_tool_use = true }, choice(nil, false))
      assert.is_nil(choice(nil, true))
    end)

    it("a schema as the format of the output", function()
      local schema = schemas.new { a = "string" }
      local prompt = prompt_of "Hi"
      prompt.options.schema = schema
      assert.same({ type = "json_schema", schema = { type = "object", properties = { a = { type = "string" } }, required = { "a" },
        additionalProperties = false } }, sent(prompt).output_config.format)
    end)

    it("a schema by a tool that must be called", function()
      local prompt = prompt_of "Hi"
      prompt.options.schema = schemas.new { a = "string" }
      local body = sent(prompt, { schema = "tool" })
      assert.same({ "answer_with_data", { type = "tool", name = "answer_with_data" } }, { body.tools[1].name, body.tool_choice })
      prompt.options.tools = tools
      assert.same({ type = "any" }, sent(prompt, { schema = "tool" }).tool_choice)
      prompt.options.reasoning = "low"
      refused(prompt, "unsupported", "schema", "reason", { schema = "tool" })
    end)

    it("no words of a schema that it refuses", function()
      local function asked(schema, check)
        local prompt = prompt_of "Hi"
        prompt.options.schema, prompt.options.check = schemas.of(schema), check
        return prompt
      end
      local strict = { type = "object", properties = { n = { type = "integer", minimum = 1 } }, additionalProperties = false }
      refused(asked(strict), "unsupported", "schema", "data.n: minimum")
      local body, warnings = sent(asked(strict, "warn"))
      assert.same({ type = "integer" }, body.output_config.format.schema.properties.n)
      assert(warnings[1]:find("data.n: minimum", 1, true))
      body, warnings = sent(asked { type = "object", properties = { a = { oneOf = { { type = "string" }, { type = "null" } } } } })
      assert.is_false(body.output_config.format.schema.additionalProperties)
      assert.same({ { type = "string" }, { type = "null" } }, body.output_config.format.schema.properties.a.anyOf)
      assert.equal(2, #warnings)
      refused(asked { type = "object", additionalProperties = false, properties = { a = { ["$ref"] = "#/$defs/n" } }, ["$defs"] = {
        n = { type = "object", additionalProperties = false, properties = { next = { ["$ref"] = "#/$defs/n" } } } } },
        "unsupported", "schema", "recursion")
    end)

    it("how much to reason: levels, budgets, none", function()
      local function asked(value, more, max)
        local prompt = prompt_of "Hi"
        prompt.options.reasoning, prompt.options.max_tokens = value, max
        return prompt, more
      end
      local body = sent(asked "high")
      assert.same({ { effort = "high" }, { type = "adaptive" } }, { body.output_config, body.thinking })
      local low, warnings = sent(asked "minimal")
      assert.same({ "low", 1 }, { low.output_config.effort, #warnings })
      assert.same({ type = "disabled" }, sent(asked "none").thinking)
      body = sent(asked(2000, nil, 3000))
      assert.same({ { type = "enabled", budget_tokens = 2000 }, 3000 }, { body.thinking, body.max_tokens })
      assert.equal(6096, sent(asked(2000)).max_tokens)
      assert.same({ 4096 + 16384, 50 }, { sent(asked "high").max_tokens, sent(asked("high", nil, 50)).max_tokens })
      assert.same({ type = "enabled", budget_tokens = 8192 }, sent(asked("medium", { reasoning = "budget" })).thinking)
      for model, budget in pairs { ["claude-sonnet-4-20250514"] = true, ["claude-3-7-sonnet-20250219"] = true, ["claude-opus-4-1"] = true,
        ["anthropic/claude-haiku-4.5"] = true, ["claude-sonnet-4-5-20250929"] = true, ["claude-opus-4-6"] = false,
        ["claude-sonnet-5"] = false, ["claude-opus-4.10"] = false, ["claude-sonnet-4-6-20260101"] = false } do
        local prompt = asked "high"
        prompt.options.model = model
        local said = sent(prompt)
        assert.same(budget and { type = "enabled", budget_tokens = 16384 } or { type = "adaptive" }, said.thinking, model)
      end
      refused(asked(1023), "unsupported", "reasoning", "1024")
      local over = asked(3000, nil, 3000)
      local request, err = anthropic.encode(over, profile())
      assert.is_nil(request)
      assert.same({ "unsupported", "reasoning" }, { err.kind, err.part })
      local wrong = asked "hard"
      request, err = anthropic.encode(wrong, profile())
      assert.is_nil(request)
      assert.equal("reasoning", err.part)
      local forced = asked "low"
      forced.options.tools, forced.options.tool_choice = tools, "required"
      refused(forced, "unsupported", "tool_choice", "reasons")
    end)

    it("sampling beside reasoning, with a warning where it is known to be refused", function()
      for name, value in pairs { temperature = 0.5, top_p = 0.5, top_k = 5 } do
        local body, warnings = sent { "Hi", reasoning = "low", [name] = value }
        assert.equal(value, body[name])
        assert.equal(1, #warnings)
        assert.matches("^" .. name .. ": .* while a model reasons", warnings[1])
      end
      local body, warnings = sent { "Hi", reasoning = 2000, temperature = 1, top_p = 0.95 }
      assert.same({ 1, 0.95, 0 }, { body.temperature, body.top_p, #warnings })
    end)

    it("sampling only where it is set", function()
      local body = sent { "Hi", temperature = 0.5, top_p = 0.9, top_k = 5, stop = "END", max_tokens = 7, extra = { metadata = {
        user_id = "u" } } }
      assert.same({ 0.5, 0.9, 5, { "END" }, 7, { user_id = "u" } },
        { body.temperature, body.top_p, body.top_k, body.stop_sequences, body.max_tokens, body.metadata })
      assert.same({ max_tokens = 4096, messages = { { role = "user", content = { text "Hi" } } } }, (sent "Hi"))
    end)

    it("no seed and no second answer: as check says", function()
      for _, option in ipairs { { seed = 1 }, { n = 2 } } do
        local name, value = next(option)
        refused({ "Hi", [name] = value }, "unsupported", name, "check")
        local body, warnings = sent { "Hi", [name] = value, check = "warn" }
        assert.same({ 1, nil }, { #warnings, body[name] })
        assert.same({}, select(2, sent { "Hi", [name] = value, check = "off" }))
      end
      assert.same({}, select(2, sent { "Hi", n = 1 }))
    end)

    it("no pictures and no sound as output", function()
      refused({ "Hi", modalities = { "text", "image" } }, "unsupported", "modalities", "image")
      for _, name in ipairs { "aspect_ratio", "image_size", "voice", "audio_format" } do
        refused({ "Hi", [name] = "x", check = "off" }, "unsupported", name)
      end
      sent { "Hi", modalities = { "text" } }
    end)

    it("further fields last", function()
      local body = sent { "Hi", max_tokens = 5, extra = { cache_control = { type = "ephemeral" }, max_tokens = 9 } }
      assert.same({ { type = "ephemeral" }, 9 }, { body.cache_control, body.max_tokens })
    end)
  end)

  describe("the rules", function()
    it("1 keep the order of parts", function()
      local image = part("image", "https://h/a.png")
      assert.same({ "text", "image", "text", "image" }, (function()
        local types = {}
        for i, block in ipairs(content { "A", image, "B", image }) do types[i] = block.type end
        return types
      end)())
    end)

    it("2 join turns of one role", function()
      local body = sent { messages = { user "A", user "B", assistant "C", assistant "D", user "E" } }
      assert.same({ { role = "user", content = { text "A", text "B" } }, { role = "assistant", content = { text "C", text "D" } },
        { role = "user", content = { text "E" } } }, body.messages)
    end)

    it("3 have results first, all of them and no others", function()
      local body = sent { messages = { user "Hi", calling("a", "b"), result("b", "B"), result("a", "A"), user "And?" } }
      assert.same({ "b", "a", "And?" }, { body.messages[3].content[1].tool_use_id, body.messages[3].content[2].tool_use_id,
        body.messages[3].content[3].text })
      assert.equal("missing_tool_result", refused({ messages = { user "Hi", calling("a", "b"), result("a", "A") } }, "bad_request",
        "messages[2]", "call b").code)
      assert.equal("missing_tool_result", refused({ messages = { user "Hi", calling "a" } }, "bad_request", "messages[2]").code)
      assert.equal("unknown_tool_result", refused({ messages = { user "Hi", calling "a", result("a", "A"), result("x", "X") } },
        "bad_request", "messages[4]").code)
      body = sent { messages = { user "Hi", { role = "assistant", content = { { type = "tool_use", id = "t", name = "f", input = {
        a = 1 } } } },
        { role = "user", content = { text "So?", { type = "tool_result", tool_use_id = "t", content = "ok" } } } } }
      assert.same({ "tool_result", "text" }, { body.messages[3].content[1].type, body.messages[3].content[2].type })
    end)

    it("5 join leading instructions", function()
      assert.same({ text "A", text "B" }, sent({ messages = { messages.new("system", "A"), messages.new("developer", "B"),
        user "Hi" } }).system)
    end)

    it("6 want something of the user", function()
      refused({ messages = { messages.new("system", "S") } }, "unsupported", "messages", "user")
      refused({ messages = { assistant "Hi" } }, "unsupported", "messages[1]", "first")
    end)

    it("7 leave empty text out, and say what is empty", function()
      assert.same({ text "A" }, content { "", "A", "" })
      assert.same({ text "A " }, content { " \n", "A ", "\t" })
      for _, nothing in ipairs { "", " \n" } do
        assert.equal("empty", refused({ messages = { user(nothing) } }, "bad_request", "messages[1]").code)
      end
      local body = sent { messages = { user "A", assistant "", user "B" } }
      assert.same({ { role = "user", content = { text "A", text "B" } } }, body.messages)
    end)

    it("7 leave out white space that came as text, and keep what stands around it", function()
      local kept = { { type = "thinking", thinking = "hm", signature = "S" }, text "\n\n", { type = "server_tool_use", id = "s", name = "f",
        input = { a = 1 } }, text "A" }
      local said = messages.adopt { role = "assistant", content = { text "\n\n", text "A" }, dialect = "anthropic",
        native = { content = core.array(kept) } }
      local body = sent { messages = { user "Q", said, user "R" } }
      assert.same({ kept[1], kept[3], kept[4] }, body.messages[2].content)
    end)

    it("say of a tool that failed without a word that it did", function()
      local failed = result("a", "")
      failed.error = true
      local body = sent { messages = { user "Q", calling "a", failed } }
      assert.same({ { type = "tool_result", tool_use_id = "a", is_error = true, content = "error" } }, body.messages[3].content)
    end)

    it("8 take a last answer as the beginning of the next", function()
      local body = sent { messages = { user "A", assistant "B:" } }
      assert.same({ role = "assistant", content = { text "B:" } }, body.messages[2])
      assert.equal("prefill", refused({ messages = { user "A", assistant "B: " } }, "bad_request", "messages[2]", "white space").code)
    end)

    it("9 have calls behind what is said", function()
      local body = sent { messages = { user "A", calling "a", assistant "Wait.", result("a", "ok") } }
      assert.same({ "text", "tool_use" }, { body.messages[2].content[1].type, body.messages[2].content[2].type })
    end)

    it("10 clean the ids of calls, of call and result alike", function()
      local list = { user "Hi", calling("call.1", "call:1", "fine_-1"), result("call.1", "A"), result("call:1", "B"), result("fine_-1",
        "C"),
        calling "call.1", result("call.1", "D") }
      local body, ids = sent { messages = list }, {}
      for _, i in ipairs { 2, 4 } do
        for _, block in ipairs(body.messages[i].content) do ids[#ids + 1] = block.id end
        for _, block in ipairs(body.messages[i + 1].content) do ids[#ids + 1] = block.tool_use_id end
      end
      assert.same({ "call_1", "call_1_2", "fine_-1", "call_1", "call_1_2", "fine_-1", "call_1_3", "call_1_3" }, ids)
      assert.same(body, (sent { messages = list }))
    end)

    it("11 read arguments strictly", function()
      local function with(raw)
        return { messages = { user "Hi", messages.adopt { role = "assistant", content = {}, tool_calls = {
          { id = "a", name = "f", arguments_raw = raw } } }, result("a", "ok") } }
      end
      local _, _, _, said = sent(with "")
      assert.is_truthy(said:find('"input":{}', 1, true))
      _, _, _, said = sent(with '{"n":9007199254740993,"x":1e400,"l":[],"z":null}')
      assert.is_truthy(said:find('"input":{"l":[],"n":9007199254740993,"x":1e400,"z":null}', 1, true), said)
      for _, raw in ipairs { "{oops", "[1]", "5" } do
        assert.equal("tool_arguments", refused(with(raw), "bad_request", "messages[2]", "no JSON object").code)
      end
    end)
  end)

  it("reads messages that were written for OpenAI's chat", function()
    local body = sent { messages = {
      { role = "system", content = "S" },
      { role = "user", content = { { type = "text", text = "T" }, { type = "image_url", image_url = { url = "https://h/a.png" } } } },
      { role = "assistant", content = core.null, tool_calls = {
        { id = "c1", type = "function", ["function"] = { name = "f", arguments = '{"a":1}' } } } },
      { role = "tool", tool_call_id = "c1", content = "ok" },
    } }
    assert.equal("S", body.system)
    assert.same({ type = "image", source = { type = "url", url = "https://h/a.png" } }, body.messages[1].content[2])
    assert.same({ type = "tool_use", id = "c1", name = "f", input = { a = 1 } }, body.messages[2].content[1])
    assert.same({ type = "tool_result", tool_use_id = "c1", content = "ok" }, body.messages[3].content[1])
  end)

  it("sends a raw request as it is", function()
    local prompt = { messages = {}, raw = { messages = { { role = "user", content = "Hi" } }, odd = 1 }, options = { model = "m" },
      stream = true }
    local body, _, request = sent(prompt)
    assert.same({ messages = { { role = "user", content = "Hi" } }, odd = 1, model = "m", stream = true }, body)
    assert.is_true(request.stream)
  end)

  it("warns of limits, and refuses above max_inline", function()
    local limits = { limits = { image = { bytes = 10 }, request = 20 } }
    local _, warnings = sent({ part("image", { bytes = png .. ("x"):rep(20) }) }, limits)
    assert.equal(2, #warnings)
    refused({ part("image", { bytes = png .. ("x"):rep(20) }), max_inline = 10 }, "too_large", "messages[1].content[1]")
  end)
end)
