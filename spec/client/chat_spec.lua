--- Conversations: turns, streams, forks, and the text they are kept as.
local cjson = require("cjson").new()
local core = require("multimodal.core")
local mm = require("multimodal")

local png = "\137PNG\r\n\26\n" .. ("\0\1\2\3"):rep(30)

local function client(answers, options)
  local fake = mm.mock(answers)
  local all = { gateway = fake, model = "m", retries = 0 }
  for name, value in pairs(options or {}) do all[name] = value end
  return mm.client(all), fake
end

local function roles(list)
  local names = {}
  for i, message in ipairs(list) do names[i] = message.role end
  return names
end

local function misuse(fn)
  local ok, message = pcall(fn)
  assert.is_false(ok)
  assert(tostring(message):find("chat_spec.lua:%d+: chat: "), tostring(message))
  return message
end

describe("a chat #small", function()
  it("says each turn on top of those before it", function()
    local ai, fake = client { "I am a smith.", "A sword.", "Bye." }
    local chat = ai:chat { system = "You are a smith.", temperature = 1 }
    assert.equal("I am a smith.", assert(chat:say "Who are you?").text)
    assert.equal("A sword.", assert(chat:say({ "What do you make?" }, { max_tokens = 5 })).text)
    assert(chat:say { "Bye.", temperature = 0.5 })
    assert.same({ "user", "assistant", "user", "assistant", "user", "assistant" }, roles(chat.messages))
    local second = fake.requests[2]:json()
    assert.same({
      { role = "system", content = "You are a smith." }, { role = "user", content = "Who are you?" },
      { role = "assistant", content = "I am a smith." }, { role = "user", content = "What do you make?" },
    }, second.messages)
    assert.same({ 1, 5 }, { second.temperature, second.max_tokens })
    assert.same({ 0.5, 6 }, { fake.requests[3]:json().temperature, #fake.requests[3]:json().messages })
    assert(tostring(chat):find("multimodal.chat: 6 messages", 1, true))
  end)

  it("begins with nothing, or with a history", function()
    local ai, fake = client { "A.", "B." }
    assert(ai:chat():say "Hi")
    assert(ai:chat({ messages = { mm.user "One.", mm.assistant "Two." } }):say "Three.")
    assert.same({ "user", "assistant", "user" }, roles(fake.requests[2]:json().messages))
  end)

  it("says pictures and reasoning of earlier turns again", function()
    local body = tostring(core.body { choices = { { index = 0, finish_reason = "stop", message = {
      role = "assistant", content = "A cat.", reasoning = "Hm.",
      reasoning_details = { { type = "reasoning.text", text = "Hm.", signature = "s" } },
      images = { { type = "image_url", image_url = { url = core.data_url("image/png", png) } } },
    } } } })
    local ai, fake = client { { body = body }, "Again." }
    local chat = ai:chat()
    assert(chat:say { "Draw.", mm.image { bytes = png, mime = "image/png" } })
    assert(chat:say "And?")
    local sent = fake.requests[2]:json().messages
    local url = core.data_url("image/png", png)
    assert.equal(url, sent[1].content[2].image_url.url)
    assert.equal(url, sent[2].images[1].image_url.url)
    assert.same({ { type = "reasoning.text", text = "Hm.", signature = "s" } }, sent[2].reasoning_details)
  end)

  it("is as it was after a turn that failed, was stopped, or raised", function()
    local ai, fake = client { "One.", { kind = "server" }, "Two.", { kind = "truncated", text = "Thr" }, "Four.", "Five." }
    local chat = ai:chat()
    assert(chat:say "1")
    assert.equal("server", select(2, chat:say "2").kind)
    assert.equal("cancelled", select(2, chat:say { "3", on_text = function() return false end }).kind)
    local stream = assert(chat:stream "4")
    assert.equal("truncated", select(2, stream:reply()).kind)
    assert.is_false(pcall(function() chat:say { "5", max_tokn = 5 } end))
    assert.is_false(pcall(function() chat:say { "5", on_text = function() error "no" end } end))
    assert.is_nil((chat:say { "6", mm.image "no/such.png" }))
    assert.equal(2, #chat.messages)
    assert.equal("Five.", assert(chat:say "7").text)
    assert.same({ "1", "One.", "7" }, {
      fake.requests[6]:json().messages[1].content, fake.requests[6]:json().messages[2].content, fake.requests[6]:json().messages[3].content,
    })
  end)

  it("keeps a stream's turn when the stream has come to its end", function()
    local ai, fake = client { "One two.", "Three.", "Four." }
    local chat = ai:chat()
    local stream = assert(chat:stream "1")
    assert.equal(0, #chat.messages)
    assert.equal("One two.", assert(stream:reply()).text)
    assert.equal(2, #chat.messages)
    stream = assert(chat:stream { "2" })
    stream:close()
    assert.equal(2, #chat.messages)
    assert.equal("Four.", assert(chat:say "3").text)
    assert.equal("One two.", fake.requests[3]:json().messages[2].content)
  end)

  it("takes one turn at a time", function()
    local chat
    local ai = client { "One two.", "Three.", "Four." }
    chat = ai:chat()
    local stream = assert(chat:stream "1")
    assert(misuse(function() chat:say "2" end):find("a turn is still under way", 1, true))
    misuse(function() chat:stream "2" end)
    assert(chat:fork():say "2")
    assert(stream:reply())
    local inner
    assert(chat:say { "3", on_text = function() inner = inner or misuse(function() chat:say "4" end) end })
    assert(inner)
  end)

  it("gives the turn back of a stream that nobody holds", function()
    local ai = client { "One two.", "Three." }
    local chat = ai:chat()
    mm.on_error, chat.before = function() end, mm.on_error
    local function leave() assert(chat:stream "1") end
    leave()
    collectgarbage()
    collectgarbage()
    assert.equal("Three.", assert(chat:say "2").text)
    mm.on_error = chat.before
    assert.equal(2, #chat.messages)
  end)

  it("forks", function()
    local ai = client { "One.", "Two.", "Three." }
    local chat = ai:chat { system = "Be brief." }
    assert(chat:say "1")
    local other = chat:fork()
    assert(other:say "2")
    assert.same({ 2, 4 }, { #chat.messages, #other.messages })
    assert(chat:say "3")
    assert.same({ 4, 4 }, { #chat.messages, #other.messages })
    assert.equal("Three.", chat.messages[4].content[1].text)
  end)

  it("raises on what is no turn and no conversation", function()
    local ai = client {}
    misuse(function() ai:chat { "Hello" } end)
    misuse(function() ai:chat(5) end)
    misuse(function() ai:chat():say(mm.raw { messages = {} }) end)
    local ok, message = pcall(function() ai:chat { sytem = "x" } end)
    assert.is_false(ok)
    assert(message:find("did you mean system?", 1, true), message)
  end)
end)

describe("two turns at once", function()
  it("raise also in jobs, and the turn of a cancelled job is over", function()
    local sim = assert(require("multimodal.simulator").start { delay = 0.2 })
    finally(function() sim:stop() end)
    local ai = mm.client { base_url = sim.url, api_key = "canary-k", model = "simulated" }
    local chat = ai:chat()
    mm.run(function()
      local job = mm.spawn(function() return chat:say "1" end)
      mm.sleep(0)
      misuse(function() chat:say "2" end)
      job:cancel()
      job:wait()
      assert.equal(0, #chat.messages)
      assert(chat:say "3")
    end)
    assert.equal(2, #chat.messages)
  end)
end)

describe("a dumped chat #small", function()
  it("opens no file where files are off", function()
    local ai = client({}, { files = false })
    local history = { mm.user { "What is it?", mm.file "README.md" } }
    local text, err = ai:chat({ messages = history }):dump()
    assert.is_nil(text)
    assert.same({ "file", "forbidden", "messages[1].content[2]" }, { err.kind, err.code, err.part })
    text, err = ai:chat({ system = { mm.file "README.md" } }):dump()
    assert.is_nil(text)
    assert.same({ "forbidden", "system.content[1]" }, { err.code, err.part })
  end)

  local function talked()
    local body = tostring(core.body { choices = { { index = 0, finish_reason = "stop", message = {
      role = "assistant", content = "یک گربه\226\128\140 😀", reasoning_details = {
        { type = "reasoning.text", text = "Hm.", signature = "s", index = 0, extra = core.null, big = core.raw "12345678901234567890" },
      },
      images = { { type = "image_url", image_url = { url = core.data_url("image/png", png) } } },
    } } } })
    local ai, fake = client({ { body = body }, "Two.", "Three." }, { api_key = "sk-canary", headers = { ["X-Key"] = "sk-canary" } })
    local chat = ai:chat { system = "Be brief.", temperature = 0.5, seed = 7, headers = { Authorization = "sk-canary" } }
    assert(chat:say { "Draw.", mm.image { bytes = png, mime = "image/png", detail = "high" }, mm.image "https://h.org/a.png",
      { type = "text", text = "raw", cache_control = { type = "ephemeral" } } })
    return chat, fake, ai
  end

  it("says the same when it is taken up again", function()
    local chat, fake, ai = talked()
    local text = assert(chat:dump())
    local again = assert(ai:chat(text))
    assert.same({}, again.warnings)
    assert(chat:say "And?")
    assert(again:say "And?")
    assert.equal(tostring(fake.requests[2].body), tostring(fake.requests[3].body))
    assert.equal(tostring(chat.messages[2].content[2]), tostring(again.messages[2].content[2]))
    assert.equal(png, again.messages[2].content[2]:bytes())
  end)

  it("is JSON that names its origin and holds no key", function()
    local text = assert(talked():dump())
    assert.is_nil(text:find("canary", 1, true))
    local value = cjson.decode(text)
    assert.same({ "chat", 1, "https://mock.invalid:443", "mock", "m" },
      { value.multimodal, value.version, value.origin, value.gateway, value.model })
  end)

  it("leaves to its own gateway what only that can read", function()
    local text = assert(talked():dump())
    local ai, fake = client { "Yes." }
    local other = ai:with { base_url = "https://other.example.com/v1" }
    local again = assert(other:chat(text))
    assert.equal(1, #again.warnings)
    assert(again:say "And?")
    local sent = fake.requests[1]:json().messages
    assert.is_nil(sent[3].reasoning_details)
    assert.equal("یک گربه\226\128\140 😀", sent[3].content)
    assert(fake.requests[1].url:find("^https://other.example.com/"))
  end)

  it("keeps files by their bytes, tool calls, results and plain messages", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(png)
    file:close()
    local ai, fake = client { "A.", "B." }
    local chat = ai:chat { messages = {
      mm.user { "See.", mm.image(path) },
      { role = "assistant", content = core.null, tool_calls = {
        { id = "c1", type = "function", ["function"] = { name = "f", arguments = "{}" } },
      } },
      { role = "tool", tool_call_id = "c1", content = "42" },
    } }
    local text = assert(chat:dump())
    assert(chat:say "And?")
    local sent = tostring(fake.requests[1].body)
    os.remove(path)
    assert(assert(ai:chat(text)):say "And?")
    assert.equal(sent, tostring(fake.requests[2].body))
    local gone, err = chat:dump()
    assert.is_nil(gone)
    assert.same({ "file", "messages[1].content[2]" }, { err.kind, err.part })
  end)

  it("takes other options with it", function()
    local chat, fake, ai = talked()
    local again = assert(ai:chat(assert(chat:dump()), { temperature = 1, system = false }))
    assert(again:say "And?")
    local sent = fake.requests[2]:json()
    assert.same({ 1, 7, "user" }, { sent.temperature, sent.seed, sent.messages[1].role })
    again = assert(ai:chat(assert(chat:dump()), { messages = { mm.user "Anew." } }))
    assert.same({ "user" }, roles(again.messages))
    assert.equal("Anew.", again.messages[1].content[1].text)
    assert(misuse(function() ai:chat(chat:dump(), { "And?" }) end):find("nothing is said yet", 1, true))
  end)

  it("is refused where it is none, or reaches for files", function()
    local ai = client {}
    local function refused(text, words)
      local chat, err = ai:chat(text)
      assert.is_nil(chat)
      assert.same({ "bad_request", "dump" }, { err.kind, err.code })
      assert(err.message:find(words, 1, true), err.message)
      assert(err.where:find("^chat_spec.lua:"), err.where)
    end
    local function with(message)
      return '{"multimodal":"chat","version":1,"origin":"","messages":[' .. message .. "]}"
    end
    refused("Hello", "no conversation")
    refused("{}", "no conversation that chat:dump() made")
    refused('{"multimodal":"chat","version":2}', "version 2")
    refused(with '{"role":"root"}', "messages[1]: role")
    refused(with "3", "messages[1]: expected a table")
    refused(with '{"role":"user","content":[{"media":{"kind":"image","url":"file:///etc/passwd"}}]}', "messages[1].content[1]: the url")
    refused(with '{"role":"user","content":[{"media":{"kind":"image","path":"/etc/passwd"}}]}', "without bytes")
    refused(with '{"role":"user","content":[{"media":{"kind":"image","data":"!"}}]}', "base64 is broken")
    refused(with '{"role":"user","content":[{"media":{"kind":"image","data":"AAAA","mime":"no type"}}]}', "mime: expected a media type")
    refused(with '{"role":"user","content":[{"media":{"kind":"image","data":"AAAA","mime":"image/png\\r\\nX: y"}}]}', "mime: expected")
    refused(with '{"role":"user","content":[{"media":{"kind":"image","id":""}}]}', "without bytes")
    refused(with '{"role":"user","content":[{}]}', "neither text")
    refused('{"multimodal":"chat","version":1,"options":{"temperature":"hot"}}', "temperature")
    local chat = assert(ai:chat '{"multimodal":"chat","version":1,"options":{"base_url":"https://evil.example.com","api_key":"x"}}')
    assert(chat.client.base.root:find("mock.invalid", 1, true))
  end)
end)
