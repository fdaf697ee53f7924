--- The journal: what was paid for is not asked for again, whatever befalls the script between.
local cjson = require("cjson").new()
local child = require("support.child")
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")

local function fresh_folder()
  local path = os.tmpname()
  os.remove(path)
  return path
end

local function shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

local function answer(text, more)
  local message = { role = "assistant", content = text }
  for name, value in pairs(more or {}) do message[name] = value end
  return server.json(200, { id = "c-" .. text, model = "m", object = "chat.completion",
    choices = { { index = 0, finish_reason = more and more.tool_calls and "tool_calls" or "stop", message = message } },
    usage = { prompt_tokens = 1, completion_tokens = 2, total_tokens = 3 } }, { headers = { ["X-Request-Id"] = "req-" .. text } })
end

--- A new run in this process.
local new_run = require("multimodal.client.journal").leave

describe("the journal", function()
  local s, folder, ai

  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function()
    s:clear()
    folder = fresh_folder()
    ai = mm.client { base_url = s.url .. "/v1", api_key = "sk-canary-key", model = "m", journal = folder }
  end)
  after_each(function()
    new_run()
    shell("rm -rf '" .. folder .. "'")
  end)

  local function path(name) return folder .. "/" .. name end

  local preamble = child.pid .. [[
    local mm = require "multimodal"
    local ai = mm.client { base_url = %q, api_key = "sk-canary-key", model = "m", journal = %q, retries = 0 }
  ]]

  --- A script with a client of its own over the same journal.
  local function script(code, ...)
    return preamble:format(s.url .. "/v1", folder) .. (select("#", ...) > 0 and code:format(...) or code)
  end

  local function run(code, environment)
    return (child.run(script(code), environment):gsub("^pid %d+\n?", ""))
  end

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

  describe("of creates", function()
    local begin = [[
      local journal = require "multimodal.client.journal"
      local options = { journal = ai.options.journal, resubmit = %s }
      local call = { kind = "video", once = true, method = "POST", url = "http://127.0.0.1:1/tasks",
        body = require "multimodal.core".body { prompt = "pan" }, reconcile = %s }
      local entry, err = journal.begin(options, call)
      print(entry and (entry.task or "send") or err.code .. ": " .. err.message, entry and entry.from_journal)
    ]]

    local function start(resubmit, reconcile, more)
      return begin:format(resubmit or "nil", reconcile or "nil") .. (more or "")
    end

    it("goes on with a task that was accepted", function()
      assert.equal("send\tfalse", run(start(nil, nil, 'assert(entry:accepted "cgt-1")')))
      assert.equal("cgt-1\ttrue", run(start()))
      assert.equal("cgt-1\ttrue\nsend\tfalse", run(start() .. "do " .. start() .. " end"))
    end)

    it("reports one whose answer nobody saw, and sends it again only when told to", function()
      assert.equal("send\tfalse", run(start()))
      local said = run(start())
      assert.matches("^maybe_accepted: a create that was begun at %d+%-%d%d%-%d%dT", said)
      assert.matches("resubmit = true send it again", said, 1, true)
      assert.matches("^maybe_accepted", run(start()))
      assert.equal("send\tfalse", run(start("true", nil, 'assert(entry:accepted "cgt-2")')))
      assert.equal("cgt-2\ttrue", run(start()))
    end)

    it("asks the gateway where it can", function()
      run(start())
      assert.matches("^maybe_accepted.*; the list is empty", run(start(nil, "function() return nil, 'the list is empty' end")))
      assert.equal("cgt-3\ttrue", run(start(nil, "function(record) return record.kind == 'video' and 'cgt-3' end")))
      assert.equal("cgt-3\ttrue", run(start()))
      run("do " .. start() .. " end " .. start())
      local said = run("do " .. start() .. " end " .. start(nil, "function(_, others) return nil, 'not among ' .. #others() end"))
      assert.matches("^cgt%-3\ttrue\nmaybe_accepted.*not among 1", said)
    end)

    it("sends none again that another process has found meanwhile", function()
      run(start())
      local real, locks = core.file_lock, 0
      core.file_lock = function(file) -- luacheck: ignore 122
        locks = locks + (file:find("journal.lock", 1, true) and 1 or 0)
        if locks == 2 then assert.equal("cgt-5\ttrue", run(start(nil, "function() return 'cgt-5' end"))) end
        return real(file)
      end
      local entry = require("multimodal.client.journal").begin({ journal = folder, resubmit = true }, {
        kind = "video", once = true, method = "POST", url = "http://127.0.0.1:1/tasks", body = core.body { prompt = "pan" },
      })
      core.file_lock = real -- luacheck: ignore 122
      assert.same({ "cgt-5", true }, { entry.task, entry.from_journal })
    end)

    it("sends again what was refused, and not what may have been accepted", function()
      run(start(nil, nil, 'entry:failed { kind = "rate_limit", message = "slow down" }'))
      assert.equal("send\tfalse", run(start(nil, nil, 'entry:failed { kind = "network", message = "reset", maybe_accepted = true }')))
      assert.matches("^maybe_accepted.*%(reset%)", run(start()))
    end)
  end)

  describe("damaged", function()
    local ask = [[local reply, err = ai:generate "Hi" print(reply or err.code .. ": " .. err.message, reply and reply.from_journal)]]
    local file

    before_each(function()
      s:script(answer "one")
      run(ask)
      file = path "journal.jsonl"
    end)

    it("by a line that was cut off goes on, and names no one else's line", function()
      local text = child.read(file)
      for _, cut in ipairs { text:sub(1, -2), text .. '{"type":"beg', text .. "\0\0\0\0" } do
        assert(core.file_write(file, cut))
        assert.equal("one\ttrue", run(ask))
        assert.equal("one\ttrue", run(ask))
      end
      assert(core.file_write(file, text:sub(1, -30)))
      s:script(answer "two")
      assert.equal("two\tfalse", run(ask))
      assert.equal("two\ttrue", run(ask))
      assert.equal(2, #s:requests())
    end)

    it("by a cut line that told of a task shows what is left of it", function()
      shell("rm -rf '" .. folder .. "'")
      local begin = [[
        local entry, err = require "multimodal.client.journal".begin({ journal = ai.options.journal }, { kind = "video", once = true,
          method = "POST", url = "http://h/tasks" })
        if entry then entry:accepted "cgt-77-whole" else print(err.message) end
      ]]
      run(begin)
      local text = child.read(file)
      assert(core.file_write(file, text:sub(1, text:find("whole", 1, true) - 1)))
      assert.matches('a line there was cut off: .*cgt%-77%-', run(begin))
    end)

    it("elsewhere is refused, with the line", function()
      local text = child.read(file)
      assert(core.file_write(file, (text:gsub("\n", "\n{broken}\n", 1))))
      assert.matches("^damaged: the journal .*journal.jsonl is damaged in line 2 %(it is no JSON%)", run(ask))
      assert(core.file_write(file, '{"type":"journal","version":9}\n'))
      assert.matches("its version 9 is not known here", run(ask))
      assert(core.file_write(file, '{"type":"begin"}\n'))
      assert.matches("it is no journal", run(ask))
      assert.equal(1, #s:requests())
    end)

    it("by zeros, as some disks leave them, goes on with what was written after them", function()
      assert(core.file_write(file, ("\0"):rep(300), { append = true }))
      s:script(answer "two")
      local two = ask:gsub("Hi", "Ho")
      assert.equal("two\tfalse", run(two))
      assert.equal("two\ttrue\none\ttrue", run(two .. " do " .. ask .. " end"))
      assert.equal(2, #s:requests())
    end)

    it("by the words of an error, cut in the middle of a character, is not", function()
      s:script(server.json(400, { error = { message = ("\228\189\160"):rep(300) } }))
      local again = ask:gsub("Hi", "Ho"):gsub("err.code", "err.kind")
      assert.matches("^bad_request: \228\189\160", run(again))
      assert.matches('"error":"' .. ("\228\189\160"):rep(166) .. '"', child.read(file), 1, true)
    end)

    it("by an editor's empty lines is not", function()
      assert(core.file_write(file, (child.read(file):gsub("\n", "\n\n"))))
      assert.equal("one\ttrue", run(ask))
    end)

    it("by the loss of the whole file is refused", function()
      assert(core.file_write(file, ""))
      assert.matches("^damaged: the journal .* is empty or gone, and there was one: put it back, or remove the folder", run(ask))
      os.remove(file)
      assert.matches("^damaged", run(ask))
      assert.equal(1, #s:requests())
    end)

    it("by a file that cannot be read sends nothing", function()
      for _, fault in ipairs { "open", "read" } do
        local said = run([[
          local open = io.open
          io.open = function(path, mode)
            local file, why, number = open(path, mode)
            if not path:find "jsonl" or mode ~= "rb" then return file, why, number end
            if "]] .. fault .. [[" == "open" then return nil, "too many open files", 24 end
            return { seek = function(_, ...) return file:seek(...) end, close = function() file:close() end,
              read = function() return nil, "input/output error", 5 end }
          end
          ]] .. ask)
        assert.matches("^EIO: the journal in .* cannot be used: cannot read \".*jsonl\": ", said)
      end
      assert.equal(1, #s:requests())
    end)

    it("in a picture is an error, and asked for again when told to", function()
      s:clear()
      local draw = [[local reply, err = ai:generate { "Draw.", resubmit = %s }
        print(reply and #reply.images[1]:bytes() or err.code .. ": " .. err.message)]]
      for _ = 1, 2 do
        s:script(answer("", { images = { { type = "image_url",
          image_url = { url = core.data_url("image/png", "\137PNG\r\n\26\n" .. ("x"):rep(40000)) } } } }))
      end
      assert.equal("40008", run(draw:format "false"))
      local picture = shell("ls '" .. path "media" .. "'"):match("%S+")
      assert(core.file_write(path("media/" .. picture), "else"))
      assert.matches("^damaged: a kept reply is damaged: .* is not what it was; resubmit = true", run(draw:format "false"))
      os.remove(path("media/" .. picture))
      assert.matches("cannot be read %(ENOENT%)", run(draw:format "false"))
      assert.equal("40008", run(draw:format "true"))
      assert.equal("40008", run(draw:format "false"))
      assert.equal(2, #s:requests())
    end)

    it("names no file outside its folder", function()
      local text = child.read(file):gsub('"media":%[%]', '"media":[{"file":"../journal.jsonl","prefix":"","padded":true}]')
      assert(core.file_write(file, (text:gsub("one", "\\u00011\\u0001", 1))))
      assert.matches("^damaged", run(ask))
    end)
  end)

  describe("of a create that was accepted", function()
    local journal = require("multimodal.client.journal")
    local file, text

    local function begin(id)
      new_run()
      local entry, err = journal.begin({ journal = folder }, { kind = "video", once = true, method = "POST", url = "http://h/tasks" })
      if entry and id then assert(entry:accepted(id)) end
      return entry, err
    end

    local function put(changed)
      assert(core.file_write(file, changed))
      local entry, err = begin()
      if not entry then return err.code end
      return entry.task or "send"
    end

    before_each(function()
      assert(begin "cgt-1")
      file = path "journal.jsonl"
      text = child.read(file)
    end)

    it("is known whatever is cut off the line with its id", function()
      local _, start = text:find("^[^\n]*\n[^\n]*\n")
      for size = start, #text do
        local got = put(text:sub(1, size))
        assert.equal(size < #text - 1 and "maybe_accepted" or "cgt-1", got)
        assert.equal(got, put(child.read(file)))
      end
    end)

    it("is known whatever byte is changed, or the journal is refused", function()
      for i = 1, #text do
        for _, by in ipairs { 1, 32, 128 } do
          local byte = (text:byte(i) + by) % 256
          local got = put(text:sub(1, i - 1) .. string.char(byte) .. text:sub(i + 1))
          assert.is_true(got == "cgt-1" or got == "damaged" or got == "maybe_accepted" and i == #text, i .. " " .. got)
        end
      end
    end)

    it("is known where lines stand twice, and the journal is refused where the beginning is gone", function()
      local lines = {}
      for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line .. "\n" end
      for i = 2, #lines do assert.equal("cgt-1", put(text .. lines[i])) end
      assert.equal("damaged", put(lines[1] .. lines[3]))
      assert.matches("in line 2 %(it tells of a call that no line before it begins%)", select(2, begin()).message)
      assert.equal("damaged", put(lines[1] .. '{"type":"begin","id":"a"}\n'))
      assert.equal("cgt-1", put(lines[1] .. lines[2]:gsub(',"sum":"%x+"', "") .. lines[3]))
    end)
  end)

  describe("on a disk that fails", function()
    it("once, when a beginning is written to last, goes on the next time", function()
      s:script(answer "one")
      local said = run [[
        local core = require "multimodal.core"
        local write, failed = core.file_write, nil
        core.file_write = function(file, text, options)
          local done, err = write(file, text, options)
          if failed or not text:find '"begin"' then return done, err end
          failed = true
          return nil, { kind = "file", code = "EIO", message = "cannot sync" }
        end
        print(select(2, ai:generate "Hi").code)
        print(ai:generate("Hi").text)
      ]]
      assert.equal("EIO\none", said)
      assert.matches('"error":"it was not sent"', child.read(path "journal.jsonl"), 1, true)
      assert.equal("one\ttrue", run [[local reply = ai:generate "Hi" print(reply, reply.from_journal)]])
    end)

    local ask = [[local reply, err = ai:generate "Hi" print(reply or err.code .. ": " .. err.message, reply and reply.warnings[1])]]
    local function failing(rules)
      return "LD_PRELOAD='" .. (os.getenv "LD_PRELOAD" or "") .. " build/interpose.so' " .. rules
    end

    it("sends nothing that it could not write down", function()
      s:script(answer "one", { times = -1 })
      for _, rule in ipairs { "MM_FAIL_OPEN=journal.=EROFS", "MM_FAIL_WRITE=journal.jsonl=ENOSPC", "MM_FAIL_SYNC=journal.jsonl=EIO" } do
        local said = run(ask, failing(rule))
        assert.matches("^" .. rule:match("=(%u+)$") .. ": the journal in .* cannot be used: cannot ", said)
      end
      assert.equal(0, #s:requests())
    end)

    it("hands out a reply that it could not keep, with a warning", function()
      s:script(answer("", { images = { { type = "image_url",
        image_url = { url = core.data_url("image/png", "\137PNG\r\n\26\n" .. ("x"):rep(40000)) } } } }))
      local said = run(ask, failing "MM_FAIL_WRITE=media/=ENOSPC")
      assert.matches("^\tjournal: this reply is not kept, and would be asked for again: .*no space left", said)
    end)

    it("has room put by for an id", function()
      s:script(answer "one")
      run(ask)
      assert.equal(65536, #child.read(path "journal.spare"))
      local said = run([[
        local core = require "multimodal.core"
        local write, full = core.file_write, true
        core.file_write = function(path, ...)
          if full and path:find "jsonl" and io.open(ai.options.journal .. "/journal.spare") then
            return nil, { kind = "file", code = "ENOSPC", message = "no space left on device" }
          end
          return write(path, ...)
        end
        local entry = assert(require "multimodal.client.journal".begin({ journal = ai.options.journal }, { kind = "video", once = true,
          method = "POST", url = "http://h/tasks" }))
        print(entry:accepted "cgt-9")
      ]])
      assert.equal("true\tnil", said)
      assert.matches("cgt%-9", child.read(path "journal.jsonl"))
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
