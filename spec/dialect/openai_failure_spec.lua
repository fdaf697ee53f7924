local error_class = require("multimodal.error")
local openai = require("multimodal.dialect.openai")
local support = require("dialect.support")

describe("openai failure #small", function()
  for _, case in ipairs(support.json("openai/errors.json")) do
    it(case.case, function()
      local err = openai.failure(case.status, case.headers, { type = "error", data = case.body, media = {} })
      assert.is_true(error_class.is(err))
      for name, value in pairs(case.expect) do assert.equal(value, err[name], name) end
      for _, name in ipairs(case.absent) do assert.is_nil(err[name], name) end
      assert.is_true(err.code == nil or type(err.code) == "string")
    end)
  end

  for _, case in ipairs(support.json("openai/errors.json")) do
    if case.status == 200 then
      it(case.case .. ", read as a reply and as a stream", function()
        local event = { type = "message", data = case.body, media = {} }
        local neutral, err = openai.decode(event)
        assert.is_nil(neutral)
        assert.equal(case.expect.message, err.message)
        assert.equal(case.expect.kind, err.kind)
        local deltas, streamed = openai.delta(openai.begin(), event)
        assert.is_nil(deltas)
        assert.equal(case.expect.message, streamed.message)
        assert.equal(case.expect.kind, streamed.kind)
      end)
    end
  end

  it("keeps at most 4096 bytes of a body and 2000 of a message, whole characters", function()
    local err = openai.failure(400, {}, { data = '{"message":"x' .. ("é"):rep(100000) .. '"}', media = {} })
    assert.equal(4095, #err.body)
    assert.equal(1999, #err.message)
    assert.equal("\195\169", err.message:sub(-2))
  end)

  it("shows no key that a gateway quotes", function()
    local err = openai.failure(401, {}, { data = '{"error":{"message":"bad key sk-proj-abc_DEF123 given"}}', media = {} })
    assert.equal("bad key sk-*** given", err.message)
    assert.is_nil(err.body:find("abc_DEF", 1, true))
  end)

  it("shows no marks of media in a body", function()
    local err = openai.failure(400, {}, { data = '{"message":"m","x":"\0011\001"}', media = {} })
    assert.equal('{"message":"m","x":""}', err.body)
  end)

  it("takes an error of one choice among several as that choice's", function()
    local body = '{"choices":[{"index":0,"message":{"content":"A"},"finish_reason":"stop"},'
      .. '{"index":1,"error":{"code":502,"message":"died"},"message":{"content":""},"finish_reason":"error"}]}'
    local neutral = assert(openai.decode { data = body, media = {} })
    assert.equal("A", neutral.choices[1].text)
    assert.equal("error", neutral.choices[2].finish_reason)
    assert.equal("died", neutral.choices[2].error.message)
    assert.equal(1, #neutral.warnings)
    local one, err = openai.decode { data = '{"choices":[{"error":{"code":502,"message":"died"}}]}', media = {} }
    assert.is_nil(one)
    assert.equal("server", err.kind)
  end)

  it("refuses what is no JSON, and a reply without choices", function()
    local _, err = openai.decode { data = "{oops", media = {} }
    assert.equal("protocol", err.kind)
    _, err = openai.decode { data = "<html><title>Welcome</title></html>", media = {} }
    assert.equal("protocol", err.kind)
    assert.is_truthy(err.message:find("Welcome", 1, true))
    for _, body in ipairs { '{"choices":[]}', '{"id":"x"}', "{}", '"text"', "[]", "3" } do
      _, err = openai.decode { data = body, media = {} }
      assert.equal("protocol", err.kind, body)
    end
  end)
end)
