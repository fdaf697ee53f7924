--- Who speaks when: each rule of turns, as OpenAI's chat, Gemini and Anthropic say it, or refuse it.
local mm = require("multimodal")
local rows = require("dialect.rows")

local request, dig, turns, whole, no, refused = rows.request, rows.dig, rows.turns, rows.whole, rows.no, rows.refused
local forget, text, image_url, link, of_url, call = rows.forget, rows.text, rows.image_url, rows.link, rows.of_url, rows.call
local calling = rows.calling

local function row(...) return rows.row(it, ...) end

describe("the rules of turns #small", function()
  teardown(forget)

  row("1 the order of parts", { "a", mm.image "https://h/a.png", "b" }, { O = { "messages", 1, "content" }, G = { "contents", 1, "parts" },
    A = { "messages", 1, "content" } }, {
    O = { text "a", image_url "https://h/a.png", text "b" }, G = { { text = "a" }, link("image/png", "https://h/a.png"), { text = "b" } },
    A = { text "a", of_url("image", "https://h/a.png"), text "b" },
  })
  row("2 turns of one side in a row", { messages = { mm.user "a", mm.user "b" } }, turns, {
    O = { { role = "user", content = "a" }, { role = "user", content = "b" } }, G = { { role = "user", parts = { { text = "a" },
      { text = "b" } } } },
    A = { { role = "user", content = { text "a", text "b" } } },
  })
  local mixed = { messages = { mm.user "a", calling(), mm.tool_result("c1", "x"), mm.user "b" } }
  row("3 results before words", mixed, whole, {
    O = { messages = { {}, {}, { role = "tool" }, { role = "user", content = "b" } } },
    G = { contents = { {}, {}, { parts = { { functionResponse = { name = "f" } }, { text = "b" } } } } },
    A = { messages = { {}, {}, { content = { { type = "tool_result" }, text "b" } } } },
  })
  local between = { messages = { mm.user "a", calling(), mm.user "wait", mm.tool_result("c1", "x"), mm.user "b" } }
  row("3 words between a call and its result", between, whole, {
    G = { contents = { {}, {}, { parts = { { functionResponse = { name = "f" } }, { text = "wait" }, { text = "b" } } } } },
    A = { messages = { {}, {}, { content = { { type = "tool_result" }, text "wait", text "b" } } } },
  })
  local continued = { messages = { mm.user "a", calling(), mm.assistant "so", mm.tool_result("c1", "x") } }
  row("3 words of the assistant after its call", continued, whole, {
    G = { contents = { {}, { parts = { { functionCall = { name = "f" } }, { text = "so" } } }, { parts = { {} } } } },
    A = { messages = { {}, { content = { text "so", { type = "tool_use" } } }, { content = { { type = "tool_result" } } } } },
  })
  it("3 words between a call and its result: O", function()
    for _, prompt in ipairs { between, continued } do
      assert.equal("missing_tool_result", refused("O", prompt, "bad_request", "messages[2]").code)
    end
  end)
  for _, who in ipairs { "G", "A" } do
    it("3 a result after the assistant's next turn is none: " .. who, function()
      local late = { mm.user "a", calling(), mm.user "b", mm.assistant "c", mm.tool_result("c1", "x") }
      assert.equal("missing_tool_result", refused(who, { messages = late }, "bad_request", "messages[2]").code)
    end)
  end
  for _, who in ipairs { "O", "G", "A" } do
    it("3 every call answered: " .. who, function()
      local err = refused(who, { messages = { mm.user "a", calling() }, "b" }, "bad_request", "messages[2]")
      assert.equal("missing_tool_result", err.code)
    end)
    if who ~= "O" then
      it("3 nothing else answered: " .. who, function()
        local err = refused(who, { messages = { mm.user "a", calling(), mm.tool_result("c1", "x"), mm.tool_result("c9", "y") } },
          "bad_request")
        assert.equal("unknown_tool_result", err.code)
      end)
    end
  end
  local other = { id = "c2", name = "g", arguments_raw = "{}" }
  row("4 answers in the order of the calls", { messages = { mm.user "a", calling(call, other), mm.tool_result("c2", "y"),
    mm.tool_result("c1", "x") } }, whole, { G = { contents = { {}, {}, { parts = { { functionResponse = { name = "f" } },
      { functionResponse = { name = "g" } } } } } } })
  row("5 instructions in a row", { messages = { mm.system "a", mm.system "b", mm.user "c" } }, whole, {
    O = { messages = { { content = "a" }, { content = "b" }, {} } }, G = { systemInstruction = { parts = { { text = "a" },
      { text = "b" } } } },
    A = { system = { text "a", text "b" } },
  })
  row("6 instructions alone", { messages = { mm.system "a" } }, whole, { O = { messages = { { role = "system" } } }, G = no, A = no })
  row("7 empty text", { "", "a", "" }, { O = { "messages", 1, "content" }, G = { "contents", 1, "parts" }, A = { "messages", 1,
    "content" } },
    { O = { text "a" }, G = { { text = "a" } }, A = { text "a" } })
  for _, who in ipairs { "G", "A" } do
    it("7 an empty turn of the user: " .. who, function()
      assert.equal("empty", refused(who, { messages = { mm.user "", mm.user "" } }, "bad_request", "messages[1]").code)
      assert(request(who, { messages = { mm.user "", mm.user "b" } }))
    end)
  end
  row("7 an empty turn of the assistant", { messages = { mm.user "a", mm.assistant "" }, "b" }, turns, {
    G = { { role = "user", parts = { { text = "a" }, { text = "b" } } } }, A = { { role = "user", content = { text "a", text "b" } } },
  })
  row("8 an assistant at the end", { messages = { mm.user "a", mm.assistant "b:" } }, whole, {
    O = no, G = no, A = { messages = { {}, { role = "assistant", content = { text "b:" } } } },
  })
  it("8 an assistant at the end, sent where check says so", function()
    for _, who in ipairs { "O", "G" } do
      local req = assert(request(who, { messages = { mm.user "a", mm.assistant "b:" }, check = "warn" }))
      assert.equal(2, #dig(req:json(), turns[who]))
      assert(req.warnings[1]:find("messages[2]", 1, true))
      assert.same({}, assert(request(who, { messages = { mm.user "a", mm.assistant "b:" }, check = "off" })).warnings)
    end
    local own = assert(request("openrouter", { messages = { { role = "user", content = "a" }, { role = "assistant", content = "b",
      prefix = true } } }))
    assert.equal(true, own:json().messages[2].prefix)
  end)
  local saying = calling()
  saying.content = { { type = "text", text = "b" } }
  row("9 calls behind words", { messages = { mm.user "a", saying, mm.tool_result("c1", "x") } }, whole, {
    O = { messages = { {}, { content = { text "b" }, tool_calls = { { id = "c1" } } }, {} } },
    G = { contents = { {}, { parts = { { text = "b" }, { functionCall = { name = "f" } } } }, {} } },
    A = { messages = { {}, { content = { text "b", { type = "tool_use", id = "c1" } } }, {} } },
  })
  it("10 ids of calls as the dialect takes them", function()
    local odd = { id = "call.1/x", name = "f", arguments_raw = "{}" }
    local prompt = { messages = { mm.user "a", calling(odd), mm.tool_result("call.1/x", "x") } }
    local said = request("A", prompt):json().messages
    assert.same({ "call_1_x", "call_1_x" }, { said[2].content[1].id, said[3].content[1].tool_use_id })
    said = request("O", prompt):json().messages
    assert.same({ "call.1/x", "call.1/x" }, { said[2].tool_calls[1].id, said[3].tool_call_id })
    assert.is_nil(tostring(request("G", prompt).body):find("call.1", 1, true))
  end)
  local function with(raw)
    return { messages = { mm.user "a", calling { id = "c1", name = "f", arguments_raw = raw }, mm.tool_result("c1", "x") } }
  end
  row("11 no arguments", with "", whole, {
    G = { contents = { {}, { parts = { { functionCall = { args = {} } } } }, {} } },
    A = { messages = { {}, { content = { { input = {} } } }, {} } },
  })
  for _, who in ipairs { "G", "A" } do
    it("11 arguments that are no object: " .. who, function()
      for _, raw in ipairs { "{oops", "[1]", "5" } do
        assert.equal("tool_arguments", refused(who, with(raw), "bad_request", "messages[2]").code)
      end
    end)
  end
  it("11 arguments that are no object: O", function()
    assert.equal("{oops", request("O", with "{oops"):json().messages[2].tool_calls[1]["function"].arguments)
  end)
  row("12 one plain text", "Hi", { O = { "messages", 1, "content" }, G = { "contents", 1, "parts" }, A = { "messages", 1, "content" } },
    { O = "Hi", G = { { text = "Hi" } }, A = { text "Hi" } })
end)
