--- core.poll: when to look at a task again, and when it is over.
local core = require("multimodal.core")

--- What a machine says of reports given one second apart.
local function run(rules, reports)
  local machine, said = core.poll(rules), {}
  for i, report in ipairs(reports) do
    local verdict, value = machine:next(i, report)
    said[i] = verdict .. " " .. tostring(value):gsub("%.0$", "")
  end
  return said
end

local fixed = { delays = { 1, 2, 4 }, jitter = 0 }

local neutral = { queued = true, running = true, succeeded = true, failed = true, cancelled = true, expired = true }
local ends = { succeeded = true, failed = true, cancelled = true, expired = true }
local passes = { network = true, timeout = true, rate_limit = true, overloaded = true, server = true, protocol = true }

--- The same machine in Lua, written after its contract alone.
local function model(rules)
  local start, row, missing, seen, waits = nil, 0, 0, false, 0
  local delays = rules.delays or { 5, 5, 5, 10, 10, 20 }

  local function fault(kind, now)
    if kind == "not_found" and not seen and now - start <= 10 and missing < 3 then
      missing = missing + 1
    elseif not passes[kind] then
      return true
    end
    row = row + 1
    return rules.max_failures and row >= rules.max_failures
  end

  local function wait(report)
    waits = waits + 1
    local place = rules.first and waits - 1 or waits
    local delay = place == 0 and rules.first or delays[math.min(place, #delays)]
    local most = rules.max_delay or math.huge
    delay = math.min(math.min(delay, most) * (1 + (rules.jitter or 0.1) * (2 * (report.random or 0.5) - 1)), most)
    return "wait", math.max(delay, report.retry_after or 0)
  end

  return function(now, report)
    start = start or now
    local state = report.state and (rules.states and rules.states[report.state] or neutral[report.state] and report.state or "running")
    if ends[state] then return "done", state end
    if report.error and fault(report.error, now) then return "failed", report.error end
    if state then row, seen = 0, true end
    if rules.timeout and now - start >= rules.timeout then return "failed", "timeout" end
    return wait(report)
  end
end

--- One of a list, none of it now and then.
local function any(list, none)
  if none and math.random() < none then return nil end
  return list[math.random(#list)]
end

local function random_rules()
  local delays = {}
  for i = 1, math.random(5) do delays[i] = math.random(0, 20) / 2 end
  return {
    delays = any({ delays }, 0.2), first = any({ 0, 1.5, 30 }, 0.5), max_delay = any({ 3, 8 }, 0.6), jitter = any({ 0, 0.25, 1 }, 0.4),
    timeout = any({ 5, 20, 60, false }, 0.3), max_failures = any({ 1, 2, 4, false }, 0.4),
    states = any({ { done = "succeeded", FAIL = "failed", wait = "queued", running = "running", queued = "expired" } }, 0.5),
  }
end

local kinds = { "network", "timeout", "rate_limit", "overloaded", "server", "protocol", "not_found", "not_found", "auth", "quota" }

local function random_report()
  local report = { random = any({ 0, 0.25, 0.5, 1 }, 0.3), retry_after = any({ 0, 2, 40 }, 0.7) }
  local what = math.random()
  if what < 0.45 then
    report.state = any { "queued", "running", "running", "wait", "warming_up", "" }
  elseif what < 0.9 then
    report.error = any(kinds)
  elseif what < 0.95 then
    report.state = any { "succeeded", "failed", "cancelled", "expired", "done", "FAIL" }
  end
  return report
end

describe("core.poll #small", function()
  it("waits as its delays say, the last one again and again", function()
    local queued = { state = "queued" }
    assert.same({ "wait 1", "wait 2", "wait 4", "wait 4" }, run(fixed, { {}, queued, queued, queued }))
    local usual = { "wait 5", "wait 5", "wait 5", "wait 10", "wait 10", "wait 20", "wait 20" }
    assert.same(usual, run(nil, { {}, {}, {}, {}, {}, {}, {} }))
    assert.same(usual, run({}, { {}, {}, {}, {}, {}, {}, {} }))
  end)

  it("waits differently before the first look, and never longer than the most", function()
    local rules = { first = 2.5, delays = { 5, 7.5, 15, 90 }, jitter = 0, max_delay = 20 }
    assert.same({ "wait 2.5", "wait 5", "wait 7.5", "wait 15", "wait 20", "wait 20" }, run(rules, { {}, {}, {}, {}, {}, {} }))
  end)

  it("varies by its jitter and the random number that it is given", function()
    local function first(rules, random)
      return select(2, core.poll(rules):next(0, { random = random }))
    end
    local rules = { delays = { 10 } }
    assert.same({ 9, 10, 11, 10 }, { first(rules, 0), first(rules, 0.5), first(rules, 1), first(rules) })
    rules.jitter = 0.2
    assert.same({ 8, 12 }, { first(rules, 0), first(rules, 1) })
  end)

  it("waits longer where the server asks, not shorter", function()
    assert.same({ "wait 9", "wait 2", "wait 30" }, run(fixed, {
      { state = "running", retry_after = 9 }, { state = "running", retry_after = 0.5 }, { error = "rate_limit", retry_after = 30 },
    }))
  end)

  it("is done at each of the four ends, by their own names and a provider's", function()
    local states = {
      pending = "queued", in_progress = "running", completed = "succeeded", FAIL = "failed", canceled = "cancelled", gone = "expired",
    }
    local rules = { delays = { 1 }, jitter = 0, states = states }
    for raw, state in pairs(states) do
      local over = state ~= "queued" and state ~= "running"
      local expected = over and "done " .. state or "wait 1"
      assert.same({ expected, expected }, run(rules, { { state = raw }, { state = state } }))
    end
    assert.same({ "wait 1", "wait 1", "wait 1" },
      run(rules, { { state = "warming_up" }, { state = "" }, { state = "completed\0" } }))
  end)

  it("keeps one table of states for all machines", function()
    local states = { ok = "succeeded" }
    local machine = core.poll { states = states }
    states.fine = "succeeded"
    assert.same({ "done", "succeeded" }, { machine:next(0, { state = "fine" }) })
    states.odd = "nonsense"
    assert.equal("wait", (machine:next(0, { state = "odd" })))
  end)

  it("goes on after failures that pass", function()
    local reports = {}
    for i, kind in ipairs { "network", "timeout", "rate_limit", "overloaded", "server", "protocol" } do reports[i] = { error = kind } end
    assert.same({ "wait 1", "wait 2", "wait 4", "wait 4", "wait 4", "wait 4" }, run(fixed, reports))
    for _, kind in ipairs { "auth", "permission", "billing", "bad_request", "quota", "cancelled", "anything" } do
      assert.same({ "failed " .. kind }, run(fixed, { { error = kind } }))
    end
  end)

  it("counts failures in a row where that is wanted", function()
    local rules = { delays = { 1 }, jitter = 0, max_failures = 2 }
    assert.same({ "wait 1", "wait 1", "wait 1", "failed server" }, run(rules, {
      { error = "network" }, { state = "running" }, { error = "network" }, { error = "server" },
    }))
    rules.max_failures = false
    local reports = {}
    for i = 1, 50 do reports[i] = { error = "network" } end
    assert.equal("wait 1", run(rules, reports)[50])
  end)

  it("waits for a new task to appear: three times within ten seconds", function()
    local missing = { error = "not_found" }
    assert.same({ "wait 1", "wait 2", "wait 4", "failed not_found" }, run(fixed, { missing, missing, missing, missing }))
    assert.same({ "wait 1", "failed not_found" }, run(fixed, { { state = "queued" }, missing }))
    local machine = core.poll(fixed)
    assert.equal("wait", (machine:next(0)))
    assert.equal("wait", (machine:next(10, missing)))
    assert.same({ "failed", "not_found" }, { machine:next(10.5, missing) })
  end)

  it("ends with its time, but for a state that is an end", function()
    local machine = core.poll { delays = { 1 }, timeout = 10 }
    assert.equal("wait", (machine:next(1000)))
    assert.equal("wait", (machine:next(1009, { state = "running" })))
    assert.same({ "failed", "timeout" }, { machine:next(1010, { state = "running" }) })
    assert.same({ "failed", "timeout" }, { machine:next(1010, { error = "network" }) })
    assert.same({ "done", "succeeded" }, { machine:next(1011, { state = "succeeded" }) })
    machine = core.poll { timeout = false }
    machine:next(0)
    assert.equal("wait", (machine:next(1e9)))
  end)

  it("does what its contract says, whatever comes in whatever order", function()
    math.randomseed(20261120)
    local counts = { wait = 0, done = 0, failed = 0 }
    for _ = 1, 4000 do
      local rules, now = random_rules(), math.random(0, 1000)
      local machine, expected = core.poll(rules), model(rules)
      for step = 1, 14 do
        local report = step == 1 and {} or random_report()
        local verdict, value = machine:next(now, report)
        local said, what = expected(now, report)
        assert.equal(said, verdict)
        if said == "wait" then
          assert.is_true(math.abs(what - value) < 1e-9, what .. " " .. value)
        else
          assert.equal(what, value)
        end
        counts[verdict] = counts[verdict] + 1
        now = now + any { 0, 0.5, 2, 6, -1 }
      end
    end
    for _, count in pairs(counts) do assert.is_true(count > 1000) end
  end)

  it("refuses what makes no sense", function()
    local cases = {
      ["unknown option 'delay'"] = { delay = {} }, ["delays: expected 1 to 1000"] = { delays = {} },
      ["delays%[2%]: expected seconds"] = { delays = { 1, -1 } }, ["delays: expected table"] = { delays = 5 },
      ["jitter: out of range"] = { jitter = 2 }, ["max_failures: out of range"] = { max_failures = 0 },
      ["states: expected queued"] = { states = { a = "done" } }, ["timeout: expected number"] = { timeout = "1" },
    }
    for pattern, rules in pairs(cases) do assert.error_matches(function() core.poll(rules) end, pattern) end
    local machine = core.poll()
    for pattern, report in pairs {
      ["state and error"] = { state = "a", error = "b" }, ["state: expected string"] = { state = 1 },
      ["random: out of range"] = { random = 2 }, ["unknown option 'kind'"] = { kind = "network" },
    } do
      assert.error_matches(function() machine:next(0, report) end, pattern)
    end
    assert.error_matches(function() machine:next(0 / 0) end, "expected a time")
    assert.error_matches(function() machine:next() end, "number expected")
  end)
end)
