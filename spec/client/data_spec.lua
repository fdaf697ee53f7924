--- Structured output: data that fit a schema, whole and as they grow.
local count = require("support.count")
local json = require("multimodal.json")
local mm = require("multimodal")
local tools = require("support.tools")

local client, call, calls = tools.client, tools.call, tools.calls
local ignore, misuse, weather = tools.ignore, tools.misuse, tools.weather

describe("structured output #small", function()
  local invoice = mm.schema { name = "string", price = "number?", tags = { "string" } }

  it("is data that fit", function()
    local ai, fake = client { '{"name":"Oil","price":2.5,"tags":["a"]}', '```json\n{"name":"Oil","tags":[]}\n```' }
    local reply = assert(ai:generate { "Extract.", schema = invoice })
    assert.same({ name = "Oil", price = 2.5, tags = { "a" } }, reply.data)
    assert.same({ name = "Oil", tags = {} }, assert(ai:generate { "Extract.", schema = invoice }).data)
    local format = fake.requests[1]:json().response_format
    assert.same({ "json_schema", "reply" }, { format.type, format.json_schema.name })
    assert.is_nil(format.json_schema.strict)
    assert.same({ "name", "tags" }, format.json_schema.schema.required)
  end)

  it("goes out under its name, strict where that is wanted, in the order written", function()
    local ai, fake = client { '{"b":1,"a":2}' }
    assert.same({ a = 2, b = 1 }, assert(ai:generate { "Go", schema = mm.schema(
      { { "b", "integer" }, { "a", "integer" } }, { name = "two numbers", description = "d", strict = true }) }).data)
    local format = fake.requests[1]:json().response_format.json_schema
    assert.same({ "two_numbers", "d", true }, { format.name, format.description, format.strict })
    assert(tostring(fake.requests[1].body):find('"properties":{"b":{"type":"integer"},"a":', 1, true))
  end)

  it("may be JSON Schema as a table or text; what is not checked is a warning", function()
    for _, schema in ipairs {
      { title = "Some Thing", type = "object", properties = { a = { type = "string", pattern = "^x" } } },
      '{"title":"Some Thing","type":"object","properties":{"a":{"type":"string","pattern":"^x"}}}',
    } do
      local ai = client { '{"a":"y"}' }
      local reply = assert(ai:generate { "Go", schema = schema })
      assert.same({ a = "y" }, reply.data)
      assert.same({ "schema: data.a: pattern is sent, and not checked in the reply" }, reply.warnings)
    end
  end)

  it("that does not fit is an error with the reply", function()
    for text, message in pairs {
      ['{"name":"Oil","price":"2","tags":[]}'] = "data.price: expected number, got string",
      ["Sorry, no."] = "data: expected JSON: byte 1: expected a value",
    } do
      for _, streamed in ipairs { false, true } do
        local ai = client { text }
        local reply, err = ai:generate { "Go", schema = invoice, on_text = streamed and ignore or nil }
        assert.is_nil(reply)
        assert.same({ "schema", message, text, "complete" }, { err.kind, err.message, err.partial.text, err.partial.outcome })
      end
    end
  end)

  it("that was cut or refused is told as such", function()
    local function failed(choice)
      local ai = client { { body = '{"choices":[{"index":0,' .. choice .. "}]}" } }
      local reply, err = ai:generate { "Go", schema = invoice }
      assert.is_nil(reply)
      assert.equal("schema", err.kind)
      return err
    end
    local err = failed '"finish_reason":"length","message":{"content":"{\\"name\\":"}'
    assert.same({ "length", '{"name":' }, { err.code, err.partial.text })
    assert(err.message:find("raise max_tokens", 1, true))
    err = failed '"finish_reason":"stop","message":{"content":null,"refusal":"I will not."}'
    assert.same({ "refusal", "data: the model refused: I will not." }, { err.code, err.message })
  end)

  it("is asked for in words where a gateway knows no schema", function()
    local fake = mm.mock { '{"name":"Oil","tags":[]}', '{"name":"Oil","tags":[]}' }
    fake.schema = "json_object"
    local ai = mm.client { gateway = fake }
    assert.equal("Oil", assert(ai:generate { "Go", schema = invoice }).data.name)
    assert(ai:generate { "Go", schema = invoice, system = "Be brief." })
    local sent = fake.requests[1]:json()
    assert.same({ type = "json_object" }, sent.response_format)
    assert.equal("system", sent.messages[1].role)
    assert(sent.messages[1].content:find(invoice:text(), 1, true))
    sent = fake.requests[2]:json().messages
    assert(sent[1].content:find("^Be brief.\n\nAnswer with one JSON value"))
    assert.same({ "user", "Go" }, { sent[2].role, sent[2].content })
  end)

  it("comes after tools", function()
    local ai = client { calls(call("weather", { city = "Paris" })), '{"sky":"sunny"}' }
    local reply = assert(ai:generate { "Go", tools = { weather }, schema = mm.schema { sky = "string" } })
    assert.same({ sky = "sunny" }, reply.data)
    assert.equal(1, #reply.steps)
  end)

  it("grows in a stream, and ends whole", function()
    local ai = client { '```json\n{"name":"Oil and vinegar","tags":["a","b","c d e"]}\n```' }
    local stream, values = assert(ai:stream { "Go", schema = invoice }), {}
    for value in stream:data() do values[#values + 1] = value end
    assert.is_true(#values > 3)
    assert.equal("Oil", values[1].name:sub(1, 3))
    assert.same({ name = "Oil and vinegar", tags = { "a", "b", "c d e" } }, values[#values])
    assert.equal(assert(stream:reply()).data, values[#values])
  end)

  it("starts anew after tools", function()
    local ai = client { { '{"sky":"wrong', tool_calls = { call("weather", { city = "Paris" }) } }, '{"sky":"sunny today"}' }
    local values = {}
    for value in assert(ai:stream { "Go", tools = { weather }, schema = mm.schema { sky = "string" } }):data() do
      values[#values + 1] = value
    end
    assert.equal("sunny today", values[#values].sky)
  end)

  it("that does not fit ends the loop before it", function()
    local ai = client { '{"name":"Oil","tags":7} ' }
    local stream, values = assert(ai:stream { "Go", schema = invoice }), {}
    for value in stream:data() do values[#values + 1] = value end
    assert.equal("Oil", values[1].name)
    local reply, err = stream:reply()
    assert.is_nil(reply)
    assert.equal("data.tags: expected array, got number", err.message)
  end)

  it("needs a schema", function()
    local ai = client { "{}" }
    local stream = assert(ai:stream "Go")
    assert(misuse(stream.data, stream):find("data: no schema was asked for", 1, true))
  end)
end)

describe("a structured reply", function()
  --- JSON of about n bytes in deltas of ten.
  local function body(n)
    local items = {}
    for i = 1, math.floor(n / 50) do items[i] = ('{"sku":"%08d","name":"a thing of some sort"}'):format(i) end
    local text, list = "[" .. table.concat(items, ",") .. "]", {}
    for from = 1, #text, 10 do
      local piece = assert(json.encode(text:sub(from, from + 9)))
      list[#list + 1] = 'data: {"choices":[{"delta":{"content":' .. piece .. "}}]}\n\n"
    end
    list[#list + 1] = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    return table.concat(list), #text, #items
  end

  local function work_of(n)
    local stream_body, bytes, items = body(n)
    local ai = client { { body = stream_body } }
    local last
    local work = count.work(function(counts)
      local stream = assert(ai:stream { "Go", schema = mm.schema { { sku = "string", name = "string" } } })
      for value in stream:data() do
        assert(counts.values == 0 or #value >= #last)
        last, counts.values = value, counts.values + 1
      end
      assert(stream:reply())
    end)
    assert.equal(items, #last)
    assert.equal(bytes, work.fed)
    work.per_byte = (work.decoded - #stream_body) / bytes
    return work
  end

  it("of 1 MB in deltas of 10 bytes costs twice what half of it costs", function()
    local half, whole = work_of(500000), work_of(1000000)
    assert(whole.decoded < 2.2 * half.decoded, whole.decoded .. " after " .. half.decoded)
    assert(whole.joined < 2.2 * half.joined, whole.joined .. " after " .. half.joined)
    assert(whole.per_byte < 12, "bytes decoded for each: " .. whole.per_byte)
    assert(whole.values <= half.values + 8, whole.values .. " values after " .. half.values)
    assert(whole.values > 60, whole.values .. " values")
  end)
end)
