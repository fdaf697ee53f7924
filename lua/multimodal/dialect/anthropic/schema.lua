--- A JSON Schema as the Messages dialect takes it for structured output.
--- Names: fit.
local json = require("multimodal.json")

local M = {}

--- Keywords that are refused there.
local refused = {
  minimum = true, maximum = true, exclusiveMinimum = true, exclusiveMaximum = true, multipleOf = true, minLength = true,
  maxLength = true, maxItems = true, uniqueItems = true, minProperties = true, maxProperties = true,
}

local maps = { "properties", "$defs", "definitions" }
local lists = { "anyOf", "oneOf", "allOf" }

--- What a walk finds out.
--- @class multimodal.anthropic.SchemaWalk
--- @field faults string[]    "data.price: minimum": what is refused
--- @field changes string[]   what is said differently

local fit

local function is_object(schema)
  local kind = schema.type
  if type(kind) == "table" then
    for _, name in ipairs(kind) do
      if name == "object" then return true end
    end
  end
  return kind == "object" or schema.properties ~= nil
end

local function drop(copy, name, place, walk)
  copy[name] = nil
  walk.faults[#walk.faults + 1] = place .. ": " .. name
end

--- Objects must be closed.
local function close(copy, place, walk)
  local more = copy.additionalProperties
  if more == false then return end
  copy.additionalProperties = false
  if more ~= nil then
    walk.faults[#walk.faults + 1] = place .. ": additionalProperties"
  else
    walk.changes[#walk.changes + 1] = place .. ": additionalProperties = false was added"
  end
end

local function fit_inner(copy, place, walk, depth)
  for _, name in ipairs(maps) do
    if type(copy[name]) == "table" then
      local inner = {}
      for key, schema in pairs(copy[name]) do
        inner[key] = fit(schema, name == "properties" and place .. "." .. key or place .. "." .. name .. "." .. key, walk, depth)
      end
      copy[name] = inner
    end
  end
  for _, name in ipairs(lists) do
    if type(copy[name]) == "table" then
      local inner = {}
      for i, schema in ipairs(copy[name]) do inner[i] = fit(schema, place, walk, depth) end
      copy[name] = json.array(inner)
    end
  end
  if type(copy.items) == "table" then copy.items = fit(copy.items, place .. "[]", walk, depth) end
end

local deepest = 64

--- A schema inside may be `true`, which allows anything.
function fit(schema, place, walk, depth)
  if type(schema) ~= "table" or depth > deepest then return schema end
  local copy = {}
  for name, value in pairs(schema) do copy[name] = value end
  for name in pairs(schema) do
    if refused[name] then drop(copy, name, place, walk) end
  end
  if type(copy.minItems) == "number" and copy.minItems > 1 then drop(copy, "minItems", place, walk) end
  if copy["$ref"] == "#" then walk.faults[#walk.faults + 1] = place .. ": $ref to itself" end
  if is_object(copy) then close(copy, place, walk) end
  fit_inner(copy, place, walk, depth + 1)
  if copy.oneOf and not copy.anyOf then
    copy.anyOf, copy.oneOf = copy.oneOf, nil
    walk.changes[#walk.changes + 1] = place .. ": oneOf goes out as anyOf"
  end
  return copy
end

--- The references of a schema to its own definitions: name -> names.
local function edges(value, found, depth)
  if type(value) ~= "table" or depth > deepest then return end
  local ref = value["$ref"]
  if type(ref) == "string" then found[ref:match("^#/%$?def[%w]*/(.+)$") or ref] = true end
  for _, inner in pairs(value) do edges(inner, found, depth + 1) end
end

local function reaches(all, from, wanted, seen)
  for name in pairs(all[from] or {}) do
    if name == wanted then return true end
    if not seen[name] then
      seen[name] = true
      if reaches(all, name, wanted, seen) then return true end
    end
  end
  return false
end

local function find_recursion(schema, root, walk)
  local all = {}
  for _, map in ipairs { schema["$defs"], schema.definitions } do
    for name, inner in pairs(type(map) == "table" and map or {}) do
      all[name] = {}
      edges(inner, all[name], 0)
    end
  end
  for name in pairs(all) do
    if reaches(all, name, name, {}) then walk.faults[#walk.faults + 1] = ("%s.$defs.%s: recursion"):format(root, name) end
  end
end

--- @param schema table  JSON Schema
--- @param root string   what it describes: "data"
--- @return table fitted             a copy without what is refused
--- @return string[] faults          what is refused, "data.price: minimum", in order
--- @return string[] changes         what is said differently
function M.fit(schema, root)
  local walk = { faults = {}, changes = {} }
  local fitted = fit(schema, root, walk, 0)
  find_recursion(schema, root, walk)
  table.sort(walk.faults)
  table.sort(walk.changes)
  return fitted, walk.faults, walk.changes
end

return M
