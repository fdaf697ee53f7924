--- Who answers when a client fails, and what the reply says of it.
local mm = require("multimodal")
local server = require("support.server")

local trouble = { kind = "overloaded", message = "Too much." }

local function client(answers, more)
  local fake = mm.mock(answers)
  local options = { gateway = fake, retries = 0 }
  for name, value in pairs(more or {}) do options[name] = value end
  return mm.client(options), fake
end

describe("fallback #small", function()
  it("asks the next client, and the reply says who answered and why", function()
    local second = client({ "from two" }, { model = "two" })
    local ai, fake = client({ trouble }, { model = "one", fallback = { second } })
    local reply = assert(ai:generate { "Hi", max_tokens = 5, model = "one-large" })
    assert.same({ "from two", "two", 1 }, { reply.text, reply.model, #reply.fallbacks })
    local err = reply.fallbacks[1]
    assert.same({ "overloaded", "one-large", "mock" }, { err.kind, err.model, err.gateway })
    assert.equal("one-large", fake.requests[1]:json().model)
    local sent = second.profile.requests[1]:json()
    assert.same({ "two", 5, "Hi" }, { sent.model, sent.max_tokens, sent.messages[1].content })
  end)

  it("takes a mock as the last, which has no key and no network", function()
    local ai = client({ trouble, trouble }, { fallback = { client { trouble }, mm.mock { "Sorry.", "Sorry." } } })
    local reply = assert(ai:generate "Hi")
    assert.same({ "Sorry.", 2 }, { reply.text, #reply.fallbacks })
  end)

  it("lists no failure where the first one answered", function()
    local ai = client({ "Hello" }, { fallback = { mm.mock { "no" } } })
    assert.same({}, assert(ai:generate "Hi").fallbacks)
  end)

  it("asks no other where the prompt is at fault, or a kind is not named", function()
    local last = mm.mock { "no", "no" }
    for _, kind in ipairs { "bad_request", "content_filter", "auth", "too_large" } do
      local ai = client({ { kind = kind } }, { fallback = { last } })
      local _, err = ai:generate "Hi"
      assert.same({ kind, nil }, { err.kind, err.fallbacks })
    end
    local ai = client({ trouble }, { fallback = { last, on = { "auth" } } })
    assert.equal("overloaded", select(2, ai:generate "Hi").kind)
    ai = client({ { kind = "auth" } }, { fallback = { last, on = { "auth" } } })
    assert.equal("no", assert(ai:generate "Hi").text)
    assert.equal(1, #last.requests)
  end)

  it("returns the last failure with those before it", function()
    local ai = client({ trouble }, { fallback = { client { { kind = "server" } }, client { { kind = "bad_request" } } } })
    local _, err = ai:generate "Hi"
    assert.same({ "bad_request", "overloaded", "server" }, { err.kind, err.fallbacks[1].kind, err.fallbacks[2].kind })
  end)

  it("may be named at a call, and false takes it away", function()
    local ai = client({ trouble, trouble }, { fallback = { mm.mock { "one" } } })
    assert.equal("overloaded", select(2, ai:generate("Hi", { fallback = false })).kind)
    assert.equal("two", assert(ai:generate { "Hi", fallback = { mm.mock { "two" } } }).text)
  end)

  it("opens streams, pictures and turns of a chat alike", function()
    local png = mm.image { bytes = "x", mime = "image/png" }
    local second = client { "one two", png, "three" }
    local ai = client({ trouble, trouble, trouble }, { fallback = { second } })
    local stream = assert(ai:stream "Hi")
    assert.equal("overloaded", stream.fallbacks[1].kind)
    local reply = assert(stream:reply())
    assert.same({ "one two", "overloaded" }, { reply.text, reply.fallbacks[1].kind })
    assert.equal("x", assert(ai:image "Hi").images[1]:bytes())
    local chat = ai:chat { system = "Be brief." }
    assert.equal("three", assert(chat:say "Hi").text)
    assert.equal(2, #chat.messages)
  end)

  it("does not begin anew what was seen", function()
    local cut = { kind = "network", text = "Once upon" }
    local seen = {}
    local ai = client({ cut, cut }, { fallback = { mm.mock { "again" }, on = { "truncated" } } })
    local _, err = ai:generate { "Hi", on_text = function(text) seen[#seen + 1] = text end }
    assert.same({ "truncated", "Once upon", nil }, { err.kind, table.concat(seen), err.fallbacks })
    assert.equal("again", assert(ai:generate "Hi").text)
  end)

  it("does not run tools twice", function()
    local runs = 0
    local tool = mm.tool { name = "f", parameters = {}, run = function()
      runs = runs + 1
      return "done"
    end }
    local ai = client({ { tool_calls = { { name = "f" } } }, trouble }, { fallback = { mm.mock { "again" } } })
    local _, err = ai:generate { "Hi", tools = { tool } }
    assert.same({ "overloaded", 1, nil }, { err.kind, runs, err.fallbacks })
  end)

  it("is refused where it is none", function()
    local function refuses(list, words)
      local ok, message = pcall(client, {}, { fallback = list })
      assert.is_false(ok)
      assert(tostring(message):find(words, 1, true), tostring(message))
    end
    refuses({ "openai/gpt-4o" }, "fallback: expected a list of clients or mocks")
    refuses({}, "fallback: expected a list of clients or mocks")
    refuses({ mm.mock {}, on = { "overloded" } }, "fallback: on: overloded: unknown option; did you mean overloaded?")
  end)
end)

describe("the credentials of a call", function()
  it("stay with the client that they were named for", function()
    local s = server.start()
    s:script(server.json(200, '{"choices":[{"index":0,"finish_reason":"stop","message":{"content":"ok"}}]}'), { times = -1 })
    local second = mm.client { base_url = s.url .. "/v1", api_key = "canary-two", model = "two", headers = { ["X-Api-Key"] = "canary-x2" } }
    local own = {
      "Hi", api_key = "canary-one", query = { key = "canary-q", v = "2" },
      headers = { Authorization = "Bearer canary-a", ["X-Mine"] = mm.secret "canary-m", ["X-Api-Key"] = "canary-x", ["X-Trace"] = "1" },
    }
    local more = { api_key = own.api_key, query = own.query, headers = own.headers }
    for i = 1, 2 do
      local ai = client({ trouble }, { fallback = { second } })
      if i == 1 then assert(ai:generate(own)) else assert(ai:generate("Hi", more)) end
      local seen = assert(s:requests(i))[i]
      assert.equal("/v1/chat/completions?v=2", seen.path)
      assert.same({ "Bearer canary-two", "canary-x2", "1" }, {
        seen.headers.authorization, seen.headers["x-api-key"], seen.headers["x-trace"],
      })
      assert.is_nil(seen.headers["x-mine"])
    end
    s:stop()
  end)
end)
