--- Random trees of jobs that spawn, wait, gather and cancel: whatever they do, all end and nothing is left.
local driver = require("multimodal.runtime.driver")
local Error = require("multimodal.error")
local fake_net = require("support.fake_net")
local job = require("multimodal.runtime.job")
local jobs = require("multimodal.runtime.jobs")
local uv = require("multimodal.runtime.uv")

local TREES = 400

--- A generator of its own: math.random differs between Luas.
local function dice(seed)
  local state = seed * 7919 % 2147483647 + 1
  return function(n)
    state = state * 16807 % 2147483647
    return state % n + 1
  end
end

local function fail()
  return nil, Error.new({ kind = "server", message = "down" })
end

describe("random trees of jobs", function()
  local net, before, on_error, host

  before_each(function()
    net = fake_net.new()
    host = uv.new(net)
    before = driver.use(host)
    on_error = jobs.hooks.on_error
    jobs.hooks.on_error = function() end
  end)

  after_each(function()
    driver.use(before)
    jobs.hooks.on_error = on_error
  end)

  local function grow(roll, all, depth)
    local body

    local function children(n)
      local list = {}
      for i = 1, n do list[i] = grow(roll, all, depth - 1) end
      return list
    end

    local actions = {
      function() jobs.sleep(roll(10) / 4) end,
      function() jobs.sleep(0) end,
      function() all[#all + 1] = jobs.spawn(grow(roll, all, depth - 1)) end,
      function() return jobs.spawn(grow(roll, all, depth - 1)):wait(roll(3) == 1 and roll(5) / 2 or nil) end,
      function()
        local list = children(2)
        return jobs.all(list[1], list[2])
      end,
      function()
        local list = children(3)
        return jobs.race(list[1], list[2], list[3])
      end,
      function() return jobs.timeout(roll(8) / 4, grow(roll, all, depth - 1)) end,
      function() return jobs.map(children(3), function(fn) return fn() end, { limit = roll(3) }) end,
      function() if #all > 0 then all[roll(#all)]:cancel() end end,
      function()
        local exchange = host:request({ script = { { 0, "head", 200 }, { roll(4), "text", "x" }, { 5, "end" } } })
        jobs.own(exchange):next_text()
        if roll(2) == 1 then exchange:close() end
      end,
      function()
        local group = jobs.group()
        group:spawn(grow(roll, all, depth - 1))
        if roll(2) == 1 then group:cancel() end
        return group:wait()
      end,
      function() return fail() end,
      function() error((select(2, fail())), 0) end,
      function() if roll(6) == 1 then error("a bug") end end,
    }

    function body()
      if depth == 0 then return jobs.sleep(roll(4)) end
      for _ = 1, roll(3) do
        local _, err = actions[roll(#actions)]()
        if err ~= nil and roll(2) == 1 then return nil, err end
      end
      return depth
    end
    return body
  end

  it("end, in one call or in steps, and leave nothing", function()
    for seed = 1, TREES do
      local roll, all = dice(seed), {}
      local tree = grow(roll, all, 4)
      if seed % 2 == 0 then
        pcall(jobs.run, tree)
      else
        local root = jobs.spawn(tree)
        for turn = 1, 5000 do
          if jobs.step(roll(3) == 1 and 0 or 0.01) == 0 then break end
          net.clock = net.clock + 0.1
          if turn == 30 and seed % 3 == 0 then root:cancel() end
        end
      end
      for _ = 1, 20 do jobs.step(1) end
      assert.equal(0, job.alive(), "seed " .. seed)
      assert.equal(0, host.timers.count, "seed " .. seed)
      assert.is_nil(next(host.waiting), "seed " .. seed)
      for _, one in ipairs(all) do
        assert.is_true(one.ended)
        assert.not_equal("running", one.status)
      end
    end
  end)
end)
