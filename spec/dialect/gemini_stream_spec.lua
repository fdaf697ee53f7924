local core = require("multimodal.core")
local gemini = require("multimodal.dialect.gemini")
local reply = require("multimodal.reply.reply")
local rules = require("dialect.stream_rules")
local support = require("dialect.support")

local joined, of_type, plain = support.joined, support.of_type, support.plain

local names = support.names("gemini/stream", "sse")

local function finished(state)
  return assert(gemini.finish(state))
end

--- The events of a stream as one JSON array.
local function as_array(body)
  local list = {}
  for data in body:gmatch("data: ([^\r\n]*)") do list[#list + 1] = data end
  return "[" .. table.concat(list, "\n,\r\n") .. "\n]"
end

describe("gemini stream #small", function()
  rules.hold(it, gemini, "gemini/stream", {})

  for _, name in ipairs(names) do
    local body = support.read("gemini/stream/" .. name .. ".sse")

    it("is the same as a JSON array: " .. name, function()
      local state, deltas = support.run(gemini, body)
      for _, step in ipairs { false, 1, 7 } do
        local array, told = support.run(gemini, as_array(body), { content_type = "application/json", step = step or nil })
        assert.same(plain(deltas), plain(told))
        assert.same(plain(finished(state)), plain(finished(array)))
      end
    end)

    it("is truncated where its end does not come: " .. name, function()
      local events = {}
      for event in body:gmatch("data: [^\r\n]*\r?\n\r?\n") do events[#events + 1] = event end
      while events[1] and events[#events]:find("finish_?[rR]eason") == nil and not events[#events]:find("blockReason") do
        events[#events] = nil
      end
      events[#events] = nil
      local state = support.run(gemini, table.concat(events))
      local none, err = gemini.finish(state)
      assert.is_nil(none)
      assert.equal("truncated", err.kind)
      assert.is_truthy(gemini.partial(state).choices[1])
    end)
  end

  it("reads thought, text, call and usage as the reference says", function()
    local state, deltas = support.run(gemini, support.read("gemini/stream/thought_tool.sse"))
    local made = reply.new(finished(state))
    assert.same({ "plan", "Hello", "r1", "g" }, { made.reasoning, made.text, made.id, made.model })
    assert.same({ "f", "{}" }, { made.tool_calls[1].name, made.tool_calls[1].arguments_raw })
    assert.same({ "tool_calls", "STOP" }, { made.finish_reason, made.finish_reason_raw })
    assert.same({ input_tokens = 9, output_tokens = 7, reasoning_tokens = 3, total_tokens = 16 }, made.usage)
    local types = {}
    for i, delta in ipairs(deltas) do types[i] = delta.type end
    assert.equal("start reasoning usage text text tool_start tool_delta tool_end finish usage", table.concat(types, " "))
  end)

  it("ends with the block of a prompt, also amid what was said", function()
    for name, said in pairs { blocked = "", blocked_amid = "He" } do
      local made = reply.new(finished((support.run(gemini, support.read("gemini/stream/" .. name .. ".sse")))))
      assert.same({ said, "content_filter", "PROHIBITED_CONTENT" }, { made.text, made.finish_reason, made.finish_reason_raw })
      assert(made.refusal:find(name == "blocked" and "PROHIBITED_CONTENT" or "^No%.$"), made.refusal)
    end
    local withheld = { data = '{"candidates":[{"finishReason":"IMAGE_SAFETY"}]}', media = {} }
    assert.equal("the reply was blocked: IMAGE_SAFETY", assert(gemini.decode(withheld)).choices[1].refusal)
  end)

  it("puts a call together whose arguments come piece by piece", function()
    local state, deltas = support.run(gemini, support.read "gemini/stream/partial_calls.sse")
    local calls = finished(state).choices[1].tool_calls
    assert.same({ "find", "srv1", '{"a b":false,"days":[3,4.5],"none":null,"place":{"city":"Boston"}}' },
      { calls[1].name, calls[1].id, calls[1].arguments_raw })
    assert.same({ "g", { x = 1 } }, { calls[2].name, calls[2].arguments })
    local types = {}
    for i, delta in ipairs(deltas) do types[i] = delta.type end
    assert.equal("start text tool_start tool_delta tool_end tool_start tool_delta tool_end finish usage", table.concat(types, " "))
    -- A path from outside names no place far off.
    local hostile = 'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}},{"functionCall":{'
      .. '"partialArgs":[{"jsonPath":"$.l[4000000000]","numberValue":1},{"jsonPath":"oops","numberValue":1},{"jsonPath":"$.n[0]",'
      .. '"numberValue":2}]}}]},"finishReason":"STOP"}]}\r\n\r\n'
    assert.equal('{"l":[],"n":[2]}', finished((support.run(gemini, hostile))).choices[1].tool_calls[1].arguments_raw)
  end)

  it("takes text that comes alone by the text path", function()
    local _, _, taken = support.run_text(gemini, support.read("gemini/stream/text.sse"))
    assert.equal(4, taken)
  end)

  it("hands out pictures but no drafts, the same objects as at the end", function()
    local state, deltas = support.run(gemini, support.read("gemini/stream/image.sse"))
    local images = of_type(deltas, "image")
    assert.equal(1, #images)
    local made = reply.new(finished(state))
    assert.equal(1, #made.images)
    assert.equal(images[1].part, made.images[1])
    assert.equal("\137PNG\r\n\26\n0123", made.images[1]:bytes())
  end)

  it("gives speech the head of a WAV file", function()
    local state, deltas = support.run(gemini, support.read("gemini/stream/audio.sse"))
    local samples = "\0\1\2\3\4\5\6\7\8\9\10\11"
    assert.equal(samples, joined(deltas, "audio"))
    local made = reply.new(finished(state))
    local bytes = made.audio:bytes()
    assert.equal("audio/wav", made.audio:mime())
    assert.equal("RIFF\48\0\0\0WAVEfmt \16\0\0\0\1\0\1\0\192\93\0\0\128\187\0\0\2\0\16\0data\12\0\0\0" .. samples, bytes)
  end)

  it("keeps what it cannot read otherwise for the way back", function()
    local state = support.run(gemini, support.read("gemini/stream/code.sse"))
    local made = reply.new(finished(state))
    assert.equal("Let me see.Two.", made.text)
    assert.equal(4, #made.message.native.parts)
  end)

  it("lifts a large picture out of a chunk", function()
    local bytes = "\137PNG\r\n\26\n" .. ("0123456789abcdef"):rep(4096)
    local body = 'data: {"candidates":[{"index":0,"finishReason":"STOP","content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"'
      .. core.base64_encode(bytes) .. '"}}]}}]}\r\n\r\n'
    local state = support.run(gemini, body, { step = 1000 })
    assert.equal(bytes, reply.new(finished(state)).images[1]:bytes())
  end)

  it("joins surrogate pairs that were torn over two chunks", function()
    local function chunk(text)
      return 'data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"' .. text .. '"}]}}]}\r\n\r\n'
    end
    local body = chunk "a\\ud83d" .. chunk "\\ude00b" .. chunk "\\ud83d" .. chunk "c"
      .. 'data: {"candidates":[{"index":0,"finishReason":"STOP"}]}\r\n\r\n'
    for _, run in ipairs { support.run, support.run_text } do
      local state, deltas = run(gemini, body)
      assert.equal("a\240\159\152\128b\239\191\189c", joined(deltas, "text"))
      assert.equal("a\240\159\152\128b\239\191\189c", finished(state).choices[1].text)
    end
  end)

  it("raises an error in mid-stream in all its forms", function()
    local first = 'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"He"}]}}]}\r\n\r\n'
    local fault = '{\n  "error": {\n    "code": 503,\n    "message": "The model is overloaded.",\n    "status": "UNAVAILABLE"\n  }\n}\n'
    local flat = fault:gsub("\n%s*", "")
    for _, tail in ipairs { fault, "data: " .. flat .. "\r\n\r\n", "data: [" .. flat .. "]\r\n\r\n" } do
      for _, step in ipairs { 0, 1, 7 } do
        local state, deltas, err = support.run(gemini, first .. tail, { step = step > 0 and step or nil })
        assert.equal("He", joined(deltas, "text"))
        assert.same({ "overloaded", "UNAVAILABLE", "The model is overloaded." }, { err.kind, err.code, err.message })
        assert.equal(err, select(2, gemini.finish(state)))
        assert.equal("He", gemini.partial(state).choices[1].text)
      end
    end
  end)

  it("takes memory that grows with the text alone, not with its square", function()
    rules.grows_with_the_text(function(n)
      local state = gemini.begin()
      for _ = 1, n do
        gemini.text_delta(state, "a word ")
        gemini.delta(state, { data = '{"candidates":[{"index":0,"content":{"parts":[{"text":"b "}]}}]}', media = {} })
      end
      assert.equal(9 * n, #gemini.partial(state).choices[1].text)
    end)
  end)

  it("ends at an end mark that a gateway adds", function()
    local state = gemini.begin()
    assert(gemini.delta(state, { data = "[DONE]", media = {} }))
    assert.is_true(gemini.ended(state))
    assert.equal("protocol", select(2, gemini.finish(state)).kind)
  end)

  it("leaves nothing behind", function()
    assert.equal(0, support.live())
  end)
end)
