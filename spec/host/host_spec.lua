--- Foreign event loops move jobs on while their own timers run.
local core = require("multimodal.core")
local driver = require("multimodal.runtime.driver")
local host = require("multimodal.host")
local job = require("multimodal.runtime.job")
local jobs = require("multimodal.runtime.jobs")
local net = require("multimodal.net")
local server = require("support.server")
local uv_driver = require("multimodal.runtime.uv")

local has_luv, luv = pcall(require, "luv")
local has_cqueues, cqueues = pcall(require, "cqueues")

describe("a host", function()
  local s, before

  before_each(function()
    s = server.start()
    before = driver.use(uv_driver.new())
  end)

  after_each(function()
    driver.use(before)
    s:stop()
    collectgarbage()
    collectgarbage()
    assert.equal(0, job.alive())
    assert.equal(0, net.live())
  end)

  local function script(path)
    s:script(server.sse({ '{"t":"a"}', '{"t":"b"}', '{"t":"c"}' }, { every = 0.05 }), { path = path })
  end

  local function text_of(path)
    local decoder = core.decoder({ format = "sse", text = { path = { "t" } } })
    local exchange = assert(driver.current():request({ method = "GET", url = s.url .. path, decoder = decoder }))
    local list, text = {}, exchange:next_text()
    while text do
      list[#list + 1] = text
      text = exchange:next_text()
    end
    return table.concat(list)
  end

  --- Jobs spawned before and in the host's loop; `spawn_later(fn)` calls from the host.
  local function check(spawn_later, run)
    for i = 1, 10 do script("/" .. i) end
    local texts, slept = {}, false
    for i = 1, 5 do jobs.spawn(function() texts[i] = text_of("/" .. i) end) end
    jobs.spawn(function()
      jobs.sleep(0.1)
      slept = true
    end)
    spawn_later(function()
      for i = 6, 10 do jobs.spawn(function() texts[i] = text_of("/" .. i) end) end
    end)
    local start = net.now()
    run()
    for i = 1, 10 do assert.equal("abc", texts[i]) end
    assert.is_true(slept)
    assert.is_true(net.now() - start < 1, "took " .. net.now() - start)
  end

  describe("on luv", function()
    if not has_luv then return pending("luv is not installed") end

    local function run_luv(options)
      local attached = host.luv(luv, options)
      local ticks, timer = 0, luv.new_timer()
      timer:start(10, 10, function() ticks = ticks + 1 end)
      check(function(fn)
        local later = luv.new_timer()
        later:start(30, 0, function()
          later:close()
          fn()
        end)
      end, function()
        while job.alive() > 0 do luv.run("once") end
        timer:close()
        luv.run()
      end)
      assert.is_true(ticks >= 10)
      attached:close()
      luv.run()
      assert.is_nil(driver.current().host)
    end

    it("runs jobs while luv's timers run, and lets its loop end", function() run_luv() end)

    it("resumes jobs through schedule alone", function()
      local allowed, seen = false, {}
      jobs.spawn(function()
        for i = 1, 5 do
          seen[i] = allowed
          jobs.sleep(0.01)
        end
      end)
      run_luv({
        schedule = function(fn)
          local timer = luv.new_timer()
          timer:start(1, 0, function()
            timer:close()
            allowed = true
            fn()
            allowed = false
          end)
        end,
      })
      assert.same({ true, true, true, true, true }, seen)
    end)

    it("runs a job never inside the call that makes it ready", function()
      local attached = host.luv(luv)
      local ran
      jobs.spawn(function() ran = true end)
      assert.is_nil(ran)
      luv.run()
      assert.is_true(ran)
      local one = jobs.spawn(jobs.sleep, 60)
      luv.run("nowait")
      one:cancel()
      assert.is_nil(one.ended)
      luv.run()
      assert.is_true(one.ended)
      attached:close()
      luv.run()
    end)

    it("allows blocking calls between", function()
      local attached = host.luv(luv)
      script("/a")
      script("/b")
      local text
      jobs.spawn(function() text = text_of("/a") end)
      assert.equal("abc", text_of("/b"))
      luv.run()
      assert.equal("abc", text)
      attached:close()
      luv.run()
    end)

    it("closes sockets when a job is cancelled", function()
      local attached = host.luv(luv)
      s:script({ { stall = true } })
      local one = jobs.spawn(text_of, "/stall")
      local timer = luv.new_timer()
      timer:start(50, 0, function()
        timer:close()
        one:cancel()
      end)
      luv.run()
      assert.equal("cancelled", one.status)
      assert.equal("peer", assert(s:closed(1)).by)
      attached:close()
      luv.run()
    end)
  end)

  describe("on cqueues", function()
    if not has_cqueues then return pending("cqueues is not installed") end

    it("runs jobs while its other threads run", function()
      local controller = cqueues.new()
      local attached = host.cqueues(controller)
      local ticks = 0
      controller:wrap(function()
        for _ = 1, 10 do
          cqueues.sleep(0.01)
          ticks = ticks + 1
        end
      end)
      check(function(fn)
        controller:wrap(function()
          cqueues.sleep(0.03)
          fn()
        end)
      end, function() assert(controller:loop()) end)
      assert.equal(10, ticks)
      attached:close()
      assert(controller:loop())
    end)

    it("wakes for a cancel from outside", function()
      local controller = cqueues.new()
      local attached = host.cqueues(controller)
      local one = jobs.spawn(jobs.sleep, 60)
      controller:wrap(function()
        cqueues.sleep(0.02)
        one:cancel()
      end)
      assert(controller:loop())
      assert.is_true(one.ended)
      attached:close()
    end)
  end)
end)
