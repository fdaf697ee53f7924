local core = require("multimodal.core")
local openai = require("multimodal.dialect.openai")
local reply = require("multimodal.reply.reply")
local rules = require("dialect.stream_rules")
local support = require("dialect.support")

local joined, of_type, plain = support.joined, support.of_type, support.plain

--- What the design lets a stream and a whole body differ in.
local function comparable(neutral)
  local copy = plain(neutral)
  copy.raw.object, copy.raw.created, copy.raw.usage = nil, nil, nil
  return copy
end

describe("openai stream #small", function()
  rules.hold(it, openai, "openai/stream", {
    comparable = comparable,
    told = function(name, first) return name == "image_in_content" and "Here: ![sunset](" or first.text end,
    cleaned = function(text) return (text:gsub("data:image.*$", "")) end,
  })

  it("takes most text by the text path", function()
    local _, _, taken = support.run_text(openai, support.read("openai/stream/text.sse"))
    assert.equal(6, taken)
    _, _, taken = support.run_text(openai, support.read("openai/stream/obfuscated.sse"))
    assert.equal(1, taken)
  end)

  it("tells start, pieces, usage and finish in order", function()
    local _, deltas = support.run(openai, support.read("openai/stream/tool_calls.sse"))
    local types = {}
    for i, delta in ipairs(deltas) do types[i] = delta.type end
    assert.equal("start tool_start tool_delta tool_delta tool_delta tool_start tool_delta tool_end tool_end finish usage",
      table.concat(types, " "))
    assert.equal("chatcmpl-1", deltas[1].id)
    assert.equal("gpt-4o", deltas[1].model)
    assert.equal("get_weather", deltas[2].name)
    assert.same({ city = "Paris" }, deltas[8].call.arguments)
    assert.equal(29, deltas[11].usage.total_tokens)
  end)

  it("hands out each picture once, as it comes", function()
    local state, deltas = support.run(openai, support.read("openai/stream/openrouter_image.sse"))
    local images = of_type(deltas, "image")
    assert.equal(2, #images)
    assert.equal("image/png", images[1].part:mime())
    assert.equal("image/gif", images[2].part:mime())
    assert.equal(0, images[1].index)
    local made = reply.new(assert(openai.finish(state)))
    assert.equal(images[1].part, made.images[1])
    assert.equal(images[2].part, made.images[2])
  end)

  it("lifts a large picture out of a delta", function()
    local bytes = "\137PNG\r\n\26\n" .. ("0123456789abcdef"):rep(4096)
    local url = core.data_url("image/png", bytes)
    local body = 'data: {"choices":[{"index":0,"delta":{"images":[{"image_url":{"url":"' .. url .. '"}}]}}]}\n\n'
      .. 'data: {"choices":[{"index":0,"delta":{"content":"a ![x](' .. url .. ') b"}}]}\n\ndata: [DONE]\n\n'
    local state, deltas = support.run(openai, body)
    assert.equal(2, #of_type(deltas, "image"))
    assert.equal("a  b", joined(deltas, "text"))
    local made = reply.new(assert(openai.finish(state)))
    assert.equal("a  b", made.text)
    assert.equal(2, #made.images)
    assert.equal(bytes, made.images[1]:bytes())
    assert.equal(bytes, made.images[2]:bytes())
    assert.equal("a ![x](" .. url .. ") b", tostring(made.raw.choices[1].message.content))
    assert.is_truthy(tostring(assert(core.body(made.raw))):find(url, 1, true))
  end)

  it("decodes audio across the borders of its fragments", function()
    local state, deltas = support.run(openai, support.read("openai/stream/audio.sse"))
    assert.equal("\0\1\2\3\4\5\6\7\8", joined(deltas, "audio"))
    local made = reply.new(assert(openai.finish(state)))
    assert.equal("\0\1\2\3\4\5\6\7\8", made.audio:bytes())
    assert.equal("Hello", made.audio.transcript)
    assert.equal("audio_1", made.audio.id)
  end)

  it("joins surrogate pairs that were torn over two chunks", function()
    local function chunk(field, text)
      return 'data: {"choices":[{"index":0,"delta":{"' .. field .. '":"' .. text .. '"}}]}\n\n'
    end
    local body = chunk("content", "a\\ud83d") .. chunk("reasoning", "\\ud83d") .. chunk("content", "\\ude00b")
      .. chunk("reasoning", "\\ude01") .. chunk("content", "\\ud83d") .. chunk("content", "c\\ud83d") .. "data: [DONE]\n\n"
    for _, run in ipairs { support.run, support.run_text } do
      local state, deltas = run(openai, body)
      local made = reply.new(assert(openai.finish(state)))
      assert.equal("a\240\159\152\128b\239\191\189c\239\191\189", made.text)
      assert.equal(made.text, joined(deltas, "text"))
      assert.equal("\240\159\152\129", made.reasoning)
    end
  end)

  it("shows what has come at any time", function()
    local state = openai.begin()
    assert.equal("", openai.partial(state).choices[1].text)
    local function take(text) assert(openai.delta(state, { type = "message", data = text, media = {} })) end
    take '{"id":"x","choices":[{"delta":{"content":"A","audio":{"id":"a","data":"AAEC"}}}]}'
    local first = openai.partial(state)
    assert.equal("A", first.choices[1].text)
    assert.is_nil(first.choices[1].finish_reason)
    take '{"id":"x","choices":[{"delta":{"content":"B","audio":{"data":"AwQF"}}}]}'
    openai.text_delta(state, "C")
    local second = reply.new(openai.partial(state))
    assert.equal("ABC", second.text)
    assert.equal("\0\1\2\3\4\5", second.audio:bytes())
    assert.equal("A", first.choices[1].text)
    local none, err = openai.finish(state)
    assert.is_nil(none)
    assert.equal("truncated", err.kind)
    assert.is_false(err.retryable)
  end)

  it("ends at the end mark and ignores what follows", function()
    local state = openai.begin()
    assert.is_false(openai.ended(state))
    assert(openai.delta(state, { data = '{"choices":[{"delta":{"content":"A"}}]}', media = {} }))
    assert(openai.delta(state, { data = " [DONE] ", media = {} }))
    assert.is_true(openai.ended(state))
    assert.same({}, openai.delta(state, { data = '{"choices":[{"delta":{"content":"B"}}]}', media = {} }))
    local neutral = assert(openai.finish(state))
    assert.equal("A", neutral.choices[1].text)
    assert.equal("stop", neutral.choices[1].finish_reason)
    assert.is_nil(neutral.choices[1].finish_reason_raw)
  end)

  it("refuses a chunk that is no JSON, or skips it where asked", function()
    local chunk = { type = "message", data = "{oops", media = {} }
    local state = openai.begin()
    local deltas, err = openai.delta(state, chunk)
    assert.is_nil(deltas)
    assert.equal("protocol", err.kind)
    assert.equal("{oops", err.body)
    assert.equal(err, select(2, openai.finish(state)))
    state = openai.begin { skip_bad_chunks = true }
    assert.same({}, openai.delta(state, chunk))
    assert(openai.delta(state, { data = '{"choices":[{"delta":{"content":"A"},"finish_reason":"stop"}]}', media = {} }))
    local neutral = assert(openai.finish(state))
    assert.equal("A", neutral.choices[1].text)
    assert.equal(1, #neutral.warnings)
  end)

  it("says that an answer without choices is none", function()
    local state = openai.begin()
    assert(openai.delta(state, { data = "[DONE]", media = {} }))
    local _, err = openai.finish(state)
    assert.equal("protocol", err.kind)
  end)

  it("takes memory that grows with the text alone, not with its square", function()
    rules.grows_with_the_text(function(n)
      local state = openai.begin()
      for i = 1, n do
        openai.text_delta(state, "a word ")
        local data = ('{"choices":[{"delta":{"reasoning":"hm","tool_calls":[{"index":0,"id":"c","function":'
          .. '{"name":"f","arguments":"%s"}}]}}]}'):format(i == 1 and "[" or "1,")
        openai.delta(state, { data = data, media = {} })
      end
      assert.equal(7 * n, #openai.partial(state).choices[1].text)
    end)
  end)

  it("leaves nothing behind", function()
    assert.equal(0, support.live())
  end)
end)
