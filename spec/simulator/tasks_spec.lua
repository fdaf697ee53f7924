--- The whole life of a task at the simulator, and every bad turn that it can be asked for.
local core = require("multimodal.core")
local mm = require("multimodal")
local simulator = require("multimodal.simulator")
local tasks = require("support.tasks")

describe("the simulator's tasks", function()
  local sim, ai
  setup(function() sim = assert(simulator.start()) end)
  teardown(function() sim:stop() end)
  before_each(function()
    ai = mm.client {
      gateway = "yourouter", base_url = sim.url, api_key = "any", video_model = "seedance", clock = tasks.clock(), private = true,
    }
  end)

  local function begin(life, words)
    return ai:video { words or life, headers = life and { ["X-Simulate"] = "task=" .. life } or nil }
  end

  --- How many tasks there are whose prompt went out under this model.
  local function made(model)
    return assert(ai:tasks { model = model }).total
  end

  it("are created, looked at, and end with a clip", function()
    local task, states = assert(begin(nil, "A cat")), {}
    local video = assert(task:wait { on_progress = function(now) states[#states + 1] = now.state end })
    assert.same({ "queued", "running", "succeeded" }, states)
    assert.equal(108900, task.usage.total_tokens)
    local path = os.tmpname()
    assert(video:save(path, { overwrite = true }))
    assert.equal("video/mp4", core.mime_sniff(core.blob_file(path):bytes()))
    os.remove(path)
    assert(task:delete())
    assert.equal("not_found", select(2, assert(ai:task(task.id)):wait()).kind)
  end)

  it("end badly where that is asked for (H11, H12)", function()
    for life, case in pairs {
      failed = { "task_failed", "InternalServiceError" }, filtered = { "content_filter", "OutputVideoSensitiveContentDetected" },
      expired = { "task_expired" }, cancelled = { "cancelled" },
    } do
      local video, err = assert(begin(life)):wait()
      assert.is_nil(video)
      assert.same(case, { err.kind, err.code })
    end
  end)

  it("have a rough life that ends well (H10)", function()
    assert.equal("video", assert(assert(begin "rough"):wait()).kind)
  end)

  it("are quick", function()
    local task, states = assert(begin "quick"), {}
    assert(task:wait { on_progress = function(now) states[#states + 1] = now.state end })
    assert.same({ "succeeded" }, states)
  end)

  it("repeat what was asked for, and have a last frame", function()
    local task = assert(ai:video { "A cat", seed = 0, duration = 5, aspect_ratio = "1:1", return_last_frame = true, params_style = "json" })
    assert(task:wait())
    assert.same({ 0, 5, "1:1", 24 }, { task.raw.seed, task.raw.duration, task.raw.ratio, task.raw.framespersecond })
    local frame = task.outputs[2]
    assert.same({ "last_frame", "image/png" }, { frame.role, core.mime_sniff(assert(frame:bytes())) })
    assert.is_true(math.abs(os.time() - task.updated_at) < 60 and task.created_at <= task.updated_at)
  end)

  it("tell what they were made of: a picture that was drawn is the first frame", function()
    local drawn = assert(ai:image { "A sunset", model = "painter" }).images[1]
    local first, last = mm.image { drawn, role = "first_frame" }, mm.image { "https://h/b.png", role = "last_frame" }
    local task = assert(ai:video { "Slow pan", first, last })
    assert(task:wait())
    local sum = core.sha256():update(assert(drawn:bytes())):hex()
    for _, words in ipairs { "sha256 " .. sum, "https://h/b.png", 'You said: "Slow pan"', "Roles: first_frame, last_frame." } do
      assert(task.raw.revised_prompt:find(words, 1, true), task.raw.revised_prompt)
    end
  end)

  it("have a clip whose first link is dead, and one that breaks on its way", function()
    local path = os.tmpname()
    local whole = assert(assert(begin "quick"):wait()):bytes()
    for life, looks in pairs { stale = 2, torn = 1 } do
      local log = {}
      ai = ai:with { observe = function(record) log[#log + 1] = record.event == "request" and record.method or nil end }
      local task = assert(begin(life))
      local video, states = assert(task:wait()), {}
      assert(video:save(path, { overwrite = true, on_progress = function(now) states[#states + 1] = now.state end }))
      assert.equal(whole, core.blob_file(path):bytes())
      assert.equal("succeeded", states[#states])
      assert.equal("POST " .. ("GET "):rep(2 + looks), table.concat(log, " ") .. " ")
    end
    os.remove(path)
  end)

  it("are slow, and live on", function()
    local task = assert(begin "slow")
    local _, err = task:wait { timeout = 60 }
    assert.same({ "timeout", "running" }, { err.kind, task.state })
    assert.equal("not_cancellable", select(2, task:cancel()).code)
  end)

  it("are begun once whatever the answer (H13), and again after a refusal (H14)", function()
    for _, life in ipairs { "lost", "broken" } do
      ai = ai:with { video_model = life }
      local task, err = begin(life)
      assert.is_nil(task)
      assert.same({ true, 1 }, { err.maybe_accepted, made(life) })
    end
    ai = ai:with { video_model = "busy" }
    local task = assert(begin "busy")
    assert.same({ 2, 1 }, { task.attempts, made "busy" })
  end)

  it("are cancelled while they are queued", function()
    local task = assert(begin(nil, "A dog"))
    assert(task:cancel())
    assert.equal("cancelled", select(2, assert(ai:task(task:dump())):wait()).kind)
    assert.equal("cancelled", assert(ai:tasks { ids = { task.id } })[1].state)
  end)

  it("are listed page by page, the youngest first", function()
    ai = ai:with { video_model = "paged" }
    local ids = {}
    for i = 1, 5 do ids[i] = assert(begin(nil, "A cat")).id end
    local first, second = assert(ai:tasks { model = "paged", limit = 3 }), assert(ai:tasks { model = "paged", limit = 3, page = 2 })
    assert.same({ 5, 3, ids[5], ids[3] }, { first.total, #first, first[1].id, first[3].id })
    assert.same({ 5, 2, ids[2], ids[1] }, { second.total, #second, second[1].id, second[2].id })
    assert.equal(0, #assert(ai:tasks { model = "paged", service_tier = "flex" }))
  end)

  it("all go as the simulator is told", function()
    local other = assert(simulator.start { task = "filtered" })
    local _, err = assert(ai:with({ base_url = other.url }):video "Hi"):wait()
    assert.equal("content_filter", err.kind)
    other:stop()
    local lua = jit and "luajit" or "lua" .. _VERSION:match("%d%.%d")
    local pipe = io.popen(lua .. " bin/multimodal simulate --task odd 2>&1")
    assert.is_truthy(pipe:read("*a"):find('simulator: task: "odd" is none of broken, busy, ', 1, true))
    pipe:close()
    local task
    task, err = begin "odd"
    assert.is_nil(task)
    assert.equal("InvalidParameter", err.code)
  end)

  it("are refused without a model or content", function()
    local task, err = ai:video(mm.raw { model = "seedance", content = core.array {} })
    assert.is_nil(task)
    assert.same({ "bad_request", "MissingParameter" }, { err.kind, err.code })
  end)
end)
