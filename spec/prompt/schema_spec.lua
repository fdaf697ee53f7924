local core = require("multimodal.core")
local mm = require("multimodal")
local schemas = require("multimodal.prompt.schema")

local function misuse(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  assert.is_string(message)
  return message
end

--- A schema as it goes out.
local function wire(...)
  return assert(core.json_decode(mm.schema(...):text(), { null = true }))
end

--- What is wrong with a text; nil where it fits.
local function wrong(schema, text)
  local fits, value = schemas.of(schema):read(text, "data")
  return not fits and value.message or nil
end

local function read(schema, text)
  local fits, value = schemas.of(schema):read(text, "data")
  assert(fits, tostring(value))
  return value
end

describe("mm.schema #small", function()
  it("writes types, optional fields and words for the model", function()
    assert.same({
      type = "object", additionalProperties = false, required = { "either", "name" },
      properties = {
        name = { type = "string", description = "who it is" }, price = { type = "number" }, count = { type = "integer" },
        done = { type = "boolean", description = "ready" }, either = { type = { "string", "null" } }, what = {},
      },
    }, wire { name = "string: who it is", price = "number?", count = "integer ?", ["done?"] = "boolean: ready",
      either = "string | null", what = "any?" })
  end)

  it("writes objects in objects, arrays and lists of words", function()
    local made = wire { size = { "small", "large" }, tags = { "string" }, at = { x = "number" }, ["lines?"] = { { sku = "string" } } }
    assert.same({ type = "string", enum = { "small", "large" } }, made.properties.size)
    assert.same({ type = "array", items = { type = "string" } }, made.properties.tags)
    assert.equal("number", made.properties.at.properties.x.type)
    assert.equal("string", made.properties.lines.items.properties.sku.type)
    assert.same({ "at", "size", "tags" }, made.required)
    assert.same({ type = "array", items = { type = "string", enum = { "a", "b" } } }, wire { { "a", "b" } })
    assert.same({ type = "integer" }, wire "integer")
    assert.same({ type = "object", properties = {}, additionalProperties = false, required = {} }, wire {})
    assert(mm.schema({}):text():find('"required":[]', 1, true))
    assert(mm.schema({}):text():find('"properties":{}', 1, true))
  end)

  it("keeps the order of a list of pairs", function()
    local schema = mm.schema { { "zebra", "string" }, { "apple", { { "second", "number" }, { "first", "number?", "words" } } },
      { "mouse?", { "small", "large" }, "how big" } }
    local text = schema:text()
    local order = {}
    for name in text:gmatch('"(%a+)":{') do
      if name ~= "properties" then order[#order + 1] = name end
    end
    assert.same({ "zebra", "apple", "second", "first", "mouse" }, order)
    local decoded = core.json_decode(text)
    assert.same({ "zebra", "apple" }, decoded.required)
    assert.equal("how big", decoded.properties.mouse.description)
    assert.equal("words", decoded.properties.apple.properties.first.description)
    assert.is_nil(wrong(schema, '{"zebra":"z","apple":{"second":2}}'))
    assert.equal("data.apple.second: expected number, got string", wrong(schema, '{"zebra":"z","apple":{"second":"2"}}'))
  end)

  it("takes a schema inside another", function()
    local point = mm.schema { x = "number", y = "number" }
    assert.same(wire { at = { x = "number", y = "number" } }, wire { at = point })
    assert.equal("data.at.y: missing", wrong(mm.schema { at = point }, '{"at":{"x":1}}'))
  end)

  it("asks for null where strict takes no absent fields", function()
    local made = wire({ a = "number?", ["b?"] = { "x", "y" }, c = { "string?" } }, { strict = true, name = "it" })
    assert.same({ "a", "b", "c" }, made.required)
    assert.same({ "number", "null" }, made.properties.a.type)
    assert.same({ { type = "string", enum = { "x", "y" } }, { type = "null" } }, made.properties.b.anyOf)
    assert.same({ "string", "null" }, made.properties.c.items.type)
    assert.is_true(mm.schema({}, { strict = true }).strict)
  end)

  it("refuses what is none, at the caller's line", function()
    for words, written in pairs {
      ['schema.a: "strng" is no type; did you mean "string"?'] = { a = "strng" },
      ["schema.a: names and positions in one table"] = { a = { "string", b = "string" } },
      ['schema.a: "string" in a list of words is a type; write "string|number" for either'] = { a = { "string", "number" } },
      ["schema.a: a list is { type }, an array"] = { a = { "x", 1 } },
      ["schema.a: expected a type or a table, got number"] = { a = 1 },
      ["schema: the field a comes twice"] = { { "a", "string" }, { "a", "number" } },
    } do
      local message = misuse(mm.schema, written)
      assert(message:find("schema_spec.lua:%d+: ") and message:find(words, 1, true), message)
    end
    local loop = {}
    loop.loop = loop
    assert(misuse(mm.schema, loop):find("contains itself", 1, true))
    assert(misuse(mm.schema, {}, { stric = true }):find("schema: stric: unknown option; did you mean strict?", 1, true))
  end)
end)

describe("a value that must fit #small", function()
  local invoice = mm.schema { name = "string", price = "number?", count = "integer?", tags = { "string" }, size = { "s", "l" } }

  it("is named where it does not", function()
    for text, expected in pairs {
      ['{"name":"x","tags":[],"size":"s","price":"12"}'] = "data.price: expected number, got string",
      ['{"name":"x","tags":["a",2],"size":"s"}'] = "data.tags[2]: expected string, got number",
      ['{"tags":[],"size":"s"}'] = "data.name: missing",
      ['{"name":"x","tags":[],"size":"m"}'] = 'data.size: expected one of "s", "l", got "m"',
      ['{"name":"x","tags":[],"size":"s","a b":1}'] = 'data["a b"]: unexpected field',
      ['{"name":"x","tags":{},"size":"s"}'] = "data.tags: expected array, got object",
      ['{"name":null,"tags":[],"size":"s"}'] = "data.name: expected string, got null",
      ['{"name":"x","tags":[],"size":"s","count":1.5}'] = "data.count: expected integer, got 1.5",
      ["[]"] = "data: expected object, got array",
    } do assert.equal(expected, wrong(invoice, text)) end
  end)

  it("is handed out with nulls as nil", function()
    local value = read(invoice, '{"name":"x","price":null,"tags":["a"],"size":"s"}')
    assert.same({ name = "x", tags = { "a" }, size = "s" }, value)
    assert.is_nil(value.price)
    assert.equal(5, read(mm.schema "integer", " 5 "))
    assert.is_nil(wrong(mm.schema "integer", "5.0"))
  end)

  it("may stand in a fence, with words around it", function()
    for _, text in ipairs {
      '```json\n{"a":"```"}\n```', '```\n{"a":"```"}\n```\n', 'Here you are:\n\n```json\n{"a":"```"}\n```\nDone.',
    } do assert.equal("```", read(mm.schema { a = "string" }, text).a) end
    for _, text in ipairs { "", "no", '{"a":', '```json\n{"a":\n```', "```", '{"a":"x"} trailing' } do
      assert(wrong(mm.schema { a = "string" }, text):find("^data: expected JSON: "), text)
    end
    assert.equal("x", read(mm.schema { a = "string" }, '```\n{"a":"x"}' .. ("\n \t"):rep(200000) .. "```").a)
    assert(wrong(mm.schema { a = "string" }, "```\n" .. ("\n"):rep(1000000)))
  end)

  it("fits JSON Schema as a table", function()
    local schema = {
      type = "object", required = { "items" },
      properties = {
        items = { type = "array", minItems = 1, maxItems = 2, items = { ["$ref"] = "#/$defs/item" } },
        more = { anyOf = { { type = "null" }, { type = "object", properties = { x = { minimum = 1, exclusiveMaximum = 3 } } } } },
        one = { oneOf = { { type = "number" }, { type = "integer" } } },
        all = { allOf = { { type = "string" }, { minLength = 2, maxLength = 3 } } },
        fixed = { const = { 1, 2 } },
        never = false,
      },
      additionalProperties = { type = "string" },
      ["$defs"] = { item = { type = { "string", "integer" }, enum = { "a", 1 } } },
    }
    assert.is_nil(wrong(schema, '{"items":["a",1],"more":{"x":1},"one":1.5,"all":"éßü","fixed":[1,2],"z":"s"}'))
    for text, expected in pairs {
      ['{"items":[]}'] = "data.items: expected at least 1 items, got 0",
      ['{"items":["a","a","a"]}'] = "data.items: expected at most 2 items, got 3",
      ['{"items":["b"]}'] = 'data.items[1]: expected one of "a", 1, got "b"',
      ['{"items":[true]}'] = "data.items[1]: expected string or integer, got boolean",
      ['{"items":["a"],"more":{"x":3}}'] = "data.more.x: expected less than 3, got 3",
      ['{"items":["a"],"more":{"x":0}}'] = "data.more.x: expected at least 1, got 0",
      ['{"items":["a"],"more":7}'] = "data.more: fits none of 2 forms, got number",
      ['{"items":["a"],"one":2}'] = "data.one: fits 2 of the forms of oneOf, expected one",
      ['{"items":["a"],"all":"x"}'] = "data.all: expected at least 2 characters, got 1",
      ['{"items":["a"],"all":"éßüx"}'] = "data.all: expected at most 3 characters, got 4",
      ['{"items":["a"],"fixed":[1]}'] = "data.fixed: expected one of [1,2], got [1]",
      ['{"items":["a"],"never":1}'] = "data.never: unexpected field",
      ['{"items":["a"],"z":1}'] = "data.z: expected string, got number",
    } do assert.equal(expected, wrong(schema, text)) end
  end)

  it("fits JSON Schema as text, which goes out as it is", function()
    local text = '{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"number"}},"required":[]}'
    assert.equal(text, schemas.of(text):text())
    assert.equal("data.a: expected number, got boolean", wrong(text, '{"a":true}'))
    assert(misuse(schemas.of, "[1]"):find("data: expected JSON Schema", 1, true))
    assert(misuse(schemas.of, '{"a":'):find("data: expected JSON Schema", 1, true))
  end)

  it("follows a reference that comes back to itself", function()
    local tree = '{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","required":["v"],"properties":{"v":{"type":"number"},'
      .. '"kids":{"type":"array","items":{"$ref":"#/$defs/node"}}}}}}'
    assert.is_nil(wrong(tree, '{"v":1,"kids":[{"v":2,"kids":[]},{"v":3}]}'))
    assert.equal("data.kids[2].kids[1].v: missing", wrong(tree, '{"v":1,"kids":[{"v":2},{"v":3,"kids":[{}]}]}'))
    assert(wrong('{"$ref":"#"}', "1"):find("refers to itself without end", 1, true))
    assert(misuse(schemas.of, '{"$ref":"#/$defs/none"}'):find("leads nowhere", 1, true))
  end)

  it("is refused where a keyword cannot hold what it is given", function()
    assert(misuse(schemas.of, { anyOf = "x" }):find("schema: data: anyOf: expected a table, got string", 1, true))
    local message = misuse(schemas.of, { properties = { a = { minimum = "1" } } })
    assert(message:find("schema: data.a: minimum: expected a number, got string", 1, true), message)
    assert.is_nil(wrong({ type = "object", additionalProperties = true, properties = { a = { items = false } } }, '{"a":[],"b":1}'))
  end)

  it("is deep where the data are", function()
    local list = '{"$ref":"#/$defs/l","$defs":{"l":{"type":"array","items":{"$ref":"#/$defs/l"}}}}'
    assert.is_nil(wrong(list, ("["):rep(500) .. ("]"):rep(500)))
  end)

  it("tells which keywords are not checked", function()
    local schema = schemas.of { type = "object", properties = {
      mail = { type = "string", format = "email" }, list = { type = "array", items = { pattern = "^a" }, uniqueItems = true },
    } }
    assert.same({ "data.list: uniqueItems", "data.list[]: pattern", "data.mail: format" }, schema.unchecked)
    assert.same({}, mm.schema({ a = "string: x" }).unchecked)
  end)

  it("leaves the table of the user as it is", function()
    local written = { type = "object", properties = {}, required = {} }
    local text = schemas.of(written):text()
    assert.equal('{"properties":{},"required":[],"type":"object"}', text)
    assert.is_nil(getmetatable(written.required))
    assert(misuse(schemas.of, { name = "string" }):find("write mm.schema { ... } for the short form", 1, true))
  end)
end)
