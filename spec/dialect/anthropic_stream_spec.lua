local anthropic = require("multimodal.dialect.anthropic")
local rules = require("dialect.stream_rules")
local support = require("dialect.support")

local joined, plain = support.joined, support.plain

local names = support.names("anthropic/stream", "sse")

local function fixture(name)
  return support.read("anthropic/stream/" .. name .. ".sse"), support.read("anthropic/stream/" .. name .. ".json")
end

describe("anthropic stream #small", function()
  rules.hold(it, anthropic, "anthropic/stream", {})

  for _, name in ipairs(names) do
    local body = fixture(name)

    it("is truncated wherever it is cut before its end mark: " .. name, function()
      local _, last = body:find("^.*\n\n", 1)
      local stop = body:find("[^\n]*\n?[^\n]*message_stop", 1)
      for _, cut in ipairs { 1, math.floor(stop / 3), math.floor(stop / 2), stop - 1 } do
        local state = support.run(anthropic, body:sub(1, cut))
        local neutral, err = anthropic.finish(state)
        assert.is_nil(neutral)
        assert.equal("truncated", err.kind)
        assert.is_table(anthropic.partial(state).choices[1].parts)
      end
      assert.is_truthy(last)
    end)
  end

  it("says what the vector H6 says", function()
    for _, name in ipairs { "thinking_tool", "no_event_lines", "unknown_events" } do
      local state, deltas = support.run(anthropic, (fixture(name)))
      local neutral = assert(anthropic.finish(state))
      local first = neutral.choices[1]
      assert.same({ "hm", "", "tool_calls", "tool_use" },
        { first.reasoning, first.text, first.finish_reason, first.finish_reason_raw })
      assert.same({ a = "xy" }, first.tool_calls[1].arguments)
      assert.equal("SIG", first.message.native.content[1].signature)
      assert.same({ input_tokens = 30, output_tokens = 30, total_tokens = 60, cached_tokens = 5 }, neutral.usage)
      local types = {}
      for _, delta in ipairs(deltas) do types[#types + 1] = delta.type end
      assert.equal("start usage reasoning tool_start tool_delta tool_delta tool_end usage finish", table.concat(types, " "))
    end
  end)

  it("takes most text by the text path, of whatever block", function()
    local _, _, taken = support.run_text(anthropic, (fixture "text"))
    assert.equal(4, taken)
    _, _, taken = support.run_text(anthropic, (fixture "citations"))
    assert.equal(2, taken)
  end)

  it("keeps blocks apart that come by turns", function()
    local body = {}
    for i = 0, 1 do
      body[#body + 1] = ('{"type":"content_block_start","index":%d,"content_block":{"type":"text","text":""}}'):format(i)
    end
    for i, text in ipairs { "a", "b", "c", "d" } do
      body[#body + 1] = ('{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":"%s"}}'):format((i + 1) % 2, text)
    end
    body = "data: " .. table.concat(body, "\n\ndata: ") .. "\n\n"
    for _, run in ipairs { support.run, support.run_text } do
      local content = anthropic.partial((run(anthropic, body))).raw.content
      assert.same({ "ac", "bd" }, { content[1].text, content[2].text })
    end
  end)

  it("ends with an error that the stream tells, and keeps what had come", function()
    local body = fixture "text"
    local at = body:find("event: message_delta", 1, true)
    local tail = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_9"}\n\n'
    for _, line in ipairs { "event: error\n", "" } do
      local state, _, err = support.run(anthropic, body:sub(1, at - 1) .. line .. "data: " .. tail)
      assert.same({ "overloaded", "Overloaded", true, "req_9" }, { err.kind, err.message, err.retryable, err.request_id })
      assert.equal(err, select(2, anthropic.finish(state)))
      assert.is_truthy(anthropic.partial(state).choices[1].text:find("^Hello"))
    end
  end)

  it("reads a whole message where a stream was asked for", function()
    for _, name in ipairs(names) do
      local _, whole = fixture(name)
      local state, deltas = support.run(anthropic, whole, { content_type = "application/json" })
      local expected = assert(anthropic.decode { data = whole, media = {} })
      assert.same(plain(expected), plain(assert(anthropic.finish(state))))
      assert.equal(expected.choices[1].text, joined(deltas, "text"))
    end
  end)

  it("joins surrogate pairs that were torn over two deltas", function()
    local function delta(index, kind, field, text)
      return ('data: {"type":"content_block_delta","index":%d,"delta":{"type":"%s","%s":"%s"}}\n\n'):format(index, kind, field, text)
    end
    local function text(said) return delta(1, "text_delta", "text", said) end
    local function thought(said) return delta(0, "thinking_delta", "thinking", said) end
    local function input(said) return delta(2, "input_json_delta", "partial_json", said) end
    local body = 'data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}\n\n'
      .. thought "\\ud83d" .. thought "\\ude01" .. text "a\\ud83d" .. text "\\ude00b" .. text "c" .. text "\\ud83d" .. text "d"
      .. text "\\ud83d" .. 'data: {"type":"content_block_stop","index":1}\n\n'
      .. 'data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}\n\n'
      .. input '{\\"a\\":\\"\\ud83d' .. input '\\ude02\\"}' .. 'data: {"type":"message_stop"}\n\n'
    for _, run in ipairs { support.run, support.run_text } do
      local state, deltas = run(anthropic, body)
      local choice = assert(anthropic.finish(state)).choices[1]
      assert.equal("a\240\159\152\128bc\239\191\189d\239\191\189", choice.text)
      assert.same({ choice.text, "\240\159\152\129" }, { joined(deltas, "text"), choice.reasoning })
      assert.equal("\240\159\152\130", choice.tool_calls[1].arguments.a)
    end
  end)

  it("ends at the end mark and ignores what follows", function()
    local state = support.run(anthropic, (fixture "text"))
    assert.is_true(anthropic.ended(state))
    assert.same({}, anthropic.delta(state, { data = '{"type":"error","error":{"type":"x"}}', media = {} }))
    assert.is_truthy(anthropic.finish(state))
  end)

  it("refuses a chunk that is no JSON, or skips it where asked", function()
    local state = anthropic.begin()
    local _, err = anthropic.delta(state, { type = "message", data = "{oops", media = {} })
    assert.equal("protocol", err.kind)
    state = anthropic.begin { skip_bad_chunks = true }
    assert.same({}, anthropic.delta(state, { type = "message", data = "{oops", media = {} }))
    assert.equal(1, #anthropic.partial(state).warnings)
  end)

  it("takes memory that grows with the text alone, not with its square", function()
    rules.grows_with_the_text(function(n)
      local state = anthropic.begin()
      local function take(data) assert(anthropic.delta(state, { type = "message", data = data, media = {} })) end
      take '{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}'
      take '{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}'
      for _ = 1, n do
        take '{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"1,"}}'
        take '{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a word "}}'
      end
      assert.equal(7 * n, #anthropic.partial(state).choices[1].text)
    end)
  end)

  it("leaves nothing behind", function()
    assert.equal(0, support.live())
  end)
end)
