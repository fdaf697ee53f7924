local core = require("multimodal.core")
local messages = require("multimodal.prompt.messages")
local mm = require("multimodal")
local tools = require("multimodal.prompt.tools")

local function misuse(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  assert.is_string(message)
  return message
end

local function parameters(written)
  local tool = mm.tool { name = "f", parameters = written }
  return core.json_decode(tool.schema:text(), { null = true })
end

describe("a tool #small", function()
  it("has parameters in the short form or as JSON Schema", function()
    local expected = {
      type = "object", properties = { city = { type = "string" } }, required = { "city" }, additionalProperties = false,
    }
    assert.same(expected, parameters { city = "string" })
    assert.same(expected, parameters(mm.schema { city = "string" }))
    assert.same(expected, parameters(expected))
    assert.same(expected, parameters('{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],'
      .. '"additionalProperties":false}'))
    assert.same({ "type" }, parameters({ type = "string" }).required)
    assert.is_nil(mm.tool({ name = "f" }).parameters)
    assert.equal("multimodal.tool: f", tostring(mm.tool { name = "f" }))
  end)

  it("is refused where it is none, at the caller's line", function()
    for words, spec in pairs {
      ["tool: name: expected a string, got nothing"] = {},
      ["tool: nmae: unknown option; did you mean name?"] = { nmae = "f" },
      ["tool: run: expected a function, got string"] = { name = "f", run = "x" },
      ['parameters.city: "strng" is no type'] = { name = "f", parameters = { city = "strng" } },
    } do
      local message = misuse(mm.tool, spec)
      assert(message:find("tools_spec.lua:%d+: ") and message:find(words, 1, true), message)
    end
    assert(misuse(mm.tool, "f"):find("tool: expected a table, got string", 1, true))
  end)

  it("stands in a list with tables that could be one, and with those of a dialect", function()
    local list, by_name = tools.of { mm.tool { name = "a" }, { name = "b", run = print },
      { type = "function", ["function"] = { name = "c" } }, { type = "web_search" } }
    assert.equal(4, #list)
    assert.equal(print, by_name.b.run)
    assert.equal(list[3], by_name.c)
    assert(misuse(tools.of, { { name = "a" }, { name = "a" } }):find("tools[2]: a second tool named a", 1, true))
    assert(misuse(tools.of, { "a" }):find("tools[1]: expected mm.tool { ... }, got string", 1, true))
    assert(misuse(tools.of, { name = "a" }):find("tools: name beside a list", 1, true))
    assert(misuse(tools.check_choice, "wether", { weather = {} }):find('did you mean "weather"?', 1, true))
    for _, choice in ipairs { "auto", "none", "required", "weather" } do tools.check_choice(choice, { weather = {} }) end
  end)
end)

describe("a tool's result #small", function()
  local call = { id = "c1", name = "f", arguments = {}, arguments_raw = "{}" }

  local function said(value)
    local content = mm.tool_result(call, value).content
    local list = {}
    for i, part in ipairs(content) do list[i] = part.text or part.kind end
    return table.concat(list, "|")
  end

  it("is text, JSON, or parts", function()
    local picture = mm.image { bytes = "meow", mime = "image/png" }
    assert.equal("sunny", said "sunny")
    assert.equal("", said "")
    assert.equal("null", said(nil))
    assert.equal("7", said(7))
    assert.equal("true", said(true))
    assert.equal('{"sky":["blue"]}', said { sky = { "blue" } })
    assert.equal('["a","b"]', said { "a", "b" })
    assert.equal("{}", said {})
    assert.equal("image", said(picture))
    assert.equal("See:|image|end", said { "See:", picture, mm.text "end" })
    assert.equal('{"type":"sunny"}', said { type = "sunny" })
  end)

  it("is a reply's text and pictures", function()
    local ai = mm.client { gateway = mm.mock { "Hello.", { "A cat.", mm.image { bytes = "meow", mime = "image/png" } } } }
    assert.equal("Hello.", said(assert(ai:generate "Hi")))
    assert.equal("A cat.|image", said(assert(ai:generate "Hi")))
  end)

  it("answers a call by its id", function()
    local message = mm.tool_result(call, "no", { error = true })
    assert.same({ "tool", "c1", "f", true }, { message.role, message.tool_call_id, message.tool_name, message.error })
    assert.equal("c2", mm.tool_result("c2", "x").tool_call_id)
    assert.is_true(messages.is(message))
  end)

  it("is refused where it cannot be said", function()
    for words, arguments in pairs {
      ["tool_result: expected a call of reply.tool_calls or its id, got nil"] = {},
      ["tool_result: a function cannot be a tool's result"] = { call, print },
      ["tool_result: picture: a part in a table of data"] = { call, { picture = mm.image "x.png" } },
      ["tool_result: the result cannot be written as JSON"] = { call, { print } },
      ["tool_result: eror: unknown option; did you mean error?"] = { call, "x", { eror = true } },
    } do
      local message = misuse(function() mm.tool_result(arguments[1], arguments[2], arguments[3]) end)
      assert(message:find("tools_spec.lua:%d+: ") and message:find(words, 1, true), message)
    end
  end)

  it("is missed where a call has none", function()
    local calls = { role = "assistant", content = {}, tool_calls = { { id = "a", name = "f" }, { id = "b", name = "g" } } }
    local function answer(id) return { role = "tool", tool_call_id = id, content = {} } end
    local user = { role = "user", content = {} }
    assert.is_nil(tools.unanswered { user, calls, answer "b", answer "a", user })
    assert.same({ 2, "b", "g" }, { tools.unanswered { user, calls, answer "a", user } })
    assert.same({ 1, "a", "f" }, { tools.unanswered { calls } })
    assert.same({ 1, "a", "f" }, { tools.unanswered { calls, user, answer "a", answer "b" } })
    local written = { role = "assistant", content = {}, extra = { tool_calls = { { id = "a", ["function"] = { name = "f" } } } } }
    assert.same({ 1, "a", "f" }, { tools.unanswered { written, user } })
    assert.is_nil(tools.unanswered { written, { role = "tool", content = {}, extra = { tool_call_id = "a" } } })
  end)
end)
