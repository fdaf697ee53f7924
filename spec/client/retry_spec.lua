--- How often a request is made, by what the server saw; the clock is the spec's own, so nothing waits.
local mm = require("multimodal")
local server = require("support.server")

local done = "[DONE]"

local function chunk(delta, reason)
  return ('{"id":"c1","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}'):format(
    delta, reason and '"' .. reason .. '"' or "null")
end

local whole = '{"id":"c1","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]}'
local refusal = '{"error":{"message":"Not now.","type":"trouble"}}'

local function answer()
  return server.json(200, whole, { headers = { ["X-Request-Id"] = "last" } })
end

local function streamed()
  return server.sse { chunk('{"role":"assistant","content":""}'), chunk('{"content":"ok"}'), chunk("{}", "stop"), done }
end

local function refused(status, headers, body)
  return server.json(status, body or refusal, { headers = headers })
end

local function page(status)
  return server.text(status, "<html><title>Bad</title></html>", { headers = { ["Content-Type"] = "text/html" } })
end

--- A clock that stands still but for what is slept, and the list of that.
local function still()
  local slept, time = {}, 0
  return slept, {
    now = function() return time end,
    sleep = function(seconds)
      slept[#slept + 1] = seconds
      time = time + seconds
    end,
    random = function() return 1 end,
  }
end

describe("attempts", function()
  local s, ai, slept

  local function client(more)
    local clock
    slept, clock = still()
    local options = { base_url = s.url .. "/v1", api_key = "canary-k", model = "m", clock = clock }
    for name, value in pairs(more or {}) do options[name] = value end
    return mm.client(options)
  end

  before_each(function()
    s = server.start()
    ai = client()
  end)
  after_each(function() s:stop() end)

  local ways = {
    generate = function(...) return ai:generate("Hi", ...) end,
    stream = function(...) return ai:stream("Hi", ...) end,
    models = function() return ai:models { refresh = true } end,
    GET = function() return ai:http { "GET", "/x" } end,
    HEAD = function() return ai:http { "HEAD", "/x" } end,
    POST = function() return ai:http { "POST", "/x", json = { a = 1 } } end,
    again = function() return ai:http { "POST", "/x", json = { a = 1 }, idempotent = true } end,
    PUT = function() return ai:http { "PUT", "/x", json = { a = 1 } } end,
    PATCH = function() return ai:http { "PATCH", "/x", json = { a = 1 } } end,
    DELETE = function() return ai:http { "DELETE", "/x" } end,
  }

  --- How many requests a way of asking makes while the server answers each with these steps, and its error.
  local function count(steps, way)
    s:script(steps, { times = -1 })
    local value, err = ways[way]()
    assert.is_nil(value, way)
    local seen = #s:requests(err.attempts)
    s:clear()
    assert.equal(seen, err.attempts)
    return seen, err
  end

  local function counts(steps, expected)
    for way, times in pairs(expected) do
      local seen, err = count(steps, way)
      assert.same({ way, times }, { way, seen }, tostring(err))
    end
  end

  it("are as many as the status and the method allow", function()
    local full = { generate = 3, stream = 3, models = 3, GET = 3, again = 3 }
    local function table_of(writes, deletes)
      local all = { POST = writes, PUT = writes, PATCH = writes, DELETE = deletes }
      for name, value in pairs(full) do all[name] = value end
      return all
    end
    for _, status in ipairs { 429, 503 } do
      counts(refused(status), table_of(3, 3))
      counts(page(status), table_of(1, 1))
    end
    counts(refused(425), table_of(3, 1))
    counts(refused(529), table_of(3, 1))
    for _, status in ipairs { 408, 500, 502, 504, 520, 524 } do counts(refused(status), table_of(1, 1)) end
    local once = { generate = 1, stream = 1, models = 1, GET = 1, again = 1, POST = 1, PUT = 1, PATCH = 1, DELETE = 1 }
    for _, status in ipairs { 400, 401, 402, 403, 404, 405, 409, 413, 415, 422 } do counts(refused(status), once) end
  end)

  it("do not hide a second sending of what must not be made twice", function()
    for _, way in ipairs { "PUT", "DELETE" } do
      s:script(server.json(200, "{}")):script({ { close = true } }):script(server.json(200, "{}"))
      assert(ways[way]())
      local _, err = ways[way]()
      assert.same({ way, "closed", true, 1 }, { way, err.code, err.maybe_accepted, err.attempts })
      assert.equal(2, #s:requests())
      s:clear()
    end
  end)

  it("say what may have been accepted, when it is not made again", function()
    local _, err = count(refused(500), "POST")
    assert.is_true(err.maybe_accepted)
    _, err = count(page(429), "POST")
    assert.is_true(err.maybe_accepted)
    for _, way in ipairs { "GET", "generate", "DELETE" } do
      _, err = count(refused(500), way)
      assert.is_nil(err.maybe_accepted)
    end
    _, err = count(refused(400), "POST")
    assert.is_nil(err.maybe_accepted)
  end)

  it("are made of what was sent and lost only where it is safe, or wanted", function()
    local lost = { { close = true } }
    counts(lost, { generate = 3, stream = 1, models = 3, GET = 3, HEAD = 3, POST = 1, PUT = 1, PATCH = 1, DELETE = 1, again = 3 })
    ai = client { retry_ambiguous = true }
    counts(lost, { generate = 3, stream = 3, POST = 1, DELETE = 1 })
    ai = client { retry_ambiguous = false }
    counts(lost, { generate = 1, stream = 1, GET = 3, again = 1 })
    local _, err = count(lost, "POST")
    assert.same({ "network", true }, { err.kind, err.maybe_accepted })
    ai = client { first_byte_timeout = 0.05 }
    counts({ { stall = true } }, { generate = 3, stream = 1, GET = 3, POST = 1, DELETE = 1 })
  end)

  it("go on where nobody listens", function()
    local url = s.url
    s:stop()
    for _, way in ipairs { "generate", "stream", "models", "GET", "POST", "PUT", "DELETE" } do
      ai = client { base_url = url }
      local value, err = ways[way]()
      assert.is_nil(value)
      assert.same({ way, "network", "refused", 3 }, { way, err.kind, err.code, err.attempts })
      assert.same({ 0.5, 1 }, slept)
    end
    s = server.start()
  end)

  it("end where quota or money has", function()
    for _, code in ipairs { "insufficient_quota", "billing_hard_limit_reached" } do
      counts(refused(429, nil, ('{"error":{"message":"No more.","code":"%s"}}'):format(code)), { generate = 1, stream = 1, GET = 1 })
    end
  end)

  it("follow a conflict on the gateways that mean it", function()
    local function at(gateway)
      ai = client { gateway = gateway }
      return (count(refused(409), "generate"))
    end
    assert.same({ 3, 1 }, { at "openai", at "openrouter" })
    assert.equal(1, (count(refused(409), "POST")))
  end)

  it("follow what the gateway says of them", function()
    local yes, no = { ["x-should-retry"] = "true" }, { ["x-should-retry"] = "false" }
    counts(refused(400, yes), { generate = 3, stream = 3, GET = 3, DELETE = 3, POST = 1 })
    counts(refused(503, no), { generate = 1, stream = 1, GET = 1, DELETE = 1 })
    local body = '{"error":{"message":"Gone for now.","http_status":404,"availability":{"retryable":%s}}}'
    counts(refused(404, nil, body:format "true"), { generate = 3, POST = 1 })
    counts(refused(503, nil, body:format "false"), { generate = 1 })
  end)

  it("end well, with the body sent anew and the ids of all", function()
    local picture = mm.image "examples/cat.jpg"
    s:script(refused(503, { ["X-Request-Id"] = "first" }))
    s:script(refused(429, { ["X-Request-Id"] = "second" }))
    s:script(answer())
    local reply = assert(ai:generate { "Hi", picture })
    assert.same({ "ok", 3, "last", "first", "second", "last" }, {
      reply.text, reply.attempts, reply.request_id, reply.request_ids[1], reply.request_ids[2], reply.request_ids[3],
    })
    assert.same({ 0.5, 1 }, slept)
    local seen = assert(s:requests(3))
    assert(#seen[1].body > 10000)
    assert.same({ seen[1].body, seen[1].body }, { seen[2].body, seen[3].body })
  end)

  it("carry the same idempotency_key, where the call has one", function()
    s:script(refused(503)):script(answer())
    assert(ai:generate("Hi", { idempotency_key = "once-1" }))
    s:script(refused(503)):script(answer())
    assert(ai:http { "POST", "/x", json = { a = 1 }, idempotency_key = "once-2" })
    s:script(answer())
    assert(ai:generate "Hi")
    local keys = {}
    for i, request in ipairs(assert(s:requests(5))) do keys[i] = request.headers["idempotency-key"] or "none" end
    assert.same({ "once-1", "once-1", "once-2", "once-2", "none" }, keys)
  end)

  it("are told by an error too", function()
    for i = 1, 3 do s:script(refused(500, { ["X-Request-Id"] = "r" .. i })) end
    local reply, err = ai:generate "Hi"
    assert.is_nil(reply)
    assert.same({ "server", 3, "r3" }, { err.kind, err.attempts, err.request_id })
    assert.same({ "r1", "r2", "r3" }, err.request_ids)
    assert(tostring(err):find("Not now. 3 attempts, request r3", 1, true), tostring(err))
    assert(err.where:find("^retry_spec.lua:"), err.where)
  end)

  it("are told by what a call of ai:http gives", function()
    s:script(refused(503, { ["X-Request-Id"] = "first" }))
    s:script(answer())
    local got = assert(ai:http { "/x" })
    assert.same({ 2, "last", { "first", "last" } }, { got.attempts, got.request_id, got.request_ids })
  end)

  it("are of each request its own number", function()
    s:script(refused(500), { times = -1 })
    assert.equal(1, select(2, ai:generate("Hi", { retries = 0 })).attempts)
    assert.equal(5, select(2, ai:generate("Hi", { retries = 4 })).attempts)
    assert.equal(2, select(2, ai:http { "/x", retries = 1 }).attempts)
    assert.equal(1, select(2, client({ retries = 0 }):generate "Hi").attempts)
  end)

  it("of a picture count as those of a chat (O-R11)", function()
    local drawing = client { gateway = "openai" }
    s:script(refused(429, { ["Retry-After"] = "9" }), { times = 2 })
    s:script(server.json(200, '{"data":[{"b64_json":"iVBORw0KGgoAAAAN"}]}'))
    local reply = assert(drawing:image "A cat")
    assert.same({ 3, 9, 9 }, { reply.attempts, slept[1], slept[2] })
    s:script(refused(500), { times = -1 })
    local _, err = drawing:image("A cat", { retries = 1 })
    assert.same({ "server", 2 }, { err.kind, err.attempts })
  end)

  it("follow a stream that failed before its first content, and none after it", function()
    local overloaded = '{"error":{"message":"Overloaded","type":"overloaded_error"}}'
    s:script(server.sse { chunk('{"role":"assistant"}'), overloaded })
    s:script(server.sse { overloaded })
    s:script(streamed())
    local stream = assert(ai:stream "Hi")
    local reply = assert(stream:reply())
    assert.same({ "ok", 3 }, { reply.text, reply.attempts })
    assert.equal(3, #s:requests(3))

    s:clear()
    local once = chunk('{"content":"Once"}')
    for _, ending in ipairs { server.sse { once, overloaded }, { server.sse({ once }, { open = true }), { close = true } } } do
      s:script(ending, { times = -1 })
      local opened = assert(ai:stream("Hi", { retry_ambiguous = true }))
      local got, err = opened:reply()
      assert.is_nil(got)
      assert.same({ "Once", 1 }, { err.partial.text, err.attempts })
      got, err = ai:generate("Hi", { on_text = function() end, retry_ambiguous = true })
      assert.is_nil(got)
      assert.same({ "Once", 1 }, { err.partial.text, err.attempts })
      assert.equal(2, #s:requests(2))
      s:clear()
    end
  end)

  it("follow an error inside a 200", function()
    counts(server.json(200, '{"error":{"message":"Full","code":503}}'), { generate = 3, stream = 3 })
    counts(server.json(200, '{"error":{"message":"No","code":400}}'), { generate = 1, stream = 1 })
  end)

  it("follow redirects, each anew", function()
    for _ = 1, 2 do
      s:script(server.text(307, "", { headers = { Location = "/v1/there" } }), { path = "/v1/chat/completions" })
    end
    s:script(refused(503), { path = "/v1/there" })
    s:script(answer(), { path = "/v1/there" })
    local reply = assert(ai:generate "Hi")
    assert.equal(2, reply.attempts)
    local paths = {}
    for i, seen in ipairs(assert(s:requests(4))) do paths[i] = seen.path end
    assert.same({ "/v1/chat/completions", "/v1/there", "/v1/chat/completions", "/v1/there" }, paths)
  end)

  it("are made of links as well", function()
    local function link(more)
      ai = client { fetch = true, private = true }
      return ai:request({ mm.image(s.url .. "/cat.png") }, more)
    end
    local png = server.text(200, "\137PNG\r\n\26\n", { headers = { ["Content-Type"] = "image/png" } })
    s:script(page(503)):script({ server.head(200, { ["Content-Length"] = 9 }), "half", { close = true } }):script(png)
    assert(link())
    assert.same({ 0.5, 1 }, slept)
    assert.equal(3, #s:requests(3))
    s:clear()
    s:script(server.text(429, "", { headers = { ["Retry-After"] = "7" } }), { times = -1 })
    local got, err = link { retries = 1 }
    assert.is_nil(got)
    assert.same({ "rate_limit", 7, 2, 7 }, { err.kind, err.retry_after, err.attempts, slept[1] })
    s:clear()
    s:script(page(404), { times = -1 })
    assert.equal(1, select(2, link()).attempts)
    ai = client { fetch = true }
    assert.is_nil(select(2, ai:request { mm.image(s.url .. "/cat.png") }).attempts)
  end)

  it("wait as the server says, in every form of saying it", function()
    local date = "Sun, 06 Nov 1994 08:49:37 GMT"
    local function info(seconds)
      return ('{"error":{"code":429,"message":"Slow","status":"RESOURCE_EXHAUSTED","details":[{"@type":'
        .. '"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"%s"}]}}'):format(seconds)
    end
    for _, case in ipairs {
      { { ["retry-after-ms"] = "1250.5", ["Retry-After"] = "9" }, 1.2505 },
      { { ["Retry-After"] = "3" }, 3 },
      { { ["Retry-After"] = "0.25" }, 0.25 },
      { { ["Retry-After"] = "0" }, 0 },
      { { ["Retry-After"] = "Sun, 06 Nov 1994 08:49:47 GMT", Date = date }, 10 },
      { { ["Retry-After"] = "Sunday, 06-Nov-94 08:49:48 GMT", Date = date }, 11 },
      { { ["Retry-After"] = "Sun Nov  6 08:49:49 1994", Date = date }, 12 },
      { { ["Retry-After"] = "Sun, 06 Nov 1994 08:49:36 GMT", Date = date }, 0 },
      { { ["Retry-After"] = "Sun, 06 Nov 1994 08:49:47 GMT" }, 0 },
      { { ["Retry-After"] = "2" }, 2, info "34.074824224s" },
      { {}, 34.074824224, info "34.074824224s" },
      { { ["Retry-After"] = "-1" }, 34, info "34s" },
      { { ["Retry-After"] = "soon", ["retry-after-ms"] = "nan" }, 0.5 },
      { { ["x-ratelimit-remaining-requests"] = "0", ["x-ratelimit-reset-requests"] = "1m0s" }, 60 },
      { { ["x-ratelimit-remaining-requests"] = "0", ["x-ratelimit-reset-requests"] = "12ms",
        ["x-ratelimit-remaining-tokens"] = "0", ["x-ratelimit-reset-tokens"] = "1.5s" }, 1.5 },
      { { ["x-ratelimit-remaining-requests"] = "7", ["x-ratelimit-reset-requests"] = "1m0s" }, 0.5 },
      { { ["X-RateLimit-Remaining"] = "0", ["X-RateLimit-Reset"] = "784111787500", Date = date }, 10.5 },
      { { ["anthropic-ratelimit-input-tokens-remaining"] = "0", Date = date,
        ["anthropic-ratelimit-input-tokens-reset"] = "1994-11-06T08:49:57Z",
        ["anthropic-ratelimit-requests-remaining"] = "5", ["anthropic-ratelimit-requests-reset"] = "1994-11-06T08:50:07Z" }, 20 },
      { { ["anthropic-ratelimit-requests-remaining"] = "0", Date = date,
        ["anthropic-ratelimit-requests-reset"] = "1994-11-06T10:49:38.5+02:00" }, 1.5 },
    } do
      ai = client()
      s:script(refused(429, case[1], case[3]))
      s:script(answer())
      assert(ai:generate "Hi")
      assert.equal(1, #slept)
      assert(math.abs(slept[1] - case[2]) < 1e-6, slept[1] .. " for " .. case[2])
    end
  end)

  it("do not wait longer than max_retry_after", function()
    s:script(refused(429, { ["Retry-After"] = "61" }), { times = -1 })
    local _, err = ai:generate "Hi"
    assert.same({ "rate_limit", 61, 1, 0 }, { err.kind, err.retry_after, err.attempts, #slept })
    assert.equal("Not now. (asked to wait 61 s; raise max_retry_after to wait that long)", err.message)
    assert.equal("Not now.", select(2, ai:generate("Hi", { retries = 0 })).message)
    _, err = ai:generate("Hi", { max_retry_after = 100 })
    assert.same({ 3, 2 }, { err.attempts, #slept })
  end)

  it("have one deadline together", function()
    s:script(refused(503, { ["Retry-After"] = "4" }), { times = -1 })
    local _, err = ai:generate("Hi", { timeout = 10, retries = 9 })
    assert.same({ "overloaded", 3, 4 }, { err.kind, err.attempts, err.retry_after })
    assert.same({ 4, 4 }, slept)
    s:clear()
    s:script(refused(503, { ["Retry-After"] = "4" }))
    s:script({ { stall = true } })
    local began = os.time()
    _, err = ai:generate("Hi", { timeout = 4.1 })
    assert.same({ "timeout", "total", 2 }, { err.kind, err.code, err.attempts })
    assert(os.time() - began < 4)
  end)

  it("let other jobs run while they wait", function()
    s:script(refused(503, { ["Retry-After"] = "0.05" }))
    s:script(answer())
    local own = mm.client { base_url = s.url .. "/v1", api_key = "canary-k", model = "m" }
    mm.run(function()
      local steps, reply = 0, nil
      mm.all(function() reply = assert(own:generate "Hi") end, function()
        while not reply do
          steps = steps + 1
          mm.sleep(0.005)
        end
      end)
      assert(steps > 2, steps)
      assert.equal(2, reply.attempts)
    end)
  end)
end)

describe("a mock's answers #small", function()
  it("are attempts like any other", function()
    local slept, clock = still()
    local fake = mm.mock { { kind = "rate_limit", retry_after = 1 }, "Hello." }
    local reply = assert(mm.client({ gateway = fake, clock = clock }):generate "Hi")
    assert.same({ "Hello.", 2, 1, 2 }, { reply.text, reply.attempts, slept[1], #fake.requests })
    assert.same({ "mock", "mock" }, reply.request_ids)
  end)

  it("run out with words", function()
    local _, clock = still()
    local ai = mm.client { gateway = mm.mock { { kind = "overloaded" } }, clock = clock }
    local ok, message = pcall(function() ai:generate "Hi" end)
    assert.is_false(ok)
    assert(message:find("retry_spec.lua:%d+: mock: no answer is left for request 2, which repeats the last; .*retries = 0"), message)
  end)

  it("are asked for again in each step of a tool loop", function()
    local slept, clock = still()
    local tool = mm.tool { name = "f", description = "It.", parameters = {}, run = function() return "x" end }
    local answers = { { kind = "overloaded" }, { tool_calls = { { name = "f" } } }, { kind = "rate_limit", retry_after = 3 }, "Done." }
    for _, method in ipairs { "generate", "stream" } do
      local ai = mm.client { gateway = mm.mock(answers), clock = clock, tools = { tool } }
      local got = assert(ai[method](ai, "Hi"))
      local reply = method == "stream" and assert(got:reply()) or got
      assert.same({ "Done.", 2, 2 }, { reply.text, reply.attempts, reply.steps[1].attempts })
    end
    assert.same({ 0.5, 3, 0.5, 3 }, slept)
  end)

  it("take a clock of three functions", function()
    for _, clock in ipairs { 5, { sleep = 1 }, { wait = print } } do
      assert.has_error(function() mm.client { gateway = mm.mock {}, clock = clock } end)
    end
    for _, retries in ipairs { -1, 1.5, "2" } do
      assert.has_error(function() mm.client { gateway = mm.mock {}, retries = retries } end)
    end
  end)
end)
