--- Links saved to files: straight to the disk, on from where they broke, and never a page in place of a film.
local child = require("support.child")
local core = require("multimodal.core")
local media = require("multimodal.media")
local mm = require("multimodal")
local server = require("support.server")

mm.client { base_url = "http://127.0.0.1:1", model = "m", api_key = "canary-k" } -- loads what fetches

local film = "\0\0\0\24ftypmp42\0\0\0\0" .. core.random(300000)

local function ranged(from, more)
  local rest = film:sub(from + 1)
  local headers = { ["Content-Type"] = "video/mp4", ETag = '"v1"', ["Content-Length"] = #rest,
    ["Content-Range"] = ("bytes %d-%d/%d"):format(from, #film - 1, #film) }
  for name, value in pairs(more or {}) do headers[name] = value or nil end
  return { server.head(from > 0 and 206 or 200, headers), rest }
end

--- The film as far as `bytes`, then the connection is lost.
local function broken(bytes, more)
  local steps = ranged(0, more)
  return { steps[1], film:sub(1, bytes), { wait = 0.05 }, { close = true } }
end

describe("saving a link", function()
  local s, folder, path

  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function()
    s:clear()
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder)
    path = folder .. "/pan.mp4"
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  local function part_of(url, options)
    local part = media.from_url("video", url or s.url .. "/film.mp4?X-Signature=canary")
    part.access = { private = true, clock = { sleep = function() end } }
    for name, value in pairs(options or {}) do part.access[name] = value end
    return part
  end

  local function entries()
    local pipe = io.popen("ls -A " .. folder)
    local text = pipe:read("*a")
    pipe:close()
    return text
  end

  it("goes to the disk, and is told of", function()
    s:script(ranged(0))
    local seen = {}
    local part = part_of()
    assert.equal(path, assert(part:save(path, { on_progress = function(now) seen[#seen + 1] = now end })))
    assert.is_true(child.read(path) == film)
    assert.equal("pan.mp4\n", entries())
    assert.same({ "download", "running", 0 }, { seen[1].what, seen[1].state, seen[1].done })
    local last = seen[#seen]
    assert.same({ "succeeded", #film, #film }, { last.state, last.done, last.total })
    assert.same({ "video/mp4", #film }, { part:mime(), part:size() })
    assert(part:save(path .. ".2"))
    assert.is_true(part:bytes() == film)
    assert.equal(1, #s:requests())
  end)

  it("goes on where a connection broke", function()
    s:script(broken(100000))
    s:script(ranged(100000))
    assert(part_of():save(path))
    assert.is_true(child.read(path) == film)
    local second = s:requests()[2].headers
    assert.same({ "bytes=100000-", '"v1"' }, { second.range, second["if-range"] })
    assert.equal("pan.mp4\n", entries())
  end)

  it("begins anew where the bytes are others by now, or cannot be told apart", function()
    s:script(broken(100000))
    s:script(ranged(0, { ETag = '"v2"' }))
    assert(part_of():save(path))
    assert.is_true(child.read(path) == film)
    s:script(broken(100000, { ETag = false }))
    s:script(ranged(0))
    assert(part_of():save(path, { overwrite = true }))
    assert.is_nil(s:requests()[4].headers.range)
    assert.is_true(child.read(path) == film)
    s:script(broken(100000))
    s:script(ranged(100000, { ETag = '"other"' }))
    s:script(ranged(0))
    assert(part_of():save(path, { overwrite = true }))
    assert.is_true(child.read(path) == film)
  end)

  it("goes on in another process that was killed", function()
    local steps = ranged(0)
    s:script { steps[1], film:sub(1, 200000), { stall = true } }
    local one = child.start(child.pid .. ([[
      local mm = require "multimodal"
      mm.client { base_url = "http://127.0.0.1:1", model = "m", api_key = "canary-k" }
      local part = require "multimodal.media".from_url("video", %q)
      part.access = { private = true }
      print(part:save(%q, { on_progress = function(now) if now.done >= 200000 then print "most" end end }))
    ]]):format(s.url .. "/film.mp4?X-Signature=canary", path))
    local limit = os.time() + 10
    repeat os.execute "sleep 0.01" until #(child.read(path .. ".part") or "") >= 200000 or os.time() > limit
    local part, err = part_of():save(path)
    assert.is_nil(part)
    assert.equal("held", err.code)
    one:kill()
    assert.equal("pan.mp4.part\npan.mp4.part.json\n", entries())
    assert.is_nil(child.read(path .. ".part.json"):find("canary", 1, true))
    s:script(ranged(200000))
    assert(part_of():save(path))
    assert.is_true(child.read(path) == film)
    assert.equal("bytes=200000-", s:requests()[2].headers.range)
    assert.equal("pan.mp4\n", entries())
  end)

  it("leaves the way free where its job was cancelled, and nothing that cannot go on", function()
    for _, tag in ipairs { '"v1"', false } do
      local steps = ranged(0, { ETag = tag })
      s:script { steps[1], film:sub(1, 200000), { stall = true } }
      local function arrived() return #(child.read(path .. ".part") or "") >= 200000 end
      mm.run(function()
        local job = mm.spawn(function() return part_of():save(path) end)
        repeat mm.sleep(0.01) until arrived()
        job:cancel()
        job:wait()
        assert.equal(tag and "pan.mp4.part\npan.mp4.part.json\n" or "", entries())
        s:script(ranged(tag and 200000 or 0))
        assert(part_of():save(path))
      end)
      assert.is_true(child.read(path) == film)
      os.remove(path)
    end
  end)

  it("leaves one file behind where it is killed as it begins anew", function()
    s:script(ranged(0))
    child.run(([[
      local core = require "multimodal.core"
      local mm = require "multimodal"
      mm.client { base_url = "http://127.0.0.1:1", model = "m", api_key = "canary-k" }
      local write = core.file_write
      core.file_write = function(path, text, options)
        assert(options and options.append, "another file is made")
        return write(path, text, options)
      end
      local part = require "multimodal.media".from_url("video", %q)
      part.access = { private = true }
      assert(part:save(%q))
    ]]):format(s.url .. "/film.mp4", path))
    assert.equal("pan.mp4\n", entries())
  end)

  it("sees a file that another process has put there while it looked", function()
    local real = core.file_lock
    core.file_lock = function(...) -- luacheck: ignore 122
      assert(core.file_write(path, "theirs"))
      return real(...)
    end
    local saved, err = part_of():save(path)
    os.remove(path)
    assert(part_of():save(path, { exists = "skip" }))
    core.file_lock = real -- luacheck: ignore 122
    assert.is_nil(saved)
    assert.equal("EEXIST", err.code)
    assert.same({ "theirs", "pan.mp4\n", 0 }, { child.read(path), entries(), #s:requests() })
  end)

  it("gives up after so many breaks, and keeps what it has for the next time", function()
    for _ = 1, 3 do s:script(broken(1000)) end
    local saved, err = part_of(nil, { retries = 0 }):save(path)
    assert.is_nil(saved)
    assert.is_true(err.kind == "network" or err.kind == "truncated")
    assert.equal("pan.mp4.part\npan.mp4.part.json\n", entries())
    s:clear()
    s:script(ranged(1000))
    assert(part_of():save(path))
    assert.is_true(child.read(path) == film)
  end)

  it("takes no page for a film", function()
    s:script(server.text(200, "<html>Sign in</html>", { headers = { ["Content-Type"] = "text/html" } }))
    s:script(server.json(200, { error = "no" }))
    s:script(server.text(200, " <!DOCTYPE html><title>x</title>", { headers = { ["Content-Type"] = "video/mp4" } }))
    s:script(server.text(200, '{"error":"expired"}', { headers = { ["Content-Type"] = "application/octet-stream" } }))
    for _ = 1, 4 do
      local saved, err = part_of():save(path)
      assert.is_nil(saved)
      assert.same({ "protocol", "type" }, { err.kind, err.code })
      assert.matches("expected a video, got ", err.message)
      assert.is_nil(tostring(err):find("canary", 1, true))
      assert.equal("", entries())
    end
  end)

  it("asks for a fresh link where the old one has died", function()
    s:script(server.text(403, "expired"), { path = "/film.mp4" })
    s:script(ranged(0), { path = "/fresh.mp4" })
    local part, asked = part_of(), 0
    part.refresh = function(of)
      asked = asked + 1
      assert.equal(part, of)
      return s.url .. "/fresh.mp4?X-Signature=new"
    end
    assert(part:save(path))
    assert.same({ 1, true }, { asked, child.read(path) == film })

    part = part_of(s.url .. "/film.mp4?X-Tos-Date=20200101T000000Z&X-Tos-Expires=86400")
    part.access.refresh = function() return s.url .. "/fresh.mp4?again" end
    s:script(ranged(0), { path = "/fresh.mp4" })
    assert(part:save(path, { overwrite = true }))
    assert.equal(3, #s:requests())

    s:script(server.text(410, "gone"))
    local saved, err = part_of():save(path .. ".3")
    assert.is_nil(saved)
    assert.equal("not_found", err.kind)
    assert.matches("the link may have died", err.message)
    s:script(server.text(410, "gone"), { times = 2 })
    part = part_of()
    part.refresh = function() return s.url .. "/film.mp4?X-Signature=other" end
    assert.matches("HTTP 410; the link is a fresh one", select(2, part:save(path .. ".3")).message, 1, true)
    s:script(server.text(404, "gone"))
    part = part_of()
    part.refresh = function() return nil, { kind = "task_failed", message = "the task is gone" } end
    assert.equal("task_failed", select(2, part:save(path .. ".3")).kind)
  end)

  it("goes on with the bytes of a fresh link", function()
    s:script(broken(100000))
    s:script(server.text(403, "expired"))
    s:script(ranged(100000), { path = "/film.mp4" })
    local part = part_of()
    part.refresh = function() return s.url .. "/film.mp4?X-Signature=new" end
    assert(part:save(path))
    assert.is_true(child.read(path) == film)
    assert.equal("bytes=100000-", s:requests()[3].headers.range)
  end)

  it("stops when the hook returns false", function()
    s:script { ranged(0)[1], film:sub(1, 1000), { stall = true } }
    local states = {}
    local saved, err = part_of():save(path, { on_progress = function(now)
      states[#states + 1] = now.state
      return false
    end })
    assert.is_nil(saved)
    assert.same({ "cancelled", "hook", "" }, { err.kind, err.code, entries() })
  end)

  it("asks for nothing where the file is there", function()
    assert(core.file_write(path, "old"))
    assert.equal("EEXIST", select(2, part_of():save(path)).code)
    assert.equal(path, part_of():save(path, { exists = "skip" }))
    assert.equal("EISDIR", select(2, part_of():save(folder)).code)
    assert.equal("ENOENT", select(2, part_of():save(folder .. "/no/such")).code)
    assert.equal(0, #s:requests())
    s:script(ranged(0))
    assert(part_of():save(path, { overwrite = true }))
    assert.is_true(child.read(path) == film)
  end)

  it("lets go of the file and the connection when a hook raises", function()
    local function raising(from)
      return function(now)
        if now.done >= from then error("a bug", 0) end
      end
    end
    for _, from in ipairs { 0, 1 } do
      s:clear()
      s:script { ranged(0)[1], { send = film:sub(1, 100000), split = 10000, every = 0.05 }, { stall = true } }
      assert.same({ false, "a bug" }, { pcall(function() return part_of():save(path, { on_progress = raising(from) }) end) })
    end
    assert.equal("peer", assert(s:closed(#s.connections)).by)
    s:clear()
    s:script(ranged(0))
    assert(part_of():save(path))
    assert.is_true(child.read(path) == film)
  end)

  it("fetches again what was large, when its file is gone", function()
    local large = { server.head(200, { ["Content-Type"] = "video/mp4", ["Content-Length"] = 2000000 }), { fill = 2000000 } }
    s:script(large)
    s:script(large)
    local part = part_of()
    assert(part:save(path))
    assert.equal(2000000, #part:bytes())
    os.remove(path)
    assert.equal(2000000, #part:bytes())
    assert.equal(2, #s:requests())
  end)
end)
