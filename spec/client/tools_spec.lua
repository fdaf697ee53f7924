--- Tools: the loop that runs them, and what the model is told.
local count = require("support.count")
local core = require("multimodal.core")
local json = require("multimodal.json")
local mm = require("multimodal")
local tools = require("support.tools")

local client, call, calls = tools.client, tools.call, tools.calls
local ignore, misuse, weather = tools.ignore, tools.misuse, tools.weather

local function tool(run, name)
  return mm.tool { name = name or "f", run = run }
end

--- The tool messages of a request.
local function answers_in(request)
  local list = {}
  for _, message in ipairs(request:json().messages) do
    if message.role == "tool" then list[#list + 1] = message.content end
  end
  return list
end

--- What the model is told of one call of a tool.
local function told(run, arguments, name)
  local ai, fake = client { calls(call(name or "f", arguments)), "Done." }
  local reply = assert(ai:generate { "Go", tools = { tool(run) } })
  return answers_in(fake.requests[2])[1], reply
end

describe("tools #small", function()
  it("are run, and the reply is the last one", function()
    local ai, fake = client { { "Let me see.", tool_calls = { call("weather", { city = "Paris" }) } }, "It is sunny." }
    local reply = assert(ai:generate { "Weather in Paris?", tools = { weather } })
    assert.equal("It is sunny.", reply.text)
    assert.equal("stop", reply.finish_reason)
    assert.same({
      { role = "user", content = "Weather in Paris?" },
      { role = "assistant", content = "Let me see.", tool_calls = {
        { id = "call_1", type = "function", ["function"] = { name = "weather", arguments = '{"city":"Paris"}' } },
      } },
      { role = "tool", tool_call_id = "call_1", content = '{"sky":"sunny in Paris"}' },
    }, fake.requests[2]:json().messages)
    assert.same({
      { type = "function", ["function"] = {
        name = "weather", description = "The weather of a city.",
        parameters = {
          type = "object", properties = { city = { type = "string" } }, required = { "city" }, additionalProperties = false,
        },
      } },
    }, fake.requests[2]:json().tools)
  end)

  it("tell their steps, their messages and the usage of all", function()
    local ai, fake = client { calls(call("weather", { city = "A" })), calls(call("weather", { city = "B" })), "End.", "Again." }
    local reply = assert(ai:generate { "Go", tools = { weather } })
    assert.equal(2, #reply.steps)
    assert.equal("A", reply.steps[1].tool_calls[1].arguments.city)
    assert.equal("B", reply.steps[2].tool_calls[1].arguments.city)
    assert.same({ 1, 3, 6, 10 }, {
      reply.steps[1].usage.total_tokens, reply.steps[2].usage.total_tokens, 6, reply.usage.total_tokens,
    })
    local roles = {}
    for i, message in ipairs(reply.messages) do roles[i] = message.role end
    assert.same({ "assistant", "tool", "assistant", "tool", "assistant" }, roles)
    assert.equal(2, #reply.steps[1].messages)
    assert(ai:generate { messages = { mm.user "Go", reply.messages }, "More" })
    local sent = fake.requests[4]:json().messages
    assert.same({ "user", "assistant", "tool", "assistant", "tool", "assistant", "user" }, (function()
      local list = {}
      for i, message in ipairs(sent) do list[i] = message.role end
      return list
    end)())
    assert.equal('{"city":"B"}', sent[4].tool_calls[1]["function"].arguments)
    assert.is_nil(sent[4].native)
  end)

  local function parallel()
    local there, order = {}, {}
    local function meet(arguments)
      there[arguments.who] = true
      for _ = 1, 100 do
        if there.a and there.b then break end
        mm.sleep(0)
      end
      order[#order + 1] = arguments.who
      if arguments.who == "a" then mm.sleep(0) mm.sleep(0) end
      return there.a and there.b and "met " .. arguments.who or "alone"
    end
    local ai, fake = client { calls(call("f", { who = "a" }), call("f", { who = "b" })), "Done." }
    assert(ai:generate { "Go", tools = { tool(meet) } })
    assert.same({ "met a", "met b" }, answers_in(fake.requests[2]))
  end

  it("of one step run at once, outside a job", parallel)

  it("of one step run at once, inside a job", function()
    mm.run(parallel)
  end)

  it("run one by one where they were to come so", function()
    local running, most = 0, 0
    local function run()
      running = running + 1
      most = math.max(most, running)
      mm.sleep(0)
      running = running - 1
    end
    local ai, fake = client { calls(call "f", call "f", call "f"), "Done." }
    assert(ai:generate { "Go", tools = { tool(run) }, parallel_tools = false })
    assert.equal(1, most)
    assert.is_false(fake.requests[1]:json().parallel_tool_calls)
    assert.same({ "null", "null", "null" }, answers_in(fake.requests[2]))
  end)

  it("that fail say so to the model, and end nothing", function()
    assert.equal("Error: no such city", (told(function() return nil, "no such city" end)))
    assert.equal("Error: boom", (told(function() error "boom" end)))
    assert.equal("Error: boom", (told(function() error("boom", 0) end)))
    assert.equal("Error: a function cannot be a tool's result", (told(function() return print end)))
    assert.equal("Error: the arguments are no JSON object: {bad", (told(ignore, "{bad")))
    assert.equal("Error: the arguments are no JSON object: [1]", (told(ignore, "[1]")))
    assert.equal('Error: there is no tool "g"; the tools are: f', (told(ignore, nil, "g")))
    assert.equal("Error: rate_limit: Slow down.", (told(function()
      local inner = client { { kind = "rate_limit", message = "Slow down." } }
      return inner:generate "Hi"
    end)))
    assert.equal("Error: rate_limit: Slow down.", (told(function()
      local inner = client { { kind = "rate_limit", message = "Slow down." } }
      error(select(2, inner:generate "Hi"))
    end)))
    assert.equal("a poem", (told(function() return (client { "a poem" }):generate "A poem" end)))
  end)

  it("that fail in ways that cannot be said fail as results too", function()
    assert.equal("Error: bad ??", (told(function() return nil, "bad \255\254" end)))
    assert.equal("Error: the text is no UTF-8; return bytes as mm.file { bytes =, mime = }", (told(function() return "\255" end)))
    assert.equal("Error: the text is no UTF-8; return bytes as mm.file { bytes =, mime = }",
      (told(function() return { mm.text "\255" } end)))
    local content, reply = told(function() return mm.image "/nowhere/a.png" end)
    assert(content:find('^Error: file: cannot read "/nowhere/a.png"'), content)
    assert(reply.warnings[1]:find("the tool f gave no result: file: ", 1, true))
    local long = '["' .. ("é"):rep(150) .. '"]'
    assert(told(ignore, long):find("^Error: the arguments are no JSON object: "))
    assert.equal('Error: {"why":"so"}', (told(function() return nil, { why = "so" } end)))
  end)

  it("are plain calls in a coroutine that is not ours", function()
    local ai, fake = client { calls(call("f", { n = 1 }), call("f", { n = 2 })), "Done." }
    local seen = {}
    local reply = coroutine.wrap(function()
      return assert(ai:generate { "Go", tools = { tool(function(arguments)
        seen[#seen + 1] = arguments.n
        if arguments.n == 1 then error "boom" end
        return nil, "no"
      end) } })
    end)()
    assert.equal("Done.", reply.text)
    assert.same({ 1, 2 }, seen)
    assert.same({ "Error: boom", "Error: no" }, answers_in(fake.requests[2]))
    assert(reply.warnings[1]:find("the tool f raised: .*boom"))
  end)

  it("that are broken are told of in the reply's warnings", function()
    local content, reply = told(function() return mm.imag "x.png" end)
    assert.equal("Error: mm.imag: did you mean mm.image?", content)
    assert(reply.warnings[1]:find("^the tool f raised: .*tools_spec.lua:%d+: mm.imag: did you mean mm.image%?$"), reply.warnings[1])
    assert.is_nil(reply.warnings[2])
  end)

  it("get arguments that fit, and the call", function()
    local seen
    local ai, fake = client { calls(call("f", { n = "7" }, "x"), call("f", { n = 7 }, "y")), "Done." }
    assert(ai:generate { "Go", tools = {
      { name = "f", parameters = { n = "integer" }, run = function(arguments, one)
        seen = { arguments.n, one.id, one.name, one.arguments_raw }
      end },
    } })
    assert.same({ 7, "y", "f", '{"n":7}' }, seen)
    assert.same({ "Error: arguments.n: expected integer, got string", "null" }, answers_in(fake.requests[2]))
  end)

  it("without run end the call with what is to be called", function()
    local wire = { type = "function", ["function"] = { name = "f" } }
    for _, list in ipairs { { { name = "f" } }, { { name = "f" }, tool(error, "g") }, { wire, tool(error, "g") } } do
      local ai, fake = client { calls(call("f", { a = 1 }), call "g"), "Never." }
      local reply = assert(ai:generate { "Go", tools = list })
      assert.equal("tool_calls", reply.finish_reason)
      assert.same({ a = 1 }, reply.tool_calls[1].arguments)
      assert.same({}, reply.steps)
      assert.equal(1, #fake.requests)
    end
  end)

  it("stop at max_steps with the calls unanswered", function()
    local answers, runs = {}, 0
    for i = 1, 8 do answers[i] = calls(call "f") end
    local function run() runs = runs + 1 end
    local ai, fake = client(answers)
    local reply = assert(ai:generate { "Go", tools = { tool(run) } })
    assert.same({ 8, 7, 7, "tool_calls" }, { #fake.requests, runs, #reply.steps, reply.finish_reason })
    ai, fake = client(answers)
    reply = assert(ai:generate { "Go", tools = { tool(run) }, max_steps = 1 })
    assert.same({ 1, 7, 0, "tool_calls" }, { #fake.requests, runs, #reply.steps, reply.finish_reason })
  end)

  it("are chosen for one request alone", function()
    local ai, fake = client { calls(call "f"), "Done.", "None.", "Auto." }
    assert(ai:generate { "Go", tools = { tool(ignore, "f") }, tool_choice = "f" })
    assert.same({ type = "function", ["function"] = { name = "f" } }, fake.requests[1]:json().tool_choice)
    assert.is_nil(fake.requests[2]:json().tool_choice)
    assert(ai:generate { "Go", tools = { tool(ignore, "f") }, tool_choice = "none" })
    assert.equal("none", fake.requests[3]:json().tool_choice)
    assert(misuse(ai.generate, ai, { "Go", tools = { weather }, tool_choice = "wether" }):find('did you mean "weather"?', 1, true))
  end)

  it("are not run for a reply that is cut or too long", function()
    local function never() error("a tool of half a reply was run", 0) end
    local body = ('data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f",'
      .. '"arguments":"{}"}}]},"finish_reason":null}]}\n\n')
    local ai, fake = client { { body = body } }
    local reply, err = ai:generate { "Go", tools = { tool(never) }, on_text = ignore }
    assert.is_nil(reply)
    assert.same({ "truncated", "f" }, { err.kind, err.partial.tool_calls[1].name })
    assert.equal(1, #fake.requests)
    ai = client { { body = body .. body:gsub("null", '"length"') .. "data: [DONE]\n\n" } }
    reply = assert(ai:generate { "Go", tools = { tool(never) }, on_text = ignore })
    assert.equal("length", reply.finish_reason)
  end)

  it("show pictures in a message after their answers, or in them where the gateway takes that", function()
    local function answers()
      return { calls(call("f", { n = 1 }), call("f", { n = 2 })), "A cat." }
    end
    local function run(arguments)
      local picture = mm.image { bytes = "meow" .. arguments.n, mime = "image/png" }
      return arguments.n == 1 and picture or { "See:", picture }
    end
    local ai, fake = client(answers())
    assert(ai:generate { "Go", tools = { tool(run) } })
    local sent = fake.requests[2]:json().messages
    assert.equal("The result is in the message of the user that follows.", sent[3].content)
    assert.equal("See:", sent[4].content)
    assert.same({ "user", "The result of f:", "The result of f:" }, { sent[5].role, sent[5].content[1].text, sent[5].content[3].text })
    assert.equal(core.data_url("image/png", "meow1"), sent[5].content[2].image_url.url)
    assert.equal(core.data_url("image/png", "meow2"), sent[5].content[4].image_url.url)
    fake = mm.mock(answers())
    fake.tool_media = true
    assert(mm.client({ gateway = fake }):generate { "Go", tools = { tool(run) } })
    sent = fake.requests[2]:json().messages
    assert.equal(4, #sent)
    assert.equal(core.data_url("image/png", "meow2"), sent[4].content[2].image_url.url)
  end)

  it("keep what had come when a later request fails", function()
    for _, options in ipairs { { tools = { weather } }, { tools = { weather }, on_text = ignore } } do
      local ai = client { calls(call("weather", { city = "A" })), { kind = "rate_limit" } }
      local reply, err = ai:generate("Go", options)
      assert.is_nil(reply)
      assert.same({ "rate_limit", "failed", 1, 2 }, {
        err.kind, err.partial.outcome, #err.partial.steps, #err.partial.messages,
      })
    end
  end)

  it("are cancelled with the job that asked", function()
    local reached, ended = false, false
    local ai = client { calls(call "f"), "Never." }
    local job = mm.spawn(function()
      return ai:generate { "Go", tools = { tool(function()
        reached = true
        mm.sleep(3600)
        ended = true
      end) } }
    end)
    while not reached do mm.step(0) end
    job:cancel()
    local reply, err = job:wait()
    assert.is_nil(reply)
    assert.equal("cancelled", err.kind)
    assert.is_false(ended)
  end)
end)

describe("a stream with tools #small", function()
  local function opened(options, second)
    local ai, fake = client { { "Wait.", tool_calls = { call("f", { n = 1 }), call("f", { n = 2 }) } }, second or "All done." }
    local given = { tools = { tool(function(arguments)
      if arguments.n == 2 then return nil, "no two" end
      return "one"
    end) } }
    for name, value in pairs(options or {}) do given[name] = value end
    return assert(ai:stream("Go", given)), fake
  end

  it("goes through all steps", function()
    local stream, types, results, step, done = opened(), {}, {}, nil, nil
    for event in stream:events() do
      if event.type ~= types[#types] then types[#types + 1] = event.type end
      if event.type == "tool_result" then results[#results + 1] = event end
      if event.type == "step" then step = event end
      if event.type == "done" then done = event end
    end
    assert.same({
      "start", "text", "tool_start", "tool_delta", "tool_start", "tool_delta", "tool_end", "finish", "usage", "tool_result", "step",
      "start", "text", "finish", "usage", "done",
    }, types)
    assert.same({ 1, "one" }, { results[1].call.arguments.n, results[1].value })
    assert.same({ 2, "no two" }, { results[2].call.arguments.n, results[2].error })
    local reply = assert(stream:reply())
    assert.equal(reply, done.reply)
    assert.equal("All done.", reply.text)
    assert.equal(reply.steps[step.index], step.reply)
    assert.equal("Wait.", step.reply.text)
    assert.equal(4, #reply.messages)
  end)

  it("is text from all steps", function()
    local texts = {}
    for text in opened():text() do texts[#texts + 1] = text end
    assert.equal("Wait.All done.", table.concat(texts))
    texts = {}
    local stream = opened { on_text = function(text) texts[#texts + 1] = text end }
    assert.equal("All done.", assert(stream:reply()).text)
    assert.equal("Wait.All done.", table.concat(texts))
  end)

  it("gives what generate gives", function()
    local ai = client { calls(call("weather", { city = "A" })), "End." }
    local whole = assert(ai:generate { "Go", tools = { weather } })
    ai = client { calls(call("weather", { city = "A" })), "End." }
    local reply = assert(assert(ai:stream { "Go", tools = { weather } }):reply())
    assert.same({ whole.text, whole.usage, #whole.steps, #whole.messages }, { reply.text, reply.usage, #reply.steps, #reply.messages })
    for i, message in ipairs(whole.messages) do
      assert.same({ message.role, message.tool_call_id }, { reply.messages[i].role, reply.messages[i].tool_call_id })
    end
  end)

  it("ends where a hook says so, between steps too", function()
    for stop, requests in pairs { tool_result = 1, step = 1, finish = 1 } do
      local stream, fake = opened { on_event = function(event) return event.type ~= stop end }
      local reply, err = stream:reply()
      assert.is_nil(reply)
      assert.same({ "cancelled", requests }, { err.kind, #fake.requests })
      assert.equal("Wait.", err.partial.text)
    end
  end)

  it("can be closed between steps", function()
    local stream, fake = opened()
    for event in stream:events() do
      if event.type == "step" then stream:close() end
    end
    local reply, err = stream:reply()
    assert.is_nil(reply)
    assert.same({ "cancelled", 1, 1 }, { err.kind, #fake.requests, #err.partial.steps })
  end)

  it("keeps what had come when a later answer is cut", function()
    local stream = opened({}, { kind = "truncated", text = "All d" })
    local reply, err = stream:reply()
    assert.is_nil(reply)
    assert.same({ "truncated", "All d", 1, 4 }, { err.kind, err.partial.text, #err.partial.steps, #err.partial.messages })
  end)

  it("is a snapshot at every event", function()
    local stream = opened()
    for event in stream:events() do
      assert.is_string(stream.partial.text)
      if event.type == "tool_result" then assert.equal(1, #stream.partial.steps) end
    end
    assert.equal(stream:reply(), stream.partial)
  end)
end)

describe("a loop made by hand #small", function()
  it("answers calls itself", function()
    local ai, fake = client { calls(call("f", {}, "a"), call("f", {}, "b")), "Done." }
    local history = { mm.user "Go" }
    local reply = assert(ai:generate { messages = history, tools = { { name = "f" } } })
    history[#history + 1] = reply
    for i, one in ipairs(reply.tool_calls) do history[#history + 1] = mm.tool_result(one, "r" .. i, { error = i == 2 }) end
    assert.equal("Done.", assert(ai:generate { messages = history, tools = { { name = "f" } } }).text)
    assert.same({ "r1", "Error: r2" }, answers_in(fake.requests[2]))
  end)

  it("must answer every call", function()
    local ai, fake = client { calls(call("f", {}, "a"), call("f", {}, "b")), "Done." }
    local reply = assert(ai:generate { "Go", tools = { { name = "f" } } })
    local none, err = ai:generate { messages = { mm.user "Go", reply, mm.tool_result("a", "x") }, "And?" }
    assert.is_nil(none)
    assert.same({ "bad_request", "missing_tool_result", "messages[2]" }, { err.kind, err.code, err.part })
    assert(err.message:find("the call b of f has no result", 1, true))
    assert.equal(1, #fake.requests)
  end)
end)

describe("the arguments of a call", function()
  --- A call whose arguments come in fragments of one character.
  local function body(n)
    local arguments = '{"text":"' .. ("x"):rep(n - 11) .. '"}'
    local list = { 'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}}]}\n\n' }
    for i = 1, #arguments do
      local piece = assert(json.encode(arguments:sub(i, i)))
      list[#list + 1] = 'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":' .. piece .. "}}]}}]}\n\n"
    end
    list[#list + 1] = 'data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'
    return table.concat(list)
  end

  local function work_of(n)
    local length
    local ai = client { { body = body(n) }, "Done." }
    local work = count.work(function()
      assert(ai:generate { "Go", on_event = ignore, tools = { tool(function(arguments) length = #arguments.text end) } })
    end)
    assert.equal(n - 11, length)
    return work
  end

  it("in 4,000 fragments of one character cost twice what 2,000 cost", function()
    local half, whole = work_of(2000), work_of(4000)
    assert(whole.decoded < 2.2 * half.decoded, whole.decoded .. " after " .. half.decoded)
    assert.equal(4000, whole.fed)
    assert(whole.joined < 2.2 * half.joined, whole.joined .. " after " .. half.joined)
  end)
end)
