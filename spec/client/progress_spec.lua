--- mm.progress: what people see of an upload, a download and a task, on a terminal and elsewhere.
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")
local simulator = require("multimodal.simulator")
local tasks = require("support.tasks")

--- What stands for a file: what was written, in pieces.
local function sink()
  return { text = "", flush = function() end, write = function(self, ...) self.text = self.text .. table.concat { ... } end }
end

local function hook_on(terminal, every)
  local out = sink()
  return mm.progress { out = out, terminal = terminal, every = every }, out
end

local function upload(done, elapsed, state)
  return { what = "upload", state = state or "running", done = done, total = 45e6, elapsed = elapsed }
end

describe("progress", function()
  it("rewrites one line on a terminal, and ends it", function()
    local show, out = hook_on(true)
    show(upload(0, 0))
    show(upload(12.34e6, 4))
    show(upload(45e6, 14, "succeeded"))
    assert.equal("\rupload: running, 0 B of 45.0 MB, 0 %, 0:00\27[K"
      .. "\rupload: running, 12.3 MB of 45.0 MB, 27 %, 3.1 MB/s, 0:04\27[K"
      .. "\rupload: succeeded, 45.0 MB, 3.2 MB/s, 0:14\27[K\n", out.text)
  end)

  it("draws no oftener than ten times a second, but every state", function()
    local show, out = hook_on(true)
    for i = 0, 1000 do show(upload(i * 1000, i / 1000)) end
    show(upload(1e6, 1.0001, "failed"))
    local _, lines = out.text:gsub("\r", "")
    assert.is_true(lines >= 10 and lines <= 12, lines)
    assert.matches("failed, 1.0 MB of 45.0 MB, 2 %%, 1.0 MB/s, 0:01\27%[K\n$", out.text)
  end)

  it("writes plain lines elsewhere: the first, each state, the last, and one now and then", function()
    local show, out = hook_on(false, 5)
    for i = 0, 12 do show { what = "video", state = i < 3 and "queued" or "running", elapsed = i } end
    show { what = "video", state = "succeeded", elapsed = 3725 }
    assert.equal("video: queued, 0:00\nvideo: running, 0:03\nvideo: running, 0:08\nvideo: succeeded, 1:02:05\n", out.text)
  end)

  it("says of a task what part is done", function()
    local show, out = hook_on(false)
    show { what = "video", state = "running", elapsed = 61, done = 0.425, total = 1 }
    assert.equal("video: running, 42 %, 1:01\n", out.text)
  end)

  it("shows one thing after the other", function()
    local show, out = hook_on(true)
    show { what = "video", state = "running", elapsed = 9 }
    show { what = "download", state = "running", elapsed = 0, done = 500 }
    show { what = "download", state = "succeeded", elapsed = 0.01, done = 1500 }
    show { what = "download", state = "succeeded", elapsed = 0.01, done = 7 }
    assert.equal("\rvideo: running, 0:09\27[K\n\rdownload: running, 500 B, 0:00\27[K"
      .. "\rdownload: succeeded, 1.5 kB, 100.0 kB/s, 0:00\27[K\n\rdownload: succeeded, 7 B, 0:00\27[K\n", out.text)
  end)

  it("tells the rate of the last seconds, not of what was there before", function()
    local show, out = hook_on(false, 1)
    show(upload(40e6, 0))
    for i = 1, 10 do show(upload(40e6 + i * 1e5, i)) end
    assert.matches("upload: running, 41.0 MB of 45.0 MB, 91 %%, 100.0 kB/s, 0:10\n$", out.text)
  end)

  it("lets no state of a server move the cursor", function()
    local show, out = hook_on(false)
    show { what = "video", state = "\27[2Jwarming\n", elapsed = 0 }
    assert.equal("video: ?[2Jwarming?, 0:00\n", out.text)
  end)

  it("knows a terminal, and writes to stderr", function()
    local first = 0
    while arg[first - 1] do first = first - 1 end
    local program = os.tmpname()
    assert(core.file_write(program, [[
      local show = require "multimodal".progress()
      show { what = "video", state = "succeeded", elapsed = 1 }
    ]]))
    local pipe = assert(io.popen(("%s %s 2>&1 >/dev/null"):format(arg[first], program)))
    assert.equal("video: succeeded, 0:01\n", pipe:read "*a")
    pipe:close()
    pipe = assert(io.popen(("script -qec '%s %s' /dev/null"):format(arg[first], program)))
    assert.equal("\rvideo: succeeded, 0:01\27[K\r\n", pipe:read "*a")
    pipe:close()
    os.remove(program)
  end)

  describe("of a video", function()
    local s, ai
    local place = "/api/v3/contents/generations/tasks"
    before_each(function()
      s = server.start()
      ai = tasks.client(s)
      s:script(server.json(200, { id = "cgt-1" }), { path = place })
    end)
    after_each(function() s:stop() end)

    local function look(state, more) s:script(tasks.task("cgt-1", state, more), { path = place .. "/cgt-1" }) end

    --- The lines, without what depends on how fast this machine is.
    local function lines(out)
      return (out.text:gsub(", %d[%d.]* %a*B/s", ""))
    end

    for _, terminal in ipairs { true, false } do
      it(("shows its upload, its life and its download, %s"):format(terminal and "on a terminal" or "in plain lines"), function()
        for _, state in ipairs { "queued", "running", "running" } do look(state) end
        look("succeeded", { content = { video_url = s.url .. "/v.mp4" } })
        s:script(server.text(200, ("clip"):rep(50), { headers = { ["Content-Type"] = "video/mp4" } }), { path = "/v.mp4" })
        local show, out = hook_on(terminal, 5)
        local path = os.tmpname()
        local task = assert(ai:video { "A cat", mm.image "examples/cat.jpg", on_upload = show })
        assert(assert(task:wait { on_progress = show }):save(path, { overwrite = true, on_progress = show }))
        os.remove(path)
        local sent = assert(s:requests(1))[1].body_bytes
        assert.is_true(sent > 1000)
        local upload_line = ("upload: succeeded, %.1f kB, 0:00"):format(sent / 1000)
        local life = { "task: queued, 0:02", "task: running, 0:07", "task: running, 0:15", "task: succeeded, 0:26" }
        local download_lines = { "download: running, 0 B, 0:00", "download: succeeded, 200 B, 0:00" }
        local text = lines(out)
        local function line(words, last) return terminal and "\r" .. words .. "\27[K" .. (last and "\n" or "") or words .. "\n" end
        assert(text:find(line(upload_line, true), 1, true), text)
        assert(text:find(line(life[1]) .. line(life[2]) .. line(life[3]) .. line(life[4], true), 1, true), text)
        assert(text:find(line(download_lines[1]) .. line(download_lines[2], true), 1, true), text)
      end)
    end

    it("ends its line where the waiting ends and the task lives on", function()
      for _ = 1, 9 do look "running" end
      local show, out = hook_on(true)
      local task = assert(ai:video "A cat")
      local _, err = task:wait { timeout = 20, on_progress = show }
      assert.same({ "timeout", "running" }, { err.kind, task.state })
      assert.matches("\rtask: running, 0:20\27%[K\n$", out.text)
      local plain, text = hook_on(false)
      task:wait { timeout = 20, on_progress = plain }
      local _, count = text.text:gsub("\n", "")
      assert.is_true(count >= 2 and text.text:find("^task: running, 0:00\n") ~= nil, text.text)
    end)

    it("hears of no upload while a task is looked at by a POST", function()
      local vertex = mm.client { gateway = "vertex", project = "p", base_url = s.url .. "/v1", api_key = "canary-k", video_model = "vm",
        clock = tasks.clock() }
      local name = "projects/p/locations/l/publishers/google/models/vm/operations/op1"
      s:script(server.json(200, { name = name }), { path = "/v1/models/vm:predictLongRunning" })
      s:script(server.json(200, { name = name }), { path = "/v1/models/vm:fetchPredictOperation" })
      local heard = 0
      local task = assert(vertex:video { "A cat", on_upload = function(now) if now.state == "succeeded" then heard = heard + 1 end end })
      assert(task:poll())
      assert.equal(1, heard)
    end)
  end)

  it("is one line for each thing on a real terminal, and plain ones in a pipe", function()
    local sim, program, first = assert(simulator.start { task = "quick" }), os.tmpname(), 0
    while arg[first - 1] do first = first - 1 end
    assert(core.file_write(program, ([[
      local mm = require "multimodal"
      local ai = mm.client { gateway = "yourouter", base_url = %q, api_key = "any", private = true, video_model = "m",
        clock = { sleep = function() end } }
      local show, path = mm.progress(), os.tmpname()
      local video = assert(assert(ai:video { "A cat", on_upload = show }):wait { on_progress = show })
      assert(video:save(path, { overwrite = true, on_progress = show }))
      os.remove(path)
    ]]):format(sim.url)))
    for command, form in pairs {
      ["%s %s 2>&1 >/dev/null"] = { "", "\n" }, ["script -qec '%s %s' /dev/null"] = { "\r", "\27[K\r\n" },
    } do
      local pipe = assert(io.popen(command:format(arg[first], program)))
      local text = pipe:read("*a"):gsub(", %d[%d.]* %a*B/s", "")
      pipe:close()
      for _, words in ipairs { "upload: succeeded, %d+ B, 0:00", "task: succeeded, 0:00", "download: succeeded, %d+ B, 0:00" } do
        local pattern = form[1] .. words .. form[2]:gsub("%[", "%%[")
        assert(text:find(pattern), text .. "\n" .. pattern)
      end
    end
    os.remove(program)
    sim:stop()
  end)

  it("refuses what it does not know", function()
    assert.error_matches(function() mm.progress { evry = 1 } end, "progress: evry: unknown option; did you mean every?", nil, true)
    assert.error_matches(function() mm.progress "x" end, "progress: expected a table of options, got string")
  end)
end)
