--- Anthropic's Messages at its own gateway and at others: URLs, headers, retries, tools, conversations.
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")
local support = require("dialect.support")

local golden = support.json("anthropic/prompt.json")

local whole = {
  id = "msg_1", type = "message", role = "assistant", model = "c", content = { { type = "text", text = "ok" } }, stop_reason = "end_turn",
  usage = { input_tokens = 3, output_tokens = 1 },
}
local overloaded = { type = "error", error = { type = "overloaded_error", message = "Overloaded" }, request_id = "req_body" }

local function failure(kind, more)
  return { type = "error", error = { type = kind, message = "No.", details = more } }
end

local function still()
  local slept = {}
  return slept, { now = function() return 0 end, sleep = function(seconds) slept[#slept + 1] = seconds end,
    random = function() return 1 end }
end

describe("anthropic", function()
  local s, ai, slept

  before_each(function()
    s = server.start()
    local clock
    slept, clock = still()
    ai = mm.client { gateway = "anthropic", base_url = s.url .. "/v1", api_key = "sk-ant-canary", model = "claude-x", clock = clock }
  end)
  after_each(function() s:stop() end)

  local function answer(value, headers)
    return server.json(200, value or whole, { headers = headers })
  end

  it("Y-R10, Y11, Y12 is spoken at YouRouter with Bearer, its version and its vendor", function()
    local your = mm.client { gateway = "yourouter", dialect = "anthropic", api_key = "canary-k", model = "claude-sonnet-4-20250514" }
    local prompt = { "Describe this image in one sentence.", mm.image { bytes = core.base64_decode "/9j/4AAQSkZJRg==" }, max_tokens = 300 }
    local request = assert(your:request(prompt))
    assert.same({ "POST", "https://api.yourouter.ai/v1/messages" }, { request.method, request.url })
    assert.same(golden.yourouter, request:json())
    assert.same({}, request.warnings)
    s:script(answer())
    your = your:with { base_url = s.url .. "/v1" }
    assert.equal("ok", assert(your:generate(prompt)).text)
    local seen = s:requests(1)[1]
    assert.same({ "/v1/messages", "Bearer canary-k", "2023-06-01", "anthropic", "application/json" },
      { seen.path, seen.headers.authorization, seen.headers["anthropic-version"], seen.headers.vendor, seen.headers["content-type"] })
    assert.is_nil(seen.headers["x-api-key"])
    assert.same(golden.yourouter, core.json_decode(seen.body))
    assert.is_nil(your:with({ dialect = "openai" }):request("Hi").headers.vendor)
  end)

  it("is asked at its own address with x-api-key alone", function()
    local own = mm.client { gateway = "anthropic", api_key = "canary-k", model = "m" }
    assert.equal("https://api.anthropic.com/v1/messages", own:request("Hi").url)
    assert.same({ ["Content-Type"] = "application/json", Accept = "application/json", ["x-api-key"] = "$ANTHROPIC_API_KEY",
      ["anthropic-version"] = "2023-06-01" }, own:request("Hi").headers)
    s:script(answer(whole, { ["request-id"] = "req_1" }))
    local reply = assert(ai:generate "Hi")
    assert.same({ "ok", "stop", "end_turn", "req_1", 4 },
      { reply.text, reply.finish_reason, reply.finish_reason_raw, reply.request_id, reply.usage.total_tokens })
    local seen = s:requests(1)[1]
    assert.same({ "sk-ant-canary", nil }, { seen.headers["x-api-key"], seen.headers.authorization })
    assert.is_nil(tostring(ai:request("Hi"):curl()):find("canary", 1, true))
  end)

  it("is spoken at any address, in other versions, with betas joined", function()
    local any = mm.client { base_url = "https://h/anthropic/v1", dialect = "anthropic", api_key = "canary-k", model = "m",
      headers = { ["anthropic-version"] = "2026-10-21", ["anthropic-beta"] = "a, b" } }
    local request = any:request "Hi"
    assert.same({ "https://h/anthropic/v1/messages", "2026-10-21", "a, b" },
      { request.url, request.headers["anthropic-version"], request.headers["anthropic-beta"] })
    request = any:request({ mm.file { file_id = "file_1" } }, { headers = { ["anthropic-version"] = "2023-06-01",
      ["anthropic-beta"] = "a" } })
    assert.equal("files-api-2025-04-14,a", request.headers["anthropic-beta"])
    local gateway = { name = "mine", base_url = "https://h/v1", dialect = "anthropic" }
    local mine = mm.client { gateway = gateway, api_key = "canary-k", model = "m" }
    assert.equal("2023-06-01", mine:request("Hi").headers["anthropic-version"])
  end)

  it("sends raw requests in this dialect", function()
    local your = mm.client { gateway = "yourouter", api_key = "canary-k", model = "m" }
    local request = assert(your:request(mm.raw('{"max_tokens":1,"messages":[{"role":"user","content":"Hi"}],"top_a":1e400}', "anthropic")))
    assert.equal("https://api.yourouter.ai/v1/messages", request.url)
    assert.is_truthy(tostring(request.body):find('"top_a":1e400', 1, true))
  end)

  it("retries as the table of statuses says", function()
    local function count(steps, kind, status)
      s:script(steps, { times = -1 })
      local reply, err = ai:generate "Hi"
      assert.is_nil(reply)
      assert.same({ kind, status }, { err.kind, err.status })
      local seen = #s:requests(err.attempts)
      assert.equal(seen, err.attempts)
      s:clear()
      return seen, err
    end
    for status, case in pairs { [429] = { "rate_limit_error", "rate_limit" }, [500] = { "api_error", "server" },
      [504] = { "timeout_error", "timeout" }, [529] = { "overloaded_error", "overloaded" }, [409] = { "conflict_error", "bad_request" } } do
      assert.equal(3, (count(server.json(status, failure(case[1])), case[2], status)))
    end
    for status, case in pairs { [400] = { "invalid_request_error", "bad_request" }, [401] = { "authentication_error", "auth" },
      [402] = { "billing_error", "billing" }, [403] = { "permission_error", "permission" }, [404] = { "not_found_error", "not_found" },
      [413] = { "request_too_large", "too_large" } } do
      assert.equal(1, (count(server.json(status, failure(case[1])), case[2], status)))
    end
    local _, err = count(server.json(429, failure("rate_limit_error", { error_code = "workspace_spend_limit_reached" })), "quota", 429)
    assert.same({ 1, "workspace_spend_limit_reached", false }, { err.attempts, err.code, err.retryable })
    local no, yes = { headers = { ["x-should-retry"] = "false" } }, { headers = { ["x-should-retry"] = "true" } }
    assert.equal(1, (count(server.json(529, overloaded, no), "overloaded", 529)))
    assert.equal(3, (count(server.json(400, failure "invalid_request_error", yes), "bad_request", 400)))
    _, err = count(server.text(413, "<html><title>Too Large</title></html>", { headers = { ["Content-Type"] = "text/html" } }),
      "too_large", 413)
    assert.equal("Too Large", err.message)
  end)

  it("waits as long as the headers ask", function()
    local date = "Sat, 28 Nov 2026 10:00:00 GMT"
    s:script(server.json(429, failure "rate_limit_error", { headers = { ["retry-after"] = "7" } }))
    s:script(server.json(429, failure "rate_limit_error", { headers = { Date = date, ["anthropic-ratelimit-tokens-remaining"] = "0",
      ["anthropic-ratelimit-tokens-reset"] = "2026-11-28T10:00:12Z", ["anthropic-ratelimit-requests-remaining"] = "5",
      ["anthropic-ratelimit-requests-reset"] = "2026-11-28T10:00:50Z" } }))
    s:script(answer())
    assert.equal(3, assert(ai:generate "Hi").attempts)
    assert.same({ 7, 12 }, slept)
  end)

  it("asks again where a stream fails before its content, and never after", function()
    local start = core.body { type = "message_start", message = { id = "m", role = "assistant", content = core.array {} } }
    local text = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"A"}}'
    local failed = tostring(core.body(overloaded))
    s:script(server.sse { tostring(start), '{"type":"ping"}', failed })
    s:script(server.sse { tostring(start), text, '{"type":"message_delta","delta":{"stop_reason":"end_turn"}}', '{"type":"message_stop"}' })
    local stream = assert(ai:stream "Hi")
    assert.equal("A", assert(stream:reply()).text)
    assert.equal(2, #s:requests(2))
    s:clear()
    s:script(server.sse { tostring(start), text, failed })
    local reply, err = assert(ai:stream "Hi"):reply()
    assert.is_nil(reply)
    assert.same({ "overloaded", "A", "req_body" }, { err.kind, err.partial.text, err.request_id })
    assert.equal(1, #s:requests(1))
    s:script(server.sse { tostring(start), text })
    reply, err = assert(ai:stream "Hi"):reply()
    assert.is_nil(reply)
    assert.same({ "truncated", "A", "truncated" }, { err.kind, err.partial.text, err.partial.outcome })
  end)

  it("lists its models, page by page", function()
    s:script(server.json(200, { data = { { type = "model", id = "claude-a", display_name = "A" } }, has_more = true,
      last_id = "claude-a" }))
    s:script(server.json(200, { data = { { type = "model", id = "claude-b" } }, has_more = false }))
    local models = assert(ai:models())
    assert.same({ "claude-a", "A", "claude-b", { "text", "image", "file" } }, { models[1].id, models[1].name, models[2].id,
      models[1].input })
    assert.same({ "/v1/models?after_id=claude-a", "2023-06-01" }, { s:requests(2)[2].path, s:requests(2)[2].headers["anthropic-version"] })
  end)

  it("takes thinking back as it came in a tool loop", function()
    local function thinking(sse) return server.text(200, sse, { headers = { ["Content-Type"] = "text/event-stream" } }) end
    local tool = mm.tool { name = "f", parameters = { a = "string" }, run = function(arguments) return "got " .. arguments.a end }
    s:script(server.json(200, support.read "anthropic/stream/thinking_tool.json"))
    s:script(answer())
    local reply = assert(ai:generate { "Hi", tools = { tool } })
    s:script(thinking(support.read "anthropic/stream/no_event_lines.sse"))
    s:script(thinking(support.read "anthropic/stream/text.sse"))
    local streamed = assert(assert(ai:stream { "Hi", tools = { tool } }):reply())
    local requests = s:requests(4)
    for _, i in ipairs { 2, 4 } do
      local sent = core.json_decode(requests[i].body).messages
      assert.same({ { type = "thinking", thinking = "hm", signature = "SIG" }, { type = "tool_use", id = "toolu_1", name = "f", input = {
        a = "xy" } } },
        sent[2].content)
      assert.same({ { type = "tool_result", tool_use_id = "toolu_1", content = "got xy" } }, sent[3].content)
    end
    assert.equal("ok", reply.text)
    assert.same({ 1, "hm" }, { #streamed.steps, streamed.steps[1].reasoning })
  end)

  it("goes on with a conversation: as history, dumped and restored, begun elsewhere", function()
    local first = support.json "anthropic/stream/server_tools.json"
    s:script(server.json(200, support.read "anthropic/stream/server_tools.json"))
    s:script(answer(), { times = -1 })
    local chat = ai:chat { system = "Be brief." }
    assert.equal("Cats.", assert(chat:say "Look for cats.").text)
    assert(chat:say "And?")
    local restored = assert(ai:chat(assert(chat:dump())))
    assert(restored:say "Again?")
    local requests = s:requests(3)
    for i = 2, 3 do assert.same(first.content, core.json_decode(requests[i].body).messages[2].content) end
    local begun = mm.client { gateway = mm.mock { { tool_calls = { { name = "f", id = "call.1", arguments = { a = 1 } } } } },
      api_key = "canary-k" }
    local reply = assert(begun:generate { "Hi", tools = { { name = "f" } } })
    assert(ai:generate { messages = { mm.user "Hi", reply, mm.tool_result(reply.tool_calls[1], "ok") } })
    local sent = core.json_decode(s:requests(4)[4].body).messages
    assert.same({ "call_1", "call_1" }, { sent[2].content[1].id, sent[3].content[1].tool_use_id })
  end)

  it("answers with data, by format or by a tool", function()
    local schema = mm.schema { a = "integer" }
    s:script(answer { type = "message", role = "assistant", stop_reason = "end_turn", content = { { type = "text", text = '{"a":1}' } } })
    assert.same({ a = 1 }, assert(ai:generate { "Hi", schema = schema }).data)
    local gateway = { name = "old", like = "anthropic", schema = "tool" }
    local old = mm.client { gateway = gateway, base_url = s.url, api_key = "canary-k", model = "m" }
    s:script(server.json(200, support.read "anthropic/stream/answer_tool.json"))
    local reply = assert(old:generate { "Hi", schema = schema })
    assert.same({ { a = 1 }, "stop", {} }, { reply.data, reply.finish_reason, reply.tool_calls })
    s:script(server.text(200, support.read "anthropic/stream/answer_tool.sse", { headers = { ["Content-Type"] = "text/event-stream" } }))
    local last
    for value in assert(old:stream { "Hi", schema = schema }):data() do last = value end
    assert.same({ a = 1 }, last)
  end)

  it("is told by a mock", function()
    local calls = { tool_calls = { { name = "f", arguments = { a = "سلام" } } }, "I ask." }
    local fake = mm.mock { "Hello there!", "Hello there!", calls, calls, { kind = "overloaded" }, { kind = "truncated", text = "Hel lo" } }
    local mock = mm.client { gateway = fake, dialect = "anthropic", retries = 0 }
    assert.equal("Hello there!", assert(mock:generate "Hi").text)
    assert.equal("Hello there!", assert(assert(mock:stream "Hi"):reply()).text)
    local reply = assert(mock:generate { "Hi", tools = { { name = "f" } } })
    local streamed = assert(assert(mock:stream { "Hi", tools = { { name = "f" } } }):reply())
    for _, made in ipairs { reply, streamed } do
      assert.same({ "I ask.", "f", { a = "سلام" } }, { made.text, made.tool_calls[1].name, made.tool_calls[1].arguments })
    end
    assert.equal("overloaded", select(2, mock:generate "Hi").kind)
    local _, err = assert(mock:stream "Hi"):reply()
    assert.same({ "truncated", "Hel lo" }, { err.kind, err.partial.text })
    assert.equal("user", fake.requests[1]:json().messages[1].role)
  end)
end)
