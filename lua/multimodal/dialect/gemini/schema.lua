--- JSON Schema in Google's older form, a subset of OpenAPI 3.0, for hosts that know no other.
--- Names: convert.
local json = require("multimodal.json")
local refuse = require("multimodal.dialect.refuse")

local M = {}

--- Keywords that go over as they are.
local same = {
  format = true, title = true, description = true, default = true, minItems = true, maxItems = true, minLength = true,
  maxLength = true, pattern = true, minimum = true, maximum = true, minProperties = true, maxProperties = true, nullable = true,
}

--- Keywords whose absence changes nothing that a model is told.
local dropped = {
  ["$schema"] = true, ["$id"] = true, ["$comment"] = true, ["$defs"] = true, definitions = true, additionalProperties = true,
  examples = true, deprecated = true, readOnly = true, writeOnly = true, required = true, propertyOrdering = true,
}

local deepest = 32

local convert

local function list_of(value)
  local list = {}
  for i, item in ipairs(value) do list[i] = item end
  return list
end

--- What "#/$defs/name" leads to.
local function followed(ref, root)
  local at = root
  for step in ref:gsub("^#/?", ""):gmatch("[^/]+") do
    at = type(at) == "table" and at[(step:gsub("~1", "/"):gsub("~0", "~"))] or nil
  end
  return type(at) == "table" and at or nil
end

local writers = {}

function writers.type(made, value)
  if type(value) == "string" then
    made.type = value:upper()
    return true
  end
  local names = {}
  for _, name in ipairs(value) do
    if name == "null" then made.nullable = true else names[#names + 1] = name end
  end
  if names[2] == nil then
    made.type = (names[1] or "null"):upper()
    return true
  end
  local any = {}
  for i, name in ipairs(names) do any[i] = { type = name:upper() } end
  made.anyOf = json.array(any)
  return true
end

function writers.const(made, value)
  made.enum, made.type = json.array { tostring(value) }, "STRING"
  return true
end

function writers.enum(made, value)
  local words = {}
  for i, word in ipairs(value) do words[i] = tostring(word) end
  made.enum, made.type, made.format = json.array(words), "STRING", "enum"
  return true
end

function writers.items(made, value, context)
  local err
  made.items, err = convert(value, context)
  return made.items ~= nil, err
end

function writers.properties(made, value, context)
  made.properties = {}
  for name, inner in pairs(value) do
    local one, err = convert(inner, context)
    if not one then return false, err end
    made.properties[name] = one
  end
  return true
end

local function any_of(made, value, context)
  local any = {}
  for _, inner in ipairs(value) do
    if type(inner) == "table" and inner.type == "null" then
      made.nullable = true
    else
      local one, err = convert(inner, context)
      if not one then return false, err end
      any[#any + 1] = one
    end
  end
  made.anyOf = json.array(any)
  return true
end

writers.anyOf, writers.oneOf = any_of, any_of

local function convert_keyword(made, name, value, context)
  if same[name] then
    made[name] = value
    return true
  end
  if dropped[name] then return true end
  local write = writers[name]
  if write then return write(made, value, context) end
  return refuse.unsupported(context.place,
    ("this host's schemas know no %s; leave it out, or describe it in words"):format(name))
end

function convert(schema, context)
  if type(schema) ~= "table" then return {} end
  if context.depth > deepest then
    return refuse.unsupported(context.place, "this host's schemas cannot contain themselves")
  end
  if type(schema["$ref"]) == "string" then schema = followed(schema["$ref"], context.root) or {} end
  context.depth = context.depth + 1
  local made = {}
  -- `enum` last: it settles the type.
  for name, value in pairs(schema) do
    if name ~= "enum" and name ~= "const" then
      local fine, err = convert_keyword(made, name, value, context)
      if not fine then return nil, err end
    end
  end
  for _, name in ipairs { "enum", "const" } do
    if schema[name] ~= nil then writers[name](made, schema[name]) end
  end
  if type(schema.required) == "table" and schema.required[1] then made.required = json.array(list_of(schema.required)) end
  if type(schema.propertyOrdering) == "table" then made.propertyOrdering = json.array(list_of(schema.propertyOrdering)) end
  context.depth = context.depth - 1
  return made
end

--- @param schema any     JSON Schema as a table or as core.raw text
--- @param place string   "schema"
--- @return table? openapi
--- @return multimodal.Error? err  unsupported: a keyword that cannot be said
function M.convert(schema, place)
  -- Read back from JSON, so that raw text and lists within are plain values.
  local value = json.decode(json.encode(schema))
  return convert(value, { root = value, place = place, depth = 0 })
end

return M
