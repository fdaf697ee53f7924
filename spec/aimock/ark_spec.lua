--- Videos as tasks against a mock gateway that others wrote: @copilotkit/aimock, which knows Ark, OpenRouter and Veo.
local child = require("support.child")
local aimock = require("aimock.support")
local mm = require("multimodal")
local server = require("support.server")
local tasks = require("support.tasks")

describe("tasks at aimock #aimock", function()
  local url, stop, out
  setup(function() url, stop, out = aimock.start() end)
  teardown(function()
    stop:close()
    os.remove(out)
  end)

  local function client(gateway, root, model)
    return mm.client {
      gateway = gateway, base_url = url .. root, api_key = "mock", video_model = model or "doubao-seedance-1-0-pro-250528",
      clock = tasks.clock(), private = true,
    }
  end

  --- The states that a task goes through, as on_progress hears them.
  local function waited(task)
    local states = {}
    local video, err = task:wait { on_progress = function(now)
      if states[#states] ~= now.state then states[#states + 1] = now.state end
    end }
    return video, err, table.concat(states, " ")
  end

  for gateway, root in pairs { yourouter = "/v1", volcengine = "/api/v3", byteplus = "/api/v3" } do
    describe("of " .. gateway, function()
      local ai
      before_each(function() ai = client(gateway, root) end)

      it("are queued, run and succeed, and the clip is saved", function()
        local s, path = server.start(), os.tmpname()
        s:script(server.text(200, "a clip", { headers = { ["Content-Type"] = "video/mp4" } }), { path = "/v.mp4" })
        local task = assert(ai:video { ("a clip from %s/v.mp4"):format(s.url), mm.image "examples/cat.jpg", duration = 5 })
        assert.same({ "queued", "doubao-seedance-1-0-pro-250528" }, { task.state, task.model })
        local video, _, states = waited(task)
        assert.equal("queued running succeeded", states)
        assert(video:save(path, { overwrite = true }))
        assert.equal("a clip", child.read(path))
        assert.same({ 108900, 0, 5 }, { task.usage.total_tokens, task.raw.seed, task.raw.duration })
        local again = assert(ai:task(task:dump()))
        assert.equal(video.url, assert(again:wait()).url)
        os.remove(path)
        s:stop()
      end)

      it("fail, are filtered, expire and are cancelled", function()
        for words, case in pairs {
          ["a clip that fails"] = { "task_failed", "InternalServiceError", "It broke.", "failed" },
          ["a clip that is filtered"] = { "content_filter", "OutputVideoSensitiveContentDetected", "It may not be.", "failed" },
          ["a clip that expires"] = { "task_expired", nil, "the task did not end in its time", "expired" },
          ["a clip that is cancelled"] = { "cancelled", nil, "the task was cancelled", "cancelled" },
        } do
          local task = assert(ai:video(words))
          local video, err, states = waited(task)
          assert.is_nil(video)
          assert.same({ case[1], case[2], case[3], task.id }, { err.kind, err.code, err.message, err.task_id })
          assert.equal("queued running " .. case[4], states)
        end
      end)

      it("are not there by an unknown id", function()
        local task, err = assert(ai:task "cgt-no-such"):poll()
        assert.is_nil(task)
        assert.same({ "not_found", 404, 1 }, { err.kind, err.status, err.attempts })
        local video
        video, err = assert(ai:task "cgt-no-such"):wait()
        assert.is_nil(video)
        assert.equal("not_found", err.kind)
      end)

      it("are refused without a model, without content, and where there are too many", function()
        for _, body in ipairs { { content = { { type = "text", text = "Hi" } }, model = 1 }, { model = "m", content = "Hi" } } do
          local task, err = ai:video(mm.raw(body))
          assert.is_nil(task)
          assert.same({ "bad_request", 400 }, { err.kind, err.status })
        end
        local task, err = ai:video "a clip too many"
        assert.is_nil(task)
        assert.same({ "rate_limit", 3, nil }, { err.kind, err.attempts, err.maybe_accepted })
      end)
    end)
  end

  it("of openrouter end with bytes behind the key, or with words", function()
    local ai = client("openrouter", "/api/v1", "google/veo-3")
    local task = assert(ai:video { "a routed clip", duration = 5, resolution = "720p" })
    local video, _, states = waited(task)
    assert.equal("queued running succeeded", states)
    assert.same({ "a clip of bytes", 0.25 }, { video:bytes(), task.usage.cost })
    local _, err = waited(assert(ai:video "a routed failure"))
    assert.same({ "task_failed", "It broke." }, { err.kind, err.message })
  end)

  it("of Veo end with a link, or with words", function()
    local ai = client("google", "/v1beta", "veo-3.0-generate-001")
    local task = assert(ai:video { "a clip of Veo", aspect_ratio = "16:9" })
    local video, _, states = waited(task)
    assert.same({ "running succeeded", "https://files.example/v.mp4" }, { states, video.url })
    local _, err = waited(assert(ai:video "a failure of Veo"))
    assert.same({ "task_failed", "It broke." }, { err.kind, err.message })
  end)
end)
