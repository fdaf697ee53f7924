--- What the guide of Gemini on Google Distributed Cloud asks for: G-R1, G-R3 to G-R12.
local cjson = require("cjson").new()
local core = require("multimodal.core")
local gateway = require("support.gateway")
local mm = require("multimodal")
local server = require("support.server")

local function misuse(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  return message
end

describe("gdc", function()
  local s
  setup(function() s = server.start() end)
  teardown(function()
    s:stop()
    gateway.clean()
  end)
  before_each(function() s:clear() end)

  local function client(more)
    local options = { gateway = "gdc", endpoint = s.url, project = "my-project", api_key = "sts-token" }
    for name, value in pairs(more or {}) do options[name] = value or nil end
    return mm.client(options)
  end

  it("G-R1 takes text, image, audio, video and document in one prompt", function()
    local made = gateway.media()
    local body = gateway.sent(s, client(), {
      "What is all this?", mm.image(made.jpg), mm.audio(made.mp3), mm.video(made.mp4), mm.file(made.pdf),
    })
    local content = body.messages[1].content
    local function encoded(path) return core.base64_encode(gateway.bytes(path)) end
    assert.same({
      { type = "text", text = "What is all this?" },
      { type = "image_url", image_url = { url = "data:image/jpeg;base64," .. encoded(made.jpg) } },
      { type = "input_audio", input_audio = { data = encoded(made.mp3), format = "mp3" } },
      { type = "video_url", video_url = { url = "data:video/mp4;base64," .. encoded(made.mp4) } },
      { type = "file", file = { filename = "sample.pdf", file_data = "data:application/pdf;base64," .. encoded(made.pdf) } },
    }, content)
  end)

  it("G-R3 keeps two messages of the user apart, the string a string", function()
    local body = gateway.sent(s, client(), { messages = {
      mm.user "What's in this image?", mm.user { mm.image "s3://file-bucket/image.jpg" },
    } })
    assert.same(gateway.sample "gdc/image.json", body)
    assert.equal("What's in this image?", body.messages[1].content)
  end)

  it("G-R4 passes links to its buckets on as they are, and those of no other cloud", function()
    local url = "s3://File-Bucket/A b%20c/Image.JPG"
    local body = gateway.sent(s, client(), { mm.image { url = url }, mm.file { "s3://docs/a.pdf", mime = "application/pdf" } })
    assert.equal(url, body.messages[1].content[1].image_url.url)
    assert.equal("s3://docs/a.pdf", body.messages[1].content[2].file.file_data)
    local reply, err = client():generate { mm.image "gs://bucket/a.png" }
    assert.is_nil(reply)
    assert.same({ "unsupported", "messages[1].content[1]" }, { err.kind, err.part })
  end)

  it("G-R5 is found by endpoint and project, which is the location too", function()
    local function url(options)
      options.gateway, options.api_key = "gdc", "canary-k"
      return mm.client(options):request("Hi").url
    end
    local path = "/v1/projects/PROJECT_ID/locations/PROJECT_ID/chat/completions"
    assert.equal("https://ENDPOINT:443" .. path, url { endpoint = "ENDPOINT:443", project = "PROJECT_ID" })
    assert.equal("https://ENDPOINT" .. path, url { endpoint = "ENDPOINT", project = "PROJECT_ID" })
    assert.equal("https://ENDPOINT" .. path, url { endpoint = "https://ENDPOINT/", project = "PROJECT_ID" })
    assert.equal("https://h/v1/projects/p/locations/l/chat/completions", url { endpoint = "h", project = "p", location = "l" })
    local _, request = gateway.sent(s, client(), "Hi")
    assert.equal("/v1/projects/my-project/locations/my-project/chat/completions", request.path)
  end)

  it("G-R6 has one Authorization header, the caller's where there is one", function()
    local own = client { api_key = "None", headers = { authorization = "Bearer TOKEN" } }
    local _, request = gateway.sent(s, own, "Hi")
    assert.same({ "Bearer TOKEN", 1 }, { request.headers.authorization, gateway.counts(request).authorization })
    _, request = gateway.sent(s, own, "Hi", { headers = { AUTHORIZATION = "Bearer OTHER" } })
    assert.same({ "Bearer OTHER", 1 }, { request.headers.authorization, gateway.counts(request).authorization })
  end)

  it("G-R7 sends a Content-Type of the caller's, once", function()
    local kind = "application/json; charset=utf-8"
    local _, request = gateway.sent(s, client { headers = { ["CONTENT-type"] = kind } }, "Hi")
    assert.same({ kind, 1 }, { request.headers["content-type"], gateway.counts(request)["content-type"] })
  end)

  it("G-R8 sends audio as bare base64 without a line break, wherever it comes from", function()
    local made = gateway.media()
    local encoded = core.base64_encode(gateway.bytes(made.mp3))
    local expected = gateway.sample("gdc/audio.json", { BASE64_ENCODED_DATA = encoded })
    for _, source in ipairs {
      { made.mp3 }, { base64 = encoded .. "\n" }, { base64 = encoded:gsub(("."):rep(76), "%0\n") },
      { base64 = "data:audio/mpeg;base64," .. encoded }, { data_url = encoded }, { bytes = gateway.bytes(made.mp3) },
    } do
      local body = gateway.sent(s, client(), { messages = { mm.user "Show me the lyrics of this song.", mm.user { mm.audio(source) } } })
      assert.same(expected, body)
    end
  end)

  it("G-R9 reads the guide's replies, whose empty fields are no failure", function()
    for name, last in pairs { image_reply = "paper.\n", audio_reply = "changed..." } do
      s:script(server.json(200, gateway.sample_text("gdc/" .. name .. ".json")))
      local reply = assert(client():generate "Hi")
      local text = cjson.decode(gateway.sample_text("gdc/" .. name .. ".json")).choices[1].message.content
      assert.equal(text, reply.text)
      assert.equal(last, reply.text:sub(-#last))
      assert.same({ "complete", "stop", "", 0 }, { reply.outcome, reply.finish_reason, reply.finish_reason_raw, reply.usage.total_tokens })
    end
  end)

  it("G-R10 returns what went wrong, and raises nothing", function()
    s:script(server.json(401, '{"error":{"code":401,"message":"Token expired","status":"UNAUTHENTICATED"}}'))
    s:script(server.text(502, "<html><title>Bad Gateway</title></html>"))
    s:script({ { reset = true } })
    for _, kind in ipairs { "auth", "server", "network" } do
      local reply, err = client():generate("Hi", { retries = 0 })
      assert.is_nil(reply)
      assert.equal(kind, err.kind)
      assert.is_string(tostring(err))
    end
  end)

  it("G-R11 has endpoint, token, project and model as parameters, and says which is missing", function()
    assert(misuse(client, { endpoint = false }):find("endpoint: expected a string, got nil", 1, true))
    assert(misuse(client, { project = false }):find("project: expected a string, got nil", 1, true))
    assert(misuse(client, { project = "a/b" }):find("project: ", 1, true))
    assert(misuse(function() mm.client { gateway = "gdc", endpoint = "h" } end):find("gdc_spec.lua:%d+: project"))
    local body = gateway.sent(s, client { model = "MODEL_ID" }, "Hi")
    assert.equal("MODEL_ID", body.model)
    assert.is_nil(gateway.sent(s, client(), "Hi").model)
    local reply, err = client({ api_key = false }):generate "Hi"
    assert.is_nil(reply)
    assert.equal("auth", err.kind)
    assert(err.message:find("GDC_TOKEN", 1, true))
  end)

  it("G-R12 asks a function for the token of each request, or keeps it as long as it says", function()
    local asked = 0
    local function token(seconds)
      return function()
        asked = asked + 1
        return " sts" .. asked .. "\n", seconds
      end
    end
    local each, kept = client { api_key = token() }, client { api_key = token(600) }
    local seen = {}
    for i, ai in ipairs { each, each, kept, kept } do
      seen[i] = select(2, gateway.sent(s, ai, "Hi")).headers.authorization
    end
    assert.same({ "Bearer sts1", "Bearer sts2", "Bearer sts3", "Bearer sts3" }, seen)
    local reply, err = client({ api_key = function() return nil, "not logged in" end }):generate "Hi"
    assert.is_nil(reply)
    assert.equal("auth", err.kind)
    assert(err.message:find("not logged in", 1, true))
  end)

  it("calls Markdown by the name that it knows", function()
    local req = client():request { mm.file { bytes = "# A", mime = "text/markdown", filename = "a.md" } }
    assert.equal("data:text/md;base64,IyBB", req:json().messages[1].content[1].file.file_data)
    assert.same({}, req.warnings)
  end)

  it("warns of documents that it is not known to take", function()
    assert.same({}, client():request({ mm.file(gateway.media().pdf) }).warnings)
    local warning = client():request({ mm.file { bytes = "PK\3\4 a", mime = "application/zip" } }).warnings[1]
    assert(warning:find("application/zip", 1, true), warning)
  end)
end)
