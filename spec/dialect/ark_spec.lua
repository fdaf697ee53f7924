--- Ark's tasks as a pure function: what a prompt and its settings become, which go together, and what models are known to refuse.
local ark = require("multimodal.dialect.task.ark")
local core = require("multimodal.core")
local media = require("multimodal.media")
local mm = require("multimodal")

local function prompt_of(list)
  local prompt, texts = { parts = {}, places = {} }, {}
  for i, part in ipairs(list) do
    if type(part) == "string" then part = { type = "text", text = part } end
    prompt.parts[i], prompt.places[i] = part, "part " .. i
    if part.type == "text" then texts[#texts + 1] = part.text end
  end
  prompt.text = table.concat(texts, "\n\n")
  return prompt
end

--- A creation: options, and the parts as fields 1, 2 ...
local function create(given)
  local options = { model = "m" }
  for name, value in pairs(given) do
    if type(name) == "string" then options[name] = value end
  end
  local wire, err, warnings = ark.create(prompt_of(given), options, { tasks = {} })
  return wire and wire.body, err, warnings
end

local function refused(given)
  local body, err = create(given)
  assert.is_nil(body)
  return err.code or err.kind
end

local function warned(given)
  local _, err, warnings = create(given)
  assert.is_nil(err)
  return table.concat(warnings, "; ")
end

local function picture(role) return mm.image { "https://h/a.png", role = role } end

local function pictures(n, role)
  local list = {}
  for i = 1, n do list[i] = picture(role) end
  return list
end

local function with(list, options)
  for name, value in pairs(options) do list[name] = value end
  return list
end

local video, audio = mm.video "https://h/v.mp4", mm.audio "https://h/a.mp3"

describe("ark #small", function()
  it("sends every field by its full name, 0 and false too", function()
    local body = assert(create {
      "Hi", duration = -1, resolution = "720p", aspect_ratio = "adaptive", seed = 0, camera_fixed = false, watermark = false,
      generate_audio = false, draft = false, return_last_frame = false, service_tier = "default", callback_url = "https://h/c",
      extra = {
        execution_expires_after = 3600, priority = 0, safety_identifier = "u", tools = core.array { { type = "web_search" } },
        output_format = "mov", omni_reference_task_type = "edit",
      },
    })
    assert.equal('{"callback_url":"https://h/c","camera_fixed":false,"content":[{"text":"Hi","type":"text"}],"draft":false,'
      .. '"duration":-1,"execution_expires_after":3600,"generate_audio":false,"model":"m","omni_reference_task_type":"edit",'
      .. '"output_format":"mov","priority":0,"ratio":"adaptive","resolution":"720p","return_last_frame":false,'
      .. '"safety_identifier":"u","seed":0,"service_tier":"default","tools":[{"type":"web_search"}],"watermark":false}',
      tostring(core.body(body)))
    assert.equal("4294967295", tostring(core.body(assert(create { "Hi", seed = 4294967295 }))):match('"seed":(%d+)'))
    assert.equal(289, assert(create { "Hi", frames = 289 }).frames)
  end)

  it("writes flags in one order, single spaces between them, and leaves what the user wrote", function()
    local given = { "A  cat --wm true", duration = 5.0, camera_fixed = true, seed = -1, params_style = "inline" }
    assert.equal("A  cat --wm true --duration 5 --seed -1 --camerafixed true", assert(create(given)).content[1].text)
    given[1] = ""
    assert.equal("--duration 5 --seed -1 --camerafixed true", assert(create(given)).content[1].text)
    given = { picture(), duration = 5, params_style = "inline" }
    assert.equal(5, assert(create(given)).duration)
    local both = "A cat --frames 29 --dur 5 --dur 6"
    assert.equal(both, assert(create { both }).content[1].text)
  end)

  it("finds a flag wherever it stands", function()
    for _, text in ipairs {
      "--dur 5", "cat\n--dur 5", "cat --wm --dur 5", "cat --seed -1 --dur -1", "一只猫--dur 5", "cat --DUR 5", "cat --duration",
      "cat\t--duration 5 ",
    } do
      assert.equal("conflicting_option", refused { text, duration = 5 }, text)
      assert.equal("conflicting_option", refused { text, duration = 5, params_style = "inline" }, text)
      assert.equal("conflicting_option", refused { text, extra = { duration = 5 } }, text)
    end
    for _, text in ipairs { "a--dur 5", "---dur 5", "-dur 5", "- -dur 5", "cat --during 5", "dur 5", "cat --" } do
      assert.equal(5, assert(create { text, duration = 5 }).duration, text)
    end
  end)

  it("takes no setting as an option and in extra", function()
    for option, case in pairs {
      duration = { 5, "duration" }, aspect_ratio = { "1:1", "ratio" }, watermark = { false, "watermark" }, draft = { true, "draft" },
      seed = { 0, "seed" }, return_last_frame = { true, "return_last_frame" },
    } do
      assert.equal("conflicting_option", refused { "Hi", [option] = case[1], extra = { [case[2]] = case[1] } }, option)
    end
  end)

  it("rules out by extra and by flags what it rules out by options", function()
    for _, given in ipairs {
      { "Hi", frames = 29, extra = { duration = 5 } }, { "Hi --dur 5", extra = { frames = 29 } },
      { "Hi --rs 720p", draft = true }, { "Hi", resolution = "1080p", extra = { draft = true } },
      { "Hi", draft = true, extra = { service_tier = "flex" } }, { "Hi", draft = true, extra = { return_last_frame = true } },
      { "Hi --cf true", picture "reference_image" }, { "Hi", service_tier = "flex", extra = { priority = 0 } },
    } do
      assert.equal("conflicting_option", refused(given))
    end
    assert(create { "Hi --rs 480p", draft = true })
    assert(create { "Hi --cf false", picture "reference_image" })
  end)

  it("has its modes, each alone", function()
    for _, given in ipairs {
      { "Hi" }, { picture() }, { "Hi", picture "first_frame" }, { picture "first_frame", picture "last_frame" },
      { picture "last_frame", "Hi", picture "first_frame" }, pictures(30, "reference_image"),
      { "Hi", picture "reference_image", video, video, video, audio, audio, audio }, { "Hi", video, audio },
      { { type = "draft_task", draft_task = { id = "cgt-0" } }, resolution = "720p" },
    } do
      assert(create(given))
    end
    for code, list in pairs {
      role = {
        { picture(), picture() }, { picture(), picture "first_frame" }, { picture(), picture "last_frame" }, { picture "last_frame" },
        pictures(2, "first_frame"), { picture "first_frame", picture "last_frame", picture "last_frame" }, { picture "cover" },
        { mm.video { "https://h/v.mp4", role = "first_frame" } }, { mm.audio { "https://h/a.mp3", role = "reference_video" } },
        pictures(31, "reference_image"), { video, video, video, video }, { video, audio, audio, audio, audio }, { "Hi", audio },
        { "Hi", { type = "audio_url", audio_url = { url = "https://h/a.mp3" } } },
      },
      conflicting_option = {
        { picture "reference_image", picture() }, { picture "reference_image", picture "first_frame" },
        { picture "reference_image", picture "first_frame", picture "last_frame" }, { picture(), video },
        { picture "first_frame", video }, { picture(), { type = "video_url", video_url = { url = "https://h/v.mp4" } } },
        { "Hi", { type = "draft_task", draft_task = { id = "x" } } }, { picture(), { type = "draft_task", draft_task = { id = "x" } } },
        { { type = "draft_task", draft_task = { id = "x" } }, { type = "draft_task", draft_task = { id = "y" } } },
      },
      unsupported = {
        { mm.file { bytes = "%PDF-1.7 x" } }, { mm.video { bytes = "x", mime = "video/mp4" } }, { mm.image "gs://b/a.png" },
        { mm.image "s3://b/a.png" },
      },
    } do
      for i, given in ipairs(list) do assert.equal(code, refused(given), i) end
    end
  end)

  it("names the place of what it refuses", function()
    local _, err = create { "Hi", picture "first_frame", picture "first_frame" }
    assert.equal("part 2", err.part)
  end)

  it("writes media as data URLs in lower case, links and assets as they are", function()
    local png = "\137PNG\r\n\26\n" .. ("\0"):rep(24)
    local body = assert(create { mm.image { bytes = png, mime = "image/PNG", role = "reference_image" },
      mm.image { file_id = "asset://a1", role = "reference_image" }, mm.image { file_id = "a2", role = "reference_image" },
      mm.image { url = "HTTPS://h/a.png", role = "reference_image" } })
    local urls = {}
    for i, item in ipairs(body.content) do
      urls[i] = tostring(core.body { item.image_url.url }):sub(3, -3)
      assert.equal("reference_image", item.role)
      assert.is_nil(item.image_url.role)
    end
    assert.same({ core.data_url("image/png", png), "asset://a1", "asset://a2", "HTTPS://h/a.png" }, urls)
    local clip = media.from_url("video", "https://h/made.mp4")
    clip.blob = core.blob("clip", "video/mp4")
    assert.equal("https://h/made.mp4", assert(create { "Edit", clip }).content[2].video_url.url)
  end)

  it("warns of what Ark says it refuses of media", function()
    local function jpeg(width, height)
      local high, wide = math.floor(height / 256), math.floor(width / 256)
      return mm.image { bytes = "\255\216\255\192\0\17\8" .. string.char(high, height % 256, wide, width % 256)
        .. "\3\1\34\0\2\17\1\3\17\1" }
    end
    assert.equal("", warned { jpeg(640, 480) })
    assert.matches("sides of 300 to 6000 pixels", warned { jpeg(299, 400) })
    assert.matches("sides of 300 to 6000 pixels", warned { jpeg(6001, 6000) })
    assert.matches("less than 2.5 to 1", warned { jpeg(1000, 400) })
    assert.matches("less than 2.5 to 1", warned { jpeg(400, 1000) })
    assert.equal("", warned { jpeg(999, 400) })
    assert.matches("part 1: Ark takes no image/svg%+xml as a picture", warned { mm.image { bytes = "<svg/>", mime = "image/svg+xml" } })
    local sound = mm.audio { bytes = "OggS", mime = "audio/ogg" }
    assert.matches("part 3: Ark takes no audio/ogg as a sound", warned { "Hi", video, sound })
    local writer = core.blob_writer { mime = "image/bmp" }
    for _ = 1, 30 do writer:write(("x"):rep(1000000)) end
    local big = writer:finish()
    assert.matches("pictures below 30 MB", warned { mm.image { blob = big } })
    assert.matches("64 MB", warned { mm.image { blob = big, role = "reference_image" }, mm.image { blob = big, role = "reference_image" } })
    big:close()
  end)

  it("warns of what a model is known to refuse, and sends it", function()
    local one, lite, fast = "doubao-seedance-1-0-pro-250528", "doubao-seedance-1-0-lite-i2v-250428", "doubao-seedance-1-0-pro-fast-251015"
    local onefive, two, small = "seedance-1-5-pro-251215", "doubao-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128"
    local newest = "dreamina-seedance-2-5-x"
    for _, case in ipairs {
      { one, { "Hi", duration = 1 }, "duration: 2 to 12 seconds" }, { one, { "Hi --dur 13" }, "duration: 2 to 12 seconds" },
      { one, { "Hi", duration = -1 }, "duration: 2 to 12" }, { onefive, { "Hi", duration = 3 }, "duration: 4 to 12" },
      { two, { "Hi", duration = 16 }, "duration: 4 to 15" }, { newest, { "Hi", duration = 31 }, "duration: 4 to 30" },
      { onefive, { "Hi", frames = 29 }, "frames: known to the 1.0" }, { one, { "Hi", draft = true }, "draft: known to 1.5" },
      { one, { "Hi", generate_audio = true }, "generate_audio: " }, { two, { "Hi", camera_fixed = true }, "camera_fixed: " },
      { two, { "Hi", service_tier = "flex" }, "service_tier: " }, { one, { "Hi", extra = { priority = 1 } }, "priority: " },
      { small, { "Hi", resolution = "1080p" }, "no 1080p" }, { small, { "Hi", resolution = "4k" }, "no 4k" },
      { lite, { "Hi", picture "reference_image", resolution = "1080p" }, "no 1080p with reference images" },
      { one, { "Hi", aspect_ratio = "adaptive" }, "adaptive only with a picture" },
      { fast, { picture "first_frame", picture "last_frame" }, "a first frame alone" },
      { lite, pictures(5, "reference_image"), "at most 4" }, { two, pictures(10, "reference_image"), "at most 9" },
      { one, { "Hi", video }, "no reference video or audio" }, { one, pictures(1, "reference_image"), "at most 0" },
    } do
      local words = warned(with(case[2], { model = case[1] }))
      assert(words:find(case[3], 1, true), case[1] .. ": " .. words)
    end
    for _, case in ipairs {
      { one, { "Hi", duration = 12, frames = nil, resolution = "1080p" } }, { one, { picture(), aspect_ratio = "adaptive" } },
      { onefive, { "Hi", duration = -1, generate_audio = true, service_tier = "flex" } }, { onefive, { "Hi", draft = true } },
      { two, with(pictures(9, "reference_image"), { resolution = "4k", extra = { priority = 9 } }) },
      { newest, with(pictures(30, "reference_image"), { duration = 30 }) }, { lite, pictures(4, "reference_image") },
      { "ep-20260101-abc", { "Hi", duration = 999 } }, { "seedance-9-9", { "Hi", duration = 999 } },
    } do
      assert.equal("", warned(with(case[2], { model = case[1] })), case[1])
    end
  end)

  it("waits for the flex tier as long as that may take", function()
    assert.equal(900, ark.timeout {})
    assert.equal(172800, ark.timeout { options = { service_tier = "flex" } })
    assert.equal(259200, ark.timeout { options = { service_tier = "flex", extra = { execution_expires_after = 259200 } } })
    assert.equal(7200, ark.timeout { raw = { service_tier = "flex", execution_expires_after = 7200 } })
  end)

  it("reads what a look shows, in the words of old gateways too", function()
    local seen = ark.status {
      id = "cgt-1", model = "m", status = "succeeded", error = nil, updated_at = "1778755025", created_at = 1778754737,
      content = { video_url = "https://h/v.mp4", last_frame_url = "https://h/l.png", file_url = "" },
      usage = { completion_tokens = 108900, total_tokens = 108900 },
    }
    assert.same({ 1778754737, 1778755025, 2 }, { seen.created_at, seen.updated_at, #seen.outputs })
    assert.same({ kind = "video", url = "https://h/v.mp4", expires_at = 1778755025 + 86400 }, seen.outputs[1])
    assert.same({ "image", "last_frame", "image/png" }, { seen.outputs[2].kind, seen.outputs[2].role, seen.outputs[2].mime })
    for _, told in ipairs { { error = { code = "X", message = "No." } }, { failure_reason = { code = "X", message = "No." } } } do
      assert.same({ "X", "No." }, { ark.status(told).error.code, ark.status(told).error.message })
    end
    assert.equal("No.", ark.status({ failure_reason = "No." }).error.message)
    assert.is_nil(ark.status({ error = "" }).error)
    assert.same({}, ark.status({ content = { video_url = "javascript:1" } }).outputs)
    assert.is_nil(ark.created {})
    assert.is_nil(ark.created { id = "" })
  end)

  it("knows what went wrong by how a code begins", function()
    for kind, codes in pairs {
      bad_request = "400 MissingParameter InvalidParameter InvalidParameter.content InvalidEndpoint.ClosedEndpoint "
        .. "InvalidImageURL OversizeImage",
      content_filter = "400 SensitiveContentDetected SensitiveContentDetected.X InputTextSensitiveContentDetected "
        .. "InputImageSensitiveContentDetected InputImageSensitiveContentDetected.PrivacyInformation "
        .. "InputVideoSensitiveContentDetected OutputVideoSensitiveContentDetected",
      auth = "401 AuthenticationError", permission = "403 AccessDenied OperationDenied.PermissionDenied",
      billing = "403 AccountOverdueError OperationDenied.ServiceOverdue",
      not_found = "404 InvalidEndpointOrModel.NotFound InvalidEndpointOrModel.ModelIDAccessDisabled ModelNotOpen NotFound.Task "
        .. "UnsupportedModel",
      rate_limit = "429 RateLimitExceeded.EndpointRPMExceeded RateLimitExceeded.EndpointTPMExceeded ModelAccountRpmRateLimitExceeded "
        .. "ModelAccountTpmRateLimitExceeded ModelAccountIpmRateLimitExceeded RequestBurstTooFast InflightBatchsizeExceeded",
      overloaded = "429 ServerOverloaded ModelLoadingError", quota = "429 QuotaExceeded SetLimitExceeded",
      server = "500 InternalServiceError",
    } do
      local status = tonumber(codes:match("^%d+"))
      for code in codes:gmatch("%a%S+") do
        local body = { error = { code = code, message = "No. Request id: 0217", param = "content", type = "BadRequest" } }
        local err = ark.failure(status, {}, { type = "error", data = tostring(core.body(body)) })
        assert.same({ kind, code, "0217" }, { err.kind, err.code, err.request_id })
        assert.equal(kind == "rate_limit" or kind == "overloaded" or kind == "server", err.retryable, code)
      end
    end
  end)
end)
