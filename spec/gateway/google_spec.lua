--- Google AI Studio: keys in a header of its own, models, tokens that are counted.
local gateway = require("support.gateway")
local mm = require("multimodal")
local server = require("support.server")

local hello = { candidates = { { content = { role = "model", parts = { { text = "Hello" } } }, finishReason = "STOP" } },
  usageMetadata = { promptTokenCount = 2, candidatesTokenCount = 1, totalTokenCount = 3 }, modelVersion = "gemini-2.5-flash",
      responseId = "r" }

describe("google #small", function()
  local s, ai
  setup(function()
    s = server.start()
    ai = mm.client { gateway = "google", base_url = s.url .. "/v1beta", api_key = "sk-canary", model = "gemini-2.5-flash", retries = 0 }
  end)
  teardown(function()
    s:stop()
    gateway.clean()
  end)
  before_each(function() s:clear() end)

  it("is asked with its own header, at its own address", function()
    s:script(server.json(200, hello))
    local reply = assert(ai:generate "Hi")
    assert.same({ "Hello", 3, "stop", "STOP", "r" },
      { reply.text, reply.usage.total_tokens, reply.finish_reason, reply.finish_reason_raw, reply.id })
    local request = assert(s:requests(1))[1]
    assert.equal("/v1beta/models/gemini-2.5-flash:generateContent", request.path)
    assert.equal("sk-canary", request.headers["x-goog-api-key"])
    assert.is_nil(request.headers.authorization)
    assert.equal('{"contents":[{"parts":[{"text":"Hi"}],"role":"user"}]}', request.body)
    assert.is_nil(assert(ai:request "Hi"):curl():find("sk-canary", 1, true))
  end)

  it("lists its models, page by page", function()
    s:script(server.json(200, { nextPageToken = "t2", models = {
      { name = "models/gemini-2.5-flash", displayName = "Flash", inputTokenLimit = 10, outputTokenLimit = 5 } } }))
    s:script(server.json(200, { models = { { name = "models/imagen-4" } } }))
    local list = assert(ai:models())
    assert.same({ "gemini-2.5-flash", "Flash", 10, 5, "imagen-4" },
      { list[1].id, list[1].name, list[1].context, list[1].max_output, list[2].id })
    local requests = assert(s:requests(2))
    assert.equal("/v1beta/models?pageSize=1000", requests[1].path)
    assert.equal("/v1beta/models?pageToken=t2", requests[2].path)
    assert.equal("imagen-4", assert(ai:models { output = "image" })[1].id)
  end)

  it("counts tokens, of more than contents in a request of its own", function()
    s:script(server.json(200, { totalTokens = 7 }))
    assert.equal(7, assert(ai:count "Hi"))
    s:script(server.json(200, { totalTokens = 9 }))
    assert.equal(9, assert(ai:count { system = "S", "Hi" }))
    local requests = assert(s:requests(2))
    assert.equal("/v1beta/models/gemini-2.5-flash:countTokens", requests[1].path)
    assert.equal('{"contents":[{"parts":[{"text":"Hi"}],"role":"user"}]}', requests[1].body)
    assert.equal('{"generateContentRequest":{"contents":[{"parts":[{"text":"Hi"}],"role":"user"}],"model":"models/gemini-2.5-flash",'
      .. '"systemInstruction":{"parts":[{"text":"S"}]}}}', requests[2].body)
    s:script(server.json(400, { error = { code = 400, message = "no", status = "INVALID_ARGUMENT" } }))
    local none, err = ai:count "Hi"
    assert.is_nil(none)
    assert.same({ "bad_request", "INVALID_ARGUMENT", 400 }, { err.kind, err.code, err.status })
    none, err = mm.client({ gateway = "openai", api_key = "canary-k", model = "m" }):count "Hi"
    assert.is_nil(none)
    assert.same({ "unsupported", "count" }, { err.kind, err.code })
  end)

  it("refuses with the right kind", function()
    local function detail(name, fields)
      fields["@type"] = "type.googleapis.com/google.rpc." .. name
      return fields
    end
    for _, case in ipairs {
      { 429, "RESOURCE_EXHAUSTED", detail("RetryInfo", { retryDelay = "34.074824224s" }), kind = "rate_limit", retry_after = 34.074824224 },
      { 429, "RESOURCE_EXHAUSTED", detail("QuotaFailure", { violations = { { quotaId = "GenerateRequestsPerDayPerProject" } } }),
        kind = "quota" },
      { 400, "INVALID_ARGUMENT", detail("ErrorInfo", { reason = "API_KEY_INVALID" }), kind = "auth" },
      { 400, "INVALID_ARGUMENT", message = "Request payload size exceeds the limit: 20971520 bytes.", kind = "too_large" },
      { 400, "FAILED_PRECONDITION", kind = "bad_request" }, { 401, "UNAUTHENTICATED", kind = "auth" },
      { 403, "PERMISSION_DENIED", kind = "permission" }, { 404, "NOT_FOUND", kind = "not_found" },
      { 409, "ABORTED", kind = "bad_request" }, { 500, "INTERNAL", kind = "server" },
      { 501, "UNIMPLEMENTED", kind = "server" }, { 503, "UNAVAILABLE", kind = "overloaded" }, { 504, "DEADLINE_EXCEEDED",
      kind = "timeout" },
    } do
      local fault = { code = case[1], message = case.message or "m", status = case[2], details = { case[3] } }
      for _, method in ipairs { "generate", "stream" } do
        s:script(server.json(case[1], method == "stream" and { { error = fault } } or { error = fault }))
        local none, err = ai[method](ai, "Hi")
        assert.is_nil(none)
        assert.same({ case.kind, case[1], case[2], case.retry_after }, { err.kind, err.status, err.code, err.retry_after }, case[2])
      end
    end
  end)

  it("answers a blocked prompt with a reply, not with an error", function()
    s:script(server.json(200, { promptFeedback = { blockReason = "PROHIBITED_CONTENT" }, usageMetadata = { promptTokenCount = 5,
      totalTokenCount = 5 } }))
    local reply = assert(ai:generate "Hi")
    assert.same({ "", "content_filter", "PROHIBITED_CONTENT", "complete" },
      { reply.text, reply.finish_reason, reply.finish_reason_raw, reply.outcome })
  end)

  it("streams as events or as an array, as the reply says", function()
    local chunks = { '{"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]}}]}',
      '{"candidates":[{"content":{"role":"model","parts":[{"text":"lo"}]},"finishReason":"STOP"}]}' }
    s:script(server.sse(chunks))
    s:script(server.json(200, "[" .. table.concat(chunks, "\n,\r\n") .. "\n]", { split = 7 }))
    s:script(server.json(200, chunks[2]))
    for _, expected in ipairs { "Hel|lo", "Hel|lo", "lo" } do
      local texts, stream = {}, assert(ai:stream "Hi")
      for text in stream:text() do texts[#texts + 1] = text end
      assert.equal(expected, table.concat(texts, "|"))
      assert.equal("complete", assert(stream:reply()).outcome)
    end
    assert.equal("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", assert(s:requests(3))[1].path)
  end)

  it("says that a stream was cut, with what had come", function()
    s:script(server.sse { '{"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]}}]}' })
    local none, err = assert(ai:stream "Hi"):reply()
    assert.is_nil(none)
    assert.same({ "truncated", "Hel", "truncated" }, { err.kind, err.partial.text, err.partial.outcome })
  end)

  it("makes pictures that go into the next prompt", function()
    local png = gateway.bytes(gateway.media().png)
    s:script(server.json(200, { candidates = { { finishReason = "STOP", content = { role = "model",
      parts = { { inlineData = { mimeType = "image/png", data = require("multimodal.core").base64_encode(png) } } } } } } }))
    local reply = assert(ai:image { "A sunset", aspect_ratio = "16:9" })
    assert.equal(png, reply.images[1]:bytes())
    s:script(server.json(200, hello))
    assert(ai:generate { "What is it?", mm.image(reply.images[1]) })
    local requests = assert(s:requests(2))
    local config = require("cjson").decode(requests[1].body).generationConfig
    assert.same({ responseModalities = { "IMAGE", "TEXT" }, imageConfig = { aspectRatio = "16:9" } }, config)
    assert.equal("image/png", require("cjson").decode(requests[2].body).contents[1].parts[2].inlineData.mimeType)
  end)
end)
