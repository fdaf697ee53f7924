local options = require("multimodal.options")

local function fault(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  return message
end

describe("options", function()
  it("name the nearest known one", function()
    for wrong, right in pairs {
      max_token = "max_tokens", temprature = "temperature", modle = "model", base_uri = "base_url", apikey = "api_key",
    } do
      local message = fault(options.check, { [wrong] = 1 })
      assert(message:find(wrong .. ": unknown option; did you mean " .. right .. "?", 1, true), message)
    end
  end)

  it("name nothing when nothing is near", function()
    assert.is_nil(fault(options.check, { zzzzzz = 1 }):find("did you mean", 1, true))
  end)

  it("refuse wrong types, NaN and infinity with name and expectation", function()
    for name, value in pairs {
      max_tokens = "5", temperature = 0 / 0, top_p = 1 / 0, n = 0, seed = 1.5, idle_timeout = -1, model = 3, headers = "x",
      http2 = 1, on_text = "print", system = 1,
    } do
      local message = fault(options.check, { [name] = value })
      assert(message:find(name .. ": expected ", 1, true), message)
    end
    assert(fault(options.check, { temperature = 0 / 0 }):find("got NaN", 1, true))
  end)

  it("raise at the line of the caller", function()
    local message = fault(function() options.check { modle = 1 } end)
    assert(message:find("options_spec.lua:%d+: modle"), message)
  end)

  it("let the nearest win, and false take one away", function()
    local base = { max_tokens = 5, temperature = 1, idle_timeout = 3, http2 = true }
    local all = options.over(base, { max_tokens = 7, temperature = false, idle_timeout = false, http2 = false })
    assert.same({ max_tokens = 7, idle_timeout = false, http2 = false }, all)
    assert.equal(5, base.max_tokens)
  end)

  it("merge headers, query and extra field by field", function()
    local all = options.over({ extra = { a = 1, b = 2 }, headers = { x = "1" } }, { extra = { b = false }, headers = { y = "2" } })
    assert.same({ extra = { a = 1, b = false }, headers = { x = "1", y = "2" } }, all)
  end)

  it("say false where it is a value", function()
    options.check { max_tokens = false, timeout = false, http2 = false, system = false }
  end)
end)
