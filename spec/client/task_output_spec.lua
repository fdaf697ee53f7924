--- What a task has made: fetched while its link lives, and by a fresh link once it is dead.
local child = require("support.child")
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")
local tasks = require("support.tasks")

local place = "/api/v3/contents/generations/tasks"
local film = "\0\0\0\24ftypmp42\0\0\0\0" .. core.random(200000)
local day = 86400

describe("an output of a task", function()
  local s, ai, folder, path
  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function()
    s:clear()
    ai = tasks.client(s)
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder)
    path = folder .. "/pan.mp4"
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  local function link(n) return ("%s/film.mp4?X-Tos-Signature=n%d"):format(s.url, n) end

  --- A look that finds it done, with the n-th link.
  local function done(n, more)
    local body = { content = { video_url = link(n), last_frame_url = s.url .. "/last.png?n=" .. n }, updated_at = os.time() }
    for name, value in pairs(more or {}) do body[name] = value end
    s:script(tasks.task("cgt-1", "succeeded", body), { path = place .. "/cgt-1" })
  end

  local function serve(from)
    local rest = film:sub((from or 0) + 1)
    local headers = { ["Content-Type"] = "video/mp4", ETag = '"v1"', ["Content-Length"] = #rest,
      ["Content-Range"] = ("bytes %d-%d/%d"):format(from or 0, #film - 1, #film) }
    s:script({ server.head(from and 206 or 200, headers), rest }, { path = "/film.mp4" })
  end

  local function dead() s:script(server.text(403, "expired"), { path = "/film.mp4" }) end

  local function made(n, more)
    s:script(server.json(200, { id = "cgt-1" }), { path = place })
    done(n, more)
    local task = assert(ai:video "A cat")
    return assert(task:wait()), task
  end

  local function paths()
    local list = {}
    for i, request in ipairs(s:requests()) do list[i] = request.method .. " " .. request.path end
    return list
  end

  local create, look = "POST " .. place, "GET " .. place .. "/cgt-1"
  local function get(n) return "GET /film.mp4?X-Tos-Signature=n" .. n end

  it("is fetched as it is while its link lives", function()
    local video = made(1)
    serve()
    assert(video:save(path))
    assert.is_true(child.read(path) == film)
    assert.same({ create, look, get(1) }, paths())
  end)

  it("is looked up again before it is saved a day later", function()
    local video, task = made(1, { updated_at = os.time() - day - 1 })
    done(2)
    serve()
    assert(video:save(path))
    assert.is_true(child.read(path) == film)
    assert.same({ create, look, look, get(2) }, paths())
    assert.equal(video, task.outputs[1])
    assert.is_true(video.expires_at > os.time())
  end)

  it("is looked up again where the signature says that it is dead", function()
    local old = { content = { video_url = s.url .. "/film.mp4?X-Tos-Date=20200101T000000Z&X-Tos-Expires=86400" }, updated_at = false }
    local video = made(1, old)
    done(2)
    serve()
    assert(video:save(path))
    assert.same({ create, look, look, get(2) }, paths())
  end)

  it("is looked up again where the link is refused, and goes on where the part of it ends", function()
    local video = made(1)
    s:script({ server.head(200, { ["Content-Type"] = "video/mp4", ETag = '"v1"', ["Content-Length"] = #film }), film:sub(1, 100000),
      { wait = 0.05 }, { close = true } }, { path = "/film.mp4" })
    dead()
    done(2)
    serve(100000)
    assert(video:save(path))
    assert.is_true(child.read(path) == film)
    assert.same({ create, look, get(1), get(1), look, get(2) }, paths())
    assert.equal("bytes=100000-", s:requests()[6].headers.range)
  end)

  it("is read likewise", function()
    local video = made(1, { updated_at = os.time() - day })
    done(2)
    serve()
    assert.is_true(video:bytes() == film)
    assert.is_true(video:bytes() == film)
    assert.same({ create, look, look, get(2) }, paths())
  end)

  it("is sent on by its bytes likewise", function()
    local _, task = made(1)
    s:script(server.text(403, "expired"), { path = "/last.png" })
    done(2)
    local png = "\137PNG\r\n\26\n" .. ("\0"):rep(24)
    s:script(server.text(200, png, { headers = { ["Content-Type"] = "image/png" } }), { path = "/last.png" })
    local fake = mm.mock { "A cat." }
    local chat = mm.client { gateway = fake, dialect = "openai", private = true, model = "m" }
    assert(chat:generate { "What?", task.outputs[2], fetch = true })
    assert.equal("data:image/png;base64," .. core.base64_encode(png), fake.requests[1]:json().messages[1].content[2].image_url.url)
    assert.same({ create, look, "GET /last.png?n=1", look, "GET /last.png?n=2" }, paths())
  end)

  it("is looked up again by a task that was resumed", function()
    local _, task = made(1)
    local text = task:dump()
    s:clear()
    local again = assert(tasks.client(s):task(text))
    done(2, { updated_at = os.time() - 2 * day })
    done(3)
    serve()
    assert(assert(again:wait()):save(path))
    assert.same({ look, look, get(3) }, paths())
    assert.is_true(child.read(path) == film)
  end)

  it("tells that it is gone where nobody has another link", function()
    local video = made(1)
    dead()
    done(1)
    local saved, err = video:save(path)
    assert.is_nil(saved)
    assert.same({ "permission", 403 }, { err.kind, err.status })
    assert.matches("the link may have died", err.message)
    dead()
    s:script(server.json(404, { error = { code = "NotFound", message = "no such task" } }), { path = place .. "/cgt-1" })
    saved, err = video:save(path)
    assert.is_nil(saved)
    assert.same({ "not_found", "NotFound" }, { err.kind, err.code })
    dead()
    s:script(tasks.task("cgt-1", "expired"), { path = place .. "/cgt-1" })
    assert.equal("task_expired", select(2, video:bytes()).kind)
  end)

  it("is tried all the same where the look fails: a clock may be wrong", function()
    local video = made(1, { updated_at = os.time() - day })
    s:script(server.json(401, { error = { code = "AuthenticationError", message = "No." } }), { path = place .. "/cgt-1" })
    serve()
    assert(video:save(path))
    assert.is_true(child.read(path) == film)
  end)

  it("is no page, and as long as it was told", function()
    local video = made(1)
    s:script(server.json(200, { error = "no" }), { path = "/film.mp4" })
    assert.equal("type", select(2, video:save(path)).code)
    s:script({ server.head(200, { ["Content-Type"] = "video/mp4", ["Content-Length"] = 5000 }), film:sub(1, 1000), { close = true } },
      { path = "/film.mp4", times = -1 })
    local saved, err = video:save(path, { overwrite = true })
    assert.is_nil(saved)
    assert(err.kind == "network" or err.kind == "truncated", tostring(err))
    assert.is_nil(child.read(path))
  end)

  it("may be the last frame, which begins the next clip", function()
    local _, task = made(1)
    local frame = task.outputs[2]
    assert.same({ "image", "last_frame", "image/png" }, { frame.kind, frame.role, frame:mime() })
    s:script(server.json(200, { id = "cgt-2" }), { path = place })
    assert(ai:video { "And on", mm.image(frame) })
    local body = core.json_decode(s:requests()[3].body)
    assert.same({ type = "image_url", image_url = { url = s.url .. "/last.png?n=1" } }, body.content[2])
  end)
end)
