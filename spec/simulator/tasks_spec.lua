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

  it("are refused without a model or content", function()
    local task, err = ai:video(mm.raw { model = "seedance", content = core.array {} })
    assert.is_nil(task)
    assert.same({ "bad_request", "MissingParameter" }, { err.kind, err.code })
  end)
end)
