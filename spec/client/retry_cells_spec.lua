--- The whole table of retries, each cell by how many requests a server saw. The clock is the spec's own: nothing waits.
--- A row's counts are in the order of `order`: "33331111" is three requests of what reads and of a chat, one of a write.
local mm = require("multimodal")
local server = require("support.server")

local order = { "chat", "stream", "models", "GET", "POST", "PUT", "PATCH", "DELETE" }
local never = "11111111"

local function error_body(fields)
  return '{"error":{"message":"Not now.",' .. fields .. "}}"
end

local function refused(status, fields, headers)
  return server.json(status, error_body(fields or '"type":"trouble"'), { headers = headers })
end

local function page(status, headers)
  headers = headers or {}
  headers["Content-Type"] = "text/html"
  return server.text(status, "<html><title>Bad</title></html>", { headers = headers })
end

local function chunk(delta, reason)
  return ('{"id":"c1","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}'):format(delta, reason or "null")
end

local whole = '{"id":"c1","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]}'

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

describe("the cells of the table of retries", function()
  local s, ai, slept

  local function client(more)
    local clock
    slept, clock = still()
    local options = { base_url = s.url .. "/v1", api_key = "canary-k", model = "m", clock = clock, proxy = false }
    for name, value in pairs(more or {}) do options[name] = value end
    ai = mm.client(options)
  end

  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function()
    s:clear()
    client()
  end)

  local ways = {
    chat = function(more) return ai:generate("Hi", more) end,
    stream = function(more) return ai:stream("Hi", more) end,
    models = function() return ai:models { refresh = true } end,
  }
  for _, method in ipairs { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" } do
    ways[method] = function(more)
      local call = { method, "/x", json = method:find("^P") and { a = 1 } or nil }
      for name, value in pairs(more or {}) do call[name] = value end
      return ai:http(call)
    end
  end

  --- How many requests a way of asking makes while each gets the same answer, and its error.
  local function count(way, steps)
    s:clear()
    s:script(steps, { times = -1 })
    local value, err = ways[way]()
    assert.is_nil(value, way)
    local seen = #assert(s:requests(err.attempts))
    assert.same({ way, err.attempts }, { way, seen })
    return seen, err
  end

  --- The counts of all ways, and which of them may have begun work.
  local function counts(steps)
    local digits, begun = {}, {}
    for i, way in ipairs(order) do
      local seen, err = count(way, steps)
      digits[i] = seen
      if err.maybe_accepted then begun[#begun + 1] = way end
    end
    return table.concat(digits), table.concat(begun, " ")
  end

  --- A row: a name, the answer, the counts, whose work may have begun ("" unless said).
  local function row(name, steps, expected, begun, options)
    it(name, function()
      if options then client(options) end
      assert.same({ expected, begun or "" }, { counts(steps) })
    end)
  end

  local writes = "POST PUT PATCH"

  describe("by status:", function()
    for _, status in ipairs { 429, 503 } do
      row(status .. " in words", refused(status), "33333333")
      row(status .. " as a page", page(status), "33331111", writes)
      row(status .. " without a body", server.text(status, ""), "33331111", writes)
    end
    row("425", refused(425), "33333331")
    row("425 as a page", page(425), "33333331")
    row("529", refused(529), "33333331")
    for _, status in ipairs { 408, 500, 502, 504, 520, 521, 522, 523, 524 } do
      row(tostring(status), refused(status), "33331111", writes)
    end
    row("502 as a page", page(502), "33331111", writes)
    for _, status in ipairs { 400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 422, 451, 501 } do
      row(tostring(status), refused(status), never)
    end
    it("of HEAD, which no body answers", function()
      for status, times in pairs { [429] = 3, [503] = 3, [425] = 3, [529] = 3, [500] = 3, [504] = 3, [524] = 3, [400] = 1, [409] = 1 } do
        assert.same({ status, times }, { status, (count("HEAD", { server.head(status, { ["Content-Length"] = 9 }) })) })
      end
      assert.equal(1, (count("HEAD", { server.head(503, { ["Content-Length"] = 9, ["x-should-retry"] = "false" }) })))
    end)
    for _, gateway in ipairs { "openai", "anthropic" } do
      row("409 of " .. gateway, refused(409), "33111111", "", { gateway = gateway })
    end
    for _, gateway in ipairs { "openrouter", "glm", "google" } do
      row("409 of " .. gateway, refused(409), never, "", { gateway = gateway })
    end
  end)

  describe("what was sent and lost:", function()
    -- The transport says of each that a byte of it was sent.
    local lost, sent = { { close = true } }, table.concat(order, " ")
    row("closed", lost, "31331111", sent)
    row("reset", { { reset = true } }, "31331111", sent)
    row("closed, streams too", lost, "33331111", sent, { retry_ambiguous = true })
    row("closed, no chat", lost, "11331111", sent, { retry_ambiguous = false })
    row("silent", { { stall = true } }, "31331111", sent, { first_byte_timeout = 0.02 })
    it("of HEAD, where no kept connection hides a loss", function()
      local usual = s
      s = server.start()
      client()
      local seen = count("HEAD", { { close = true } })
      s:stop()
      s = usual
      assert.equal(3, seen)
    end)
  end)

  describe("what could not be sent:", function()
    local function unsent(name, options)
      it(name, function()
        for _, way in ipairs(order) do
          client(options())
          local value, err = ways[way]()
          assert.is_nil(value)
          assert.same({ way, "network", 3, false }, { way, err.kind, err.attempts, err.maybe_accepted or false })
          assert.same({ 0.5, 1 }, slept)
        end
      end)
    end
    local function gone()
      local other = server.start()
      other:stop()
      return other.url
    end
    unsent("nobody listens", function() return { base_url = gone() } end)
    unsent("no such host", function() return { base_url = "http://no-such-host.invalid/v1" } end)
    unsent("no proxy listens", function() return { base_url = "http://far.invalid/v1", proxy = gone() } end)
    it("a proxy that opens no tunnel", function()
      for _, way in ipairs(order) do
        s:clear()
        client { base_url = "https://far.invalid/v1", proxy = s.url }
        s:script({ "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n" }, { times = -1 })
        local _, err = ways[way]()
        assert.same({ way, "proxy", 3 }, { way, err.code, err.attempts })
        assert.equal("CONNECT", assert(s:requests(3))[3].method)
      end
    end)
    it("a server that ends the handshake", function()
      local rude = server.start()
      rude:script({ { reset = true } }, { on = "connect", times = -1 })
      for i, way in ipairs(order) do
        client { base_url = rude.url:gsub("^http", "https") .. "/v1" }
        local _, err = ways[way]()
        assert.same({ way, 3, false }, { way, err.attempts, err.maybe_accepted or false })
        assert.equal(3 * i, rude:accepted())
      end
      rude:stop()
    end)
  end)

  describe("where quota or money has ended:", function()
    local function per(what)
      return '"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure",'
        .. '"violations":[{"quotaId":"GenerateRequests' .. what .. 'PerProject"}]},'
        .. '{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"}]'
    end
    local function anthropic(code)
      return '"type":"rate_limit_error","details":{"error_code":"' .. code .. '"}'
    end
    local rows = {
      { "OpenAI insufficient_quota", 429, '"type":"insufficient_quota","code":"insufficient_quota"', "quota" },
      { "OpenAI billing_hard_limit_reached", 429, '"code":"billing_hard_limit_reached"', "billing" },
      { "OpenAI billing_not_active", 429, '"code":"billing_not_active"', "billing" },
      { "Gemini PerDay", 429, per "PerDay", "quota" },
      { "Ark QuotaExceeded", 429, '"code":"QuotaExceeded"', "quota" },
      { "Ark QuotaExceeded with a dot", 429, '"code":"QuotaExceeded.Day"', "quota" },
      { "Ark SetLimitExceeded", 429, '"code":"SetLimitExceeded"', "quota" },
      { "Ark AccountOverdueError", 403, '"code":"AccountOverdueError"', "billing" },
      { "Ark AccountOverdue", 429, '"code":"AccountOverdue"', "billing" },
      { "Anthropic workspace_spend_limit_reached", 429, anthropic "workspace_spend_limit_reached", "quota" },
      { "Anthropic organization_spend_limit_reached", 429, anthropic "organization_spend_limit_reached", "quota" },
      { "Anthropic billing_error", 402, '"type":"billing_error"', "billing" },
      { "Z.AI arrears", 429, '"code":"1113"', "billing" },
    }
    for _, case in ipairs(rows) do
      it(case[1], function()
        assert.same({ never, "" }, { counts(refused(case[2], case[3])) })
        assert.equal(case[4], select(2, count("chat", refused(case[2], case[3]))).kind)
        s:clear()
        s:script(server.sse { error_body(case[3]) }, { times = -1 })
        local _, err = ai:stream "Hi"
        assert.same({ case[4], 1 }, { err.kind, err.attempts })
      end)
    end
    row("Gemini's minute is no day", refused(429, per "PerMinute"), "33333333")
    row("Anthropic's rate is no spend", refused(429, anthropic "tokens_per_minute"), "33333333")
    row("Ark's rate", refused(429, '"code":"RateLimitExceeded.EndpointRPMExceeded"'), "33333333")
    row("Ark's load", refused(429, '"code":"ServerOverloaded"'), "33333333")
    row("Ark's filter", refused(429, '"code":"OutputVideoSensitiveContentDetected.PolicyViolation"'), never)
  end)

  describe("what the gateway says of it:", function()
    local yes, no = { ["x-should-retry"] = "true" }, { ["x-should-retry"] = "false" }
    local function available(word) return '"availability":{"retryable":' .. word .. "}" end
    for _, status in ipairs { 400, 401, 404, 409, 422 } do row(status .. ", yes", refused(status, nil, yes), "33331113") end
    row("500, yes", refused(500, nil, yes), "33331113", writes)
    row("429 as a page, yes", page(429, { ["x-should-retry"] = "true" }), "33331113", writes)
    row("404, available", refused(404, available "true"), "33331113")
    row("404, available against the header", refused(404, available "true", no), "33331113")
    for _, status in ipairs { 429, 503, 425, 529 } do row(status .. ", no", refused(status, nil, no), never) end
    row("500, no", refused(500, nil, no), never, writes)
    row("503, gone for good", refused(503, available "false"), never)
    row("503, gone against the header", refused(503, available "false", yes), never)
    row("503, a word that is neither", refused(503, nil, { ["x-should-retry"] = "perhaps" }), "33333333")
  end)

  describe("an error event:", function()
    local before = {
      { "overloaded_error", '"type":"overloaded_error"', 3 }, { "503", '"code":503', 3 }, { "429", '"code":429', 3 },
      { "api_error", '"type":"api_error"', 3 }, { "timeout_error", '"type":"timeout_error"', 3 },
      { "Ark's load", '"code":"ServerOverloaded"', 3 }, { "invalid_request_error", '"type":"invalid_request_error"', 1 },
      { "conflict_error", '"type":"conflict_error"', 1 }, { "authentication_error", '"type":"authentication_error"', 1 },
      { "content_filter", '"code":"content_filter"', 1 }, { "Ark's InvalidParameter", '"code":"InvalidParameter.content"', 1 },
    }
    for _, case in ipairs(before) do
      it(case[1], function()
        local failure = error_body(case[2])
        for _, events in ipairs { { failure }, { chunk '{"role":"assistant"}', failure } } do
          s:clear()
          s:script(server.sse(events), { times = -1 })
          local _, err = ai:stream "Hi"
          assert.same({ case[3], case[3] }, { err.attempts, #assert(s:requests(case[3])) })
        end
        s:clear()
        s:script(server.sse({ chunk '{"content":"Once"}', failure }, { headers = { ["X-Request-Id"] = "r" } }), { times = -1 })
        local _, err = assert(ai:stream("Hi", { retry_ambiguous = true })):reply()
        assert.same({ 1, "Once", "r", { "r" } }, { err.attempts, err.partial.text, err.request_id, err.request_ids })
        assert.equal(1, #assert(s:requests(1)))
      end)
    end
  end)

  describe("the wait", function()
    local date = "Sun, 06 Nov 1994 08:49:37 GMT"
    local info = '"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"%s"}]'
    local bucket = {
      ["anthropic-ratelimit-tokens-remaining"] = "0", ["anthropic-ratelimit-tokens-reset"] = "1994-11-06T08:49:57Z", Date = date,
    }
    local function with(more)
      for name, value in pairs(bucket) do more[name] = more[name] or value end
      return more
    end
    local rows = {
      { "milliseconds first", { ["retry-after-ms"] = "1500", ["Retry-After"] = "9" }, 1.5 },
      { "milliseconds of nonsense", { ["retry-after-ms"] = "soon", ["Retry-After"] = "9" }, 9 },
      { "milliseconds below zero", { ["retry-after-ms"] = "-1", ["Retry-After"] = "9" }, 9 },
      { "RFC 850, past", { ["Retry-After"] = "Sunday, 06-Nov-94 08:49:36 GMT", Date = date }, 0 },
      { "asctime, past", { ["Retry-After"] = "Sun Nov  6 08:49:36 1994", Date = date }, 0 },
      { "two of a name", { ["Retry-After"] = { "4", "9" } }, 4 },
      { "below zero", { ["Retry-After"] = "-3" }, 0.5 },
      { "no number", { ["Retry-After"] = "NaN" }, 0.5 },
      { "without end", { ["Retry-After"] = "inf" }, 0.5 },
      { "too large for a number", { ["Retry-After"] = "1e999" }, 0.5 },
      { "hexadecimal", { ["Retry-After"] = "0x10" }, 0.5 },
      { "no month", { ["Retry-After"] = "Sun, 06 Foo 1994 08:49:47 GMT", Date = date }, 0.5 },
      { "a header before the body", { ["Retry-After"] = "2" }, 2, info:format "7s" },
      { "the body before a bucket", with {}, 7.25, info:format "7.25s" },
      { "a header before a bucket", with { ["Retry-After"] = "2" }, 2 },
      { "a bucket", with {}, 20 },
      { "a bucket that is full by now", with { ["anthropic-ratelimit-tokens-reset"] = "1994-11-06T08:49:07Z" }, 0 },
      { "a bucket that is not empty", with { ["anthropic-ratelimit-tokens-remaining"] = "1" }, 0.5 },
      { "a bucket without a moment", with { ["anthropic-ratelimit-tokens-reset"] = "soon" }, 0.5 },
      { "a body of nonsense", {}, 0.5, info:format "-7s" },
      { "a body below zero", {}, 0.5, '"code":429,"retry_after":-7' },
      { "availability", {}, 6, '"code":429,"availability":{"retry_after":6}' },
      { "availability below zero", {}, 5, '"code":429,"availability":{"retry_after":-6},"retry_after":5' },
      { "as long as may be", { ["Retry-After"] = "60" }, 60 },
    }
    for _, case in ipairs(rows) do
      it("is told by " .. case[1], function()
        s:script(refused(429, case[4], case[2]))
        s:script(server.json(200, whole))
        assert(ai:generate "Hi")
        assert.same({ case[3] }, slept)
      end)
    end

    it("is of a bucket only where that explains the status", function()
      for status, seconds in pairs { [503] = 20, [529] = 20, [500] = 0.5 } do
        client()
        s:script(refused(status, nil, with {}))
        s:script(server.json(200, whole))
        assert(ai:generate "Hi")
        assert.same({ status, seconds }, { status, slept[1] })
      end
    end)

    it("is not longer than max_retry_after, whoever asks", function()
      for _, case in ipairs {
        { { ["retry-after-ms"] = "60001" }, 60.001 }, { { ["Retry-After"] = "61" }, 61 },
        { { ["Retry-After"] = "Sun, 06 Nov 1994 08:50:39 GMT", Date = date }, 62 }, { {}, 63, info:format "63s" },
        { with { ["anthropic-ratelimit-tokens-reset"] = "1994-11-06T08:50:41Z" }, 64 },
      } do
        local steps = refused(429, case[3], case[1])
        assert.equal(never, (counts(steps)))
        local _, err = count("chat", steps)
        assert.same({ case[2], 0 }, { err.retry_after, #slept })
      end
    end)

    it("grows to 30 seconds after a 429, to 8 after all else", function()
      for status, waits in pairs {
        [429] = { 0.5, 1, 2, 4, 8, 16, 30, 30 }, [500] = { 0.5, 1, 2, 4, 8, 8, 8, 8 }, [503] = { 0.5, 1, 2, 4, 8, 8, 8, 8 },
      } do
        client { retries = 8 }
        assert.equal(9, (count("chat", refused(status))))
        assert.same(waits, slept)
      end
    end)
  end)

  describe("attempts and ids", function()
    local function answer(way, headers)
      if way == "stream" then
        return server.sse({ chunk '{"content":"ok"}', chunk("{}", '"stop"'), "[DONE]" }, { headers = headers })
      end
      return server.json(200, way == "HEAD" and "" or whole, { headers = headers })
    end
    local with_ids = { "chat", "stream", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" }

    it("are of a success all that were made", function()
      for _, way in ipairs(with_ids) do
        s:clear()
        -- To HEAD no body answers, so it goes through statuses alone.
        local function refusal(status, id)
          return way == "HEAD" and { server.head(status, { ["Content-Length"] = 0, ["X-Request-Id"] = id }) }
            or refused(status, nil, { ["X-Request-Id"] = id })
        end
        s:script(refusal(503, "a")):script(refusal(429, "b")):script(answer(way, { ["X-Request-Id"] = "c" }))
        local got = assert(ways[way]())
        if way == "stream" then
          assert.equal("c", got.request_id)
          got = assert(got:reply())
        end
        assert.same({ way, 3, "c", { "a", "b", "c" } }, { way, got.attempts, got.request_id, got.request_ids })
      end
    end)

    it("are of an error all that were made", function()
      for _, way in ipairs { "chat", "stream", "models", "GET", "POST", "PUT", "PATCH", "DELETE" } do
        s:clear()
        for i = 1, 3 do s:script(refused(503, nil, { ["X-Request-Id"] = "r" .. i })) end
        local _, err = ways[way]()
        assert.same({ way, 3, "r3", { "r1", "r2", "r3" } }, { way, err.attempts, err.request_id, err.request_ids })
      end
    end)

    it("skip an attempt that told none", function()
      s:script(refused(503, nil, { ["X-Request-Id"] = "a" })):script({ { close = true } }):script(answer("chat", { ["CF-Ray"] = "c" }))
      local reply = assert(ai:generate "Hi")
      assert.same({ 3, "c", { "a", "c" } }, { reply.attempts, reply.request_id, reply.request_ids })
    end)

    for _, name in ipairs { "X-Request-Id", "Request-Id", "X-Goog-Request-Id", "X-Tt-Logid", "X-Oneapi-Request-Id",
      "X-Client-Request-Id", "CF-Ray" } do
      it("are read from " .. name, function()
        for _, way in ipairs(with_ids) do
          s:clear()
          s:script(answer(way, { [name] = "id" }))
          local got = assert(ways[way]())
          assert.same({ way, "id" }, { way, got.request_id })
          if way == "stream" then assert.same({ "id" }, assert(got:reply()).request_ids) end
          assert.equal("id", select(2, count(way, way == "HEAD" and { server.head(400, { ["Content-Length"] = 0, [name] = "id" }) }
            or refused(400, nil, { [name] = "id" }))).request_id)
        end
      end)
    end

    it("are read from the body of an error", function()
      for _, body in ipairs {
        '{"error":{"message":"No."},"request_id":"req_1"}', '{"error":{"message":"No.","request_id":"req_1"}}',
        '{"error":{"message":"No. Request id: req_1"}}',
      } do
        local _, err = count("chat", server.json(500, body))
        assert.same({ "req_1", { "req_1", "req_1", "req_1" } }, { err.request_id, err.request_ids })
      end
    end)
  end)
end)
