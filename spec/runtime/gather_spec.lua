--- all, map, each, race, timeout and groups, on a virtual clock.
local compat = require("multimodal.compat")
local driver = require("multimodal.runtime.driver")
local Error = require("multimodal.error")
local fake_net = require("support.fake_net")
local job = require("multimodal.runtime.job")
local jobs = require("multimodal.runtime.jobs")
local uv = require("multimodal.runtime.uv")

local closes_loops = (function()
  local closed = false
  local value = setmetatable({}, { __close = function() closed = true end })
  for _ in function() return 1 end, nil, nil, value do break end -- luacheck: ignore 512
  return closed
end)()

describe("gathering", function()
  local net, before, on_error, reported

  before_each(function()
    net = fake_net.new()
    before = driver.use(uv.new(net))
    reported = {}
    on_error = jobs.hooks.on_error
    jobs.hooks.on_error = function(err) reported[#reported + 1] = err end
  end)

  after_each(function()
    assert.equal(0, job.alive())
    driver.use(before)
    jobs.hooks.on_error = on_error
  end)

  local function after(seconds, ...)
    local results = compat.pack(...)
    return function()
      jobs.sleep(seconds)
      return compat.unpack(results, 1, results.n)
    end
  end

  local function failing(seconds, message)
    return after(seconds, nil, Error.new({ kind = "server", message = message or "down" }))
  end

  --- Run a case outside and inside a job.
  local function both(name, case)
    it(name .. ", outside a job", case)
    it(name .. ", in a job", function() jobs.run(case) end)
  end

  describe("all", function()
    both("gives the first result of each, at once", function()
      assert.same({ n = 3, "a", nil, "c" }, compat.pack(jobs.all(after(3, "a", "x"), after(1), after(2, "c"))))
      assert.equal(1003, net.clock)
      assert.equal(0, select("#", jobs.all()))
    end)

    both("takes jobs that run or have ended", function()
      local done, runs = jobs.spawn(after(0, "done")), jobs.spawn(after(2, "ran"))
      done:wait()
      assert.same({ "done", "ran", "new", "done" }, { jobs.all(done, runs, after(1, "new"), done) })
    end)

    both("ends with the first failure and cancels the rest", function()
      local other = jobs.spawn(jobs.sleep, 100)
      local value, err = jobs.all(after(50, "a"), failing(2), other, failing(3))
      assert.is_nil(value)
      assert.same({ "server", 2 }, { err.kind, err.index })
      assert.equal(1002, net.clock)
      assert.equal("cancelled", other.status)
      assert.is_true(other.ended)
    end)

    both("raises a bug, the rest being cancelled", function()
      local other = jobs.spawn(jobs.sleep, 100)
      local one = jobs.spawn(function()
        jobs.sleep(1)
        error("oops")
      end)
      if compat.running() and not compat.yields_across_pcall then
        one:cancel()
        return other:cancel()
      end
      local ok, err = pcall(jobs.all, other, one)
      assert.is_false(ok)
      assert.matches("oops\nstack traceback", err)
      assert.is_true(other.ended)
      assert.same({}, reported)
    end)

    it("leaves no job behind when the wait outside a job is broken off", function()
      local children = {}
      local function child()
        children[#children + 1] = jobs.running()
        jobs.sleep(100)
      end
      local sleep = net.sleep
      for _, wait in ipairs({
        function() jobs.all(child, child) end, function() jobs.run(child) end, function() jobs.timeout(300, child) end,
        function() jobs.map({ 1 }, child) end, function() jobs.race(child) end,
      }) do
        net.sleep = function() error("interrupted!", 0) end
        local ok, err = pcall(wait)
        net.sleep = sleep
        assert.same({ false, "interrupted!" }, { ok, err })
      end
      jobs.step(0.1)
      assert.equal(6, #children)
      for _, one in ipairs(children) do assert.equal("cancelled", one.status) end
      assert.equal(1000, net.clock)
    end)

    it("is cancelled with the job that waits in it", function()
      local children = {}
      local one = jobs.spawn(function()
        local function child()
          children[#children + 1] = jobs.running()
          jobs.sleep(100)
        end
        return jobs.all(child, child)
      end)
      jobs.step(0.1)
      one:cancel()
      assert.equal("cancelled", select(2, one:wait()).kind)
      assert.same({ "cancelled", "cancelled" }, { children[1].status, children[2].status })
      assert.equal(1000, net.clock)
    end)

    it("refuses other values before it starts any", function()
      local ran
      local ok, err = pcall(jobs.all, function() ran = true end, 5)
      assert.is_false(ok)
      assert.matches("all: argument 2: expected a function or a job, got number", err)
      assert.is_nil(ran)
    end)
  end)

  describe("map", function()
    both("keeps the order and the limit", function()
      local running, most = 0, 0
      local results = jobs.map({ 3, 1, 2, 1 }, function(seconds, index)
        running = running + 1
        most = math.max(most, running)
        jobs.sleep(seconds)
        running = running - 1
        return index .. ":" .. seconds
      end, { limit = 2 })
      assert.same({ "1:3", "2:1", "3:2", "4:1" }, results)
      assert.equal(2, most)
      assert.equal(1004, net.clock)
      assert.same({}, jobs.map({}, error))
    end)

    both("gives what was there with the first failure", function()
      local kept = Error.new({ kind = "truncated", message = "cut", partial = "half a reply" })
      local results, err = jobs.map({ 1, 2, 3, 50 }, function(seconds)
        jobs.sleep(seconds)
        if seconds == 3 then return nil, kept end
        return "r" .. seconds
      end)
      assert.is_nil(results)
      assert.same({ "truncated", 3, { "r1", "r2" } }, { err.kind, err.index, err.partial })
      assert.equal(kept, err.cause)
      assert.equal("half a reply", err.cause.partial)
      assert.equal(1003, net.clock)
    end)

    it("refuses a wrong limit and unknown options", function()
      assert.matches("limit must be", select(2, pcall(jobs.map, {}, print, { limit = 0 })))
      assert.matches("unknown option limits", select(2, pcall(jobs.map, {}, print, { limits = 2 })))
      assert.matches("expected a list, got string", select(2, pcall(jobs.map, "x", print)))
    end)
  end)

  describe("each", function()
    local function gather(case)
      it(case[1] .. ", outside a job", case[2])
      it(case[1] .. ", in a job", function()
        if compat.yields_across_pcall then jobs.run(case[2]) end -- PUC 5.1 cannot suspend in an iterator
      end)
    end

    gather { "gives item and results as each ends; a failure stops nothing", function()
      local seen = {}
      for item, result, err in jobs.each({ 3, 1, 2 }, function(seconds)
        if seconds == 2 then return failing(2)() end
        return after(seconds, "r" .. seconds)()
      end) do
        seen[#seen + 1] = { item, result or err.kind, net.clock }
      end
      assert.same({ { 1, "r1", 1001 }, { 2, "server", 1002 }, { 3, "r3", 1003 } }, seen)
    end }

    gather { "runs no more at once than the limit", function()
      local running, most, n = 0, 0, 0
      for _ in jobs.each({ 1, 1, 1, 1, 1 }, function()
        running = running + 1
        most = math.max(most, running)
        jobs.sleep(1)
        running = running - 1
      end, { limit = 2 }) do n = n + 1 end
      assert.same({ 5, 2, 1003 }, { n, most, net.clock })
    end }

    gather { "raises a bug and cancels the rest", function()
      local other
      local ok, err = pcall(function()
        for _ in jobs.each({ 1, 100 }, function(seconds)
          if seconds == 100 then other = jobs.running() end
          jobs.sleep(seconds)
          error("oops")
        end) do error("not reached") end
      end)
      assert.is_false(ok)
      assert.matches("oops\nstack traceback", err)
      assert.equal("cancelled", other.status)
      if not jobs.running() then jobs.sleep(0.1) end
    end }

    it("cancels the rest on break, at the end of the job at the latest", function()
      if not compat.yields_across_pcall then return end
      local live = {}
      jobs.run(function()
        for item in jobs.each({ 1, 50, 60 }, function(seconds) -- luacheck: ignore 512
          live[seconds] = jobs.running()
          jobs.sleep(seconds)
        end) do
          assert.equal(1, item)
          break
        end
        if closes_loops then assert.same({ "cancelled", "cancelled" }, { live[50].status, live[60].status }) end
      end)
      assert.same({ "cancelled", "cancelled", 1001 }, { live[50].status, live[60].status, net.clock })
    end)

    it("cancels the rest when it is collected", function()
      local one
      do
        local take = jobs.each({ 0, 50 }, function(seconds)
          if seconds == 50 then one = jobs.running() end
          jobs.sleep(seconds)
        end)
        assert.equal(0, (take()))
      end
      assert.equal("running", one.status)
      collectgarbage()
      collectgarbage()
      jobs.step(0.1)
      jobs.step(0.1)
      assert.equal("cancelled", one.status)
      assert.is_true(one.ended)
    end)
  end)

  describe("race", function()
    both("gives the first result and its place, and cancels the losers", function()
      local loser = jobs.spawn(jobs.sleep, 100)
      assert.same({ "b", 2 }, { jobs.race(after(5, "a"), after(1, "b"), loser) })
      assert.is_true(loser.ended)
      assert.equal("cancelled", loser.status)
      assert.equal(1001, net.clock)
    end)

    both("is decided by a failure as well", function()
      local value, err = jobs.race(after(5, "a"), failing(1))
      assert.is_nil(value)
      assert.equal(2, err.index)
    end)

    it("needs a runner", function()
      assert.matches("race: expected", select(2, pcall(jobs.race)))
    end)

    it("reports the bug of a loser", function()
      assert.equal("a", (jobs.race(after(0, "a"), function()
        jobs.sleep(0)
        error("second")
      end)))
      assert.equal(1, #reported)
      assert.matches("second", reported[1])
    end)
  end)

  describe("timeout", function()
    both("gives the results in time", function()
      assert.same({ "a", "b" }, { jobs.timeout(5, after(1, "a", "b")) })
      assert.equal("x", (jobs.timeout(5, function(x) return x end, "x")))
      assert.equal("server", select(2, jobs.timeout(5, failing(1))).kind)
    end)

    both("cancels what takes longer", function()
      local one
      local value, err = jobs.timeout(2, function()
        one = jobs.running()
        jobs.sleep(100)
      end)
      assert.is_nil(value)
      assert.same({ "timeout", "total", 1002 }, { err.kind, err.code, net.clock })
      assert.is_true(one.ended)
      assert.equal("cancelled", one.status)
    end)
  end)

  describe("a group", function()
    it("waits for its jobs and keeps the first failure", function()
      local group = jobs.group()
      group:spawn(after(1))
      local slow = group:spawn(after(5))
      group:spawn(failing(2))
      local value, err = group:wait()
      assert.is_nil(value)
      assert.equal("server", err.kind)
      assert.equal("done", slow.status)
      assert.is_true(group:wait())
      group:spawn(after(5))
      assert.equal("timeout", select(2, group:wait(1)).kind)
      assert.is_true(group:wait())
    end)

    it("cancels its jobs, and those that come later", function()
      local group = jobs.group()
      local one = group:spawn(jobs.sleep, 100)
      jobs.step(0)
      group:cancel("scene over")
      assert.equal("cancelled", one.status)
      local later = group:spawn(error, "never runs")
      assert.is_true(later.ended)
      local value, err = group:wait()
      assert.is_nil(value)
      assert.same({ "cancelled", "scene over" }, { err.kind, err.message })
    end)

    it("outlives the job that spawns in it, and ends with the job that made it", function()
      local outer, one = jobs.group(), nil
      jobs.run(function() one = outer:spawn(after(5, "x")) end)
      assert.is_nil(one.ended)
      assert.is_true(outer:wait())
      jobs.run(function()
        one = jobs.group():spawn(jobs.sleep, 7)
        jobs.sleep(0)
        return nil, "failed"
      end)
      assert.equal("cancelled", one.status)
    end)

    it("raises a bug at its waiter, else reports it", function()
      local group = jobs.group()
      group:spawn(error, "early")
      jobs.step(0)
      assert.equal(1, #reported)
      assert.is_false(pcall(group.wait, group))
      local slow = group:spawn(after(50))
      group:spawn(function()
        jobs.sleep(1)
        error("late")
      end)
      local ok, err = pcall(group.wait, group)
      assert.is_false(ok)
      assert.matches("late", err)
      assert.same({ 1, "running" }, { #reported, slow.status })
      group:cancel()
      group:wait()
    end)

    it("cannot be waited for by its own jobs", function()
      local group = jobs.group()
      local message
      group:spawn(function() message = select(2, pcall(group.wait, group)) end)
      group:wait()
      assert.matches("would deadlock", message)
    end)
  end)
end)
