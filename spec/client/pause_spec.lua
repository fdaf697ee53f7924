--- Pauses of a provider amid its own tools: the loop goes on by itself.
local json = require("multimodal.json")
local mm = require("multimodal")
local tools = require("support.tools")

local client = tools.client

describe("a pause of the provider #small", function()
  local search = { type = "web_search_20250305", name = "web_search" }
  local query = { type = "server_tool_use", id = "srvtoolu_1", name = "web_search", input = { query = "x" } }

  local function message(text, reason, more)
    return { id = "m", type = "message", role = "assistant", content = { { type = "text", text = text }, more }, stop_reason = reason,
      usage = { input_tokens = 1, output_tokens = 2 } }
  end
  local function body(...)
    return { body = assert(json.encode(message(...))) }
  end
  local function asking(answers)
    return client(answers, { dialect = "anthropic", model = "m", tools = { search } })
  end

  it("is no end: what came goes back as it is, and the model goes on", function()
    local ai, fake = asking { body("Looking.", "pause_turn", query), body("Found.", "end_turn") }
    local reply = assert(ai:generate "Search.")
    assert.same({ "Found.", "stop", 1, "Looking.", "pause", 6 }, { reply.text, reply.finish_reason, #reply.steps, reply.steps[1].text,
      reply.steps[1].finish_reason, reply.usage.total_tokens })
    assert.same({ { role = "user", content = { { type = "text", text = "Search." } } },
      { role = "assistant", content = { { type = "text", text = "Looking." }, query } } }, fake.requests[2]:json().messages)
    assert.equal(2, #reply.messages)
  end)

  it("is a step of a stream", function()
    local ai = asking { body("Looking.", "pause_turn", query), body("Found.", "end_turn") }
    local stream, types, text = assert(ai:stream "Search."), {}, {}
    for event in stream:events() do
      if event.type == "text" then text[#text + 1] = event.delta end
      if event.type ~= "usage" then types[#types + 1] = event.type end
    end
    assert.same({ "start", "text", "finish", "step", "start", "text", "finish", "done" }, types)
    assert.same({ "Looking.Found.", 1 }, { table.concat(text), #assert(stream:reply()).steps })
  end)

  it("is waited for with data too, and in a conversation", function()
    local ai = asking { body("Looking.", "pause_turn", query), body('{"a":"b"}', "end_turn"), body("Sure.", "end_turn") }
    local chat = ai:chat()
    assert.equal("b", assert(chat:say { "Search.", schema = mm.schema { a = "string" } }).data.a)
    assert.equal(3, #chat.messages)
    assert.equal("Sure.", assert(chat:say "Really?").text)
  end)

  it("ends the call at max_steps", function()
    local ai, fake = asking { body("One", "pause_turn", query), body("Two", "pause_turn", query) }
    local reply = assert(ai:generate { "Search.", max_steps = 2 })
    assert.same({ "Two", "pause", 1, 2 }, { reply.text, reply.finish_reason, #reply.steps, #fake.requests })
  end)

  it("runs no call of a tool that nobody runs here", function()
    local use = { type = "tool_use", id = "t", name = "elsewhere", input = { a = 1 } }
    local ai, fake = asking { body("Calling.", "tool_use", use) }
    local reply = assert(ai:generate "Search.")
    assert.same({ "tool_calls", "elsewhere", 1 }, { reply.finish_reason, reply.tool_calls[1].name, #fake.requests })
  end)
end)
