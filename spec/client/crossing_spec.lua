--- One conversation that crosses all three dialects, there and back: what each of them said goes to the others as words,
--- pictures and calls, and to itself exactly as it came.
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")
local support = require("dialect.support")

local png = "\137PNG\r\n\26\n"

local function stop(text)
  return {
    gemini = { candidates = { { index = 0, finishReason = "STOP", content = { role = "model", parts = {
      { text = text, thoughtSignature = "sig-" .. text } } } } } },
    anthropic = { id = "m", type = "message", role = "assistant", content = { { type = "text", text = text } }, stop_reason = "end_turn" },
    openai = { choices = { { index = 0, finish_reason = "stop", message = { role = "assistant", content = text,
      reasoning_content = "deep " .. text } } } },
  }
end

local openai_call = [[{"choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,
  "reasoning_content":"why",
  "tool_calls":[{"id":"call.7","type":"function","function":{"name":"f","arguments":"{\"a\":\"z\",\"n\":null}"}}]}}]}]]

--- What each dialect answers first: a thought, and a call of `f`.
local calls = {
  gemini = support.read "gemini/stream/thought_tool.json", anthropic = support.read "anthropic/stream/thinking_tool.json",
  openai = openai_call,
}
local streams = { gemini = support.read "gemini/stream/thought_tool.sse", anthropic = support.read "anthropic/stream/thinking_tool.sse" }
streams.openai = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"why"}}]}\n\n'
  .. 'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call.7","type":"function","function":{"name":"f","arguments":'
  .. '"{\\"a\\":\\"z\\",\\"n\\":null}"}}]}}]}\n\n'
  .. 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'

local tool = mm.tool { name = "f", run = function(arguments) return { got = arguments.a or "nothing" } end }

