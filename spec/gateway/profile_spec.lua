--- Gateways as data: the files that are here, and tables of users.
local core = require("multimodal.core")
local mm = require("multimodal")
local profiles = require("multimodal.client.profile")

local names = { "openai", "openrouter", "openroute", "yourouter", "gdc", "glm", "zai", "khatash", "google", "vertex" }
local jpg = "\255\216\255\224"

local function misuse(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  return message
end

local function client(gateway, more)
  local options = { gateway = gateway, api_key = "canary-k", model = "m" }
  if gateway == "glm" then options.base_url = "https://h/v1" end
  if gateway == "gdc" then options.endpoint, options.project = "h", "p" end
  for name, value in pairs(more or {}) do options[name] = value end
  return mm.client(options)
end

local function mine(fields)
  local gateway = { name = "mine", base_url = "https://h/v1" }
  for name, value in pairs(fields or {}) do gateway[name] = value end
  return client(gateway)
end

describe("gateways #small", function()
  it("say what differs in another dialect", function()
    local gateway = {
      name = "mine", base_url = "https://h/v1", model_required = true,
      dialects = { gemini = { base_url = "https://h/g", auth = "x-goog-api-key" } },
    }
    local other = profiles.of { gateway = gateway, dialect = "gemini" }
    assert.same({ "gemini", "https://h/g", "x-goog-api-key", true }, { other.dialect, other.base_url, other.auth, other.model_required })
    assert.equal(gateway, profiles.of { gateway = gateway, dialect = "openai" })
    assert.equal("Bearer $API_KEY", assert(client(gateway):request "Hi").headers.Authorization)
    local headers = assert(client({ name = "mine", base_url = "https://h/v1", auth = "x-api-key" }):request "Hi").headers
    assert.same({ "$API_KEY" }, { headers["x-api-key"], headers.Authorization })
    assert(misuse(client, gateway, { dialect = "mine" }):find('dialect: mine speaks openai, gemini, not "mine"', 1, true))
    assert(misuse(mine, { dialects = { gemini = { adress = "x" } } }):find("dialects.gemini: adress: unknown option", 1, true))
    assert(misuse(mine, { auth = "basic" }):find('auth: expected "bearer" or "x-api-key"', 1, true))
  end)

  it("that are here say hello, each at its own address", function()
    for gateway, url in pairs {
      openai = "https://api.openai.com/v1", openrouter = "https://openrouter.ai/api/v1", openroute = "https://openroute.cn/api/v1",
      yourouter = "https://api.yourouter.ai/v1", gdc = "https://h/v1/projects/p/locations/p", glm = "https://h/v1",
      zai = "https://api.z.ai/api/paas/v4", khatash = "https://ai.khatash.com/api/v1",
    } do
      local req = assert(client(gateway):request "Hi")
      assert.equal(url .. "/chat/completions", req.url)
      assert.same({ model = "m", messages = { { role = "user", content = "Hi" } } }, req:json())
      assert.same({}, req.warnings)
    end
  end)

  it("that are here are data that a user could have written", function()
    for _, name in ipairs(names) do
      local written = {}
      for field, value in pairs(require("multimodal.gateway." .. name)) do written[field] = value end
      written.base_url = written.base_url or "https://h/v1"
      local own = client(written, { endpoint = "h", project = "p" })
      assert.equal(name, own.name)
    end
  end)

  it("that are here have a variable of their own for the key", function()
    local seen = {}
    for _, name in ipairs(names) do
      local variable = require("multimodal.gateway." .. name).key_variable
      assert.is_nil(seen[variable])
      seen[variable] = true
      local real = os.getenv
      os.getenv = function(asked) -- luacheck: ignore 122
        if asked ~= variable then return real(asked) end
      end
      local ok, err = pcall(function()
        local options = { gateway = name, model = "m", endpoint = "h", project = "p", base_url = name == "glm" and "https://h/v1" or nil }
        return select(2, mm.client(options):generate "Hi")
      end)
      os.getenv = real -- luacheck: ignore 122
      assert(ok, err)
      assert.equal("auth", err.kind)
      assert(err.message:find(variable, 1, true))
    end
  end)

  it("count tokens, stream and reason as each one says it", function()
    local expected = {
      openai = { "max_completion_tokens", true, "reasoning_effort" }, openrouter = { "max_tokens", false, "reasoning" },
      openroute = { "max_tokens", false, "reasoning" }, yourouter = { "max_tokens", true, "reasoning_effort" },
      gdc = { "max_tokens", false }, glm = { "max_tokens", false }, zai = { "max_tokens", false, "thinking" },
      khatash = { "max_tokens", false, "reasoning" },
    }
    for name, way in pairs(expected) do
      local ai = client(name)
      local body = ai:request({ "Hi", max_tokens = 50, reasoning = way[3] and "high" or nil, on_text = print }):json()
      assert.equal(50, body[way[1]], name)
      assert.equal(way[2], body.stream_options ~= nil, name)
      for _, field in ipairs { "reasoning_effort", "reasoning", "thinking" } do
        assert.equal(field == way[3], body[field] ~= nil, name .. " " .. field)
      end
      if not way[3] then assert.equal("unsupported", select(2, ai:request({ "Hi", reasoning = "high" })).kind) end
    end
  end)

  it("want a model where they do", function()
    for name, wants in pairs { openai = true, yourouter = true, zai = true, khatash = true, openrouter = false, gdc = false } do
      local ai = client(name, { model = false })
      local ok, req = pcall(ai.request, ai, "Hi")
      assert.equal(not wants, ok, name)
      if ok then assert.is_nil(req:json().model) end
    end
  end)
end)

describe("a gateway of the user's #small", function()
  it("is a table; what it leaves out is what all servers understand", function()
    local req = mine({ key_variable = "MINE_KEY" }):request({ "Hi", max_tokens = 5, mm.image { bytes = jpg } })
    assert.equal("https://h/v1/chat/completions", req.url)
    assert.equal(5, req:json().max_tokens)
    assert(req:curl():find("$MINE_KEY", 1, true))
    assert.equal("multimodal.client: mine m", tostring(mine()))
  end)

  it("may be like one of ours", function()
    local ai = mine { like = "zai", base_url = "https://proxy/v4", system = false }
    local req = ai:request { system = { "A", "B" }, "Hi", mm.image { bytes = jpg } }
    assert.equal("https://proxy/v4/chat/completions", req.url)
    assert.equal(2, #req:json().messages[1].content)
    assert.equal(core.base64_encode(jpg), req:json().messages[2].content[2].image_url.url)
    assert(misuse(mine, { like = "zia" }):find('"zia" is unknown; did you mean zai?', 1, true))
  end)

  it("has headers and options that go with every request, under the client's", function()
    local ai = mine { headers = { ["Accept-Language"] = "en", ["X-A"] = "1" }, options = { temperature = 0.5, top_p = 1 } }
    local req = ai:request { "Hi", headers = { ["x-a"] = "2" }, top_p = 0.9 }
    assert.same({ "en", "2" }, { req.headers["Accept-Language"], req.headers["x-a"] })
    assert.same({ 0.5, 0.9 }, { req:json().temperature, req:json().top_p })
  end)

  it("has places in its address", function()
    local gateway = { name = "mine", base_url = "https://{endpoint}/{location}/p/{project}?v=1" }
    local ai = client(gateway, { endpoint = "h:1", location = "eu", project = "x" })
    assert.equal("https://h:1/eu/p/x/chat/completions?v=1", ai:request("Hi").url)
    assert(misuse(client, gateway, { endpoint = "h" }):find("location: expected a string, got nil", 1, true))
    assert(misuse(client, gateway, { endpoint = "h h", location = "a", project = "b" }):find("base_url: ", 1, true))
    assert(misuse(client, { name = "mine", base_url = "https://{host}/" }):find("{host} stands for nothing", 1, true))
  end)

  it("is checked, with the nearest name", function()
    for words, fields in pairs {
      ["max_token_field: unknown option; did you mean max_tokens_field?"] = { max_token_field = "x" },
      ["gateway: system: expected \"string\" or \"developer\", got a string"] = { system = "text" },
      ["gateway: limits: imaeg: unknown option; did you mean image?"] = { limits = { imaeg = {} } },
      ["gateway: limits.image: byte: unknown option; did you mean bytes?"] = { limits = { image = { byte = 5 } } },
      ["gateway: options: modle: unknown option; did you mean model?"] = { options = { modle = "x" } },
      ["gateway: stream_options: expected true or false"] = { stream_options = 1 },
      ["gateway: video: expected true or \"link\""] = { video = "yes" },
      ["gateway: limits: temperature: expected a table { least, most }"] = { limits = { temperature = 1 } },
    } do
      local message = misuse(mine, fields)
      assert(message:find(words, 1, true), message)
      assert(message:find("profile_spec.lua:%d+: "), message)
    end
    assert(misuse(mm.client, { gateway = {} }):find("gateway: name: expected a string, got nil", 1, true))
    assert(misuse(mm.client, { gateway = "openruter" }):find('"openruter" is unknown; did you mean openrouter?', 1, true))
  end)

  it("takes links to the buckets that it names", function()
    local s3, gs = mm.image "s3://b/Key", mm.image "gs://b/Key"
    local ai = mine { buckets = { gs = true } }
    assert.equal("gs://b/Key", ai:request({ gs }):json().messages[1].content[1].image_url.url)
    assert.equal("unsupported", select(2, ai:request({ s3 })).kind)
    ai = mine { buckets = true }
    assert(ai:request { s3, gs })
    assert.equal("unsupported", select(2, client("openai"):request({ s3 })).kind)
  end)
end)

describe("a part #small", function()
  local function first(part, gateway)
    local req = assert(client(gateway or "openrouter"):request { part })
    return req:json().messages[1].content[1], req.warnings
  end

  it("takes its type from the bytes, and a wrong name is told", function()
    local folder = os.tmpname()
    os.remove(folder)
    local path = folder .. ".png"
    local file = assert(io.open(path, "wb"))
    file:write(jpg, ("x"):rep(100))
    file:close()
    local sent, warnings = first(mm.image(path))
    assert.equal(1, (sent.image_url.url:find("data:image/jpeg;base64,", 1, true)))
    assert.equal(1, #warnings)
    assert(warnings[1]:find(path:match("[^/]+$") .. " is image/jpeg by its bytes, sent as that", 1, true), warnings[1])
    sent, warnings = first(mm.attach(path))
    assert.equal("image_url", sent.type)
    assert.equal(1, #warnings)
    os.remove(path)
  end)

  it("keeps a name that says what a container holds", function()
    local folder = os.tmpname()
    os.remove(folder)
    for ending, case in pairs {
      [".m4a"] = { "\0\0\0\20ftypisom", "input_audio", "m4a" }, [".opus"] = { "OggS\0\2 OpusHead", "input_audio", "ogg" },
      [".docx"] = { "PK\3\4" .. ("\0"):rep(26) .. "hidden.bin", "file" },
    } do
      local file = assert(io.open(folder .. ending, "wb"))
      file:write(case[1], ("x"):rep(100))
      file:close()
      local sent, warnings = first(mm.attach(folder .. ending))
      assert.same({ case[2], {} }, { sent.type, warnings })
      assert.equal(case[3], sent.input_audio and sent.input_audio.format)
      if sent.file then assert(sent.file.file_data:find("wordprocessingml", 1, true)) end
      os.remove(folder .. ending)
    end
  end)

  it("puts right a data URL that names another type, and tells", function()
    local sent, warnings = first(mm.image("data:image/png;base64," .. core.base64_encode(jpg)))
    assert.equal(core.data_url("image/jpeg", jpg), sent.image_url.url)
    assert(warnings[1]:find("the data URL (image/png) is image/jpeg by its bytes", 1, true))
    sent, warnings = first(mm.image("data:image/jpg;base64," .. core.base64_encode(jpg)))
    assert.equal(core.data_url("image/jpeg", jpg), sent.image_url.url)
    assert.same({}, warnings)
    assert.same({}, select(2, first(mm.audio { data_url = "data:audio/x-wav;base64," .. core.base64_encode("RIFF\0\0\0\0WAVEfmt ") })))
  end)

  it("is sent as the type that the user says, and a doubt is told", function()
    local sent, warnings = first(mm.image { bytes = jpg, mime = "image/png" })
    assert.equal(core.data_url("image/png", jpg), sent.image_url.url)
    assert(warnings[1]:find('mime = "image/png" is image/jpeg by its bytes, sent as it was said', 1, true))
    sent = first(mm.image { core.blob(jpg, "text/plain"), mime = "image/jpeg" })
    assert.equal(core.data_url("image/jpeg", jpg), sent.image_url.url)
    assert(misuse(mm.image, { bytes = jpg, mime = "png" }):find("mime: expected a media type", 1, true))
  end)

  it("that is attached is what its type says, from any source", function()
    local wav = "RIFF\0\0\0\0WAVEfmt "
    for source, kind in pairs {
      ["https://h/a.png"] = "image_url", ["https://h/a.mp4?x=1"] = "video_url", ["https://h/a.pdf"] = "file",
      ["data:audio/wav;base64," .. core.base64_encode(wav)] = "input_audio", [core.blob(jpg)] = "image_url",
    } do
      assert.equal(kind, first(mm.attach(source)).type)
    end
    assert.equal("input_audio", first(mm.attach { base64 = core.base64_encode(wav) }).type)
    assert.equal("input_audio", first(mm.attach { bytes = wav }).type)
    assert.equal("file", first(mm.attach { bytes = "%PDF-1.4" }).type)
  end)

  it("of a kind that the link's name contradicts is told", function()
    assert(select(2, first(mm.image "https://h/a.pdf"))[1]:find("ends like application/pdf, sent as image", 1, true))
    assert.same({}, select(2, first(mm.image "https://h/a")))
  end)

  it("of text that is empty is left out where there are others", function()
    local req = client("openrouter"):request { "", mm.image "https://h/a.png", "" }
    assert.equal(1, #req:json().messages[1].content)
    assert.equal("", client("openrouter"):request({ "" }):json().messages[1].content)
  end)

  it("that is base64 without saying so is an error that says how", function()
    local req, err = client("openrouter"):request { mm.image(core.base64_encode(("x"):rep(90))) }
    assert.is_nil(req)
    assert(err.message:find("if this is base64, pass { base64 = }", 1, true), err.message)
  end)

  it("that was uploaded goes by its id where the gateway knows ids", function()
    local part = mm.file { file_id = "file-abc" }
    assert.same({ type = "file", file = { file_id = "file-abc" } }, first(part, "openai"))
    assert.equal("unsupported", select(2, client("khatash"):request({ part })).kind)
    assert.equal("unsupported", select(2, client("openai"):request({ mm.image { file_id = "file-abc" } })).kind)
    assert(misuse(mm.file, { file_id = 5 }):find("file_id: expected a string", 1, true))
  end)
end)
