--- Every public name, as the design has it.
local mm = require("multimodal")

local names = {
  "client", "mock", "text", "image", "audio", "video", "file", "attach", "raw", "load", "user", "assistant", "system",
  "tool", "tool_result", "schema", "secret", "sse", "progress", "check", "on_error", "run", "spawn", "group", "all", "map",
  "each", "race", "timeout", "sleep", "wrap", "blocking", "step",
}

describe("multimodal #small", function()
  it("has these names and no others", function()
    local expected, found = {}, {}
    for _, name in ipairs(names) do
      expected[name] = "function"
      assert.is_function(mm[name])
    end
    expected.host = "table"
    for name, value in pairs(mm) do found[name] = type(value) end
    assert.same(expected, found)
  end)

  it("loads the core and no other library", function()
    local lowest = 0
    for i in pairs(arg) do lowest = type(i) == "number" and math.min(i, lowest) or lowest end
    local script = [[local before = {}
      for name in pairs(package.loaded) do before[name] = true end
      local globals = {}
      for name in pairs(_G) do globals[name] = true end
      require("multimodal")
      for name in pairs(package.loaded) do
        if not before[name] and not name:find("^multimodal") or name == "multimodal.net" then io.write(name, " ") end
      end
      for name in pairs(_G) do if not globals[name] then io.write("_G.", name, " ") end end]]
    local pipe = assert(io.popen(("LUA_PATH='%s' LUA_CPATH='%s' %s -e '%s' 2>&1"):format(
      package.path, package.cpath, arg[lowest], script)))
    local text = pipe:read("*a")
    pipe:close()
    assert.equal("", text)
  end)

  it("raises on any other, with the nearest", function()
    for wrong, words in pairs {
      img = "mm.img: did you mean mm.image?", imag = "did you mean mm.image?", clinet = "did you mean mm.client?",
      asistant = "did you mean mm.assistant?", zzzzzzzzz = "mm.zzzzzzzzz: no such name",
    } do
      local ok, message = pcall(function() return mm[wrong] end)
      assert.is_false(ok)
      assert(message:find("public_spec.lua:%d+: ") and message:find(words, 1, true), message)
    end
  end)

  it("has the fields of a reply, lists empty and never nil", function()
    local ai = mm.client { gateway = mm.mock { "Hi." } }
    local reply = assert(ai:generate "Hello")
    for _, list in ipairs { "parts", "images", "audios", "videos", "files", "citations", "tool_calls", "messages", "steps",
      "request_ids", "warnings" } do
      assert.is_table(reply[list], list)
    end
    for field, kind in pairs {
      text = "string", usage = "table", finish_reason = "string", finish_reason_raw = "string", outcome = "string", id = "string",
      model = "string", gateway = "string", request_id = "string", status = "number", headers = "table", attempts = "number",
      timing = "table", raw = "table", from_journal = "boolean",
    } do
      assert.equal(kind, type(reply[field]), field)
    end
    for _, absent in ipairs { "audio", "reasoning", "refusal", "data", "choices" } do assert.is_nil(reply[absent], absent) end
    assert.equal("multimodal.client: mock mock", tostring(ai))
  end)

  it("raises a returned error as text where a host wants that", function()
    local ai = mm.client { gateway = mm.mock { { kind = "rate_limit", retry_after = 1 }, "Hi." }, retries = 0 }
    local ok, message = pcall(function() mm.check(ai:generate "Hello") end)
    assert.is_false(ok)
    assert.is_string(message)
    assert(message:find("^public_spec.lua:%d+: rate_limit %(429, mock mock%): "), message)
    assert.equal("Hi.", mm.check(ai:generate "Hello").text)
  end)

  it("has errors that print as one line and concatenate", function()
    local ai = mm.client { gateway = mm.mock { { kind = "rate_limit", retry_after = 1, message = "Slow down." } }, retries = 0 }
    local _, err = ai:generate "Hello"
    assert(tostring(err):find("^public_spec.lua:%d+: rate_limit %(429, mock mock%): Slow down%. request mock$"), tostring(err))
    assert.equal("!" .. tostring(err) .. "!", "!" .. err .. "!")
    assert.is_true(err.retryable)
    assert.equal("string", type(err.code))
  end)
end)
