--- The journal: what was paid for is not asked for again, whatever befalls the script between.
local cjson = require("cjson").new()
local child = require("support.child")
local core = require("multimodal.core")
local journals = require("support.journal")
local mm = require("multimodal")
local server = require("support.server")

local answer, new_run, shell = journals.answer, journals.new_run, journals.shell

describe("the journal", function()
  local s, stage, folder, ai

  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function()
    s:clear()
    stage = journals.stage(s)
    folder = stage.folder
    ai = mm.client { base_url = s.url .. "/v1", api_key = "sk-canary-key", model = "m", journal = folder }
  end)
  after_each(function() stage:close() end)

  local function path(name) return stage:path(name) end
  local function script(...) return stage:script(...) end
  local function run(...) return stage:run(...) end

  describe("gives again", function()
    local ask = [[
      local reply, err = ai:generate "Hi"
      print(reply or err, reply and reply.from_journal, reply and reply.request_id, reply and reply.usage.total_tokens)
    ]]

    it("the n-th reply to the n-th equal call of a run, and sends what was not asked", function()
      for _, text in ipairs { "one", "two", "three" } do s:script(answer(text)) end
      assert.equal("one\tfalse\treq-one\t3\ntwo\tfalse\treq-two\t3", run(ask .. ask))
      assert.equal("one\ttrue\treq-one\t3\ntwo\ttrue\treq-two\t3\nthree\tfalse\treq-three\t3", run(ask .. ask .. ask))
      assert.equal(3, #s:requests())
    end)

    it("nothing to another prompt, model, address", function()
      s:script(answer "one", { times = -1, path = "/v1/chat/completions" })
      s:script(answer "two", { times = -1, path = "/v2/chat/completions" })
      run(ask)
      assert.equal("one false", run [[local r = ai:generate "Hello" print(r.text .. " " .. tostring(r.from_journal))]])
      assert.equal("one false", run [[local r = ai:generate { "Hi", model = "n" } print(r.text .. " " .. tostring(r.from_journal))]])
      assert.equal("two false", run(([[
        local r = ai:with { base_url = %q }:generate "Hi" print(r.text .. " " .. tostring(r.from_journal))]]):format(s.url .. "/v2")))
      assert.equal("one true", run [[local r = ai:generate "Hi" print(r.text .. " " .. tostring(r.from_journal))]])
      assert.equal(4, #s:requests())
    end)

    it("the same reply, media and all", function()
      local picture = "\137PNG\r\n\26\n" .. core.random(60000)
      local url = core.data_url("image/png", picture)
      s:script(answer("A ![p](" .. url .. ") B", { images = { { type = "image_url", image_url = { url = url } } } }))
      local first = assert(ai:generate "Draw.")
      new_run()
      local again = assert(ai:generate "Draw.")
      assert.is_true(again.from_journal)
      assert.equal(1, #s:requests())
      assert.equal(first.text, again.text)
      assert.equal(#first.images, #again.images)
      assert.is_true(again.images[1]:bytes() == picture)
      assert.is_true(tostring(core.body(first.raw)) == tostring(core.body(again.raw)))
      assert.matches("^%x+%.png\n$", shell("ls '" .. path "media" .. "'"))
    end)

    it("a stream as a stream, its text and its pictures", function()
      local picture = "\137PNG\r\n\26\n" .. core.random(40000)
      local function chunk(delta, finish)
        return cjson.encode { id = "c", model = "m", object = "chat.completion.chunk",
          choices = { { index = 0, delta = delta, finish_reason = finish } } }
      end
      s:script(server.sse { chunk { content = "Hel" }, chunk { content = "lo" },
        chunk { images = { { type = "image_url", image_url = { url = core.data_url("image/png", picture) } } } },
        chunk({}, "stop"), "[DONE]" })
      local first = assert(assert(ai:stream "Hi"):reply())
      new_run()
      local stream, types, text = assert(ai:stream "Hi"), {}, ""
      for event in stream:events() do
        types[#types + 1] = event.type
        text = text .. (event.type == "text" and event.delta or "")
      end
      local again = assert(stream:reply())
      assert.same({ "start", "text", "image", "finish", "done" }, types)
      assert.same({ "Hello", "Hello", "Hello", true }, { text, first.text, again.text, again.from_journal })
      assert.is_true(again.images[1]:bytes() == picture)
      new_run()
      local said = {}
      again = assert(ai:generate { "Hi", on_text = function(piece) said[#said + 1] = piece end })
      assert.same({ "Hello" }, said)
      assert.is_true(again.from_journal)
      assert.equal(1, #s:requests())
    end)

    it("each answer of a tool loop, while its tools run anew", function()
      s:script(answer("", { tool_calls = { { id = "t1", type = "function", ["function"] = { name = "now", arguments = "{}" } } } }))
      s:script(answer "It is noon.")
      local runs = 0
      local tools = { mm.tool { name = "now", description = "The time.", run = function()
        runs = runs + 1
        return "noon"
      end } }
      for _ = 1, 2 do
        assert.equal("It is noon.", assert(ai:generate { "Time?", tools = tools }).text)
        new_run()
      end
      assert.same({ 2, 2 }, { runs, #s:requests() })
    end)

    describe("a streamed tool loop, though a call had a null and a number that no double holds,", function()
      local function sse(...)
        local list = {}
        for i, line in ipairs { ... } do list[i] = "data: " .. line:gsub("\n%s*", "") .. "\n\n" end
        return server.text(200, table.concat(list), { headers = { ["Content-Type"] = "text/event-stream" } })
      end

      local streams = {
        gemini = {
          sse [[{"candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model","parts":[{"functionCall":{"name":"now",
            "args":{"zone":null,"at":12345678901234567890}},"thoughtSignature":"c2ln"}]}}]}]],
          sse [[{"candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model","parts":[{"text":"Noon."}]}}]}]],
        },
        anthropic = {
          sse([[{"type":"message_start","message":{"id":"m","content":[]}}]],
            [[{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"hm","signature":"S"}}]],
            [[{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"now","input":{}}}]],
            [[{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",
              "partial_json":"{\"zone\":null,\"at\":12345678901234567890}"}}]],
            [[{"type":"message_delta","delta":{"stop_reason":"tool_use"}}]], [[{"type":"message_stop"}]]),
          sse([[{"type":"message_start","message":{"id":"m","content":[]}}]],
            [[{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Noon."}}]],
            [[{"type":"message_delta","delta":{"stop_reason":"end_turn"}}]], [[{"type":"message_stop"}]]),
        },
        openai = {
          sse([[{"choices":[{"index":0,"delta":{"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"hm",
            "signature":null,"at":12345678901234567890}],"tool_calls":[{"index":0,"id":"t1","type":"function","extra_content":null,
            "function":{"name":"now","arguments":"{\"zone\":null}"}}]},"finish_reason":"tool_calls"}]}]], "[DONE]"),
          sse([[{"choices":[{"index":0,"delta":{"content":"Noon."},"finish_reason":"stop"}]}]], "[DONE]"),
        },
      }

      for dialect, answers in pairs(streams) do
        it("in the dialect " .. dialect, function()
          for _, one in ipairs(answers) do s:script(one) end
          local tools = { mm.tool { name = "now", run = function() return "noon" end } }
          local other = ai:with { gateway = "yourouter", base_url = s.url .. "/v1", api_key = "canary-k", model = "m",
            dialect = dialect, tools = tools }
          for round = 1, 2 do
            local reply = assert(assert(other:stream "Time?"):reply())
            assert.same({ "Noon.", round == 2 }, { reply.text, reply.from_journal })
            new_run()
          end
          assert.equal(2, #s:requests())
        end)
      end
    end)

    it("pictures that were drawn", function()
      local drawing = mm.client { base_url = s.url .. "/v1", api_key = "canary-k", model = "gpt-image-1", journal = folder, gateway = {
        name = "drawer", like = "openai", base_url = s.url .. "/v1", image_output = "images" } }
      local picture = "\137PNG\r\n\26\n" .. core.random(50000)
      s:script(server.json(200, { data = { { b64_json = core.base64_encode(picture), revised_prompt = "A cat." } } }))
      for i = 1, 2 do
        local reply = assert(drawing:image "A cat")
        assert.is_true(reply.images[1]:bytes() == picture)
        assert.same({ "A cat.", i == 2 }, { reply.text, reply.from_journal })
        new_run()
      end
      assert.equal(1, #s:requests())
    end)

    it("no reply that was refused, cut, without its picture or without its data", function()
      s:script(server.json(500, { error = { message = "broken" } }))
      s:script { server.head(200, { ["Content-Type"] = "application/json", ["Content-Length"] = 100 }), '{"choices":', { close = true } }
      s:script(answer "no json")
      s:script(answer "good")
      local once = { retries = 0, retry_ambiguous = false }
      assert.equal("server", select(2, ai:generate("Hi", once)).kind)
      assert.equal("truncated", select(2, ai:generate("Hi", once)).kind)
      assert.equal("schema", select(2, ai:generate("Hi", { schema = mm.schema { a = "string" } })).kind)
      assert.equal("good", assert(ai:generate("Hi", once)).text)
      new_run()
      assert.equal("good", assert(ai:generate("Hi", once)).text)
      s:script(answer "words")
      s:script(answer "words")
      assert.equal("no_output", select(2, ai:image "Draw").kind)
      new_run()
      assert.equal("no_output", select(2, ai:image "Draw").kind)
      assert.equal(6, #s:requests())
    end)
  end)

  describe("survives kill -9", function()
    local ask = [[local reply, err = ai:generate "Hi" print(reply or err, reply and reply.from_journal)]]

    it("before the request is sent", function()
      local one = child.start(script [[
        ai:generate { "Hi", on_upload = function() print "begun" while true do os.execute "sleep 0.01" end end, clock = {} }
      ]])
      one:wait_for "begun"
      one:kill()
      s:clear()
      s:script(answer "one")
      assert.equal("one\tfalse", run(ask))
      assert.equal("one\ttrue", run(ask))
    end)

    it("while it is answered: it is sent again, since a chat may be", function()
      s:script { server.head(200, { ["Content-Type"] = "application/json", ["Content-Length"] = 1000 }), '{"choices":', { stall = true } }
      local one = child.start(script(ask))
      assert(s:requests(1))
      one:kill()
      s:script(answer "one")
      assert.equal("one\tfalse", run(ask))
      assert.equal("one\ttrue", run(ask))
      assert.equal(2, #s:requests())
    end)

    it("after it: it is not sent again", function()
      s:script(answer "one")
      local one = child.start(script(ask .. " while true do os.execute 'sleep 0.01' end"))
      one:wait_for "one\tfalse"
      one:kill()
      assert.equal("one\ttrue", run(ask))
      assert.equal(1, #s:requests())
    end)

    it("in a loop of fifty calls, at any point", function()
      s:script({ { wait = 0.02 }, answer "ok" }, { times = -1 })
      local code = script [[
        for i = 1, 50 do
          local reply = assert(ai:generate("Line " .. i))
          print("got " .. i .. " " .. tostring(reply.from_journal))
        end
        print "finished"
      ]]
      --- How often each line was sent.
      local function counts()
        local list = {}
        for _, request in ipairs(s:requests()) do
          local line = request.body and request.body:match("Line (%d+)") or "?"
          list[line] = (list[line] or 0) + 1
        end
        return list
      end
      math.randomseed(7)
      local got, kills = {}, 0
      while true do
        local one = child.start(code)
        local target = #s:requests() + math.random(1, 14)
        repeat os.execute("sleep 0.002") until #s:requests() >= target or one:over()
        if not one:over() then
          os.execute(("sleep 0.00%d"):format(math.random(0, 9)))
          os.execute("kill -9 " .. one:said():match("pid (%d+)") .. " 2>/dev/null")
        end
        local said = one:wait()
        for i, earlier in said:gmatch("got (%d+) (%a+)") do
          if got[i] then assert.equal("true", earlier) end
          got[i] = got[i] or counts()[i]
        end
        if said:find "finished" then break end
        kills = kills + 1
      end
      -- What was got is not sent again; what was under way at a kill is, once for each.
      local again, sent = 0, counts()
      for i = 1, 50 do
        local count = sent[tostring(i)]
        assert.equal(got[tostring(i)], count)
        again = again + count - 1
      end
      assert.is_true(kills >= 3, kills .. " kills")
      assert.is_true(again <= kills, again .. " sent again by " .. kills .. " kills")
    end)
  end)

  describe("shared by two processes", function()
    it("lets one wait for what the other is sending", function()
      s:script { { wait = 0.6 }, answer "one" }
      local ask = [[local reply, err = ai:generate "Hi" print(reply or err, reply and reply.from_journal)]]
      local first = child.start(script(ask))
      assert(s:requests(1))
      local second = child.start(script(ask))
      assert.matches("one\tfalse", first:wait())
      assert.matches("one\ttrue", second:wait())
      assert.equal(1, #s:requests())
    end)

    it("takes over from one that was killed", function()
      s:script { { stall = true } }
      local ask = [[local reply, err = ai:generate "Hi" print(reply or err, reply and reply.from_journal)]]
      local first = child.start(script(ask))
      assert(s:requests(1))
      local second = child.start(script(ask))
      second:wait_for "pid"
      s:script(answer "one")
      first:kill()
      assert.matches("one\tfalse", second:wait())
      assert.equal(2, #s:requests())
    end)

    it("mixes no lines", function()
      s:script(answer "ok", { times = -1 })
      local code = [[
        mm.run(function()
          local list = {}
          for i = 1, 25 do list[i] = "%s " .. i end
          assert(mm.map(list, function(text) return assert(ai:generate(text)) end, { limit = 8 }))
        end)
        print "finished"
      ]]
      local first, second = child.start(script(code, "A")), child.start(script(code, "B"))
      assert.matches("finished", first:wait())
      assert.matches("finished", second:wait())
      assert.equal(50, #s:requests())
      assert.equal("finished", run(code:format "A"))
      assert.equal(50, #s:requests())
      for line in shell("cat '" .. path "journal.jsonl" .. "'"):gmatch("[^\n]+") do assert.is_table(cjson.decode(line)) end
    end)
  end)

  it("keeps no locks of runs that were killed", function()
    for i = 1, 3 do
      s:script(answer("r" .. i))
      local one = child.start(script([[print(ai:generate "Line %d".text) while true do os.execute "sleep 0.01" end]], i))
      one:wait_for("r" .. i)
      one:kill()
    end
    s:script(answer "last")
    run [[print(ai:generate "Last".text)]]
    assert.equal("", shell("ls '" .. folder .. "' | grep run-"))
  end)

  it("waits for no lock when a stream is closed with its job", function()
    local first = { server.head(200, { ["Content-Type"] = "text/event-stream" }),
      'data: {"choices":[{"index":0,"delta":{"content":"A"}}]}\n\n', { stall = true } }
    s:script(first)
    s:script(server.sse { '{"choices":[{"index":0,"delta":{"content":"one"},"finish_reason":"stop"}]}', "[DONE]" })
    local lock
    mm.run(function()
      local job = mm.spawn(function()
        local stream = assert(ai:stream "Hi")
        lock = assert(core.file_lock(path "journal.lock"))
        return stream:reply()
      end)
      repeat mm.sleep(0.01) until lock or job.status ~= "running"
      job:cancel()
      job:wait()
      lock:close()
      mm.sleep(0.1)
      assert.equal("one", assert(assert(ai:stream "Hi"):reply()).text)
    end)
    assert.matches('"kind":"cancelled"', child.read(path "journal.jsonl"), 1, true)
  end)

  it("gives a stream that was left unread to no other call of the run", function()
    s:script { server.head(200, { ["Content-Type"] = "text/event-stream" }), 'data: {"choices":[{"index":0,"delta":{"content":"A"}}]}\n\n',
      { wait = 0.5 }, 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n' }
    s:script(server.sse { '{"choices":[{"index":0,"delta":{"content":"B"},"finish_reason":"stop"}]}', "[DONE]" })
    s:script(server.sse { '{"choices":[{"index":0,"delta":{"content":"C"},"finish_reason":"stop"}]}', "[DONE]" })
    local first = assert(ai:stream "Hi")
    assert.equal("B", assert(assert(ai:stream "Hi"):reply()).text)
    assert.equal("A", assert(first:reply()).text)
    assert.equal("C", assert(assert(ai:stream "Hi"):reply()).text)
    assert.equal(3, #s:requests())
  end)

  it("never holds a key, nor what was asked", function()
    s:script(answer "one")
    s:script(server.json(401, { error = { message = "wrong key" } }))
    assert(ai:generate { "My secret question", mm.image { bytes = "\137PNG\r\n\26\nsecret" } })
    assert.is_nil((ai:generate { "Hi", headers = { ["X-Other"] = mm.secret "sk-canary-other" }, query = { token = "sk-canary-query" } }))
    s:script(server.json(401, { error = { message = "The key Bearer quoted-key.%+plain is wrong." } }))
    local _, err = ai:generate { "Hi", api_key = "quoted-key.%+plain" }
    assert.equal("The key *** is wrong.", err.message)
    assert.matches("The key *** is", err.body, 1, true)
    assert.equal("", shell("grep -rl 'canary\\|quoted-key\\|secret question' '" .. folder .. "'"))
    assert.equal("700\n", shell("stat -c %a '" .. folder .. "'"))
  end)

  it("is off for a call that says so", function()
    s:script(answer "one", { times = 2 })
    assert(ai:generate { "Hi", journal = false })
    assert(ai:generate { "Hi", journal = false })
    assert.is_nil(io.open(path "journal.jsonl"))
    assert.error_matches(function() ai:generate { "Hi", journal = true } end, "journal: expected the path of a folder, got boolean")
  end)
end)
