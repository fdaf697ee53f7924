--- Videos under a journal: whatever befalls the script, the paid request is made once, and the film gets whole to the disk.
local child = require("support.child")
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")
local tasks = require("support.tasks")

local place = "/api/v3/contents/generations/tasks"
local film = "\0\0\0\24ftypmp42\0\0\0\0" .. core.random(300000)

--- A new run in this process.
local new_run = require("multimodal.client.journal").leave

describe("a video under a journal", function()
  local s, ai, folder, path

  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function()
    s:clear()
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder)
    path = folder .. "/pan.mp4"
    ai = tasks.client(s, { journal = folder .. "/run" })
  end)
  after_each(function()
    new_run()
    os.execute("rm -rf " .. folder)
  end)

  local function created(id, times)
    s:script(server.json(200, { id = id or "cgt-1" }), { path = place, times = times })
  end

  local function done(id, more)
    local body = { content = { video_url = s.url .. "/film.mp4?X-Signature=abc" }, usage = { completion_tokens = 7, total_tokens = 7 } }
    for name, value in pairs(more or {}) do body[name] = value end
    return tasks.task(id or "cgt-1", "succeeded", body)
  end

  local function look(step, id, times)
    s:script(type(step) == "string" and tasks.task(id or "cgt-1", step) or step, { path = place .. "/" .. (id or "cgt-1"), times = times })
  end

  local function filmed(from, steps)
    local headers = { ["Content-Type"] = "video/mp4", ETag = '"v1"', ["Content-Length"] = #film - from }
    if from > 0 then headers["Content-Range"] = ("bytes %d-%d/%d"):format(from, #film - 1, #film) end
    s:script(steps or { server.head(from > 0 and 206 or 200, headers), film:sub(from + 1) }, { path = "/film.mp4" })
  end

  --- What the gateway's list shows.
  local function list(items, total)
    s:script(server.json(200, { total = total or #items, items = items }), { path = place })
  end

  local model = "doubao-seedance-1-0-pro-250528"
  local function item(id, seconds, more)
    local task = { id = id, model = model, status = "running", created_at = os.time() + (seconds or 0) }
    for name, value in pairs(more or {}) do task[name] = value end
    return task
  end

  local function posts() return tasks.count(s, "POST") end
  local function gets() return tasks.count(s, "GET") end

  --- A script that makes the film; `hook` is Lua that runs at each line it prints.
  local function script(hook, more)
    return child.pid .. ([[
      local mm = require "multimodal"
      local spin = function() while true do os.execute "sleep 0.01" end end
      local at = function(name) print(name) %s end
      local ai = mm.client { gateway = "yourouter", base_url = %q, api_key = "sk-canary", video_model = %q, journal = %q, private = true,
        clock = { sleep = function() end }, observe = function(record) at(record.event .. " " .. record.method) end, %s }
      local task, err = ai:video { "Pan slowly.", duration = 5 }
      if not task then print(err.kind, err.code, err.message) os.exit(1) end
      at("begun " .. task.id .. " " .. tostring(task.from_journal))
      local video, fault = task:wait { on_progress = function(now) at("state " .. now.state) end }
      if not video then print(fault) os.exit(1) end
      at "over"
      print(assert(video:save(%q, { exists = "skip", on_progress = function(now) at("saved " .. now.done) end })))
      print "finished"
    ]]):format(hook or "", s.url .. "/v1", model, folder .. "/run", more or "", path)
  end

  local function killed_at(name)
    local one = child.start(script(("if name:find(%q, 1, true) then print 'HERE' spin() end"):format(name)))
    one:wait_for "HERE"
    one:kill()
  end

  local function killed_while_sent()
    s:script({ { stall = true } }, { path = place })
    local one = child.start(script())
    assert(s:requests(1))
    one:kill()
  end

  local function finish()
    local said = child.run(script())
    assert.matches("finished", said, 1, true)
    assert.is_true(child.read(path) == film)
    return said
  end

  it("is begun, waited for and saved once; a second run sends nothing", function()
    created()
    look "queued"
    look(done())
    local task = assert(ai:video("Pan slowly.", { duration = 5 }))
    assert.is_false(task.from_journal)
    assert(task:wait())
    new_run()
    local again = assert(ai:video("Pan slowly.", { duration = 5 }))
    assert.same({ true, "cgt-1", "succeeded" }, { again.from_journal, again.id, again.state })
    assert.equal(7, again.usage.output_tokens)
    filmed(0)
    assert(assert(again:wait()):save(path))
    assert.is_true(child.read(path) == film)
    assert.same({ 1, 3 }, { posts(), gets() })
  end)

  it("is the n-th of those asked for alike", function()
    created "cgt-1"
    created "cgt-2"
    local function ids()
      new_run()
      return assert(ai:video "Pan slowly.").id .. assert(ai:video "Pan slowly.").id
    end
    assert.equal("cgt-1cgt-2", ids())
    assert.equal("cgt-1cgt-2", ids())
    created "cgt-3"
    assert.equal("cgt-3", assert(ai:video "Pan slowly.").id)
    created "cgt-4"
    assert.equal("cgt-4", assert(ai:video("Pan slowly.", { seed = 2 })).id)
    assert.equal(4, posts())
  end)

  it("is begun anew after it failed, or was refused", function()
    created "cgt-1"
    look(tasks.task("cgt-1", "failed", { error = { code = "InternalError", message = "Broken." } }))
    local task = assert(ai:video "Pan slowly.")
    assert.equal("task_failed", select(2, task:wait()).kind)
    new_run()
    s:script(server.json(400, { error = { code = "InvalidParameter", message = "No." } }), { path = place })
    assert.equal("bad_request", select(2, ai:video "Pan slowly.").kind)
    new_run()
    created "cgt-2"
    task = assert(ai:video "Pan slowly.")
    assert.same({ "cgt-2", false }, { task.id, task.from_journal })
  end)

  it("is begun anew after it was cancelled", function()
    created "cgt-1"
    look "queued"
    s:script({ server.head(200, { ["Content-Length"] = 0 }) }, { path = place .. "/cgt-1" })
    assert(assert(ai:video "Pan slowly."):cancel())
    new_run()
    created "cgt-2"
    assert.equal("cgt-2", assert(ai:video "Pan slowly.").id)
  end)

  it("that is journaled by the call alone is so", function()
    created("cgt-1", 2)
    local bare = ai:with { journal = false }
    assert(bare:video "Pan slowly.")
    assert(bare:video { "Pan slowly.", journal = folder .. "/other" })
    new_run()
    assert.is_true(assert(bare:video { "Pan slowly.", journal = folder .. "/other" }).from_journal)
    assert.equal(2, posts())
  end)

  describe("is killed", function()
    it("before it is begun", function()
      created()
      look(done())
      filmed(0)
      local one = child.start(child.pid .. "while true do os.execute 'sleep 0.01' end")
      one:wait_for "pid"
      one:kill()
      assert.matches("begun cgt-1 false", finish(), 1, true)
      assert.equal(1, posts())
    end)

    it("when it is written down and not sent: what may have been sent is not sent again, until told so", function()
      list {}
      killed_at("request POST")
      assert.equal(0, posts())
      local said = child.run(script())
      assert.matches("network\tmaybe_accepted\ta create that was begun at", said, 1, true)
      assert.matches("the gateway's list shows no such task", said, 1, true)
      assert.equal(0, posts())
      created()
      look(done())
      filmed(0)
      assert.matches("finished", child.run(script(nil, "resubmit = true")), 1, true)
      assert.matches("begun cgt-1 true", finish(), 1, true)
      assert.equal(1, posts())
    end)

    it("while it is sent: the gateway's list tells of it", function()
      killed_while_sent()
      list { item("cgt-0", -86400), item("cgt-other", 0, { model = "another" }), item "cgt-1" }
      look(done())
      filmed(0)
      assert.matches("begun cgt-1 true", finish(), 1, true)
      assert.equal(1, posts())
    end)

    it("while it is sent, and the list does not tell", function()
      killed_while_sent()
      list { item "cgt-1", item "cgt-2" }
      assert.matches("in the gateway's list it may be any of cgt-1, cgt-2", child.run(script()), 1, true)
      s:script(server.json(500, { error = { message = "Down." } }), { path = place, times = 3 })
      assert.matches("asking the gateway for its list failed: ", child.run(script()), 1, true)
      assert.equal(1, posts())
    end)

    it("when its id has come", function()
      created()
      killed_at "begun"
      look(done())
      filmed(0)
      assert.matches("begun cgt-1 true", finish(), 1, true)
      assert.equal(1, posts())
    end)

    it("while it is looked at", function()
      created()
      look("running", nil, 1)
      killed_at("state running")
      look(done())
      filmed(0)
      finish()
      assert.same({ 1, 3 }, { posts(), gets() })
    end)

    it("when it is over, and while it is fetched", function()
      created()
      look(done())
      killed_at("over")
      local head = server.head(200, { ["Content-Type"] = "video/mp4", ETag = '"v1"', ["Content-Length"] = #film })
      filmed(0, { head, film:sub(1, 200000), { stall = true } })
      local one = child.start(script())
      local limit = os.time() + 10
      repeat os.execute "sleep 0.01" until #(child.read(path .. ".part") or "") >= 200000 or os.time() > limit
      one:kill()
      filmed(200000)
      finish()
      assert.equal("bytes=200000-", s:requests()[4].headers.range)
      assert.same({ 1, 3 }, { posts(), gets() })
      finish()
      assert.same({ 1, 3 }, { posts(), gets() })
    end)
  end)

  describe("without an answer", function()
    local function lost()
      s:script({ { close = true } }, { path = place })
      local task, err = ai:video "Pan slowly."
      assert.is_nil(task)
      assert.is_true(err.maybe_accepted)
    end

    it("is found in the list by the same run", function()
      lost()
      list { item "cgt-1" }
      local task = assert(ai:video "Pan slowly.")
      assert.same({ "cgt-1", true }, { task.id, task.from_journal })
      assert.equal(1, posts())
    end)

    it("is not taken for the task of another call", function()
      created "cgt-1"
      assert(ai:video "Another.")
      lost()
      list { item "cgt-1" }
      local _, err = ai:video "Pan slowly."
      assert.matches("the gateway's list shows no such task", err.message, 1, true)
      list { item "cgt-1", item "cgt-2" }
      assert.equal("cgt-2", assert(ai:video "Pan slowly.").id)
      assert.equal(2, posts())
    end)

    it("is looked for on every page of the list", function()
      lost()
      local items = {}
      for i = 1, 100 do items[i] = item("cgt-old-" .. i, -90000) end
      list(items)
      list { item "cgt-1" }
      assert.equal("cgt-1", assert(ai:video "Pan slowly.").id)
      local all = s:requests()
      assert.matches("page_num=2", all[#all].query or all[#all].path .. (all[#all].target or ""), 1, true)
    end)

    it("is looked for on pages that are shorter than was asked", function()
      lost()
      local items = {}
      for i = 1, 20 do items[i] = item("cgt-old-" .. i, -90000) end
      list(items, 41)
      for i = 1, 20 do items[i] = item("cgt-older-" .. i, -90000) end
      list(items, 41)
      list({ item "cgt-1" }, 41)
      assert.equal("cgt-1", assert(ai:video "Pan slowly.").id)
    end)

    it("is not taken for one that may be of another call without an answer", function()
      lost()
      s:script({ { close = true } }, { path = place })
      assert.is_true(select(2, ai:video "Another.").maybe_accepted)
      list { item "cgt-1" }
      local _, err = ai:video "Pan slowly."
      assert.matches("other creates have no answer either, and in the gateway's list any of them may be cgt-1", err.message, 1, true)
      list { item "cgt-1" }
      list { item "cgt-1" }
      mm.run(function()
        local both = {}
        for i, prompt in ipairs { "Pan slowly.", "Another." } do both[i] = mm.spawn(function() return ai:video(prompt) end) end
        for _, one in ipairs(both) do assert.equal("maybe_accepted", select(2, one:wait()).code) end
      end)
      assert.equal(2, posts())
    end)

    it("is not taken for one that is being begun", function()
      lost()
      s:script({ { wait = 0.4 }, server.json(200, { id = "cgt-2" }) }, { path = place })
      list { item "cgt-2" }
      mm.run(function()
        local other = mm.spawn(function() return ai:video "Another." end)
        repeat mm.sleep(0.01) until posts() == 2
        local _, err = ai:video "Pan slowly."
        assert.matches("the gateway's list shows no such task", err.message, 1, true)
        assert.equal("cgt-2", assert(other:wait()).id)
      end)
    end)

    it("is not sent where the job that looked for it was cancelled", function()
      lost()
      s:script({ { stall = true } }, { path = place })
      mm.run(function()
        local job = mm.spawn(function() return ai:video "Pan slowly." end)
        repeat mm.sleep(0.01) until gets() == 1
        job:cancel()
        job:wait()
        list { item "cgt-1" }
        assert.equal("cgt-1", assert(ai:video "Pan slowly.").id)
      end)
      assert.equal(1, posts())
    end)

    it("where the job that sent it was cancelled", function()
      s:script({ { stall = true } }, { path = place })
      mm.run(function()
        local job = mm.spawn(function() return ai:video "Pan slowly." end)
        repeat mm.sleep(0.01) until #s:requests() == 1
        job:cancel()
        job:wait()
        list {}
        assert.equal("maybe_accepted", select(2, ai:video "Pan slowly.").code)
      end)
      assert.equal(1, posts())
    end)

    it("is an error at once where the gateway has no list", function()
      local other = mm.client {
        gateway = "openrouter", base_url = s.url .. "/api/v1", api_key = "sk-canary", video_model = "m", journal = folder .. "/run",
      }
      s:script { { close = true } }
      assert.is_true(select(2, other:video "Pan slowly.").maybe_accepted)
      local _, err = other:video "Pan slowly."
      assert.equal("maybe_accepted", err.code)
      assert.is_nil(err.message:find("list", 1, true))
      assert.equal(1, #s:requests())
    end)
  end)

  it("is not sent where the job that waited for another process was cancelled", function()
    s:script({ { wait = 1 }, server.json(200, { id = "cgt-1" }) }, { path = place })
    local one = child.start(script())
    look(done())
    filmed(0)
    assert(s:requests(1))
    assert.equal("timeout", select(2, mm.timeout(0.3, function() return ai:video("Pan slowly.", { duration = 5 }) end)).kind)
    assert.equal("cgt-1", assert(ai:video("Pan slowly.", { duration = 5 })).id)
    assert.matches("finished", one:wait(), 1, true)
    assert.equal(1, posts())
  end)

  it("that a job has left is nothing to wait for", function()
    s:script({ { stall = true } }, { path = place })
    assert.equal("timeout", select(2, mm.timeout(0.2, function() return ai:video("Pan slowly.", { duration = 5 }) end)).kind)
    list {}
    assert.matches("maybe_accepted\ta create that was begun at .* %(the call was left%)", child.run(script()))
    assert.equal(1, posts())
  end)

  it("keeps the id that comes while another process has the lock, whatever becomes of the job", function()
    s:script({ { wait = 0.2 }, server.json(200, { id = "cgt-1" }) }, { path = place })
    mm.run(function()
      local job = mm.spawn(function() return ai:video "Pan slowly." end)
      repeat mm.sleep(0.01) until posts() == 1
      local lock = assert(core.file_lock(folder .. "/run/journal.lock"))
      mm.sleep(0.4)
      job:cancel()
      job:wait()
      lock:close()
      local task = assert(ai:video "Pan slowly.")
      assert.same({ "cgt-1", true }, { task.id, task.from_journal })
    end)
    new_run()
    assert.equal("cgt-1", assert(ai:video "Pan slowly.").id)
    assert.same({ 1, 0 }, { posts(), gets() })
  end)

  it("whose id cannot be written down is handed out, with a warning", function()
    created()
    local real = core.file_write
    core.file_write = function(...) -- luacheck: ignore 122
      if select(2, ...):find('"accepted"', 1, true) then return nil, { kind = "file", code = "EIO", message = "no" } end
      return real(...)
    end
    local task = assert(ai:video "Pan slowly.")
    core.file_write = real -- luacheck: ignore 122
    assert.equal("cgt-1", task.id)
    assert.matches("journal: the id is not written down", task.warnings[1], 1, true)
    new_run()
    list { item "cgt-1" }
    assert.equal("cgt-1", assert(ai:video "Pan slowly.").id)
    assert.equal(1, posts())
  end)

  it("survives a script that is killed over and over", function()
    for i = 1, 6 do
      local id = "cgt-" .. i
      s:script({ { wait = 0.05 }, server.json(200, { id = id }) }, { path = place })
    end
    s:script(server.json(200, { total = 0, items = {} }), { path = place, times = -1 })
    for i = 1, 6 do look({ { wait = 0.05 }, done("cgt-" .. i) }, "cgt-" .. i, -1) end
    local head = server.head(200, { ["Content-Type"] = "video/mp4", ["Content-Length"] = #film })
    s:script({ { wait = 0.05 }, head, film }, { path = "/film.mp4", times = -1 })
    local code = child.pid .. ([[
      local mm = require "multimodal"
      local ai = mm.client { gateway = "yourouter", base_url = %q, api_key = "sk-canary", video_model = %q, journal = %q, private = true,
        clock = { sleep = function() end } }
      for i = 1, 6 do
        local task, err = ai:video("Scene " .. i)
        if task then assert(assert(task:wait()):save(%q .. i .. ".mp4", { exists = "skip" })) print("saved " .. i)
        elseif err.code == "maybe_accepted" then print("reported " .. i)
        else error(err) end
      end
      print "finished"
    ]]):format(s.url .. "/v1", model, folder .. "/run", folder .. "/scene-")
    math.randomseed(11)
    local said
    local kills = 0
    repeat
      local one = child.start(code)
      local target = #s:requests() + math.random(1, 4)
      repeat os.execute "sleep 0.002" until #s:requests() >= target or one:over()
      os.execute(("sleep 0.00%d"):format(math.random(0, 9)))
      if not one:over() then
        kills = kills + 1
        os.execute("kill -9 " .. one:said():match("pid (%d+)") .. " 2>/dev/null")
      end
      said = one:wait()
    until said:find "finished" or kills > 200
    assert.matches("finished", said, 1, true)
    assert.is_true(kills >= 3, kills .. " kills")
    local counts = {}
    for _, request in ipairs(s:requests()) do
      local scene = request.method == "POST" and request.body and request.body:match("Scene %d")
      if scene then counts[scene] = (counts[scene] or 0) + 1 end
    end
    for i = 1, 6 do
      local reported = said:find("reported " .. i, 1, true)
      assert.is_true((counts["Scene " .. i] or 0) <= 1)
      if not reported then
        assert.equal(1, counts["Scene " .. i])
        assert.is_true(child.read(folder .. "/scene-" .. i .. ".mp4") == film)
      end
    end
  end)
end)
