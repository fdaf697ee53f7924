--- What was spent, and what may be.
local mm = require("multimodal")

local function usage(output, cost)
  return { body = ('{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}],'
    .. '"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d,"cost":%s}}'):format(output, 10 + output, cost or 0) }
end

local function client(answers, more)
  local fake = mm.mock(answers)
  local options = { gateway = fake, retries = 0 }
  for name, value in pairs(more or {}) do options[name] = value end
  return mm.client(options), fake
end

--- How so many requests at a time end, in order.
local function side_by_side(ai, count)
  local jobs, kinds = {}, {}
  for i = 1, count do jobs[i] = mm.spawn(function() return ai:generate "Hi" end) end
  for i = 1, count do
    local reply, err = jobs[i]:wait()
    kinds[i] = reply and "ok" or err.kind
  end
  table.sort(kinds)
  return kinds
end

describe("ai.spent #small", function()
  it("adds up what the gateway tells, with derived clients and failed attempts", function()
    local ai = client { usage(5, 0.25), { kind = "server" }, "two words" }
    assert.same({ 0, 0, 0 }, { ai.spent.requests, ai.spent.total_tokens, ai.spent.cost })
    assert(ai:generate "Hi")
    assert.same({ 1, 10, 5, 15, 0.25 }, {
      ai.spent.requests, ai.spent.input_tokens, ai.spent.output_tokens, ai.spent.total_tokens, ai.spent.cost,
    })
    assert.is_nil(ai:with({ temperature = 1 }):generate "Hi")
    assert.same({ 2, 5 }, { ai.spent.requests, ai.spent.output_tokens })
    assert(assert(ai:stream "Hi"):reply())
    assert.same({ 3, 7 }, { ai.spent.requests, ai.spent.output_tokens })
  end)

  it("counts each step of a tool loop once", function()
    local tool = mm.tool { name = "f", parameters = {}, run = function() return "done" end }
    local ai = client { { tool_calls = { { name = "f" } } }, "one two three" }
    local reply = assert(ai:generate { "Hi", tools = { tool } })
    assert.same({ 2, reply.usage.total_tokens }, { ai.spent.requests, ai.spent.total_tokens })
  end)
end)

describe("a budget #small", function()
  it("stops a loop that runs away", function()
    local tool = mm.tool { name = "f", parameters = {}, run = function() return "again" end }
    local calls = {}
    for i = 1, 20 do calls[i] = { tool_calls = { { name = "f" } } } end
    local ai, fake = client(calls)
    local _, err = ai:generate { "Hi", tools = { tool }, max_steps = 100, budget = { requests = 3 } }
    assert.same({ "budget", "requests", 3, false }, { err.kind, err.code, #fake.requests, err.retryable })
    assert.equal(3, #err.partial.steps)
    assert(tostring(err):find("budget.requests is spent: 3 of 3; nothing was sent", 1, true), tostring(err))
  end)

  it("counts tokens and money, over all calls that share it", function()
    local budget = { output_tokens = 20 }
    local ai = client({ usage(15), usage(15), usage(1, 0.5), usage(1, 0.6) }, { budget = budget })
    assert(ai:generate "Hi")
    assert(ai:with({ temperature = 0 }):generate "Hi")
    assert.equal("output_tokens", select(2, ai:generate "Hi").code)
    local money = { cost = 1 }
    assert(ai:generate("Hi", { budget = money }))
    assert(ai:generate("Hi", { budget = money }))
    assert.equal("cost", select(2, ai:generate("Hi", { budget = money })).code)
    assert.equal("output_tokens", select(2, ai:generate "Hi").code)
    assert.is_not_nil(ai:with { budget = false })
  end)

  it("counts retries", function()
    local clock = { now = function() return 0 end, sleep = function() end }
    local ai, fake = client({ { kind = "server" }, { kind = "server" }, "ok" }, { budget = { requests = 2 }, retries = 5, clock = clock })
    local _, err = ai:generate "Hi"
    assert.same({ "budget", 2 }, { err.kind, #fake.requests })
  end)

  it("counts requests that are asked for side by side, in line too", function()
    for _, limit in ipairs { false, { concurrent = 2 } } do
      local answers = {}
      for i = 1, 10 do
        answers[i] = function()
          mm.sleep(0.001)
          return usage(5)
        end
      end
      local ai, fake = client(answers, { budget = { requests = 3 }, limit = limit })
      local kinds = side_by_side(ai, 10)
      assert.same({ 3, 3, "budget ok ok ok" }, { #fake.requests, ai.spent.requests, table.concat(kinds, " ", 7) })
    end
  end)

  it("stops those in line when it is spent", function()
    local answers = {}
    for i = 1, 5 do answers[i] = usage(15) end
    local ai, fake = client(answers, { budget = { output_tokens = 20 }, limit = { concurrent = 1 } })
    side_by_side(ai, 5)
    assert.equal(2, #fake.requests)
  end)

  it("counts no request that was not sent", function()
    local stop = true
    local options = { budget = { requests = 1 }, observe = function() return not stop end, clock = { sleep = function() end } }
    local ai = client({ usage(1) }, options)
    assert.equal("cancelled", select(2, ai:generate "Hi").kind)
    options.observe = function() error("a bug", 0) end
    assert.is_false(pcall(ai.generate, ai, "Hi", { observe = options.observe }))
    assert.equal("auth", select(2, ai:generate("Hi", { api_key = function() return nil end, observe = false })).kind)
    stop = false
    assert.equal(0, ai.spent.requests)
    assert.equal("ok", assert(ai:generate "Hi").text)
    assert.equal("budget", select(2, ai:generate "Hi").kind)
  end)

  it("guesses what the gateway does not count", function()
    local silent = { body = ('{"choices":[{"index":0,"finish_reason":"stop","message":{"content":"%s"}}]}'):format(("x"):rep(400)) }
    local ai = client({ silent, silent }, { budget = { output_tokens = 100 } })
    assert(ai:generate "Hi")
    assert.equal("budget", select(2, ai:generate "Hi").kind)
    assert.equal(0, ai.spent.output_tokens)
  end)

  it("is refused where it is none", function()
    local ok, message = pcall(client, {}, { budget = { request = 3 } })
    assert.is_false(ok)
    assert(message:find("budget: request: unknown option; did you mean requests?", 1, true), message)
    assert.is_false(pcall(client, {}, { budget = { cost = -1 } }))
  end)
end)
