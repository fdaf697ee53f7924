--- ai:video and tasks at Ark's endpoint: what is sent, what comes of it, and how often the paid request is made.
local cjson = require("cjson").new()
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")
local tasks = require("support.tasks")

local place = "/api/v3/contents/generations/tasks"
local seed = "A cinematic product shot with soft studio lighting"

describe("a video", function()
  local s, ai
  before_each(function()
    s = server.start()
    ai = tasks.client(s)
  end)
  after_each(function() s:stop() end)

  local function created(id, headers)
    s:script(server.json(200, { id = id or "cgt-1" }, { headers = headers }), { path = place })
  end

  --- The states that the following looks at a task bring: names, or steps.
  local function looks(list, id)
    for _, step in ipairs(list) do
      s:script(type(step) == "string" and tasks.task(id or "cgt-1", step) or step, { path = place .. "/" .. (id or "cgt-1") })
    end
  end

  local function sent(prompt, more, client)
    created()
    local before = #s:requests()
    local task = assert((client or ai):video(prompt, more))
    local request = assert(s:requests(before + 1))[before + 1]
    return cjson.decode(request.body), request, task
  end

  local function refused(prompt, more)
    local before = #s:requests()
    local task, err = ai:video(prompt, more)
    assert.is_nil(task)
    assert.equal(before, #s:requests())
    return err
  end

  local function done(more)
    local body = { content = { video_url = s.url .. "/v.mp4?X-Tos-Signature=abc" }, updated_at = 1778755025 }
    for name, value in pairs(more or {}) do body[name] = value end
    return tasks.task("cgt-1", "succeeded", body)
  end

  it("Y13 goes to /api/v3, beside /v1, with Bearer and JSON and no vendor", function()
    local _, request = sent(seed)
    assert.same({ "POST", place }, { request.method, request.path })
    assert.same({ "Bearer sk-canary", "application/json" }, { request.headers.authorization, request.headers["content-type"] })
    assert.is_nil(request.headers.vendor)
    local own = mm.client { gateway = "yourouter", api_key = "canary-k", model = "m" }
    assert.equal("https://api.yourouter.ai/api/v3", require("multimodal.client.task_side").of(own).base.root)
    for given, root in pairs {
      ["http://h:1/v1"] = "http://h:1/api/v3", ["http://h:1/x/v1"] = "http://h:1/x/api/v3", ["http://h:1"] = "http://h:1/api/v3",
      ["http://h:1/api/v3"] = "http://h:1/api/v3",
    } do
      assert.equal(root, require("multimodal.client.task_side").of(own:with { base_url = given }).base.root)
    end
  end)

  it("Y14 is asked for in the words of the guide, byte by byte", function()
    local expected = {
      model = "doubao-seedance-1-0-pro-250528",
      content = { { type = "text", text = seed .. " --duration 5 --resolution 1080p" } },
    }
    assert.same(expected, (sent(seed .. " --duration 5 --resolution 1080p")))
    assert.same(expected, (sent(seed, { duration = 5, resolution = "1080p" })))
    assert.same(expected, (sent { seed, duration = 5.0, resolution = "1080p" }))
  end)

  it("has its settings as fields, or as flags in one order", function()
    local options = {
      duration = 5, resolution = "720p", aspect_ratio = "16:9", seed = 0, camera_fixed = false, watermark = true, fps = 24,
      generate_audio = false, return_last_frame = true, service_tier = "default", callback_url = "https://h/c", params_style = "json",
      extra = { priority = 3 },
    }
    local body = sent("Hi", options)
    assert.same({
      model = "doubao-seedance-1-0-pro-250528", content = { { type = "text", text = "Hi" } }, duration = 5, resolution = "720p",
      ratio = "16:9", seed = 0, camera_fixed = false, watermark = true, generate_audio = false, return_last_frame = true,
      service_tier = "default", callback_url = "https://h/c", priority = 3,
    }, body)
    options.params_style = "inline"
    body = sent("Hi", options)
    assert.equal("Hi --duration 5 --resolution 720p --ratio 16:9 --framespersecond 24 --seed 0 --camerafixed false --watermark true",
      body.content[1].text)
    assert.same({ nil, false, true }, { body.duration, body.generate_audio, body.return_last_frame })
    assert.equal(29, sent("Hi", { frames = 29, params_style = "json" }).frames)
  end)

  it("never rewrites flags, and takes no setting twice, even if equal", function()
    local words = "Two  cats --rs 720p --dur 5  --wm true -- and --more"
    assert.equal(words, sent(words).content[1].text)
    for flag, more in pairs {
      ["--duration 5"] = { duration = 5 }, ["--dur 5"] = { duration = 5 }, ["--rs 720p"] = { resolution = "720p" },
      ["--rt 1:1"] = { aspect_ratio = "1:1" }, ["--cf true"] = { camera_fixed = true }, ["--wm false"] = { watermark = false },
      ["--seed 3"] = { seed = 3 }, ["--fps 24"] = { fps = 24 }, ["--frames 29"] = { frames = 29 },
      ["--ratio 1:1"] = { extra = { ratio = "1:1" } }, ["--dur 4"] = { frames = 29 },
    } do
      for _, style in ipairs { "json", "inline" } do
        more.params_style = style
        local err = refused("A cat " .. flag, more)
        assert.same({ "bad_request", "conflicting_option" }, { err.kind, err.code }, flag)
      end
    end
  end)

  it("refuses what rules itself out, and what no setting can be", function()
    for _, case in ipairs {
      { { duration = 5, frames = 29 }, "conflicting_option" }, { { draft = true, resolution = "720p" }, "conflicting_option" },
      { { draft = true, return_last_frame = true }, "conflicting_option" },
      { { draft = true, service_tier = "flex" }, "conflicting_option" },
      { { service_tier = "flex", extra = { priority = 1 } }, "conflicting_option" }, { { frames = 30 }, "frames" },
      { { seed = -2 }, "seed" }, { { fps = 30 }, "fps" }, { { duration = 2.5 }, "duration" },
    } do
      local err = refused("Hi", case[1])
      assert.same({ "bad_request", case[2] }, { err.kind, err.code })
    end
    assert.same({ "unsupported", "temperature" }, { refused("Hi", { temperature = 1 }).kind, refused("Hi", { temperature = 1 }).part })
    assert.equal("480p", sent("Hi", { draft = true, resolution = "480p", params_style = "json" }).resolution)
  end)

  it("Y15 begins with pictures: files, links and parts of a reply, by their role", function()
    local cat = "data:image/jpeg;base64," .. core.base64_encode(assert(core.blob_file("examples/cat.jpg"):bytes()))
    assert.same({ { type = "text", text = "Pan" }, { type = "image_url", image_url = { url = cat } } },
      sent({ "Pan", mm.image "examples/cat.jpg" }).content)
    assert.same({
      { type = "image_url", image_url = { url = "https://h/a.png" }, role = "first_frame" },
      { type = "image_url", image_url = { url = cat }, role = "last_frame" }, { type = "text", text = "From\n\nto" },
    }, sent({
      mm.image { "https://h/a.png", role = "first_frame" }, mm.image { "examples/cat.jpg", role = "last_frame" }, "From", "to",
    }).content)
    local made = mm.client { gateway = mm.mock { mm.image "examples/cat.jpg" } }
    local picture = assert(made:generate "Draw").images[1]
    assert.equal(cat, sent({ "Pan", mm.image(picture) }).content[2].image_url.url)
    assert.equal(cat, sent({ "Pan", picture }).content[2].image_url.url)
    local body = sent {
      "Mix", mm.image { "https://h/a.png", role = "reference_image" }, mm.image { file_id = "as-1", role = "reference_image" },
      mm.video "https://h/v.mp4", mm.audio "https://h/a.mp3",
    }
    assert.same({ type = "image_url", image_url = { url = "asset://as-1" }, role = "reference_image" }, body.content[3])
    assert.same({ type = "video_url", video_url = { url = "https://h/v.mp4" }, role = "reference_video" }, body.content[4])
    assert.same({ type = "audio_url", audio_url = { url = "https://h/a.mp3" }, role = "reference_audio" }, body.content[5])
    body = sent { { type = "draft_task", draft_task = { id = "cgt-0" } } }
    assert.same({ { type = "draft_task", draft_task = { id = "cgt-0" } } }, body.content)
  end)

  it("mixes no modes", function()
    local function picture(role) return mm.image { "https://h/a.png", role = role } end
    for _, case in ipairs {
      { { picture(), picture() }, "role" }, { { picture "last_frame" }, "role" },
      { { picture "first_frame", picture "first_frame" }, "role" },
      { { picture "cover" }, "role" }, { { picture "first_frame", picture "reference_image" }, "conflicting_option" },
      { { picture(), mm.video "https://h/v.mp4" }, "conflicting_option" }, { { "Hi", mm.audio "https://h/a.mp3" }, "role" },
      { { "Hi", { type = "draft_task", draft_task = { id = "x" } } }, "conflicting_option" },
      { { picture "reference_image", camera_fixed = true }, "conflicting_option" },
    } do
      local err = refused(case[1])
      assert.same({ "bad_request", case[2] }, { err.kind, err.code })
      assert(err.part, "no place")
    end
    assert.equal("unsupported", refused({ "Hi", mm.file { bytes = "%PDF-1.7 x" } }).kind)
    assert.equal("unsupported", refused({ messages = { mm.assistant "Hello" }, "Hi" }).kind)
    assert.equal("ENOENT", refused({ "Hi", mm.image "no/such.png" }).code)
  end)

  it("Y16 Y17 H10 is polled until it is there, whatever the looks bring", function()
    created()
    looks {
      server.json(404, { error = { code = "NotFound", message = "no such task" } }), "queued", "running",
      server.json(429, { error = { code = "RateLimitExceeded.EndpointRPMExceeded", message = "Slow" } },
        { headers = { ["Retry-After"] = 1 } }),
      "warming_up", done(),
    }
    local task = assert(ai:video(seed))
    assert.same({ "cgt-1", "queued" }, { task.id, task.state })
    local states = {}
    local video = assert(task:wait { on_progress = function(now)
      states[#states + 1] = now.what .. " " .. now.state
      assert.equal("number", type(now.elapsed))
    end })
    assert.same({ "task queued", "task running", "task running", "task succeeded" }, states)
    assert.same({ "video", s.url .. "/v.mp4?X-Tos-Signature=abc" }, { video.kind, video.url })
    assert.equal(1778755025 + 86400, video.expires_at)
    assert.same({ 1, 6 }, { tasks.count(s, "POST"), tasks.count(s, "GET") })
    local look = s:requests()[2]
    assert.same({ "Bearer sk-canary", nil, 0 }, { look.headers.authorization, look.headers["content-type"], look.body_bytes or 0 })
    assert.equal(video, assert(task:wait()))
    assert.equal(7, #s:requests())
  end)

  it("is saved, and its link is given no key beyond its own gateway", function()
    local other = server.start()
    created()
    looks { done({ content = { video_url = other.url .. "/v.mp4" }, usage = { completion_tokens = 7, total_tokens = 7 } }) }
    other:script(server.text(200, "clip", { headers = { ["Content-Type"] = "video/mp4" } }))
    local task, path = assert(ai:video(seed)), os.tmpname()
    local video = assert(task:wait())
    assert(video:save(path, { overwrite = true }))
    assert.equal("clip", core.blob_file(path):bytes())
    assert.is_nil(other:requests()[1].headers.authorization)
    assert.equal(7, task.usage.total_tokens)
    os.remove(path)
    other:stop()
  end)

  it("H11 H12 ends as the provider says", function()
    for _, case in ipairs {
      { "failed", { code = "OutputVideoSensitiveContentDetected", message = "No." }, "content_filter" },
      { "failed", { code = "InternalServiceError", message = "Oh." }, "task_failed" },
      { "failed", "a word", "task_failed" }, { "expired", nil, "task_expired" }, { "cancelled", nil, "cancelled" },
    } do
      created()
      looks { tasks.task("cgt-1", case[1], { error = case[2] }) }
      local task = assert(ai:video(seed))
      local video, err = task:wait()
      assert.is_nil(video)
      assert.same({ case[3], case[1], "cgt-1" }, { err.kind, task.state, err.task_id })
      if type(case[2]) == "table" then assert.same(case[2], { code = err.code, message = err.message }) end
      assert.equal(err, task.error)
      assert.equal(err, select(2, task:wait()))
      assert.same({ 1, 1 }, { tasks.count(s, "POST"), tasks.count(s, "GET") })
      s:clear()
    end
  end)

  it("H16 Y19 is asked for without a vendor, whatever the chat speaks, and with one where that is said", function()
    for _, dialect in ipairs { "openai", "gemini", "anthropic" } do
      local _, request = sent(seed, nil, ai:with { dialect = dialect })
      local headers = request.headers
      assert.same({ place, "Bearer sk-canary", nil, nil, nil, nil }, {
        request.path, headers.authorization, headers.vendor, headers["anthropic-version"], headers["x-api-key"], headers["x-goog-api-key"],
      })
    end
    assert.equal("volcengine", select(2, sent(seed, { vendor = "volcengine" })).headers.vendor)
  end)

  it("H13 is begun once where the first request may have arrived", function()
    local refusal = { error = { message = "Not now.", code = "trouble" } }
    local cases = { { { close = true } }, { { reset = true } }, server.text(429, "<html>Busy</html>"), server.text(503, "x") }
    for _, status in ipairs { 408, 500, 502, 504, 520, 524 } do cases[#cases + 1] = server.json(status, refusal) end
    cases[#cases + 1] = server.json(200, { ok = true })
    cases[#cases + 1] = { server.text(200, '{"id":"cg', { length = 100 }), { close = true } }
    for i, steps in ipairs(cases) do
      s:script(steps, { times = -1 })
      local task, err = ai:video(seed)
      assert.is_nil(task)
      assert.same({ i, true, 1, 1 }, { i, err.maybe_accepted, #s:requests(1), tasks.count(s, "POST") }, tostring(err))
      s:clear()
    end
  end)

  it("H14 is asked for again where it was refused, and not where nothing mends it", function()
    local refusal = { error = { message = "Not now.", code = "ServerOverloaded" } }
    for _, status in ipairs { 429, 503, 425, 529 } do
      s:script(server.json(status, refusal), { path = place })
      created()
      local task = assert(ai:video(seed))
      assert.same({ status, "cgt-1", 2, 2 }, { status, task.id, tasks.count(s, "POST"), task.attempts })
      s:clear()
    end
    for code, case in pairs {
      QuotaExceeded = { 429, "quota" }, SetLimitExceeded = { 429, "quota" }, AccountOverdueError = { 403, "billing" },
      ["InvalidParameter.Duration"] = { 400, "bad_request" }, InputTextSensitiveContentDetected = { 400, "content_filter" },
      AuthenticationError = { 401, "auth" }, ["AccessDenied.X"] = { 403, "permission" }, ModelNotOpen = { 404, "not_found" },
    } do
      s:script(server.json(case[1], { error = { message = "No.", code = code } }), { times = -1 })
      local task, err = ai:video(seed)
      assert.is_nil(task)
      assert.same({ case[2], code, 1, nil }, { err.kind, err.code, #s:requests(1), err.maybe_accepted })
      s:clear()
    end
  end)

  it("is not begun at another origin", function()
    local other = server.start()
    s:script { server.head(307, { Location = other.url .. place, ["Content-Length"] = 0 }) }
    local task, err = ai:video(seed)
    assert.is_nil(task)
    assert.same({ "protocol", 0 }, { err.kind, #other:requests() })
    other:stop()
  end)

  it("Y21 keeps the ids of requests", function()
    created("cgt-1", { ["X-Request-Id"] = "r1" })
    local task = assert(ai:video(seed))
    assert.same({ "r1", { "r1" } }, { task.request_id, task.request_ids })
    looks { server.json(200, { id = "cgt-1", status = "running" }, { headers = { ["X-Request-Id"] = "r2" } }) }
    assert(task:poll())
    assert.same({ "r2", { "r1", "r2" } }, { task.request_id, task.request_ids })
    looks { server.json(403, { error = { code = "AccessDenied", message = "No. Request id: r3" } }) }
    local seen, err = task:poll()
    assert.is_nil(seen)
    assert.equal("r3", err.request_id)
    s:script(server.json(400, { error = { code = "InvalidParameter", message = "No. Request id: r4" } }))
    assert.equal("r4", select(2, ai:video(seed)).request_id)
  end)

  it("is waited for only so long, and lives on", function()
    created()
    s:script(tasks.task("cgt-1", "running"), { path = place .. "/cgt-1", times = -1 })
    local task = assert(ai:video(seed))
    local video, err = task:wait { timeout = 30 }
    assert.is_nil(video)
    assert.same({ "timeout", "total", "cgt-1", true }, { err.kind, err.code, err.task_id, err.retryable })
    assert.equal("running", task.state)
    video, err = task:wait { on_progress = function() return false end }
    assert.is_nil(video)
    assert.equal("cancelled", err.kind)
    s:clear()
    looks { done() }
    assert(task:wait())
  end)

  it("fails at once where no look will mend it", function()
    created()
    looks { server.json(401, { error = { code = "AuthenticationError", message = "Bad key." } }) }
    local _, err = assert(ai:video(seed)):wait()
    assert.same({ "auth", 401 }, { err.kind, err.status })
    created()
    looks { "queued", server.json(404, { error = { code = "NotFound", message = "Gone." } }) }
    _, err = assert(ai:video(seed)):wait()
    assert.equal("not_found", err.kind)
  end)

  it("tells its changes", function()
    created()
    looks { "queued", "queued", "running", "running", done() }
    local task, seen = assert(ai:video(seed)), {}
    for now in task:watch() do seen[#seen + 1] = now.state end
    assert.same({ "queued", "running", "succeeded" }, seen)
    assert.equal("video", assert(task:wait()).kind)
  end)

  it("is cancelled while it is queued, after a look", function()
    created()
    looks { "queued", server.text(200, "{}", { headers = { ["Content-Type"] = "application/json" } }) }
    local task = assert(ai:video(seed))
    assert.equal(task, assert(task:cancel()))
    assert.same({ "cancelled", 1 }, { task.state, tasks.count(s, "DELETE") })
    for _, state in ipairs { "running", "succeeded", "failed", "expired" } do
      looks { state }
      local gone, err = assert(ai:task "cgt-1"):cancel()
      assert.is_nil(gone)
      assert.same({ "bad_request", "not_cancellable" }, { err.kind, err.code })
    end
    assert.equal(1, tasks.count(s, "DELETE"))
    looks { "queued", server.json(409, { error = { code = "X", message = "It runs." } }) }
    assert.equal("not_cancellable", select(2, assert(ai:task "cgt-1"):cancel()).code)
  end)

  it("loses its record when it is over, not before", function()
    looks { "succeeded", { server.head(204, {}) } }
    assert(assert(ai:task "cgt-1"):delete())
    for _, state in ipairs { "queued", "running", "cancelled", "warming_up" } do
      looks { state }
      assert.equal("not_deletable", select(2, assert(ai:task "cgt-1"):delete()).code)
    end
    assert.equal(1, tasks.count(s, "DELETE"))
  end)

  it("goes on from its id, its dump, or a callback", function()
    created()
    local task = assert(ai:video(seed))
    local text = task:dump()
    assert.is_nil(text:find("sk-canary", 1, true))
    assert.equal(s.url, "http://" .. cjson.decode(text).origin:match("//(.*)$"))
    for _, written in ipairs { "cgt-1", text, '{"id":"cgt-1","status":"succeeded","content":{"video_url":"http://evil/"}}' } do
      looks { "running", done() }
      local again = assert(ai:task(written))
      assert.same({ "cgt-1", 0 }, { again.id, #again.outputs })
      assert.equal(s.url .. "/v.mp4?X-Tos-Signature=abc", assert(again:wait()).url)
    end
    assert.equal(1, tasks.count(s, "POST"))
  end)

  it("is no task of another origin, whatever a text says", function()
    created()
    local text = assert(ai:video(seed)):dump()
    local other = server.start()
    local task, err = tasks.client(other):task(text)
    assert.is_nil(task)
    assert.same({ "bad_request", "origin" }, { err.kind, err.code })
    for _, bad in ipairs { "{", "a b", '{"multimodal":"task","version":2}', '{"multimodal":"chat"}', ("x"):rep(2000) } do
      assert.is_nil((ai:task(bad)), bad)
    end
    looks({ "queued" }, "..%2Fx%3Fy")
    assert(assert(ai:task "../x?y"):poll())
    other:stop()
  end)

  it("is found in the list", function()
    s:script(server.json(200, { total = 3, items = {
      { id = "a", status = "running", model = "m" }, { id = "b", status = "failed", failure_reason = { code = "X", message = "No." } }, 5,
    } }), { path = place, times = 2 })
    local list = assert(ai:tasks { ids = { "a", "b" }, model = "m", limit = 5 })
    assert.same({ 3, 2, "a", "running", "task_failed" }, { list.total, #list, list[1].id, list[1].state, list[2].error.kind })
    assert.equal("filter.model=m&filter.task_ids=a&filter.task_ids=b&page_num=1&page_size=5", s:requests()[1].path:match("?(.*)$"))
    assert.equal("b", assert(ai:tasks { state = "failed" })[1].id)
  end)

  it("is one of many that are waited for at once", function()
    for i = 1, 5 do
      created("cgt-" .. i)
      looks({ "running", tasks.task("cgt-" .. i, "succeeded", { content = { video_url = "https://h/" .. i .. ".mp4" } }) }, "cgt-" .. i)
    end
    local client = tasks.client(s, { clock = { random = function() return 0.5 end, sleep = function() mm.sleep(0) end } })
    local videos = assert(mm.map({ 1, 2, 3, 4, 5 }, function() return assert(client:video(seed)):wait() end, { limit = 5 }))
    assert.equal(5, #videos)
    assert.equal(5, tasks.count(s, "POST"))
  end)

  it("is a matter of gateways that make them, and of models that are named", function()
    local task, err = mm.client({ gateway = "openai", api_key = "canary-k", model = "m" }):video "Hi"
    assert.is_nil(task)
    assert.equal("unsupported", err.kind)
    local bare = mm.client { gateway = "yourouter", api_key = "canary-k" }
    assert.error_matches(function() bare:video "Hi" end, "video_model: expected a string")
    assert.error_matches(function() ai:generate { "Hi", model = "m", duration = 5 } end, "duration: an option of ai:video")
    assert.error_matches(function() ai.video "Hi" end, "called with a colon")
    assert.error_matches(function() assert(ai:task "x"):wait { on_progres = print } end, "did you mean on_progress")
  end)

  it("counts what it cost once, and is looked at whatever the budget", function()
    local budget = { requests = 1 }
    local client = tasks.client(s, { budget = budget })
    created()
    looks { "running", done({ usage = { completion_tokens = 7, total_tokens = 7 } }) }
    local task = assert(client:video(seed))
    assert(task:wait())
    looks { done({ usage = { completion_tokens = 7, total_tokens = 7 } }) }
    assert(task:poll())
    assert.same({ 7, 4 }, { client.spent.total_tokens, client.spent.requests })
    assert.equal("budget", select(2, client:video(seed)).kind)
    assert.equal(1, tasks.count(s, "POST"))
  end)

  it("goes out as it is written", function()
    local body = { model = "ep-1", content = { { type = "text", text = "Hi" } }, newest = true }
    assert.same(body, (sent(mm.raw(body))))
  end)
end)

describe("a gateway of Ark's own", function()
  it("has chat and tasks at one address, and settings as fields", function()
    for name, host in pairs { volcengine = "ark.cn-beijing.volces.com", byteplus = "ark.ap-southeast.bytepluses.com" } do
      local s = server.start()
      local ai = mm.client { gateway = name, api_key = "canary-k", video_model = "ep-1", base_url = s.url .. "/api/v3" }
      s:script(server.json(200, { id = "cgt-1" }), { path = place })
      assert(ai:video("Hi", { duration = 5 }))
      assert.same({ model = "ep-1", content = { { type = "text", text = "Hi" } }, duration = 5 }, cjson.decode(s:requests()[1].body))
      local own = mm.client { gateway = name, api_key = "canary-k", model = "m" }
      assert.equal("https://" .. host .. "/api/v3/chat/completions", own:request("Hi").url)
      s:stop()
    end
  end)
end)
