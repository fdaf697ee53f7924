--- How many requests are in flight and a minute, by what the server saw.
local mm = require("multimodal")
local server = require("support.server")

local whole = '{"id":"c1","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}],'
  .. '"usage":{"prompt_tokens":40,"completion_tokens":60,"total_tokens":100}}'
local refusal = '{"error":{"message":"Slow down.","type":"rate_limit_error"}}'

local function answer(headers)
  return server.json(200, whole, { headers = headers })
end

--- A clock that stands still but for what is slept.
local function still()
  local slept, time = {}, 0
  return slept, {
    now = function() return time end,
    sleep = function(seconds)
      slept[#slept + 1] = math.floor(seconds * 1000 + 0.5) / 1000
      time = time + seconds
    end,
    random = function() return 1 end,
  }
end

--- The requests of a server once it has told of each that it is answered: the client may know that first.
local function answered(at, n)
  return at:wait(function()
    local seen, done = at:requests(), 0
    for _, request in ipairs(seen) do done = done + (request.answered and 1 or 0) end
    return done == n and seen
  end)
end

--- The most requests that were at the server at one time.
local function most_at_once(requests)
  local marks = {}
  for _, request in ipairs(requests) do
    marks[#marks + 1] = { request.at, 1 }
    marks[#marks + 1] = { request.answered, -1 }
  end
  table.sort(marks, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
  local count, most = 0, 0
  for _, mark in ipairs(marks) do
    count = count + mark[2]
    most = math.max(most, count)
  end
  return most
end

local function refuses(options, words)
  local ok, message = pcall(mm.client, options)
  assert.is_false(ok)
  assert(tostring(message):find(words, 1, true), tostring(message))
end

describe("a limiter", function()
  local s

  local function client(limit, more)
    local options = { base_url = s.url .. "/v1", api_key = "canary-k", model = "m", limit = limit }
    for name, value in pairs(more or {}) do options[name] = value end
    return mm.client(options)
  end

  before_each(function() s = server.start() end)
  after_each(function() s:stop() end)

  it("holds a thousand jobs to eight in flight, and starves none", function()
    s:script({ answer() }, { times = -1 })
    local ai, jobs = client { concurrent = 8 }, {}
    for i = 1, 1000 do jobs[i] = mm.spawn(function() return assert(ai:generate("Hi " .. i)).text end) end
    for i = 1, 1000 do assert.equal("ok", jobs[i]:wait()) end
    local requests = answered(s, 1000)
    assert.equal(1000, #requests)
    local most = most_at_once(requests)
    assert(most <= 8 and most >= 2, most)
    -- In the order of arrival, but for the eight that are under way at a time.
    for place, request in ipairs(requests) do
      local i = tonumber(request.body:match("Hi (%d+)"))
      assert(math.abs(i - place) < 16, ("request %d came at place %d"):format(i, place))
    end
  end)

  it("holds streams until they are read", function()
    local function block(text, reason)
      return ('{"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}'):format(text, reason or "null")
    end
    s:script(server.sse { block "a", block("b", '"stop"'), "[DONE]" }, { times = -1 })
    local ai, order = client { concurrent = 1 }, {}
    mm.run(function()
      local first = assert(ai:stream "Hi")
      local second = mm.spawn(function()
        return ai:generate { "Hi", on_text = function(text) order[#order + 1] = text end }
      end)
      mm.sleep(0.05)
      order[#order + 1] = "first"
      assert(first:reply())
      assert(second:wait())
    end)
    assert.same({ "first", "a", "b" }, order)
  end)

  it("holds each host alone with per_host", function()
    local other = server.start()
    s:script({ { wait = 0.05 }, answer() }, { times = -1 })
    other:script({ answer() }, { times = -1 })
    local limit = { per_host = 1 }
    local a = client(limit)
    local b = mm.client { base_url = other.url .. "/v1", api_key = "canary-k", model = "m", limit = limit }
    local order = {}
    local function ask(ai, name)
      return function()
        assert(ai:generate "Hi")
        order[#order + 1] = name
        return name
      end
    end
    assert(mm.all(ask(a, "a1"), ask(a, "a2"), ask(b, "b1"), ask(b, "b2")))
    assert.same({ "b1", "b2", "a1", "a2" }, order)
    assert.equal(1, most_at_once(answered(s, 2)))
    assert.equal(1, most_at_once(answered(other, 2)))
    other:stop()
  end)

  it("lets a cancelled job out of the line", function()
    s:script({ { wait = 0.1 }, answer() }, { times = -1 })
    local ai = client { concurrent = 1 }
    local job = {}
    for i = 1, 4 do job[i] = mm.spawn(function() return assert(ai:generate("Hi " .. i)).text end) end
    mm.sleep(0.03)
    assert(job[2]:cancel())
    assert(job[1]:cancel())
    assert.equal("ok", job[3]:wait())
    assert.equal("ok", job[4]:wait())
    assert.equal("cancelled", select(2, job[2]:wait()).kind)
    assert.equal(3, #s:requests())
  end)

  it("gives a forgotten stream's place away", function()
    local text = '{"choices":[{"index":0,"delta":{"content":"a"}}]}'
    s:script(server.sse({ text, text }, { every = 5 }))
    s:script({ answer() })
    local ai = client { concurrent = 1 }
    do assert(ai:stream "Hi") end
    for _ = 1, 3 do collectgarbage() end
    if jit then jit.flush() end -- luacheck: ignore 113
    for _ = 1, 3 do collectgarbage() end
    assert.equal("ok", assert(mm.timeout(5, function() return ai:generate "Hi" end)).text)
  end)

  it("finds the place of a forgotten stream where nothing else could end the wait", function()
    local text = '{"choices":[{"index":0,"delta":{"content":"a"}}]}'
    for _, run in ipairs { function(fn) return fn() end, mm.run } do
      s:clear()
      s:script(server.sse({ text, text }, { open = true })):script({ answer() })
      local ai = client { concurrent = 1 }
      local function forget()
        local stream = assert(ai:stream "Hi")
        local next_text, state = stream:text()
        assert.equal("a", next_text(state))
      end
      assert.equal("ok", run(function()
        forget()
        return assert(ai:generate "Hi").text
      end))
    end
  end)

  it("tells of a wait that could not end", function()
    local text = '{"choices":[{"index":0,"delta":{"content":"a"}}]}'
    s:script(server.sse({ text, text }, { every = 5 }))
    local ai = client { concurrent = 1 }
    local stream = assert(ai:stream "Hi")
    local ok, message = pcall(ai.generate, ai, "Hi")
    assert.is_false(ok)
    assert(tostring(message):find("would deadlock", 1, true), tostring(message))
    stream:close()
    s:script({ answer() })
    assert.equal("ok", assert(ai:generate "Hi").text)
  end)

  it("leaves the place when a request is refused, redirected or never sent", function()
    local ai = client({ concurrent = 1 }, { retries = 0 })
    s:script(server.json(400, refusal))
    assert.equal(400, select(2, ai:generate "Hi").status)
    s:script(server.text(307, "", { headers = { Location = s.url .. "/there" } }))
    s:script({ answer() }, { path = "/there" })
    assert.equal("ok", assert(ai:generate "Hi").text)
    local keyless = ai:with { api_key = function() return nil, "none" end }
    assert.equal("auth", select(2, keyless:generate "Hi").kind)
    local closed = ai:with { base_url = "http://127.0.0.1:1/v1" }
    assert.equal("network", select(2, closed:generate "Hi").kind)
    s:script { answer() }
    assert.equal("ok", assert(ai:generate "Hi").text)
  end)

  it("leaves the place when what the user wrote raises, or is cancelled", function()
    s:script({ answer() }, { times = -1 })
    s:script(server.sse({ '{"choices":[{"index":0,"delta":{"content":"a"}}]}' }, { open = true }), { path = "/v1/chat/completions" })
    local limit = { concurrent = 1 }
    local ai = client(limit)
    local function bug() error("a bug", 0) end
    local function asked()
      return assert(mm.timeout(5, function() return ai:generate "Hi" end)).text
    end
    local function raises(options)
      assert.same({ false, "a bug" }, { pcall(ai.generate, ai, "Hi", options) })
      assert.equal("ok", asked())
      assert.same({ false, "a bug" }, { mm.run(function() return pcall(ai.generate, ai, "Hi", options) end) })
      assert.equal("ok", asked())
    end
    raises { on_text = bug }
    raises { api_key = bug }
    raises { headers = { ["X-Mine"] = mm.secret(bug) } }
    for _, event in ipairs { "request", "response" } do
      raises { observe = function(record) if record.event == event then bug() end end }
    end
    local job = mm.spawn(function() return ai:generate("Hi", { api_key = function() mm.sleep(9) end }) end)
    mm.sleep(0.02)
    job:cancel()
    assert.equal("ok", asked())
  end)

  it("spreads requests over the minute", function()
    local slept, clock = still()
    s:script({ answer() }, { times = -1 })
    local ai = client({ requests_per_minute = 2 }, { clock = clock })
    for _ = 1, 5 do assert(ai:generate "Hi") end
    assert.same({ 30, 30, 30 }, slept)
    -- Another key has a rate of its own; a derived client with the same key has not.
    assert(ai:with({ api_key = "other" }):generate "Hi")
    assert.same({ 30, 30, 30 }, slept)
    assert(ai:with({ temperature = 0 }):generate "Hi")
    assert.same({ 30, 30, 30, 30 }, slept)
  end)

  it("counts tokens as they were used", function()
    local slept, clock = still()
    s:script({ answer() }, { times = -1 })
    local ai = client({ tokens_per_minute = 600 }, { clock = clock })
    for _ = 1, 6 do assert(ai:generate("Hi", { max_tokens = 10 })) end
    assert.same({}, slept)
    assert(ai:generate("Hi", { max_tokens = 10 })) -- 11 are asked for, nothing is left: 11 / 10 a second
    assert.same({ 1.1 }, slept)
  end)

  it("believes the server's count", function()
    local slept, clock = still()
    s:script({ answer { ["x-ratelimit-remaining-requests"] = "0", ["x-ratelimit-reset-requests"] = "1m6s" } })
    s:script({ answer { ["x-ratelimit-remaining-requests"] = "1" } })
    s:script({ answer() }, { times = -1 })
    local ai = client({ requests_per_minute = 60 }, { clock = clock, max_retry_after = 100 })
    assert(ai:generate "Hi")
    assert(ai:generate "Hi")
    assert.same({ 66 }, slept)
    assert(ai:generate "Hi")
    assert.same({ 66 }, slept)
    assert(ai:generate "Hi")
    assert.same({ 66, 1 }, slept)
  end)

  it("pauses all when the server says wait, and loses none", function()
    local slept, clock = still()
    s:script(server.json(429, refusal, { headers = { ["Retry-After"] = 20 } }), { times = 2 })
    s:script({ answer() }, { times = -1 })
    local ai, done = client({ concurrent = 2 }, { clock = clock }), 0
    assert(mm.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function()
      assert(ai:generate "Hi")
      done = done + 1
      return true
    end, { limit = 8 }))
    assert.equal(8, done)
    assert.equal(10, #s:requests())
    assert(clock.now() >= 20)
    assert(#slept >= 1)
  end)

  it("pauses a thousand jobs at the server, and loses none", function()
    local pause = 0.6
    for _, headers in ipairs {
      { ["x-ratelimit-remaining-requests"] = "0", ["x-ratelimit-reset-requests"] = "600ms" }, { ["retry-after-ms"] = "600" },
    } do
      s:clear()
      s:script(answer(), { times = 400 })
      s:script(server.json(429, refusal, { headers = headers }))
      s:script(answer(), { times = -1 })
      local ai = client { concurrent = 8 }
      local jobs = {}
      for i = 1, 1000 do jobs[i] = mm.spawn(function() return assert(ai:generate("Hi " .. i)).text end) end
      for i = 1, 1000 do assert.equal("ok", jobs[i]:wait()) end
      local requests = answered(s, 1001)
      local most = most_at_once(requests)
      assert(most <= 8, most)
      -- Those that were on their way are served; the next one comes when the pause is over, and so does the refused one again.
      local widest = 0
      for i = 402, 409 do widest = math.max(widest, requests[i].at - requests[i - 1].at) end
      assert(widest > 0.9 * pause, widest)
      local times, again = {}, 0
      for _, request in ipairs(requests) do
        local name = request.body:match("Hi %d+")
        times[name] = (times[name] or 0) + 1
        if times[name] > 1 then again = again + 1 end
      end
      assert.equal(1, again)
      for i = 1, 1000 do assert(times["Hi " .. i], i) end
    end
  end)

  it("fails at once where the server asked for more than max_retry_after", function()
    local _, clock = still()
    s:script(server.json(429, refusal, { headers = { ["Retry-After"] = 3600 } }))
    local ai = client({ concurrent = 2 }, { clock = clock })
    assert.equal(3600, select(2, ai:generate "Hi").retry_after)
    local _, err = ai:generate "Hi"
    assert.same({ "limit", true, 3600 }, { err.kind, err.retryable, err.retry_after })
    assert.equal(1, #s:requests())
    assert(tostring(err):find("the gateway asked for no request for 3600 s", 1, true), tostring(err))
  end)

  it("counts in a store for several processes", function()
    local slept, clock = still()
    local values = {}
    local store = {
      incr = function(_, key, n, init)
        values[key] = (values[key] or init) + n
        return values[key]
      end,
    }
    s:script({ answer() }, { times = -1 })
    local a = client({ requests_per_minute = 1000, tokens_per_minute = 100000, store = store }, { clock = clock })
    local b = client({ requests_per_minute = 1000, tokens_per_minute = 100000, store = store }, { clock = clock })
    assert(a:generate "Hi")
    assert(b:generate "Hi")
    local requests, tokens = 0, 0
    for key, value in pairs(values) do
      assert(key:find("^multimodal:http://127.0.0.1:%d+ %x+:%a+:%d+$"), key)
      if key:find("requests") then requests = requests + value else tokens = tokens + value end
    end
    assert.same({ 2, 200 }, { requests, tokens })
    assert.same({}, slept)
    local full = client({ requests_per_minute = 2, store = store }, { clock = clock, retries = 0 })
    store.incr = function() return nil, "no memory" end
    local _, err = full:generate "Hi"
    assert.same({ "limit", "limit.store: incr: no memory" }, { err.kind, err.message })
    assert.equal(2, #s:requests())
  end)

  it("tells how long a request stood in line", function()
    local _, clock = still()
    s:script({ answer() }, { times = -1 })
    local ai = client({ requests_per_minute = 1 }, { clock = clock, timeout = 10 })
    assert(ai:generate "Hi")
    local reply = assert(ai:generate "Hi")
    assert(reply.timing.queued >= 60, reply.timing.queued)
  end)

  it("forgets keys that are used no more, but nothing of those that are", function()
    local slept, clock = still()
    local limit, answers = { requests_per_minute = 2 }, {}
    for i = 1, 1002 do answers[i] = "ok" end
    local ai = mm.client { gateway = mm.mock(answers), limit = limit, clock = clock, timeout = false }
    local function ask(n) assert(ai:generate("Hi", { api_key = "canary-" .. n })) end
    for _ = 1, 3 do ask "first" end
    assert.same({ 30 }, slept)
    for i = 1, 63 do ask(i) end
    ask "first"
    assert.same({ 30, 30 }, slept)
    for i = 64, 998 do
      ask(i)
      clock.sleep(1)
    end
    local limiter = require("multimodal.client.limiter").of(limit)
    assert(#limiter.lanes < 200, #limiter.lanes)
    local count = 0
    for _ in pairs(limiter.by_name) do count = count + 1 end
    assert.equal(#limiter.lanes, count)
  end)

  it("is refused where it is none", function()
    refuses({ base_url = s.url, limit = { concurent = 1 } }, "limit: concurent: unknown option; did you mean concurrent?")
    refuses({ base_url = s.url, limit = { concurrent = 0 } }, "limit: expected a table of concurrent, per_host")
    refuses({ base_url = s.url, limit = { store = {} } }, "limit: expected a table of")
  end)
end)
