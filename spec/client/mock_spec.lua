local mm = require("multimodal")
local core = require("multimodal.core")

local function client(answers)
  local fake = mm.mock(answers)
  return mm.client { gateway = fake, dialect = "openai", retries = 0 }, fake
end

local function picture(bytes)
  return mm.image { bytes = bytes, mime = "image/png" }
end

describe("a mock #small", function()
  it("answers in order, through the whole dialect", function()
    local ai, fake = client { "Hello!", { "A cat.", picture "meow" }, function(req) return req:json().model end }
    local reply = assert(ai:generate { "Hi", model = "gpt-4o" })
    assert.equal("Hello!", reply.text)
    assert.equal("Hello!", tostring(reply))
    assert.same({ "stop", "complete", "mock", "gpt-4o", 200, 1 }, {
      reply.finish_reason, reply.outcome, reply.request_id, reply.model, reply.status, reply.attempts,
    })
    assert.equal(2, reply.usage.total_tokens)
    reply = assert(ai:generate "Draw")
    assert.equal("A cat.", reply.text)
    assert.equal("meow", reply.images[1]:bytes())
    assert.equal("image/png", reply.images[1]:mime())
    assert.equal("other", assert(ai:generate({ "Which?" }, { model = "other" })).text)
    assert.equal("Hi", fake.requests[1]:json().messages[1].content)
    assert.equal("multimodal.mock: 3 of 3 answers given", tostring(fake))
  end)

  it("has a large picture lifted out of its answer", function()
    local bytes = ("\0\1\2\255"):rep(50000)
    local ai = client { picture(bytes), picture(bytes) }
    assert.equal(bytes, assert(ai:generate "Draw").images[1]:bytes())
    local stream = assert(ai:stream "Draw")
    local images = {}
    for image, index in stream:images() do images[index + 1] = image end
    assert.equal(bytes, images[1]:bytes())
    assert.equal(images[1], assert(stream:reply()).images[1])
  end)

  it("takes a picture of a reply into the next prompt and into a history", function()
    local ai, fake = client { picture "meow", "Nice.", "Again." }
    local first = assert(ai:generate "Draw")
    assert(ai:generate { "What is this?", mm.image(first.images[1]) })
    local url = core.data_url("image/png", "meow")
    assert.equal(url, fake.requests[2]:json().messages[1].content[2].image_url.url)
    local history = { mm.user "Draw", first }
    assert(ai:generate { system = "Be brief.", messages = history, "And now?" })
    local sent = fake.requests[3]:json().messages
    assert.same({ "system", "user", "assistant", "user" }, { sent[1].role, sent[2].role, sent[3].role, sent[4].role })
  end)

  it("refuses as gateways do, for every kind", function()
    for _, kind in ipairs {
      "auth", "permission", "billing", "not_found", "bad_request", "too_large", "rate_limit", "quota", "overloaded",
      "content_filter", "server",
    } do
      local ai = client { { kind = kind, retry_after = 1.5 }, { kind = kind } }
      local reply, err = ai:generate "Hi"
      assert.is_nil(reply)
      assert.equal(kind, err.kind)
      assert.equal(1.5, err.retry_after)
      assert.same({ "mock", "mock", "mock", 1 }, { err.gateway, err.model, err.request_id, err.attempts })
      assert(err.where:find("^mock_spec.lua:%d+$"), err.where)
      local stream, refused = ai:stream "Hi"
      assert.is_nil(stream)
      assert.equal(kind, refused.kind)
    end
  end)

  it("breaks connections, before and within an answer", function()
    local ai = client {
      { kind = "network" }, { kind = "network", text = "Once upon" }, { kind = "timeout", code = "idle", text = "Once upon" },
      { kind = "network", text = "Once upon" },
    }
    local reply, err = ai:generate "Hi"
    assert.is_nil(reply)
    assert.same({ "network", nil }, { err.kind, err.partial })
    for _, expected in ipairs { { "truncated", "truncated" }, { "timeout", "stalled" } } do
      local stream = assert(ai:stream "Hi")
      reply, err = stream:reply()
      assert.is_nil(reply)
      assert.same({ expected[1], expected[2], "Once upon" }, { err.kind, err.partial.outcome, err.partial.text })
      assert.equal(err.partial, stream.partial)
    end
    reply, err = ai:generate "Hi"
    assert.is_nil(reply)
    assert.same({ "truncated", "truncated" }, { err.kind, err.partial.outcome })
  end)

  it("gives a body as it is", function()
    local ai = client {
      { status = 502, headers = { ["Content-Type"] = "text/html" }, body = "<html><title>Bad gateway</title></html>" },
      { headers = { ["Content-Type"] = "text/html" }, body = "<html><title>Log in</title></html>" },
      { body = '{"error":{"message":"no","type":"rate_limit_exceeded","code":429}}' },
    }
    local _, err = ai:generate "Hi"
    assert.same({ "server", "Bad gateway", 502 }, { err.kind, err.message, err.status })
    _, err = ai:generate "Hi"
    assert.same({ "server", 200 }, { err.kind, err.status })
    assert(err.message:find("Log in", 1, true), err.message)
    _, err = ai:generate "Hi"
    assert.same({ "rate_limit", "no" }, { err.kind, err.message })
  end)

  it("says where it is misused", function()
    for words, fn in pairs {
      ["expected a list of answers, got string"] = function() mm.mock "x" end,
      ["mock[2]: a hole"] = function() mm.mock { "a", nil, "b" } end,
      ["mock: unknown field model"] = function() mm.mock { "a", model = "x" } end,
      ["no answer is left for request 1"] = function() client({}):generate "Hi" end,
      ["expected a string, parts, an error or a function as an answer, got number"] = function() client({ 5 }):generate "Hi" end,
      ["no answer can say hungry"] = function() client({ { kind = "hungry" } }):generate "Hi" end,
    } do
      local ok, message = pcall(fn)
      assert.is_false(ok)
      assert(tostring(message):find("mock_spec.lua:%d+: mock") and message:find(words, 1, true), message)
    end
  end)
end)
