local failure = require("multimodal.dialect.failure")
local retry = require("multimodal.policy.retry")

--- A case with the longest backoff, so that what it waits is known.
local function case(operation, err, more)
  local made = { operation = operation, error = err, attempts = 1, random = 1 }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local operations = { "chat", "create", "poll", "delete" }

--- What the operations do about an error, in that order: "retry", "no", and "paid" where work may have begun.
local function row(err, more)
  local list = {}
  for i, operation in ipairs(operations) do
    local seconds, begun = retry.after(case(operation, err, more))
    list[i] = seconds and "retry" or begun and "paid" or "no"
  end
  return table.concat(list, " ")
end

local function status(code, kind)
  return { kind = kind or "server", status = code }
end

local parsed = { parsed = true }

describe("retry #small", function()
  it("tries again where the request could not be sent", function()
    for _, err in ipairs {
      { kind = "network", code = "resolve", maybe_accepted = false }, { kind = "network", code = "refused" },
      { kind = "network", code = "proxy", maybe_accepted = false }, { kind = "network", code = "unreachable" },
      { kind = "tls", code = "handshake", maybe_accepted = false }, { kind = "timeout", code = "connect", maybe_accepted = false },
    } do
      assert.same({ err.code, "retry retry retry retry" }, { err.code, row(err) })
    end
  end)

  it("tries again what was refused in the gateway's words", function()
    for _, code in ipairs { 429, 503 } do
      assert.equal("retry retry retry retry", row(status(code), parsed))
      assert.equal("retry paid retry no", row(status(code)))
    end
  end)

  it("tries 425 again, but no deletion", function()
    for _, more in ipairs { parsed, {} } do assert.equal("retry retry retry no", row(status(425), more)) end
  end)

  it("tries no create again whose work may have begun", function()
    for _, code in ipairs { 408, 500, 502, 504, 520, 521, 522, 523, 524 } do
      for _, more in ipairs { parsed, {} } do
        assert.same({ code, "retry paid retry no" }, { code, row(status(code), more) })
      end
    end
    assert.equal("retry retry retry no", row(status(529), parsed))
  end)

  it("tries a conflict again in chats of the gateways that mean it", function()
    assert.equal("no no no no", row(status(409), parsed))
    assert.equal("retry no no no", row(status(409), { parsed = true, conflicts = true }))
  end)

  it("asks retry_ambiguous about a chat that was sent and lost", function()
    for _, err in ipairs {
      { kind = "network", code = "closed", maybe_accepted = true }, { kind = "network", code = "reset", maybe_accepted = true },
      { kind = "timeout", code = "first_byte", maybe_accepted = true }, { kind = "timeout", code = "idle", maybe_accepted = true },
      { kind = "network" }, { kind = "truncated", code = "cut", status = 200 },
    } do
      assert.equal("paid paid retry no", row(err))
      assert.equal("retry paid retry no", row(err, { ambiguous = true }))
      assert.equal("paid paid retry no", row(err, { ambiguous = false }))
    end
  end)

  it("tries an error event before any content again", function()
    for _, kind in ipairs { "overloaded", "rate_limit", "server", "timeout" } do
      assert.truthy(retry.after(case("chat", { kind = kind, status = 200 }, parsed)))
    end
    for _, kind in ipairs { "bad_request", "auth", "content_filter", "quota", "not_found" } do
      assert.is_nil((retry.after(case("chat", { kind = kind, status = 200 }, parsed))))
    end
  end)

  it("gives up where no attempt can help", function()
    for _, code in ipairs { 400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 451, 501 } do
      assert.same({ code, "no no no no" }, { code, row(status(code), parsed) })
    end
    for _, err in ipairs {
      { kind = "content_filter" }, { kind = "task_failed" }, { kind = "task_expired" }, { kind = "cancelled" }, { kind = "file" },
      { kind = "protocol" }, { kind = "schema" }, { kind = "tls", code = "verify", maybe_accepted = false },
      { kind = "tls", code = "ca_file", maybe_accepted = false }, { kind = "tls", code = "client_cert", maybe_accepted = false },
      { kind = "timeout", code = "total" }, { kind = "auth" }, { kind = "network", code = "memory" },
      { kind = "quota", status = 429 }, { kind = "billing", status = 429 }, { kind = "quota", status = 503 },
      { kind = "billing", status = 402 },
    } do
      assert.same({ err.kind, err.code, "no no no no" }, { err.kind, err.code, row(err, err.status and parsed) })
    end
  end)

  it("does what the gateway says, but repeats no create", function()
    assert.equal("retry no retry retry", row(status(400), { parsed = true, verdict = true }))
    assert.equal("retry paid retry retry", row(status(500), { parsed = true, verdict = true }))
    assert.equal("no no no no", row(status(429), { parsed = true, verdict = false }))
    assert.equal("no paid no no", row(status(500), { verdict = false }))
    assert.equal("retry no retry retry", row({ kind = "quota", status = 429 }, { parsed = true, verdict = true }))
  end)

  it("counts attempts", function()
    local err = status(500)
    for attempts, again in ipairs { true, true, false } do
      assert.equal(again, retry.after(case("chat", err, { attempts = attempts })) ~= nil)
    end
    assert.is_nil((retry.after(case("chat", err, { retries = 0 }))))
    assert.truthy(retry.after(case("chat", err, { attempts = 9, retries = 9 })))
  end)

  it("waits twice as long each time, up to a ceiling, with full jitter", function()
    local function waits(err, random)
      local list = {}
      for attempts = 1, 8 do
        list[attempts] = retry.after(case("poll", err, { attempts = attempts, retries = 9, random = random }))
      end
      return list
    end
    assert.same({ 0.5, 1, 2, 4, 8, 8, 8, 8 }, waits(status(500), 1))
    assert.same({ 0.5, 1, 2, 4, 8, 16, 30, 30 }, waits(status(429, "rate_limit"), 1))
    assert.same({ 0.25, 0.5, 1, 2, 4, 4, 4, 4 }, waits(status(500), 0.5))
    assert.same({ 0, 0, 0, 0, 0, 0, 0, 0 }, waits(status(500), 0))
  end)

  it("waits as long as the gateway says, unless that is too long", function()
    local function wait(seconds, more)
      return (retry.after(case("chat", { kind = "rate_limit", status = 429, retry_after = seconds }, more)))
    end
    assert.equal(7.5, wait(7.5))
    assert.equal(0, wait(0))
    assert.equal(60, wait(60))
    assert.is_nil(wait(60.1))
    assert.equal(600, wait(600, { max_retry_after = 600 }))
    assert.equal(6e9, wait(6e9, { max_retry_after = math.huge }))
    assert.is_nil(wait(0.1, { max_retry_after = 0 }))
  end)

  it("does not wait beyond the deadline", function()
    assert.is_nil((retry.after(case("chat", status(500), { left = 0.5 }))))
    assert.equal(0.5, (retry.after(case("chat", status(500), { left = 0.6 }))))
  end)
end)

