--- Task dialects beside Ark's: OpenRouter's videos, Veo's operations on both of its hosts, and a user's own from the docs.
local cjson = require("cjson").new()
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")
local tasks = require("support.tasks")

local neutral = { queued = true, running = true, succeeded = true, failed = true, cancelled = true, expired = true }

describe("a task dialect", function()
  local s
  before_each(function() s = server.start() end)
  after_each(function() s:stop() end)

  local function json(body, more) return server.json(200, body, more) end

  local function client(gateway, root, more)
    local options = {
      gateway = gateway, base_url = s.url .. root, api_key = "sk-canary", video_model = "vm", clock = tasks.clock(), private = true,
    }
    for name, value in pairs(more or {}) do options[name] = value end
    return mm.client(options)
  end

  local function body_of(n) return cjson.decode(s:requests(n)[n].body) end

  local function saved(part)
    local path = os.tmpname()
    assert(part:save(path, { overwrite = true }))
    local bytes = core.blob_file(path):bytes()
    os.remove(path)
    return bytes
  end

  it("maps every state to one that is known", function()
    for _, name in ipairs { "ark", "openrouter" } do
      local dialect = require("multimodal.dialect.task." .. name)
      for raw, state in pairs(dialect.states) do
        assert(neutral[state], name .. " " .. raw)
        assert.equal(raw, dialect.status({ id = "x", status = raw }).state)
      end
    end
  end)

  it("openrouter: sends frames and references, follows its link, and reads a result behind the key", function()
    local ai = client("openrouter", "/api/v1")
    local look = s.url .. "/api/v1/videos/v1?look=1"
    s:script(server.json(202, { id = "v1", status = "pending", polling_url = look }), { path = "/api/v1/videos" })
    local task = assert(ai:video {
      "Pan", mm.image { "https://h/a.png", role = "first_frame" }, mm.image { "https://h/b.png", role = "reference_image" },
      duration = 5, resolution = "720p", aspect_ratio = "16:9", seed = 0, generate_audio = false, extra = { provider = { sort = "price" } },
    })
    assert.same({
      model = "vm", prompt = "Pan", duration = 5, resolution = "720p", aspect_ratio = "16:9", seed = 0, generate_audio = false,
      frame_images = { { type = "image_url", image_url = { url = "https://h/a.png" }, frame_type = "first_frame" } },
      input_references = { { type = "image_url", image_url = { url = "https://h/b.png" } } }, provider = { sort = "price" },
    }, body_of(1))
    s:script(json { id = "v1", status = "in_progress" }, { path = "/api/v1/videos/v1" })
    s:script(json { id = "v1", status = "completed", usage = { cost = 0.5 } }, { path = "/api/v1/videos/v1" })
    s:script(server.text(200, "clip", { headers = { ["Content-Type"] = "video/mp4" } }), { path = "/api/v1/videos/v1/content" })
    local video = assert(task:wait())
    assert.equal("/api/v1/videos/v1?look=1", s:requests()[2].path)
    assert.equal(0.5, task.usage.cost)
    assert.equal("clip", saved(video))
    local last = s:requests()[4]
    assert.same({ "/api/v1/videos/v1/content?index=0", "Bearer sk-canary" }, { last.path, last.headers.authorization })
  end)

  it("openrouter: takes pictures, videos and audio as references", function()
    local ai = client("openrouter", "/api/v1")
    s:script(json { id = "v1" }, { path = "/api/v1/videos" })
    assert(ai:video {
      "Mix", mm.image { bytes = "\137PNG\r\n\26\n", mime = "image/png", role = "reference_image" }, mm.video "https://h/v.mp4",
      mm.audio "https://h/a.mp3",
    })
    assert.same({
      { type = "image_url", image_url = { url = core.data_url("image/png", "\137PNG\r\n\26\n") } },
      { type = "video_url", video_url = { url = "https://h/v.mp4" } }, { type = "audio_url", audio_url = { url = "https://h/a.mp3" } },
    }, body_of(1).input_references)
  end)

  it("openrouter: follows no link to another host with its key", function()
    local ai, other = client("openrouter", "/api/v1"), server.start()
    s:script(json { id = "v1", polling_url = other.url .. "/steal" }, { path = "/api/v1/videos" })
    s:script(json { id = "v1", status = "failed", error = "no luck" }, { path = "/api/v1/videos/v1" })
    local _, err = assert(ai:video "Hi"):wait()
    assert.same({ "task_failed", "no luck", 0 }, { err.kind, err.message, #other:requests() })
    other:stop()
  end)

  it("openrouter: refuses what it cannot say", function()
    local ai = client("openrouter", "/api/v1")
    for _, case in ipairs {
      { { "Hi", watermark = true }, "watermark" }, { { "Hi", mm.file { bytes = "%PDF-1.7 x" } }, "messages[1].content[2]" },
      { { "Hi", mm.image { "https://h/a.png", role = "cover" } }, "messages[1].content[2]" },
      { { "Hi", mm.video { "https://h/v.mp4", role = "first_frame" } }, "messages[1].content[2]" },
      { { "Hi", mm.image "https://h/a.png", mm.image "https://h/b.png" }, "messages[1].content[3]" },
      { { "Hi", mm.image "gs://b/a.png" }, "messages[1].content[2]" }, { { "Hi", mm.image { file_id = "x" } }, "messages[1].content[2]" },
    } do
      local task, err = ai:video(case[1])
      assert.is_nil(task)
      assert.same({ "unsupported", case[2] }, { err.kind, err.part })
    end
    s:script(json { id = "v1" }, { path = "/api/v1/videos" })
    s:script(json { id = "v1", status = "pending" }, { path = "/api/v1/videos/v1" })
    local task = assert(ai:video "Hi")
    assert.equal("unsupported", select(2, task:cancel()).kind)
    assert.equal("unsupported", select(2, ai:tasks()).kind)
  end)

  local studio, vertex = "google", "vertex"

  it("veo: is an operation at its own name on AI Studio, whose result needs the key", function()
    local ai, name = client(studio, "/v1beta"), "models/vm/operations/op1"
    s:script(json { name = name }, { path = "/v1beta/models/vm:predictLongRunning" })
    local png = "\137PNG\r\n\26\n" .. ("\0"):rep(24)
    local task = assert(ai:video {
      "A cat", mm.image { bytes = png }, mm.image { bytes = png, role = "last_frame" }, mm.image { bytes = png, role = "reference_image" },
      duration = 8, aspect_ratio = "16:9", extra = { parameters = { negativePrompt = "dogs", sampleCount = 1 } },
    })
    local picture = { bytesBase64Encoded = core.base64_encode(png), mimeType = "image/png" }
    assert.same({
      instances = { {
        prompt = "A cat", image = picture, lastFrame = picture, referenceImages = { { image = picture, referenceType = "asset" } },
      } },
      parameters = { durationSeconds = 8, aspectRatio = "16:9", negativePrompt = "dogs", sampleCount = 1 },
    }, body_of(1))
    assert.same({ "sk-canary", nil }, { s:requests()[1].headers["x-goog-api-key"], s:requests()[1].headers.authorization })
    s:script(json { name = name, metadata = { progressPercent = 40 } }, { path = "/v1beta/" .. name })
    s:script(json { name = name, done = true, response = { generateVideoResponse = { generatedSamples = {
      { video = { uri = s.url .. "/v1beta/files/x:download?alt=media" } },
    } } } }, { path = "/v1beta/" .. name })
    s:script({ server.head(302, { Location = "/cdn/x.mp4", ["Content-Length"] = 0 }) }, { path = "/v1beta/files/x:download" })
    s:script(server.text(200, "clip", { headers = { ["Content-Type"] = "video/mp4" } }), { path = "/cdn/x.mp4" })
    local heard = {}
    local video = assert(task:wait { on_progress = function(now) heard[#heard + 1] = { now.state, now.done, now.total } end })
    assert.same({ { "running", 0.4, 1 }, { "succeeded" } }, heard)
    assert.equal("clip", saved(video))
    assert.equal("sk-canary", s:requests()[4].headers["x-goog-api-key"])
  end)

  it("veo: is asked for by a POST on Vertex, and may come as bytes", function()
    local ai, name = client(vertex, "/v1/p", { project = "p" }), "projects/p/locations/l/publishers/google/models/vm/operations/op1"
    s:script(json { name = name }, { path = "/v1/p/models/vm:predictLongRunning" })
    local task = assert(ai:video { "A cat", mm.image { url = "gs://b/cat.png" }, generate_audio = false })
    assert.same({
      instances = { { prompt = "A cat", image = { gcsUri = "gs://b/cat.png", mimeType = "image/png" } } },
      parameters = { generateAudio = false },
    }, body_of(1))
    local clip = ("clip"):rep(20000)
    s:script(json { name = name }, { path = "/v1/p/models/vm:fetchPredictOperation" })
    s:script(json { name = name, done = true, response = { videos = {
      { bytesBase64Encoded = core.base64_encode(clip), mimeType = "video/mp4" },
    } } }, { path = "/v1/p/models/vm:fetchPredictOperation" })
    local video = assert(assert(ai:task(task:dump())):wait())
    assert.equal(clip, saved(video))
    assert.same({ "POST", { operationName = name } }, { s:requests()[2].method, body_of(2) })
    for i = 1, 3 do
      assert.same({ "Bearer sk-canary", nil }, { s:requests()[i].headers.authorization, s:requests()[i].headers["x-goog-api-key"] })
    end
    assert.equal(3, tasks.count(s, "POST"))
  end)

  it("veo: works where its location says, and by a key in express mode", function()
    local function root(more)
      local given = { gateway = "vertex", api_key = "canary-k", model = "m" }
      for name, value in pairs(more) do given[name] = value end
      return require("multimodal.client.task_side").of(mm.client(given)).base.root
    end
    assert.equal("https://eu-west4-aiplatform.googleapis.com/v1/projects/p/locations/eu-west4/publishers/google",
      root { project = "p", location = "eu-west4" })
    assert.equal("https://aiplatform.googleapis.com/v1/publishers/google", root {})
    s:script(json { name = "models/vm/operations/op1" }, { path = "/v1/models/vm:predictLongRunning" })
    assert(client(vertex, "/v1"):video { "A cat", duration = 8.0, seed = 0, fps = 24 })
    assert.equal("sk-canary", s:requests()[1].headers["x-goog-api-key"])
    assert.same({ durationSeconds = 8, seed = 0, fps = 24 }, body_of(1).parameters)
    assert(s:requests()[1].body:find('"durationSeconds":8,', 1, true))
  end)

  it("veo: goes on with a clip, and out as it is written", function()
    for _, case in ipairs {
      { client(studio, "/v1"), "https://h/v1beta/files/x", { uri = "https://h/v1beta/files/x" } },
      { client(vertex, "/v1"), "gs://b/clip.mp4", { gcsUri = "gs://b/clip.mp4", mimeType = "video/mp4" } },
    } do
      s:clear()
      s:script(json { name = "models/vm/operations/op1" }, { path = "/v1/models/vm:predictLongRunning" })
      assert(case[1]:video { "And on", mm.video { url = case[2] }, model = "models/vm" })
      assert.same({ instances = { { prompt = "And on", video = case[3] } } }, body_of(1))
      local _, err = case[1]:video { "On", mm.video { url = case[2] }, mm.video { url = case[2] } }
      assert.same({ "unsupported", "messages[1].content[3]" }, { err.kind, err.part })
    end
    s:script(json { name = "models/other/operations/op1" }, { path = "/v1/models/other:predictLongRunning" })
    assert(client(studio, "/v1"):video(mm.raw { model = "other", instances = { { prompt = "Hi" } } }))
    assert.same({ instances = { { prompt = "Hi" } } }, body_of(2))
  end)

  it("veo: fails as its operation says, and where all was filtered", function()
    local ai, name = client(studio, "/v1beta"), "models/vm/operations/op1"
    for _, case in ipairs {
      { { name = name, error = { code = 3, message = "Bad." } }, "task_failed", "Bad." },
      { { name = name, done = true, response = { generateVideoResponse = {
        raiMediaFilteredCount = 1, raiMediaFilteredReasons = { "Violence." } } } }, "content_filter", "Violence." },
      { { name = name, done = true, response = {} }, "no_output", "the task succeeded, and has no video" },
    } do
      s:script(json(case[1]), { path = "/v1beta/" .. name })
      local _, err = assert(ai:task(name)):wait()
      assert.same({ case[2], case[3] }, { err.kind, err.message })
    end
    assert.equal("generate_audio", select(2, ai:video { "Hi", generate_audio = true }).part)
    assert.equal("unsupported", select(2, ai:video { "Hi", mm.image "https://h/a.png" }).kind)
    s:script(json { name = "../../steal" })
    assert.is_true(select(2, ai:video "Hi").maybe_accepted)
  end)

  it("of a user's own is a table of functions, as the docs have it", function()
    local file = assert(io.open("docs/tasks.md"))
    local text = file:read("*a")
    file:close()
    local gateway = assert((loadstring or load)(text:match("```lua\n(.-)```")))() -- luacheck: ignore 113
    local ai = client(gateway, "/api/paas/v4")
    s:script(json { id = "z1", request_id = "r1", task_status = "PROCESSING" }, { path = "/api/paas/v4/videos/generations" })
    s:script(json { request_id = "r2", task_status = "PROCESSING" }, { path = "/api/paas/v4/async-result/z1" })
    s:script(json { task_status = "SUCCESS", video_result = { { url = "https://h/v.mp4", cover_image_url = "https://h/c.png" } } },
      { path = "/api/paas/v4/async-result/z1" })
    local task = assert(ai:video { "A cat", mm.image "https://h/cat.png", resolution = "1920x1080" })
    assert.same({ model = "vm", prompt = "A cat", size = "1920x1080", image_url = "https://h/cat.png" }, body_of(1))
    assert.equal("r1", task.request_id)
    local video = assert(task:wait())
    assert.same({ "https://h/v.mp4", 2, "image" }, { video.url, #task.outputs, task.outputs[2].kind })
    assert.equal("duration", select(2, ai:video { "Hi", duration = 5 }).part)
    for _, more in ipairs { mm.image "https://h/b.png", mm.video "https://h/v.mp4" } do
      local none, err = ai:video { "A cat", mm.image "https://h/a.png", more }
      assert.is_nil(none)
      assert.same({ "unsupported", "messages[1].content[3]", "cogvideox" }, { err.kind, err.part, err.gateway })
    end
    s:script(json { id = "z1", task_status = "FAIL" }, { path = "/api/paas/v4/async-result/z1" })
    assert.equal("task_failed", select(2, assert(ai:task "z1"):wait()).kind)
  end)

  it("that lacks a function is told at once", function()
    local ai = client({ name = "x", base_url = "https://h", tasks = { dialect = { create = print } } }, "/v1")
    assert.error_matches(function() ai:video "Hi" end, "tasks.dialect.created: expected a function, got nil")
    ai = client({ name = "x", base_url = "https://h", tasks = { dialect = "arc" } }, "/v1")
    assert.error_matches(function() ai:video "Hi" end, 'tasks.dialect: "arc" is unknown')
    assert.error_matches(function() client({ name = "x", tasks = { dialekt = "ark" } }, "/v1") end, "tasks: dialekt: unknown option")
  end)
end)
