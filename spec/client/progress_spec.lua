--- mm.progress: what people see of an upload, a download and a task, on a terminal and elsewhere.
local core = require("multimodal.core")
local mm = require("multimodal")

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

  it("refuses what it does not know", function()
    assert.error_matches(function() mm.progress { evry = 1 } end, "progress: evry: unknown option; did you mean every?", nil, true)
    assert.error_matches(function() mm.progress "x" end, "progress: expected a table of options, got string")
  end)
end)
