--- Jobs as a tree: results, failures, cancelling, waiting, and what is told to whom. On a virtual clock.
local compat = require("multimodal.compat")
local driver = require("multimodal.runtime.driver")
local Error = require("multimodal.error")
local fake_net = require("support.fake_net")
local job = require("multimodal.runtime.job")
local jobs = require("multimodal.runtime.jobs")
local uv = require("multimodal.runtime.uv")

--- What the plain `assert` does; busted's makes strings of errors.
local function must(value, err)
  if value == nil then error(err, 0) end
  return value
end

describe("jobs", function()
  local net, before, on_error, reported

  before_each(function()
    net = fake_net.new()
    before = driver.use(uv.new(net))
    reported = {}
    on_error = jobs.hooks.on_error
    jobs.hooks.on_error = function(err, one) reported[#reported + 1] = { err = err, job = one } end
  end)

  after_each(function()
    assert.equal(0, job.alive())
    driver.use(before)
    jobs.hooks.on_error = on_error
  end)

  local function failing(kind)
    return function() return nil, Error.new({ kind = kind or "server", message = "down" }) end
  end

  describe("run", function()
    it("gives the results of its function, nils and all", function()
      assert.same({ n = 4, 1, nil, "x", nil }, compat.pack(jobs.run(function(a, b) return a, nil, b, nil end, 1, "x")))
      assert.equal(0, select("#", jobs.run(function() end)))
    end)

    it("is a plain call inside a job", function()
      jobs.run(function()
        local outer = jobs.running()
        assert.equal(outer, jobs.run(function() return jobs.running() end))
      end)
      assert.is_nil(jobs.running())
    end)

    it("waits for children", function()
      local ended
      jobs.run(function()
        jobs.spawn(function()
          jobs.sleep(3)
          ended = true
        end)
      end)
      assert.is_true(ended)
      assert.equal(1003, net.clock)
    end)

    it("returns failures, raised or returned, and raises bugs with the traceback of the job", function()
      local _, err = jobs.run(failing("quota"))
      assert.equal("quota", err.kind)
      _, err = jobs.run(function() must(failing("auth")()) end)
      assert.equal("auth", err.kind)
      local function culprit() error("a bug") end
      local ok, message = pcall(jobs.run, function()
        culprit()
        return 1
      end)
      assert.is_false(ok)
      assert.matches("job_spec.lua:%d+: a bug\nstack traceback:.*culprit", message)
      local value = {}
      ok, message = pcall(jobs.run, function() error(value) end)
      assert.is_false(ok)
      assert.equal(value, message)
      assert.same({}, reported)
    end)

    it("needs neither clock nor network for what needs none", function()
      driver.use(uv.new({}))
      assert.equal(5, (jobs.run(function() return jobs.spawn(function() return 5 end):wait() end)))
    end)

    it("says so when nothing can go on", function()
      local a, b
      local ok, err = pcall(jobs.run, function()
        a = jobs.spawn(function() return b:wait() end)
        b = jobs.spawn(function() return a:wait() end)
      end)
      assert.is_false(ok)
      assert.matches("would deadlock: nothing is left", err)
      jobs.step(0)
      jobs.step(0)
      jobs.step(0)
    end)
  end)

  describe("a parent", function()
    it("that fails cancels its children", function()
      local child
      local _, err = jobs.run(function()
        child = jobs.spawn(jobs.sleep, 100)
        jobs.sleep(1)
        return failing()()
      end)
      assert.equal("server", err.kind)
      assert.equal("cancelled", child.status)
      assert.equal(1001, net.clock)
    end)

    it("that raises cancels its children", function()
      local child
      assert.is_false(pcall(jobs.run, function()
        child = jobs.spawn(jobs.sleep, 100)
        error("bug")
      end))
      assert.equal("cancelled", child.status)
      assert.equal(1000, net.clock)
    end)

    it("that is cancelled cancels its children and theirs", function()
      local parent, child, grandchild
      jobs.run(function()
        parent = jobs.spawn(function()
          child = jobs.spawn(function()
            grandchild = jobs.spawn(jobs.sleep, 100)
            jobs.sleep(100)
          end)
          jobs.sleep(100)
        end)
        jobs.sleep(1)
        assert.is_true(parent:cancel())
        assert.same({ "cancelled", "cancelled" }, { child.status, grandchild.status })
        assert.is_nil(child.ended)
      end)
      assert.is_true(grandchild.ended)
      assert.equal(1001, net.clock)
    end)

    it("goes on when a child fails", function()
      assert.equal("fine", (jobs.run(function()
        local child = jobs.spawn(failing())
        jobs.sleep(1)
        assert.equal("failed", child.status)
        return "fine"
      end)))
      assert.same({}, reported)
    end)
  end)

  describe("cancel", function()
    it("raises the cancelled error in the call that waits, and in every later one", function()
      local first, second, third, status
      local one = jobs.spawn(function()
        local ok
        ok, first = pcall(jobs.sleep, 100)
        assert.is_false(ok)
        second = select(2, pcall(jobs.sleep, 0))
        third = select(2, pcall(function() return driver.current():request({}) end))
        status = jobs.running().status
        return "results do not count"
      end)
      if not compat.yields_across_pcall then
        one:cancel()
        return jobs.step(0)
      end
      jobs.step(0)
      assert.equal("running", one.status)
      assert.is_true(one:cancel("enough"))
      assert.is_false(one:cancel("again"))
      local _, err = one:wait()
      assert.same({ "cancelled", "enough" }, { err.kind, err.message })
      assert.same({ err, err, err }, { first, second, third })
      assert.same({ "cancelled", "cancelled" }, { status, one.status })
    end)

    it("never runs a job that had not begun", function()
      local ran
      local one = jobs.spawn(function() ran = true end)
      one:cancel()
      assert.is_true(one.ended)
      jobs.step(1)
      assert.is_nil(ran)
      assert.equal("cancelled", select(2, one:wait()).kind)
    end)

    it("does nothing to a job that has ended", function()
      local one = jobs.spawn(function() return 1 end)
      assert.equal(1, (one:wait()))
      assert.is_false(one:cancel())
      assert.equal("done", one.status)
      assert.equal(1, (one:wait()))
    end)

    it("closes the exchange that the job reads at once", function()
      local one = jobs.spawn(function() return driver.current():request({ script = { { 9, "head", 200 } } }):head() end)
      jobs.step(0)
      one:cancel()
      assert.same({ 1 }, net.closed)
      assert.equal("cancelled", select(2, one:wait()).kind)
    end)

    it("of itself takes hold at the next wait", function()
      local after, later
      local _, err = jobs.run(function()
        jobs.running():cancel("myself")
        after = true
        jobs.sleep(0)
        later = true
      end)
      assert.equal("myself", err.message)
      assert.same({ true }, { after, later })
    end)

    it("reports a bug in the cleaning up", function()
      if not compat.yields_across_pcall then return end
      local one = jobs.spawn(function()
        pcall(jobs.sleep, 100)
        error("broken cleanup")
      end)
      jobs.step(0)
      one:cancel()
      jobs.step(0)
      assert.equal("failed", one.status)
      assert.matches("broken cleanup", reported[1].err)
    end)
  end)

  describe("wait", function()
    it("gives up after so many seconds and lets the job run on", function()
      jobs.run(function()
        local one = jobs.spawn(function()
          jobs.sleep(5)
          return "late"
        end)
        local _, err = one:wait(2)
        assert.same({ "timeout", "total", 1002 }, { err.kind, err.code, net.clock })
        assert.equal("running", one.status)
        assert.equal("late", (one:wait(10)))
        assert.equal(1005, net.clock)
      end)
    end)

    it("serves many waiters", function()
      jobs.run(function()
        local one = jobs.spawn(function()
          jobs.sleep(1)
          return "x"
        end)
        local function ask() return one:wait() end
        assert.same({ "x", "x", "x" }, { jobs.all(ask, ask, ask) })
      end)
    end)

    it("outside a job runs the others too", function()
      local beside
      jobs.spawn(function()
        jobs.sleep(1)
        beside = true
      end)
      jobs.spawn(jobs.sleep, 2):wait()
      assert.is_true(beside)
    end)

    it("refuses what would never end", function()
      jobs.run(function()
        local me = jobs.running()
        assert.matches("would deadlock", select(2, pcall(me.wait, me)))
        jobs.spawn(function()
          assert.matches("would deadlock", select(2, pcall(me.wait, me)))
        end)
      end)
      assert.same({}, reported)
    end)
  end)

  describe("on_error", function()
    it("is told of a bug that nobody waits for, with the job", function()
      local one = jobs.spawn(function() error("lost") end)
      jobs.step(0)
      assert.equal(1, #reported)
      assert.matches("lost\nstack traceback", reported[1].err)
      assert.equal(one, reported[1].job)
      assert.equal("failed", one.status)
      assert.is_false(pcall(one.wait, one))
    end)

    it("is told of a raised failure that nobody asks about", function()
      jobs.spawn(function() must(failing()()) end)
      jobs.step(0)
      assert.equal("server", reported[1].err.kind)
      jobs.run(function()
        jobs.spawn(function() must(failing("quota")()) end)
        local asked = jobs.spawn(function() must(failing()()) end)
        jobs.sleep(1)
        asked:wait()
        assert.equal(1, #reported)
      end)
      assert.equal("quota", reported[2].err.kind)
      assert.equal(2, #reported)
    end)

    it("hears nothing of what is returned, cancelled or waited for", function()
      jobs.spawn(failing())
      jobs.spawn(jobs.sleep, 5):cancel()
      jobs.run(function() jobs.spawn(jobs.sleep, 5):cancel() end)
      assert.is_false(pcall(jobs.run, error, "waited for"))
      assert.same({}, reported)
    end)

    it("may be broken itself", function()
      jobs.hooks.on_error = function() error("hook") end
      local stderr = io.stderr
      local said = {}
      io.stderr = { write = function(_, ...) said[#said + 1] = table.concat({ ... }) end } -- luacheck: ignore 122
      jobs.spawn(error, "lost")
      jobs.step(0)
      io.stderr = stderr -- luacheck: ignore 122
      assert.matches("on_error failed.*hook", said[1])
    end)
  end)

  describe("own", function()
    local function closable()
      return { closed = 0, close = function(self) self.closed = self.closed + 1 end }
    end

    it("closes at the end of the job, and at once when it is cancelled", function()
      local a, b = closable(), closable()
      jobs.run(function()
        jobs.own(a)
        assert.equal(0, a.closed)
        local one = jobs.spawn(function()
          jobs.own(b)
          jobs.sleep(100)
        end)
        jobs.sleep(1)
        one:cancel()
        assert.equal(1, b.closed)
      end)
      assert.equal(1, a.closed)
    end)

    it("hands what a job returns to its parent, or to nobody", function()
      local a, b = closable(), closable()
      jobs.run(function()
        local got = jobs.spawn(function() return jobs.own(a) end):wait()
        assert.equal(a, got)
        assert.equal(0, a.closed)
      end)
      assert.equal(1, a.closed)
      jobs.run(function() return jobs.own(b) end)
      assert.equal(0, b.closed)
      assert.equal(b, jobs.own(b))
    end)

    it("holds weakly", function()
      jobs.run(function()
        local weak = setmetatable({ jobs.own(closable()) }, { __mode = "v" })
        collectgarbage()
        collectgarbage()
        assert.is_nil(weak[1])
      end)
    end)
  end)

  it("are collected when nothing can wake them any more", function()
    local weak = setmetatable({}, { __mode = "k" })
    do
      local one = jobs.spawn(function() return 1 end)
      weak[one] = true
      one:wait()
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("refuse what is no function", function()
    for _, name in ipairs({ "spawn", "run", "wrap" }) do
      assert.matches(name .. ": expected a function, got nil", select(2, pcall(jobs[name])))
    end
    assert.matches("sleep: expected a number of seconds, got string", select(2, pcall(jobs.sleep, "1")))
  end)
end)
