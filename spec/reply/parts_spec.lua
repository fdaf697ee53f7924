local finish = require("multimodal.reply.finish")
local headers = require("multimodal.reply.headers")
local usage = require("multimodal.reply.usage")

describe("usage #small", function()
  it("reads chat's and responses' names", function()
    assert.same({
      input_tokens = 19, output_tokens = 10, total_tokens = 29, cached_tokens = 4, cache_write_tokens = 2, reasoning_tokens = 6,
      cost = 0.25,
    }, usage.read {
      prompt_tokens = 19, completion_tokens = 10, total_tokens = 29, cost = 0.25,
      prompt_tokens_details = { cached_tokens = 4, cache_write_tokens = 2 }, completion_tokens_details = { reasoning_tokens = 6 },
    })
    assert.same({ input_tokens = 1, output_tokens = 2, total_tokens = 3, reasoning_tokens = 1 },
      usage.read { input_tokens = 1, output_tokens = 2, output_tokens_details = { reasoning_tokens = 1 } })
  end)

  it("invents nothing", function()
    assert.is_nil(usage.read(nil))
    assert.is_nil(usage.read {})
    assert.is_nil(usage.read { prompt_tokens = "many", completion_tokens = {}, total_tokens = -1 })
    assert.same({ input_tokens = 7 }, usage.read { prompt_tokens = 7, prompt_tokens_details = 3 })
    assert.same({ input_tokens = 0, output_tokens = 0, total_tokens = 0 },
      usage.read { prompt_tokens = 0, completion_tokens = 0, total_tokens = 0 })
  end)

  it("gives integers where a provider wrote fractions or strings", function()
    assert.equal("12", tostring(usage.read({ prompt_tokens = 12.0 }).input_tokens))
    assert.equal("12", tostring(usage.read({ prompt_tokens = "12" }).input_tokens))
  end)
end)

describe("finish reason #small", function()
  local function read(raw, facts)
    facts = facts or {}
    return finish.read(raw, facts.refusal, facts.tool_calls or false, facts.complete or false)
  end

  it("speaks one language", function()
    for raw, reason in pairs {
      stop = "stop", end_turn = "stop", eos = "stop", stop_sequence = "stop", STOP = "stop", length = "length",
      max_tokens = "length", MAX_TOKENS = "length", model_context_window_exceeded = "length", tool_calls = "tool_calls",
      function_call = "tool_calls", tool_use = "tool_calls", content_filter = "content_filter", sensitive = "content_filter",
      SAFETY = "content_filter", error = "error", network_error = "error", wonder = "other",
    } do
      assert.equal(reason, read(raw), raw)
    end
  end)

  it("is derived where the gateway names none", function()
    for _, raw in ipairs { "", false } do
      raw = raw or nil
      assert.equal("stop", read(raw, { complete = true }))
      assert.is_nil(read(raw, { complete = false }))
      assert.equal("tool_calls", read(raw, { tool_calls = true }))
      assert.equal("content_filter", read(raw, { refusal = "no", tool_calls = true }))
    end
  end)

  it("is tool_calls where there are calls and the gateway says stop", function()
    assert.equal("tool_calls", read("stop", { tool_calls = true }))
    assert.equal("tool_calls", read("wonder", { tool_calls = true }))
    assert.equal("length", read("length", { tool_calls = true }))
  end)
end)

describe("headers of a reply #small", function()
  it("hold the id of the request, the most telling first", function()
    assert.equal("a", headers.request_id { ["x-request-id"] = "a", ["cf-ray"] = "b" })
    assert.equal("b", headers.request_id({ ["cf-ray"] = "b" }, { request_id = "c" }))
    assert.equal("c", headers.request_id({}, { request_id = "c", error = { message = "(request id: d)" } }))
    assert.equal("d", headers.request_id({}, { error = { message = "no model (request id: d)" } }))
    assert.equal("e", headers.request_id({}, { error = { request_id = "e" } }))
    assert.equal("f", headers.request_id { ["x-request-id"] = { "f", "g" } })
    assert.is_nil(headers.request_id(nil, { id = "chatcmpl-1" }))
    assert.is_nil(headers.request_id({ ["x-request-id"] = "" }, "text"))
  end)

  it("say how long to wait from now, where they have no date of their own", function()
    assert.equal(10, headers.retry_after({ ["retry-after"] = "Thu, 01 Jan 1970 00:01:10 GMT" }, 60))
    assert.equal(86400 * 366, headers.retry_after({ ["retry-after"] = "Mon, 01 Jan 2001 00:00:00 GMT" }, 946684800))
    assert.equal(86400, headers.retry_after({ ["retry-after"] = "Fri, 01 Mar 2024 00:00:00 GMT" }, 1709164800))
  end)

  it("say whether to try again", function()
    assert.is_true(headers.should_retry { ["x-should-retry"] = "true" })
    assert.is_false(headers.should_retry { ["x-should-retry"] = "FALSE" })
    assert.is_nil(headers.should_retry {})
  end)
end)
