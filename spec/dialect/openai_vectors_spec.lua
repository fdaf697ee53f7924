local core = require("multimodal.core")
local openai = require("multimodal.dialect.openai")
local reply = require("multimodal.reply.reply")
local support = require("dialect.support")

--- Compare what is expected of an error or a usage, field by field.
local function has(expected, actual)
  for name, value in pairs(expected) do assert.equal(value, actual[name], name) end
end

local checks = {}

function checks.deltas(expected, _, deltas)
  local types = {}
  for i, delta in ipairs(deltas) do types[i] = delta.type end
  assert.equal(table.concat(expected, " "), table.concat(types, " "))
end

function checks.partial(expected, _, _, state)
  local made = reply.new(openai.partial(state))
  assert.equal(expected, made.text)
end

function checks.texts(expected, made)
  for i, text in ipairs(expected) do assert.equal(text, tostring(made.choices[i])) end
end

function checks.usage(expected, made)
  has(expected, made.usage)
end

function checks.audio(expected, made)
  assert.equal(core.base64_decode(expected), made.audio:bytes())
end

function checks.tool_calls(expected, made)
  assert.equal(#expected, #made.tool_calls)
  for i, call in ipairs(made.tool_calls) do assert.same(expected[i], { call.id, call.name, call.arguments_raw }) end
end

function checks.indexes(expected, _, deltas)
  for i, delta in ipairs(support.of_type(deltas, "tool_start")) do assert.equal(expected[i], delta.index) end
end

local function check(expect, state, deltas, err)
  local neutral
  if not err then neutral, err = openai.finish(state) end
  if expect.error then
    assert.is_nil(neutral)
    has(expect.error, err)
  end
  local made = not expect.error and reply.new(assert(neutral, err)) or nil
  if made then assert.equal(expect.refusal, made.refusal) end
  for name, value in pairs(expect) do
    if checks[name] then
      checks[name](value, made, deltas, state)
    elseif name ~= "error" then
      assert.equal(value, made[name], name)
    end
  end
end

describe("openai chat vectors #small", function()
  for _, vector in ipairs(support.json("openai/vectors.json")) do
    it(vector.case, function()
      for _, step in ipairs { #vector.body, 1, 3 } do
        local state, deltas, err = support.run(openai, vector.body, { step = step, content_type = vector.content_type })
        check(vector.expect, state, deltas, err)
      end
    end)

    if vector.content_type == "application/json" then
      it(vector.case .. ", asked whole", function()
        local event = support.decoder(vector.body, { content_type = vector.content_type }):next()
        local made = reply.new(assert(openai.decode(event)))
        assert.equal(vector.expect.text, made.text)
        assert.equal(vector.expect.finish_reason, made.finish_reason)
        assert.is_nil(made.refusal)
        if vector.expect.usage then has(vector.expect.usage, made.usage) end
      end)
    end
  end

  it("L10: a page is a server error with its title", function()
    local body = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    for _, step in ipairs { #body, 1, 3 } do
      local event = support.decoder(body, { status = 502, content_type = "text/html", step = step }):next()
      local err = openai.failure(502, {}, event)
      has({ kind = "server", status = 502, message = "502 Bad Gateway", retryable = true, body = body }, err)
    end
  end)

  it("L32: events in a refusal are read", function()
    local body = 'event:error\ndata:{"code":"x","message":"m"}\n\n'
    for _, step in ipairs { #body, 1, 3 } do
      local event = support.decoder(body, { status = 400, step = step }):next()
      has({ kind = "bad_request", status = 400, code = "x", message = "m", retryable = false }, openai.failure(400, {}, event))
    end
    has({ kind = "bad_request", code = "x", message = "m" }, openai.failure(400, {}, { data = body }))
  end)
end)

describe("openai tool calls #small", function()
  for _, case in ipairs(support.json("openai/tool_calls.json")) do
    it(case.case, function()
      local chunks = {}
      for i, fragment in ipairs(case.fragments or {}) do chunks[i] = { fragment } end
      local state, deltas = openai.begin(case.options), {}
      local function take(delta, finish)
        local data = tostring(assert(core.body { choices = { { index = 0, delta = delta, finish_reason = finish } } }))
        for _, event in ipairs(assert(openai.delta(state, { data = data, media = {} }))) do deltas[#deltas + 1] = event end
      end
      for _, fragments in ipairs(case.chunks or chunks) do take({ tool_calls = core.array(fragments) }) end
      take({}, case.finish or "tool_calls")
      local neutral = assert(openai.finish(state))
      local calls, ids = neutral.choices[1].tool_calls, {}
      assert.equal(#case.calls, #calls)
      for i, expected in ipairs(case.calls) do
        local call = calls[i]
        if expected[1] then assert.equal(expected[1], call.id) end
        assert.is_truthy(call.id:find("%S"))
        assert.is_nil(ids[call.id])
        ids[call.id] = true
        assert.equal(expected[2], call.name)
        assert.equal(expected[3], call.arguments_raw)
        assert.same(expected[4] == nil and core.json_decode(expected[3]) or nil, call.arguments)
        assert.equal(i - 1, support.of_type(deltas, "tool_start")[i].index)
        assert.equal(call, support.of_type(deltas, "tool_end")[i].call)
      end
      assert.equal(case.warnings or 0, #neutral.warnings)
      assert.equal("tool_calls", neutral.choices[1].finish_reason)
      for name, value in pairs(case.extra or {}) do
        assert.same(value, neutral.choices[1].message.native.tool_calls[1][name])
      end
    end)
  end

  it("gives the pieces of the arguments in order", function()
    for _, case in ipairs(support.json("openai/tool_calls.json")) do
      local state, pieces = openai.begin(case.options), {}
      local chunks = case.chunks or {}
      for i, fragment in ipairs(case.fragments or {}) do chunks[i] = { fragment } end
      for _, fragments in ipairs(chunks) do
        local data = tostring(assert(core.body { choices = { { delta = { tool_calls = core.array(fragments) } } } }))
        for _, event in ipairs(assert(openai.delta(state, { data = data, media = {} }))) do
          if event.type == "tool_delta" then pieces[event.index] = (pieces[event.index] or "") .. event.delta end
        end
      end
      for i, expected in ipairs(case.calls) do
        assert.equal(expected[3], pieces[i - 1] or "{}", case.case)
      end
    end
  end)
end)
