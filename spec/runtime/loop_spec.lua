--- Where a call waits - in a job, outside, in foreign coroutines, where no yield is possible - and how step shares time.
local compat = require("multimodal.compat")
local driver = require("multimodal.runtime.driver")
local fake_net = require("support.fake_net")
local job = require("multimodal.runtime.job")
local jobs = require("multimodal.runtime.jobs")
local uv = require("multimodal.runtime.uv")

describe("the loop", function()
  local net, before

  before_each(function()
    net = fake_net.new()
    before = driver.use(uv.new(net))
  end)

  after_each(function()
    assert.equal(0, job.alive())
    driver.use(before)
  end)

  --- An answer of `n` texts, one a second from `first` on.
  local function texts(n, first)
    local script = { { first or 1, "head", 200 } }
    for i = 1, n do script[#script + 1] = { (first or 1) + i - 1, "text", tostring(i) } end
    script[#script + 1] = { script[#script][1], "end" }
    return { script = script }
  end

  local function read_all(exchange)
    local list = {}
    for text in function() return exchange:next_text() end do list[#list + 1] = text end
    return table.concat(list)
  end

  local function read(req)
    local exchange = driver.current():request(req)
    local list, text = {}, exchange:next_text()
    while text do
      list[#list + 1] = text
      text = exchange:next_text()
    end
    return table.concat(list), exchange
  end

  describe("an exchange", function()
    it("is read outside a job", function()
      local exchange = driver.current():request(texts(3))
      assert.equal(200, (exchange:head()))
      assert.equal("123", read_all(exchange))
      assert.equal(1003, net.clock)
    end)

    it("lets other jobs run while it is read", function()
      local order = {}
      local function reader(name, first)
        return function()
          local text = read(texts(2, first))
          order[#order + 1] = name .. text
        end
      end
      jobs.run(function() jobs.all(reader("slow", 5), reader("quick", 1)) end)
      assert.same({ "quick12", "slow12" }, order)
      assert.equal(1006, net.clock)
    end)

    it("hands over events, failures and refusals as they are", function()
      local exchange = driver.current():request({ script = {
        { 0, "head", 429, { ["retry-after"] = "2" } }, { 1, "text", "t" }, { 2, "event", { data = "e" } },
        { 3, "fail", { kind = "network", message = "reset" } },
      } })
      local status, headers = exchange:head()
      assert.same({ 429, { ["retry-after"] = "2" } }, { status, headers })
      assert.equal("t", (exchange:next_text()))
      assert.same({ n = 2, nil, "event" }, compat.pack(exchange:next_text()))
      assert.same({ data = "e" }, (exchange:next()))
      local event, err = exchange:next()
      assert.is_nil(event)
      assert.same({ "network", true }, { err.kind, err.retryable })
      local none, refused = driver.current():request({ refused = { kind = "unsupported", message = "scheme" } })
      assert.is_nil(none)
      assert.equal("unsupported", refused.kind)
    end)

    it("that is closed wakes its reader", function()
      local exchange, err
      jobs.run(function()
        exchange = driver.current():request(texts(9, 50))
        jobs.spawn(function() err = select(2, exchange:next_text()) end)
        jobs.sleep(1)
        exchange:close()
        exchange:close()
      end)
      assert.equal("cancelled", err.kind)
      assert.same({ 1 }, net.closed)
      assert.equal("cancelled", select(2, exchange:head()).kind)
      assert.equal(1001, net.clock)
    end)

    it("has one reader at a time", function()
      local ok, err
      jobs.run(function()
        local exchange = driver.current():request(texts(1, 5))
        jobs.spawn(function() exchange:next_text() end)
        jobs.sleep(1)
        ok, err = pcall(exchange.next_text, exchange)
      end)
      if compat.yields_across_pcall then
        assert.is_false(ok)
        assert.matches("read by another job", err)
      end
    end)

    it("is collected with its abandoned reader's end", function()
      local weak = setmetatable({}, { __mode = "k" })
      jobs.run(function()
        local _, exchange = read(texts(1))
        weak[exchange] = true
      end)
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(weak))
    end)
  end)

  describe("a foreign coroutine", function()
    local function foreign(fn) return coroutine.wrap(fn)() end

    it("reads exchanges while no job moves", function()
      local moved = 0
      jobs.run(function()
        jobs.spawn(function()
          for _ = 1, 3 do
            jobs.sleep(0.5)
            moved = moved + 1
          end
        end)
        jobs.sleep(0)
        assert.equal("12", foreign(function() return (read(texts(2))) end))
        assert.equal(0, moved)
        foreign(function() jobs.sleep(3) end)
        assert.equal(0, moved)
      end)
      assert.equal(3, moved)
    end)

    it("cannot wait for jobs", function()
      local one = jobs.spawn(jobs.sleep, 1)
      for _, fn in ipairs({
        function() one:wait() end, function() jobs.run(print) end, function() jobs.all(print) end,
        function() jobs.timeout(1, print) end, function() jobs.map({ 1 }, print) end,
      }) do
        local _, message = pcall(foreign, fn)
        assert.matches("loop_spec.lua:%d+: would deadlock", message)
      end
      jobs.run(function()
        local child = jobs.spawn(jobs.sleep, 1)
        assert.matches("would deadlock", select(2, pcall(foreign, function() child:wait() end)))
      end)
      one:wait()
    end)

    it("has what was done already", function()
      local one = jobs.spawn(function() return 5 end)
      jobs.step(0)
      assert.equal(5, foreign(function() return (one:wait()) end))
    end)

    it("spawns children of the job it runs in", function()
      jobs.run(function()
        local me = jobs.running()
        local child = foreign(function() return jobs.spawn(print) end)
        assert.equal(me, child.parent)
        child:cancel()
      end)
    end)
  end)

  it("pumps where a job cannot yield", function()
    if not coroutine.isyieldable then return end
    local moved, text, message = false, nil, nil
    jobs.run(function()
      local child = jobs.spawn(function() moved = true end)
      table.sort({ 2, 1 }, function(a, b)
        if not text then
          text = read(texts(2))
          message = select(2, pcall(child.wait, child))
          assert.is_false(moved)
        end
        return a < b
      end)
    end)
    assert.equal("12", text)
    assert.matches("would deadlock", message)
    assert.is_true(moved)
  end)

  describe("wrap", function()
    local function numbers(n)
      return jobs.wrap(function(first)
        local given = first
        for i = 1, n do
          jobs.sleep(1)
          given = coroutine.yield(i, given)
        end
        return "last"
      end)
    end

    it("forwards suspension, values both ways", function()
      local beside = {}
      jobs.run(function()
        jobs.spawn(function()
          for i = 1, 3 do
            jobs.sleep(0.75)
            beside[i] = net.clock
          end
        end)
        local generator = numbers(2)
        assert.same({ 1, "a" }, { generator("a") })
        assert.same({ 2, "b" }, { generator("b") })
        assert.equal("last", generator("c"))
        assert.is_false(pcall(generator))
      end)
      assert.same({ 1000.75, 1001.5, 1002.25 }, beside)
    end)

    it("nests", function()
      jobs.run(function()
        local outer = jobs.wrap(function()
          local inner = numbers(2)
          for _ = 1, 2 do coroutine.yield((inner())) end
        end)
        local moved
        jobs.spawn(function() moved = true end)
        assert.equal(1, outer())
        assert.is_true(moved)
        assert.equal(2, outer())
      end)
    end)

    it("waits for jobs outside jobs as well", function()
      local generator = jobs.wrap(function()
        coroutine.yield(jobs.run(function()
          jobs.sleep(1)
          return "ran"
        end))
      end)
      assert.equal("ran", generator())
    end)

    it("passes on what is raised, a cancel too", function()
      local one = jobs.spawn(function()
        return numbers(1)()
      end)
      jobs.step(0)
      one:cancel("stop")
      assert.equal("stop", select(2, one:wait()).message)
      local value = {}
      local ok, err = pcall(jobs.wrap(function() error(value) end))
      assert.is_false(ok)
      assert.equal(value, err)
    end)

    it("is foreign in a foreign coroutine", function()
      local ok, err = pcall(coroutine.wrap(function() jobs.wrap(function() jobs.run(print) end)() end))
      assert.is_false(ok)
      assert.matches("would deadlock", err)
    end)
  end)

  describe("sleep", function()
    it("keeps the time and the order", function()
      local order = {}
      jobs.run(function()
        for _, seconds in ipairs({ 3, 1, 2, 0.5, 1 }) do
          jobs.spawn(function()
            jobs.sleep(seconds)
            order[#order + 1] = seconds
            assert.equal(1000 + seconds, net.clock)
          end)
        end
      end)
      assert.same({ 0.5, 1, 1, 2, 3 }, order)
    end)

    it("lets others run once at 0, and works outside jobs", function()
      local order = {}
      jobs.run(function()
        jobs.spawn(function() order[#order + 1] = "child" end)
        jobs.sleep(0)
        order[#order + 1] = "parent"
      end)
      assert.same({ "child", "parent" }, order)
      jobs.sleep(-1)
      jobs.sleep(2)
      assert.equal(1002, net.clock)
      assert.is_false(pcall(jobs.sleep, 0 / 0))
    end)

    it("keeps thousands of deadlines", function()
      local ended = 0
      jobs.run(function()
        for i = 1, 2000 do
          jobs.spawn(function()
            jobs.sleep((i * 7919) % 2003)
            assert.equal(1000 + (i * 7919) % 2003, net.clock)
            ended = ended + 1
          end)
        end
      end)
      assert.equal(2000, ended)
    end)
  end)

  it("keeps a wake that comes before its suspension", function()
    local host = driver.current()
    jobs.run(function()
      local token = host:running()
      host:wake(token)
      assert.is_true(host:suspend(token))
      assert.is_false(host:suspend(token, net.clock + 1))
      assert.equal(1001, net.clock)
      jobs.spawn(function() host:wake(token) end)
      assert.is_true(host:suspend(token, net.clock + 100))
      assert.equal(1001, net.clock)
    end)
  end)

  it("takes a plain yield as making way for the others", function()
    local order = {}
    jobs.run(function()
      jobs.spawn(function()
        order[1] = "child"
        coroutine.yield("frame")
        order[3] = "child again"
      end)
      coroutine.yield()
      order[2] = "parent"
    end)
    assert.same({ "child", "parent", "child again" }, order)
  end)

  describe("blocking(false)", function()
    after_each(function() jobs.blocking(true) end)

    it("refuses what would block outside a job, before anything is sent", function()
      assert.is_true(jobs.blocking(false))
      local host = driver.current()
      for _, fn in ipairs({
        function() host:request(texts(1)) end, function() jobs.sleep(1) end, function() jobs.run(print) end,
      }) do
        local ok, err = pcall(fn)
        assert.is_false(ok)
        assert.matches("loop_spec.lua:%d+: would block outside a job", err)
      end
      assert.equal(0, net.started)
      local text
      local one = jobs.spawn(function() text = read(texts(2)) end)
      while jobs.step(0.01) > 0 do net.clock = net.clock + 1 end
      assert.equal("12", text)
      one:wait()
      assert.is_false(jobs.blocking(true))
    end)
  end)

  it("lets a job go on where PUC 5.1 could not suspend it", function()
    if compat.yields_across_pcall then return end
    local ok, message
    jobs.run(function()
      ok, message = pcall(jobs.sleep, 1)
      jobs.sleep(3)
      assert.equal(1003, net.clock)
      local exchange = driver.current():request(texts(2))
      pcall(exchange.next_text, exchange)
      assert.equal("1", (exchange:next_text()))
      jobs.sleep(5)
      assert.equal(1009, net.clock)
    end)
    assert.is_false(ok)
    assert.matches("attempt to yield", message)
  end)

  describe("step", function()
    it("moves jobs on without waiting and tells how many live", function()
      local text
      jobs.spawn(function() text = read(texts(2)) end)
      assert.equal(1, jobs.step(0.002))
      assert.equal(1, jobs.step(0.002))
      assert.equal(1000, net.clock)
      net.clock = 1001
      assert.equal(1, jobs.step(0.002))
      net.clock = 1002
      assert.equal(0, jobs.step(0.002))
      assert.equal("12", text)
      assert.equal(0, jobs.step())
    end)

    it("runs each ready job in turn, however small the budget", function()
      local turns = {}
      local function worker(name)
        return function()
          for _ = 1, 3 do
            turns[#turns + 1] = name
            net.clock = net.clock + 1
            jobs.sleep(0)
          end
        end
      end
      for _, name in ipairs({ "a", "b", "c" }) do jobs.spawn(worker(name)) end
      local steps = 0
      while jobs.step(0) > 0 do
        steps = steps + 1
        assert.equal(steps, #turns)
        if steps == 9 then break end
      end
      assert.equal("abcabcabc", table.concat(turns))
      while jobs.step(0) > 0 do end -- luacheck: ignore 542
    end)

    it("makes next() give way once the budget is spent, even with an event ready", function()
      local taken = 0
      jobs.spawn(function()
        local exchange = driver.current():request(texts(10, 0))
        while exchange:next_text() do
          taken = taken + 1
          net.clock = net.clock + 0.001
        end
      end)
      jobs.step(0)
      net.clock = net.clock + 100
      local start, seen = taken, {}
      while jobs.step(0.0025) > 0 do seen[#seen + 1] = taken - start end
      assert.same({ 3, 6, 9 }, { seen[1], seen[2], seen[3] })
      assert.equal(10, taken)
    end)

    it("gives each job its event in each step of no budget", function()
      local taken = { 0, 0 }
      for i = 1, 2 do
        jobs.spawn(function()
          local exchange = driver.current():request(texts(4, 0))
          while exchange:next_text() do taken[i] = taken[i] + 1 end
        end)
      end
      jobs.step(0)
      jobs.step(0)
      net.clock = net.clock + 100
      for n = 1, 8 do
        jobs.step(0)
        assert.is_true(taken[1] + taken[2] >= n, "step " .. n .. " took nothing")
        assert.is_true(math.abs(taken[1] - taken[2]) <= 1)
      end
      while jobs.step(0) > 0 do end -- luacheck: ignore 542
    end)

    it("is misuse inside a job", function()
      jobs.run(function() assert.matches("step: called inside a job", select(2, pcall(jobs.step, 0))) end)
    end)
  end)
end)
