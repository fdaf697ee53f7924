--- A value that fits a JSON Schema, the same for the same schema: arguments and structured answers of the simulator.
--- Returns of(schema, name, word).
local core = require("multimodal.core")

local M = {}

local deepest = 12

--- What a reference inside the schema names.
local function target(root, ref)
  local at = root
  for token in ref:gsub("^#", ""):gmatch("/([^/]*)") do at = type(at) == "table" and at[token] or nil end
  return type(at) == "table" and at or {}
end

local function number(schema)
  local value = schema.minimum or 1
  if schema.exclusiveMinimum and value <= schema.exclusiveMinimum then value = schema.exclusiveMinimum + 1 end
  if schema.maximum and value > schema.maximum then value = schema.maximum end
  return value
end

local function text(schema, context)
  local value = context.word or context.name
  if schema.minLength and #value < schema.minLength then value = value .. ("."):rep(schema.minLength - #value) end
  return value:sub(1, schema.maxLength)
end

local of

local function array(schema, context)
  local list = core.array {}
  for i = 1, math.max(1, schema.minItems or 1) do list[i] = of(schema.items, context) end
  return list
end

local function object(schema, context)
  local value = {}
  for name, inner in pairs(schema.properties or {}) do
    value[name] = of(inner, { root = context.root, name = name, word = context.word, depth = context.depth })
  end
  return value
end

local makers = {
  string = text, number = number, integer = function(schema) return math.ceil(number(schema)) end,
  boolean = function() return true end, null = function() return core.null end, array = array, object = object,
}

local function kind_of(schema)
  local kind = schema.type
  if type(kind) == "table" then kind = kind[1] end
  return kind or schema.properties and "object" or schema.items and "array" or "string"
end

function of(schema, context)
  if type(schema) ~= "table" or context.depth > deepest then return context.name end
  context = { root = context.root, name = context.name, word = context.word, depth = context.depth + 1 }
  if schema["$ref"] then return of(target(context.root, tostring(schema["$ref"])), context) end
  if schema.const ~= nil then return schema.const end
  if type(schema.enum) == "table" and schema.enum[1] ~= nil then return schema.enum[1] end
  local form = schema.anyOf or schema.oneOf or schema.allOf
  if type(form) == "table" and not schema.type then return of(form[1], context) end
  return (makers[kind_of(schema)] or text)(schema, context)
end

--- @param schema table     JSON Schema
--- @param name string      what a text says where there is no word for it
--- @param word? string     a word of the prompt
--- @return any
function M.of(schema, name, word)
  return of(schema, { root = schema, name = name, word = word, depth = 0 })
end

return M