--- What the operations do about a provider's answer as it is read, and its kind.
local function read(status_of, error_fields, headers)
  local body = error_fields and '{"error":{"message":"No.",' .. error_fields .. "}}" or "<html>"
  local err = failure.read(status_of, headers or {}, { data = body })
  return row(err, { parsed = err.told.parsed, verdict = err.told.retry }), err.kind
end

describe("retry of a provider's words #small", function()
  local refused, paid = "retry retry retry retry", "retry paid retry no"
  local day = '"details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"XPerDayY"}]}]'
  for _, known in ipairs {
    { "Gemini's rate", 429, '"code":429,"status":"RESOURCE_EXHAUSTED"', refused, "rate_limit" },
    { "Gemini's day", 429, '"code":429,"status":"RESOURCE_EXHAUSTED",' .. day, "no no no no", "quota" },
    { "Gemini's load", 503, '"code":503,"status":"UNAVAILABLE"', refused, "overloaded" },
    { "Gemini's fault", 500, '"code":500,"status":"INTERNAL"', paid, "server" },
    { "Gemini's clock", 504, '"code":504,"status":"DEADLINE_EXCEEDED"', paid, "timeout" },
    { "Gemini's conflict", 409, '"code":409,"status":"ABORTED"', "no no no no", "bad_request" },
    { "Gemini's key", 400, '"code":400,"status":"INVALID_ARGUMENT"', "no no no no", "bad_request" },
    { "Anthropic's rate", 429, '"type":"rate_limit_error"', refused, "rate_limit" },
    { "Anthropic's spend", 429, '"type":"rate_limit_error","details":{"error_code":"user_spend_limit_reached"}', "no no no no", "quota" },
    { "Anthropic's load", 529, '"type":"overloaded_error"', "retry retry retry no", "overloaded" },
    { "Anthropic's fault", 500, '"type":"api_error"', paid, "server" },
    { "Anthropic's clock", 504, '"type":"timeout_error"', paid, "timeout" },
    { "Anthropic's bill", 402, '"type":"billing_error"', "no no no no", "billing" },
    { "Ark's rate", 429, '"code":"RateLimitExceeded.EndpointTPMExceeded","type":"TooManyRequests"', refused, "rate_limit" },
    { "Ark's model rate", 429, '"code":"ModelAccountIpmRateLimitExceeded"', refused, "rate_limit" },
    { "Ark's burst", 429, '"code":"RequestBurstTooFast"', refused, "rate_limit" },
    { "Ark's batches", 429, '"code":"InflightBatchsizeExceeded"', refused, "rate_limit" },
    { "Ark's load", 429, '"code":"ServerOverloaded"', refused, "overloaded" },
    { "Ark's loading", 429, '"code":"ModelLoadingError"', refused, "overloaded" },
    { "Ark's fault", 500, '"code":"InternalServiceError"', paid, "server" },
    { "Ark's quota", 429, '"code":"QuotaExceeded"', "no no no no", "quota" },
    { "Ark's set limit", 429, '"code":"SetLimitExceeded"', "no no no no", "quota" },
    { "Ark's arrears", 403, '"code":"AccountOverdueError"', "no no no no", "billing" },
    { "Ark's parameters", 400, '"code":"InvalidParameter.content"', "no no no no", "bad_request" },
    { "Ark's filter", 400, '"code":"InputImageSensitiveContentDetected.PrivacyInformation"', "no no no no", "content_filter" },
    { "Ark's unopened model", 404, '"code":"ModelNotOpen"', "no no no no", "not_found" },
    { "a page of 503", 503, nil, paid, "overloaded" },
  } do
    it("knows " .. known[1], function()
      assert.same({ known[4], known[5] }, { read(known[2], known[3]) })
    end)
  end

  it("repeats no create, whatever the words beside it", function()
    local yes = { ["x-should-retry"] = "true" }
    assert.equal("retry no retry retry", (read(400, '"type":"x"', yes)))
    assert.equal("retry paid retry retry", (read(503, nil, yes)))
    assert.equal("retry no retry retry", (read(404, '"availability":{"retryable":true}')))
  end)
end)
