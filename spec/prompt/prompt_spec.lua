local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local prompt = require("multimodal.prompt.prompt")

local function said(...)
  return prompt.new(...).messages
end

local function fault(...)
  local ok, message = pcall(prompt.new, ...)
  assert.is_false(ok)
  return message
end

local cat = media.new("image", "cat.jpg")

describe("prompt", function()
  it("is one user message of a string", function()
    for _, form in ipairs { "Hi", { "Hi" }, { "Hi", max_tokens = 5 }, { false, "Hi", false } } do
      local list = said(form)
      assert.equal(1, #list)
      assert.equal("user", list[1].role)
      assert.is_true(list[1].plain)
      assert.same({ { type = "text", text = "Hi" } }, list[1].content)
    end
  end)

  it("keeps the order of its parts", function()
    local list = said { "a", cat, { "b", { cat, "c" } }, { type = "video_url", video_url = {} } }
    assert.equal(1, #list)
    assert.is_false(list[1].plain)
    local content = list[1].content
    assert.equal(6, #content)
    assert.same({ "a", "b", "c" }, { content[1].text, content[3].text, content[5].text })
    assert.equal(cat, content[2])
    assert.equal(cat, content[4])
    assert.equal("video_url", content[6].type)
  end)

  it("takes a single part or a single message", function()
    assert.equal(cat, said(cat)[1].content[1])
    assert.equal("t", said(messages.text "t")[1].content[1].text)
    local message = messages.new("assistant", "x")
    assert.equal(message, said(message)[1])
  end)

  it("reads options of both places, the second winning", function()
    local written = prompt.new({ "Hi", max_tokens = 5, temperature = 1 }, { max_tokens = 7 })
    assert.same({ max_tokens = 7, temperature = 1 }, written.options)
    assert.is_nil(prompt.new("Hi").options)
    assert.is_nil(prompt.new({ "Hi" }).options)
  end)

  it("puts its own parts after messages", function()
    local list = said { messages = { messages.new("user", { "Hi" }), messages.new("assistant", "Hello!") }, "And in French?" }
    assert.same({ "user", "assistant", "user" }, { list[1].role, list[2].role, list[3].role })
    local call = { messages = { messages.new("system", "b") } }
    assert.same({ "system", "user", "user" }, (function(all) return { all[1].role, all[2].role, all[3].role } end)(
      said({ messages = { messages.new("user", "a") }, "c" }, call)))
  end)

  it("reads plain tables as messages and keeps their further fields", function()
    local list = said { messages = {
      { role = "user", content = "a", name = "Bob", cache = true },
      { role = "assistant", tool_calls = { 1 } },
      { { role = "user", content = { "b", cat } } },
    } }
    assert.equal("Bob", list[1].name)
    assert.same({ cache = true }, list[1].extra)
    assert.is_true(list[1].plain)
    assert.same({ tool_calls = { 1 } }, list[2].extra)
    assert.same({}, list[2].content)
    assert.equal(cat, list[3].content[2])
  end)

  it("reads a reply in a history as its message", function()
    local message = messages.new("assistant", "before")
    local reply = setmetatable({ message = message }, { __name = "multimodal.reply" })
    assert.equal(message, said { messages = { reply }, "next" }[1])
  end)

  it("puts the system text first", function()
    local list = prompt.with_system(said "Hi", "Be brief.")
    assert.same({ "system", "user" }, { list[1].role, list[2].role })
    assert.is_true(list[1].plain)
    assert.is_false(prompt.with_system(said "Hi", { "a", "b" })[1].plain)
    assert.equal(1, #prompt.with_system(said "Hi", nil))
  end)

  it("refuses with the position", function()
    local circle = {}
    circle[1] = circle
    for words, bad in pairs {
      ["prompt[2]: a hole"] = { "a", nil, "b" },
      ["prompt[2]: expected a string or a part, got number"] = { "a", 5 },
      ["prompt[2]: expected a string or a part, got function"] = { "a", print },
      ["prompt[1][2]: a hole"] = { { "a", nil, "b" } },
      ["prompt[1]: detail beside a list"] = { { "a", detail = "high" } },
      ["prompt: key 1.5 is neither"] = { "a", [1.5] = "b" },
      ["prompt: key true is neither"] = { "a", [true] = "b" },
      ["a list that contains itself"] = circle,
      ["prompt[1]: a message among parts"] = { messages.new("user", "x") },
      ["max_tokns: unknown option; did you mean max_tokens?"] = { "a", max_tokns = 5 },
      ["temperature: expected a number, got NaN"] = { "a", temperature = 0 / 0 },
      ["nothing to say"] = {},
      ["messages[2]: a hole"] = { messages = { messages.new("user", "x"), nil, messages.new("user", "y") } },
      ["messages[1]: expected a message, got string"] = { messages = { "x" } },
      ["messages[1]: a part"] = { messages = { { type = "text", text = "x" } } },
      ["messages[1]: role: expected a string"] = { messages = { { role = 5, content = "x" } } },
    } do
      local message = fault(bad)
      assert(message:find(words, 1, true), words .. " <> " .. message)
    end
    assert(fault(5):find("prompt: expected a string, a part or a table, got number", 1, true))
    assert(fault("a", "b"):find("options: expected a table, got string", 1, true))
    assert(fault({ messages = circle }):find("contains itself", 1, true))
  end)

  it("raises at the caller's line", function()
    local ok, message = pcall(function() prompt.new { 5 } end)
    assert.is_false(ok)
    assert(message:find("prompt_spec.lua:%d+: prompt%[1%]"), message)
  end)
end)

describe("a message", function()
  it("takes a name and further fields beside its parts", function()
    local message = messages.new("user", { "Hi", name = "Bob", extra = { cache = true } })
    assert.equal("Bob", message.name)
    assert.same({ cache = true }, message.extra)
    assert.is_true(message.plain)
  end)

  it("refuses other fields, messages and wrong types", function()
    for words, bad in pairs {
      ["user: unknown field max_tokens"] = { "Hi", max_tokens = 5 },
      ["user: name: expected a string, got number"] = { "Hi", name = 5 },
      ["user: a message in a message"] = messages.new("user", "x"),
      ["user[2]: a hole"] = { "a", nil, "b" },
    } do
      local ok, message = pcall(messages.new, "user", bad)
      assert.is_false(ok)
      assert(message:find(words, 1, true), message)
    end
    assert.is_false(pcall(messages.new, "user", 5))
  end)

  it("has text parts with further fields", function()
    assert.same({ type = "text", text = "x", extra = { a = 1 } }, messages.text("x", { a = 1 }))
    assert.is_false(pcall(messages.text, 5))
    assert.is_false(pcall(messages.text, "x", 5))
  end)
end)
