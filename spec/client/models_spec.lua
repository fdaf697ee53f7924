--- Discovery, what is checked before sending, and OpenRouter's lookup.
local core = require("multimodal.core")
local mm = require("multimodal")

local function encode(value)
  return tostring(assert(core.body(value)))
end

local function model(id, input, output, more)
  local raw = { id = id, name = "The " .. id, context_length = 1000, pricing = { prompt = "0.0000025", completion = "0.00001" },
    architecture = { input_modalities = core.array(input), output_modalities = core.array(output) } }
  for name, value in pairs(more or {}) do raw[name] = value end
  return raw
end

local openrouter = encode { data = core.array {
  model("google/gemini-2.5-flash-image-preview", { "text", "image" }, { "text", "image" }),
  model("black-forest/flux", { "text" }, { "image" }),
  model("openai/gpt-4o", { "text", "image", "file" }, { "text" }),
  model("openai/gpt-audio", { "text", "audio" }, { "text", "audio" }),
  model("text/only", { "text" }, { "text" }),
} }

local openai = [[{"object":"list","data":[{"id":"gpt-4o","object":"model","created":1,"owned_by":"openai"}]}]]

--- A client at a mock that is some gateway, and the paths that were asked for.
local function client(gateway, answers, options)
  local asked = {}
  local list = {}
  for i, answer in ipairs(answers) do
    list[i] = function(req)
      asked[#asked + 1] = req.url
      if type(answer) == "table" and answer.kind then return answer end
      return type(answer) == "string" and { body = answer } or answer
    end
  end
  local fake = mm.mock(list)
  for name, value in pairs(require("multimodal.gateway." .. gateway)) do
    if name ~= "like" and name ~= "base_url" then fake[name] = value end
  end
  fake.key_variable = nil
  local all = { gateway = fake, api_key = "canary-k" }
  for name, value in pairs(options or {}) do all[name] = value end
  return mm.client(all), fake, asked
end

local function ids(list)
  local names = {}
  for i, one in ipairs(list) do names[i] = one.id end
  table.sort(names)
  return names
end

local chat = '{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}'
local picture = { bytes = "\137PNG\r\n\26\n", mime = "image/png" }

describe("models #small", function()
  it("are plain tables, fetched once, image-only ones among them (O-R2)", function()
    local ai, fake, asked = client("openrouter", { openrouter })
    local list = assert(ai:models { output = "image" })
    assert.same({ "black-forest/flux", "google/gemini-2.5-flash-image-preview" }, ids(list))
    assert.same({ "google/gemini-2.5-flash-image-preview" }, ids(assert(ai:models { output = { "image" }, input = "image" })))
    assert.equal(5, #assert(ai:models()))
    assert.same({ "openai/gpt-4o" }, ids(assert(ai:models { search = "GPT-4O" })))
    assert.same({ "https://mock.invalid/v1/models?output_modalities=all" }, asked)
    local one = assert(ai:models { search = "gpt-4o" })[1]
    assert.same({ "openai/gpt-4o", "The openai/gpt-4o", 1000, { "text", "image", "file" }, { "text" } },
      { one.id, one.name, one.context, one.input, one.output })
    assert.equal(0.0000025, one.pricing.prompt)
    assert.is_nil(getmetatable(one))
    assert.equal(1, #fake.requests)
    assert.equal(5, #assert(ai:with({ temperature = 1 }):models()))
  end)

  it("are read past what is null", function()
    local ai = client("openai", { [[{"data":[null,{"id":"a"},null,{"id":"b"}]}]] })
    assert.same({ "a", "b" }, ids(assert(ai:models())))
  end)

  it("come in pages, and only the query of the next one is taken", function()
    local first = encode { data = core.array { model("a", { "text" }, { "text" }) },
      links = { next = "https://evil.example.com/api/v1/models?offset=1&limit=500&q=a%20b" } }
    local second = encode { data = core.array { model("b", { "text" }, { "text" }) }, links = { next = core.null } }
    local ai, _, asked = client("openrouter", { first, second })
    assert.same({ "a", "b" }, ids(assert(ai:models())))
    assert.equal("https://mock.invalid/v1/models?limit=500&offset=1&q=a%20b", asked[2])
  end)

  it("end where a page brings nothing new", function()
    local same = encode { data = core.array { model("a", { "text" }, { "text" }) }, links = { next = "/models?offset=0" } }
    local ai, fake = client("openrouter", { same, same, same })
    assert.same({ "a" }, ids(assert(ai:models())))
    assert.equal(2, #fake.requests)
  end)

  it("are told in OpenAI's shape without what they take", function()
    local ai = client("openai", { openai })
    assert.same({ "gpt-4o" }, ids(assert(ai:models())))
    local list, err = ai:models { output = "image" }
    assert.is_nil(list)
    assert.equal("unsupported", err.kind)
    assert(err.message:find("ai:models() lists their names", 1, true))
  end)

  it("are GLM's by their names, also where the gateway lists none", function()
    local ai = client("glm", { '{"object":"list","data":[{"id":"GLM-4V-Plus"},{"id":"glm-5"},"cogview-4"]}' }, { model = "GLM-4V-Plus" })
    assert.same({ "GLM-4V-Plus" }, ids(assert(ai:models { input = "image" })))
    assert.same({ "cogview-4" }, ids(assert(ai:models { output = "image" })))
    local zai = client("zai", { { kind = "not_found" } }, { model = "glm-5" })
    local vision = ids(assert(zai:models { input = "image", output = "text" }))
    assert.equal("glm-4.5v", vision[3])
  end)

  it("are an error where the gateway fails, and asked for again the next time", function()
    local ai = client("openrouter", { { kind = "server" }, "{}", openrouter }, { retries = 0 })
    assert.equal("server", select(2, ai:models()).kind)
    assert.same({}, assert(ai:models()))
    assert.equal(5, #assert(ai:models { refresh = true }))
    local ok, message = pcall(function() ai:models { ouput = "image" } end)
    assert.is_false(ok)
    assert(message:find("models_spec.lua:%d+: models: ouput: unknown option; did you mean output?"), message)
  end)
end)

describe("before sending #small", function()
  local function ready(options, more)
    local answers = { openrouter, chat, chat, chat }
    for i, answer in ipairs(more or {}) do answers[i + 1] = answer end
    local ai, fake = client("openrouter", answers, options)
    assert(ai:models())
    return ai, fake
  end

  local function refused(ai, prompt, part, words)
    local reply, err = ai:generate(prompt)
    assert.is_nil(reply)
    assert.same({ "unsupported", "modality", part }, { err.kind, err.code, err.part })
    assert(err.message:find(words, 1, true), err.message)
    return err
  end

  it("a model that cannot take a part is refused, and others are named (O-R9, K-R10)", function()
    local ai, fake = ready { model = "text/only" }
    local err = refused(ai, { "What?", mm.image(picture) }, "messages[1].content[2]", "text/only takes text, not image")
    assert(err.message:find("these could: google/gemini-2.5-flash-image-preview, openai/gpt-4o;", 1, true), err.message)
    refused(ai, { "What?", { type = "image_url", image_url = { url = "https://h.org/a" } } }, "messages[1].content[2]", "not image")
    assert.equal(1, #fake.requests)
    assert(ai:generate "Hi")
  end)

  it("a model that cannot give a picture is refused (O-R9)", function()
    local ai = ready { model = "openai/gpt-4o" }
    local err = refused(ai, { "Draw.", modalities = { "image", "text" } }, "modalities", "openai/gpt-4o gives text, not image")
    assert(err.message:find("black-forest/flux", 1, true), err.message)
  end)

  it("a PDF needs no model that reads files where the gateway parses it", function()
    local ai = ready { model = "text/only" }
    assert(ai:generate { "Read.", mm.file { bytes = "%PDF-1.4 x", mime = "application/pdf" } })
    refused(ai, { "Read.", mm.file { bytes = "a,b", mime = "text/csv" } }, "messages[1].content[2]", "not file")
  end)

  it("a variant is its model, and an unknown one a warning", function()
    local ai = ready { model = "text/only:online" }
    refused(ai, { "What?", mm.image(picture) }, "messages[1].content[2]", "not image")
    local reply = assert(ai:generate({ "What?", mm.image(picture) }, { model = "new/one" }))
    assert.same({ "new/one is not among the models of mock" }, { reply.warnings[1]:gsub("of %w+$", "of mock") .. "" })
  end)

  it("check says how strict", function()
    local ai = ready { model = "text/only" }
    local prompt = { "What?", mm.image(picture) }
    local reply = assert(ai:generate(prompt, { check = "warn" }))
    assert(reply.warnings[1]:find("messages[1].content[2]: text/only takes text, not image", 1, true), reply.warnings[1])
    assert.same({}, assert(ai:generate(prompt, { check = "off" })).warnings)
    assert.same({}, assert(ai:generate(prompt, { check = false })).warnings)
  end)

  it("what a gateway's own table tells is found in either case", function()
    local gateway = { name = "own", base_url = "https://h.org/v1", known_models = { { "Eye-*", "text image", "text" } } }
    local ai = mm.client { gateway = gateway, api_key = "canary-k", model = "eye-2" }
    local made = assert(ai:request { mm.audio { bytes = "RIFF\0\0\0\0WAVEfmt ", format = "wav" } })
    assert(made.warnings[1]:find("eye-2 takes text, image, not audio", 1, true), made.warnings[1])
  end)

  it("what is known by the name alone is a warning", function()
    local ai = client("glm", { chat, chat }, { model = "GLM-5" })
    local reply = assert(ai:generate { "What?", mm.image(picture) })
    assert(reply.warnings[1]:find("GLM-5 takes text, not image", 1, true), reply.warnings[1])
    assert.same({}, assert(ai:generate({ "What?", mm.image(picture) }, { model = "GLM-4V-Plus" })).warnings)
  end)

  it("nothing is fetched that was not asked for", function()
    local ai, fake = client("openrouter", { chat }, { model = "text/only" })
    assert(ai:generate { "What?", mm.image(picture) })
    assert.equal(1, #fake.requests)
  end)

  it("a shape without a wish for a picture is a warning (O-R9)", function()
    local ai = client("openrouter", { chat, chat }, { model = "m" })
    assert(assert(ai:generate { "Draw.", aspect_ratio = "16:9" }).warnings[1]:find("modalities asks for none", 1, true))
    assert.same({}, assert(ai:generate { "Draw.", aspect_ratio = "16:9", modalities = { "image" } }).warnings)
    assert(ai:request({ "Speak.", voice = "alloy" }).warnings[1]:find("voice and audio_format", 1, true))
  end)
end)

describe("a model that is not there #small", function()
  it("is told with how to find one (O-R14)", function()
    local missing = { kind = "not_found", message = "The model x does not exist.", code = "model_not_found" }
    local ai = client("openrouter", { missing, missing, openrouter, missing }, { model = "openai/gpt-40" })
    local _, err = ai:generate "Hi"
    assert.equal("The model x does not exist; ai:models() lists the models there are", err.message)
    _, err = ai:generate { "Draw.", modalities = { "image", "text" } }
    assert(err.message:find('ai:models { output = "image" } lists', 1, true), err.message)
    assert(ai:models())
    _, err = ai:generate "Hi"
    assert(err.message:find("did you mean openai/gpt-4o?", 1, true), err.message)
  end)
end)

describe("a generation", function()
  local told = encode { data = { id = "gen-1", model = "openai/gpt-4o", provider_name = "OpenAI", native_tokens_prompt = 7,
    native_tokens_completion = 9, total_cost = 0.0125, finish_reason = "stop", latency = 1500, generation_time = 250 } }

  it("is looked up by its reply or its id #small, with the cost as billed", function()
    local ai, _, asked = client("openrouter", { told, told })
    local seen = assert(ai:generation("gen-1"))
    assert.same({ "gen-1", "OpenAI", "stop", 1.5, 0.25 }, { seen.id, seen.provider, seen.finish_reason, seen.latency, seen.duration })
    assert.same({ 7, 9, 0.0125 }, { seen.usage.input_tokens, seen.usage.output_tokens, seen.usage.cost })
    assert(ai:generation { id = "gen-1" })
    assert.equal("https://mock.invalid/v1/generation?id=gen-1", asked[2])
    local ok, message = pcall(function() ai:generation(nil) end)
    assert.is_false(ok)
    assert(message:find("generation: expected a reply"), message)
  end)

  it("is looked for again while it is not written down", function()
    local ai, fake = client("openrouter", { { kind = "not_found" }, told })
    assert.equal("gen-1", assert(ai:generation("gen-1")).id)
    assert.equal(2, #fake.requests)
  end)
end)