describe("a conversation that crosses the dialects", function()
  local s, ai
  before_each(function()
    s = server.start()
    ai = mm.client { gateway = "yourouter", base_url = s.url .. "/v1", api_key = "canary-k", model = "m", tools = { tool } }
  end)
  after_each(function() s:stop() end)

  --- Say something in a dialect, which calls a tool and then answers; the body of the last request.
  local function turn(chat, dialect, prompt, streamed)
    local sse = { headers = { ["Content-Type"] = "text/event-stream" } }
    s:script(streamed and server.text(200, streams[dialect], sse) or server.json(200, calls[dialect]))
    s:script(server.json(200, stop("done " .. dialect)[dialect]))
    local before = #s:requests()
    local reply
    if streamed then
      reply = assert(assert(chat:stream(prompt, { dialect = dialect })):reply())
    else
      reply = assert(chat:say(prompt, { dialect = dialect }))
    end
    assert.same({ "done " .. dialect, 1 }, { reply.text, #reply.steps })
    local bodies = {}
    for i, request in ipairs(s:requests(before + 2)) do
      if i > before then bodies[#bodies + 1] = assert(core.json_decode(request.body, { null = true, exact = true })) end
    end
    return bodies[2], reply
  end

  local gemini_own = { role = "model", parts = { { text = "plan", thought = true }, { text = "Hello" },
    { functionCall = { name = "f", args = {} }, thoughtSignature = "c2ln" } } }
  local anthropic_own = { role = "assistant", content = { { type = "thinking", thinking = "hm", signature = "SIG" },
    { type = "tool_use", id = "toolu_1", name = "f", input = { a = "xy" } } } }

  --- What all of it is in each dialect, once each of them has spoken and speaks again.
  local function check_gemini(contents)
    assert.same({ { text = "Look." }, { inlineData = { mimeType = "image/png", data = "iVBORw0KGgo=" } } }, contents[1].parts)
    assert.same(gemini_own, contents[2])
    assert.same({ { functionResponse = { name = "f", response = { got = "nothing" } } } }, contents[3].parts)
    assert.same({ { text = "done gemini", thoughtSignature = "sig-done gemini" } }, contents[4].parts)
    assert.same({ { functionCall = { name = "f", args = { a = "xy" } } } }, contents[6].parts)
    assert.same({ { text = "done anthropic" } }, contents[8].parts)
    assert.same({ { functionCall = { name = "f", args = { a = "z", n = core.null } } } }, contents[10].parts)
    assert.same({ { functionResponse = { name = "f", response = { got = "z" } } } }, contents[11].parts)
    assert.same({ { text = "done openai" } }, contents[12].parts)
  end

  local function check_anthropic(messages)
    assert.same({ type = "base64", media_type = "image/png", data = "iVBORw0KGgo=" }, messages[1].content[2].source)
    local blocks = messages[2].content
    assert.same({ { type = "text", text = "Hello" }, "tool_use", "f", {} }, { blocks[1], blocks[2].type, blocks[2].name, blocks[2].input })
    assert.same({ blocks[2].id, '{"got":"nothing"}' }, { messages[3].content[1].tool_use_id, messages[3].content[1].content })
    assert.same(anthropic_own, messages[6])
    assert.same({ { type = "tool_result", tool_use_id = "toolu_1", content = '{"got":"xy"}' } }, messages[7].content)
    assert.same({ { type = "tool_use", id = "call_7", name = "f", input = { a = "z", n = core.null } } }, messages[10].content)
    assert.equal("call_7", messages[11].content[1].tool_use_id)
  end

  local function check_openai(messages)
    assert.equal("data:image/png;base64,iVBORw0KGgo=", messages[1].content[2].image_url.url)
    assert.same({ "Hello", "f", "{}" }, { messages[2].content, messages[2].tool_calls[1]["function"].name,
      messages[2].tool_calls[1]["function"].arguments })
    assert.equal(messages[2].tool_calls[1].id, messages[3].tool_call_id)
    assert.equal('{"a":"xy"}', messages[6].tool_calls[1]["function"].arguments)
    assert.is_nil(messages[6].reasoning_content)
    assert.same({ "why", "call.7", '{"a":"z","n":null}' }, { messages[10].reasoning_content, messages[10].tool_calls[1].id,
      messages[10].tool_calls[1]["function"].arguments })
    assert.equal("deep done openai", messages[12].reasoning_content)
  end

  for _, streamed in ipairs { false, true } do
    it(streamed and "streamed" or "whole", function()
      local chat = ai:chat {}
      turn(chat, "gemini", { "Look.", mm.image { bytes = png } }, streamed)
      turn(chat, "anthropic", "And?", streamed)
      turn(chat, "openai", "So?", streamed)
      local body, reply = turn(chat, "gemini", "Again?", streamed)
      check_gemini(body.contents)
      local warned = table.concat(reply.warnings, "\n")
      assert(warned:find("anthropic dialect", 1, true) and warned:find("openai dialect", 1, true), warned)
      assert.is_nil(warned:find("gemini dialect", 1, true))
      check_anthropic(turn(chat, "anthropic", "Again?", streamed).messages)
      check_openai(turn(chat, "openai", "Again?", streamed).messages)
      assert.equal(24, #chat.messages)
    end)
  end

  it("dumped and taken up again between the turns", function()
    local chat = ai:chat {}
    for i, dialect in ipairs { "gemini", "anthropic", "openai", "gemini", "anthropic", "openai" } do
      local body = turn(chat, dialect, i == 1 and { "Look.", mm.image { bytes = png } } or "And?")
      if i == 4 then check_gemini(body.contents) elseif i == 5 then check_anthropic(body.messages) elseif i == 6 then
        check_openai(body.messages)
      end
      chat = assert(ai:chat(assert(chat:dump()), { tools = { tool } }))
    end
  end)

  it("as a list of replies, between clients", function()
    local history = { mm.user { "Look.", mm.image { bytes = png } } }
    for i, dialect in ipairs { "gemini", "anthropic", "openai" } do
      local client = ai:with { dialect = dialect }
      s:script(server.json(200, calls[dialect]))
      s:script(server.json(200, stop("done")[dialect]))
      local reply = assert(client:generate { messages = history })
      history[#history + 1] = reply.messages
      history[#history + 1] = mm.user("Then?")
      assert.equal(i * 2, #s:requests(i * 2))
    end
    local asked = assert(ai:request({ messages = history }, { dialect = "gemini" })):json()
    local roles = {}
    for n, content in ipairs(asked.contents) do roles[n] = content.role:sub(1, 1) end
    assert.equal("umumumumumumu", table.concat(roles))
  end)
end)
