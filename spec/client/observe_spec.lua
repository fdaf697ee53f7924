--- What the observe hook and the log are told.
local mm = require("multimodal")
local server = require("support.server")

local whole = '{"id":"c1","model":"m-1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}],'
  .. '"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}'
local refusal = '{"error":{"message":"Not now.","type":"server_error"}}'
local clock = { now = function() return 0 end, sleep = function() end, random = function() return 1 end }

local function events_of(records)
  local names = {}
  for i, record in ipairs(records) do names[i] = record.event end
  return table.concat(names, " ")
end

describe("observe", function()
  local s, records

  local function client(more)
    local options = {
      base_url = s.url .. "/v1?key=hidden", api_key = "canary-k", model = "m", clock = clock,
      observe = function(record) records[#records + 1] = record end,
    }
    for name, value in pairs(more or {}) do options[name] = value end
    return mm.client(options)
  end

  before_each(function() s, records = server.start(), {} end)
  after_each(function() s:stop() end)

  it("tells of a request, its retry and its answer", function()
    s:script(server.json(500, refusal, { headers = { ["X-Request-Id"] = "r1" } }))
    s:script(server.json(200, whole, { headers = { ["X-Request-Id"] = "r2" } }))
    assert(client():generate { "Secret words", max_tokens = 9, temperature = 0.5, stop = { "x" } })
    assert.equal("request retry request response", events_of(records))
    local first, again, response = records[1], records[2], records[4]
    assert.same({ "POST", s.url .. "/v1/chat/completions", "m", 1, false }, {
      first.method, first.url, first.model, first.attempt, first.stream,
    })
    assert.same({
      ["gen_ai.operation.name"] = "chat", ["gen_ai.provider.name"] = "127.0.0.1", ["gen_ai.request.model"] = "m",
      ["gen_ai.request.max_tokens"] = 9, ["gen_ai.request.temperature"] = 0.5, ["gen_ai.request.stop_sequences"] = { "x" },
      ["server.address"] = "127.0.0.1", ["server.port"] = s.port, ["http.request.method"] = "POST",
    }, first.attributes)
    assert.same({ "server", 500, "Not now.", 0.5, "r1", 1 }, {
      again.kind, again.status, again.message, again.seconds, again.request_id, again.attempt,
    })
    assert.equal(2, records[3].attempt)
    assert.same({ 200, "complete", "stop", "r2", 2, 10 }, {
      response.status, response.outcome, response.finish_reason, response.request_id, response.attempt, response.usage.total_tokens,
    })
    assert(response.bytes.received >= #whole and response.bytes.sent > 50)
    assert(response.timing.total >= response.timing.first_byte)
    local attributes = response.attributes
    assert.same({ "m-1", "c1", 4, 6, { "stop" }, 200, 1 }, {
      attributes["gen_ai.response.model"], attributes["gen_ai.response.id"], attributes["gen_ai.usage.input_tokens"],
      attributes["gen_ai.usage.output_tokens"], attributes["gen_ai.response.finish_reasons"],
      attributes["http.response.status_code"], attributes["http.request.resend_count"],
    })
  end)

  it("tells when the first text of a stream was there", function()
    local function block(delta) return ('{"choices":[{"index":0,"delta":%s}]}'):format(delta) end
    s:script(server.sse({
      block '{"reasoning_content":"Hm"}', block '{"content":"a"}', block '{"content":"b"}',
      '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', "[DONE]",
    }, { every = 0.03 }))
    local reply = assert(client():generate { "Hi", on_text = function() end })
    local timing = reply.timing
    assert(timing.first_text > timing.first_byte and timing.first_text < timing.total)
    assert.equal("request response", events_of(records))
    assert.same({ true, timing.first_text }, { records[2].stream, records[2].timing.first_text })
  end)

  it("tells of what failed for good, before and after a stream opened", function()
    s:script(server.json(400, refusal))
    assert.is_nil(client():generate "Hi")
    assert.equal("request error", events_of(records))
    assert.same({ "bad_request", 400, "bad_request" }, { records[2].kind, records[2].status, records[2].attributes["error.type"] })
    records = {}
    local text = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    s:script { server.head(200, { ["Content-Type"] = "text/event-stream" }), text, { close = true } }
    local stream = assert(client():stream "Hi")
    assert.is_nil(stream:reply())
    assert.equal("request error", events_of(records))
    assert.equal("truncated", records[2].kind)
  end)

  it("tells of any other endpoint", function()
    s:script(server.json(200, "{}"))
    assert(client():http { "GET", "/models" })
    assert.equal("request response", events_of(records))
    assert.same({ "GET", "http" }, { records[1].method, records[1].attributes["gen_ai.operation.name"] })
  end)

  it("stops before a request or a retry where the hook returns false", function()
    local _, err = client({ observe = function() return false end }):generate "Hi"
    assert.same({ "cancelled", "hook", 0 }, { err.kind, err.code, #s:requests() })
    s:script(server.json(500, refusal), { times = -1 })
    _, err = client({ observe = function(record) return record.event ~= "retry" end }):generate "Hi"
    assert.same({ "cancelled", 1 }, { err.kind, #s:requests() })
  end)

  it("is a log on stderr with MULTIMODAL_LOG=debug", function()
    s:script(server.json(200, whole, { headers = { ["X-Request-Id"] = "r 2" } }))
    local script, out = os.tmpname(), os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write(([[require("multimodal").client { base_url = %q, api_key = "canary-k", model = "m" }:generate "Hi"]]):format(
      s.url .. "/v1?key=hidden"))
    file:close()
    os.execute(("MULTIMODAL_LOG=debug %s %s 2>%s"):format(jit and "luajit" or "lua" .. _VERSION:match("%d%.%d"), script, out))
    local lines = {}
    for line in io.lines(out) do lines[#lines + 1] = line end
    os.remove(script)
    os.remove(out)
    assert.equal(2, #lines)
    assert.equal(("multimodal: request POST %s/v1/chat/completions attempt=1 model=m"):format(s.url), lines[1])
    assert(lines[2]:find(('multimodal: response POST %s/v1/chat/completions attempt=1 model=m status=200 finish_reason=stop '
      .. 'request_id="r 2" total=0.'):format(s.url), 1, true), lines[2])
  end)
end)
