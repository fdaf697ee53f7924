--- on_upload: how much of a body has been sent.
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")

local answer = server.json(200, { choices = { { index = 0, finish_reason = "stop", message = { role = "assistant", content = "ok" } } } })

describe("on_upload", function()
  local s, path, ai

  setup(function()
    s = server.start()
    path = os.tmpname()
    local bytes = "\0\0\0\24ftypmp42" .. ("video"):rep(1600000)
    assert(core.file_write(path, bytes))
    assert(core.file_write(path .. ".large", bytes:rep(4)))
  end)
  teardown(function()
    s:stop()
    os.remove(path)
    os.remove(path .. ".large")
  end)
  before_each(function()
    s:clear()
    ai = mm.client { gateway = "openrouter", base_url = s.url, api_key = "canary-k", model = "m" }
  end)

  it("is told of the bytes as they leave, and of their end", function()
    s:script { { read = "all", piece = 262144, every = 0.01 }, answer }
    local seen = {}
    local reply = assert(ai:generate { "Look.", mm.video(path), on_upload = function(now) seen[#seen + 1] = now end })
    assert.equal("ok", reply.text)
    local body_bytes = assert(s:requests(1))[1].body_bytes
    local before = -1
    for i, now in ipairs(seen) do
      assert.equal("upload", now.what)
      assert.equal(i == #seen and "succeeded" or "running", now.state)
      assert.equal(body_bytes, now.total)
      assert.is_true(now.done >= before and now.done <= now.total)
      before = now.done
    end
    assert.equal(body_bytes, before)
    assert.equal(body_bytes, tonumber(s:requests()[1].headers["content-length"]))
  end)

  it("may wait, in a job and elsewhere, and hears of each attempt", function()
    for _, call in ipairs { function(fn) return fn() end, mm.run } do
      s:script(server.json(503, { error = { message = "busy" } }))
      s:script(answer)
      local ends = 0
      local reply = assert(call(function()
        return ai:generate { "Hi", clock = { sleep = function() end }, on_upload = function(now)
          mm.sleep(0.001)
          if now.state == "succeeded" then ends = ends + 1 end
        end }
      end))
      assert.equal(2, reply.attempts)
      assert.equal(2, ends)
    end
  end)

  it("stops the request when it returns false", function()
    s:script { { read = 1000 }, { stall = true } }
    local calls = 0
    local reply, err = ai:generate { "Look.", mm.video(path .. ".large"), on_upload = function()
      calls = calls + 1
      return false
    end }
    assert.is_nil(reply)
    assert.same({ "cancelled", "hook", false, 1, 1 }, { err.kind, err.code, err.maybe_accepted, err.attempts, calls })
    collectgarbage()
    assert.equal(0, require("multimodal.net").live())
  end)

  it("hears that an upload failed", function()
    s:script { { read = 1000 }, server.json(413, { error = { message = "too large" } }), { close = true } }
    local last
    local reply, err = ai:generate { "Look.", mm.video(path .. ".large"), retries = 0, on_upload = function(now) last = now end }
    assert.is_nil(reply)
    assert.is_string(err.kind)
    assert.equal("failed", last.state)
    assert.is_true(last.done < last.total)
  end)

  it("is told of what ai:http sends", function()
    s:script(server.json(200, {}))
    local last
    assert(ai:http { "POST", "/files", body = core.blob_file(path), on_upload = function(now) last = now end })
    assert.same({ "succeeded", 8000012, 8000012 }, { last.state, last.done, last.total })
  end)

  it("is told by a mock too", function()
    local fake, last = mm.mock { "Hello!" }, nil
    assert(mm.client { gateway = fake, dialect = "openai", model = "m" }:generate { "Hi", on_upload = function(now) last = now end })
    assert.equal("succeeded", last.state)
  end)
end)
