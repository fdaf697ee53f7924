--- Whether a value fits a JSON Schema: the keywords that models are asked by. No formats, no patterns.
--- Names: check keywords is_array kind.
local json = require("multimodal.json")

local M = {}

--- What each keyword is: "checked", "note" (says nothing of what fits), and what it holds, which the writer of
--- schemas needs as well, and the types it takes. Any other keyword is one that is not checked.
--- @type table<string, {checked: boolean?, note: boolean?, holds: "schema"|"list"|"map"|"values"|nil, takes: string?}>
M.keywords = {
  type = { checked = true, holds = "values", takes = "string or table" },
  enum = { checked = true, holds = "values", takes = "table" },
  const = { checked = true },
  required = { checked = true, holds = "values", takes = "table" },
  properties = { checked = true, holds = "map", takes = "table" },
  additionalProperties = { checked = true, holds = "schema", takes = "boolean or table" },
  items = { checked = true, holds = "schema", takes = "boolean or table" },
  anyOf = { checked = true, holds = "list", takes = "table" },
  oneOf = { checked = true, holds = "list", takes = "table" },
  allOf = { checked = true, holds = "list", takes = "table" },
  ["$ref"] = { checked = true, takes = "string" },
  minimum = { checked = true, takes = "number" },
  maximum = { checked = true, takes = "number" },
  exclusiveMinimum = { checked = true, takes = "number" },
  exclusiveMaximum = { checked = true, takes = "number" },
  minLength = { checked = true, takes = "number" },
  maxLength = { checked = true, takes = "number" },
  minItems = { checked = true, takes = "number" },
  maxItems = { checked = true, takes = "number" },
  title = { note = true },
  description = { note = true },
  default = { note = true },
  examples = { note = true, holds = "values" },
  deprecated = { note = true },
  readOnly = { note = true },
  writeOnly = { note = true },
  propertyOrdering = { note = true, holds = "values" },
  ["$schema"] = { note = true },
  ["$id"] = { note = true },
  ["$comment"] = { note = true },
  ["$defs"] = { note = true, holds = "map", takes = "table" },
  definitions = { note = true, holds = "map", takes = "table" },
}

local array_class = getmetatable(json.array {})

--- Whether a decoded value is an array.
--- @param value any
--- @return boolean
function M.is_array(value)
  return type(value) == "table" and getmetatable(value) == array_class
end

--- The type of a decoded value, in the words of JSON Schema.
--- @param value any
--- @return string
function M.kind(value)
  if value == nil or value == json.null then return "null" end
  if type(value) == "table" then return M.is_array(value) and "array" or "object" end
  return type(value)
end

--- Where and what: the path is put together on the way out, so that what fits costs no strings.
local function fault(words)
  return { path = "", words = words }
end

local function under(step, found)
  if found then found.path = step .. found.path end
  return found
end

local function step_of(name)
  return name:find("^[%a_][%w_]*$") and "." .. name or ('["%s"]'):format(name)
end

local function is_type(value, kind, wanted)
  if wanted == "integer" then return kind == "number" and value % 1 == 0 end
  return kind == wanted
end

local function words_of(list)
  return table.concat(list, " or ")
end

local function check_type(wanted, value, kind)
  if type(wanted) == "string" then wanted = { wanted } end
  for _, name in ipairs(wanted) do
    if is_type(value, kind, name) then return nil end
  end
  local got = kind == "number" and #wanted == 1 and wanted[1] == "integer" and tostring(value) or kind
  return fault(("expected %s, got %s"):format(words_of(wanted), got))
end

local function equal(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local most_shown = 60 -- bytes of a value in a message

local function shown(value)
  local text = json.encode(value) or tostring(value)
  return #text > most_shown and text:sub(1, most_shown):gsub("[\128-\255]*$", "") .. "..." or text
end

local function check_enum(list, value)
  local texts = {}
  for i, allowed in ipairs(list) do
    if equal(allowed, value) then return nil end
    texts[i] = shown(allowed)
  end
  return fault(("expected one of %s, got %s"):format(table.concat(texts, ", "), shown(value)))
end

--- Characters, as JSON Schema counts: code points.
local function characters(text)
  local _, continued = text:gsub("[\128-\191]", "")
  return #text - continued
end

local function check_range(amount, least, most, words)
  if least and amount < least then return fault(("expected at least %s%s, got %s"):format(least, words, amount)) end
  if most and amount > most then return fault(("expected at most %s%s, got %s"):format(most, words, amount)) end
  return nil
end

local function check_number(schema, value)
  local low, high = schema.exclusiveMinimum, schema.exclusiveMaximum
  if low and value <= low then return fault(("expected more than %s, got %s"):format(low, value)) end
  if high and value >= high then return fault(("expected less than %s, got %s"):format(high, value)) end
  return check_range(value, schema.minimum, schema.maximum, "")
end

local check

local function check_items(schema, value, root, depth)
  local wrong = check_range(#value, schema.minItems, schema.maxItems, " items")
  if wrong or schema.items == nil then return wrong end
  for i = 1, #value do
    wrong = check(schema.items, value[i], root, depth)
    if wrong then return under("[" .. i .. "]", wrong) end
  end
  return nil
end

local function sorted_names(value)
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function set_of(list)
  local set = {}
  for _, name in ipairs(list or {}) do set[name] = true end
  return set
end

--- A field that is allowed to be absent may be null as well: models write it so.
local function check_field(schema, name, value, required, root, depth)
  local of = schema.properties and schema.properties[name]
  if of == nil then of = schema.additionalProperties end
  if of == nil or of == true then return nil end
  if of == false then return fault("unexpected field") end
  if value == json.null and not required[name] then return nil end
  return check(of, value, root, depth)
end

local function check_object(schema, value, root, depth)
  for _, name in ipairs(schema.required or {}) do
    if value[name] == nil then return under(step_of(name), fault("missing")) end
  end
  if not schema.properties and schema.additionalProperties == nil then return nil end
  local required = set_of(schema.required)
  for _, name in ipairs(sorted_names(value)) do
    local wrong = check_field(schema, name, value[name], required, root, depth)
    if wrong then return under(step_of(name), wrong) end
  end
  return nil
end

--- The failure of the alternative that fitted longest.
local function best_of(list, value, root, depth)
  local fitting, best = 0, nil
  for _, schema in ipairs(list) do
    local wrong = check(schema, value, root, depth)
    if not wrong then
      fitting = fitting + 1
    elseif not best or #wrong.path > #best.path then
      best = wrong
    end
  end
  return fitting, best
end

local function check_choice(list, value, root, depth, exactly)
  local fitting, best = best_of(list, value, root, depth)
  if fitting == 1 or fitting > 1 and not exactly then return nil end
  if fitting > 1 then return fault(("fits %d of the forms of oneOf, expected one"):format(fitting)) end
  if best and (best.path ~= "" or #list == 1) then return best end
  return fault(("fits none of %d forms, got %s"):format(#list, M.kind(value)))
end

--- What "#/$defs/item" points at.
local function target_of(root, pointer)
  local at = root
  for token in pointer:gmatch("/([^/]*)") do
    token = token:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end):gsub("~1", "/"):gsub("~0", "~")
    if type(at) ~= "table" then return nil end
    local index = tonumber(token)
    if at[token] == nil and index then at = at[index + 1] else at = at[token] end
  end
  return at
end

--- The schema that a reference names, or nil: only what is inside the same schema is found.
--- @param root table
--- @param ref string
--- @return table|boolean|nil
function M.resolve(root, ref)
  if ref == "#" then return root end
  return ref:sub(1, 2) == "#/" and target_of(root, ref:sub(2)) or nil
end

local function check_forms(schema, value, root, depth)
  local wrong
  local ref = schema["$ref"]
  if ref then wrong = check(M.resolve(root, ref) or true, value, root, depth) end
  if not wrong and schema.anyOf then wrong = check_choice(schema.anyOf, value, root, depth, false) end
  if not wrong and schema.oneOf then wrong = check_choice(schema.oneOf, value, root, depth, true) end
  for _, one in ipairs(not wrong and schema.allOf or {}) do
    wrong = wrong or check(one, value, root, depth)
  end
  return wrong
end

local deepest = 1600 -- above the depth of any JSON that is read

local by_kind = {
  number = check_number,
  string = function(schema, value)
    if not schema.minLength and not schema.maxLength then return nil end
    return check_range(characters(value), schema.minLength, schema.maxLength, " characters")
  end,
  array = check_items,
  object = check_object,
}

function check(schema, value, root, depth)
  if schema == true then return nil end
  if schema == false then return fault("nothing is allowed here") end
  if depth > deepest then return fault("the schema refers to itself without end") end
  local kind, wrong = M.kind(value), nil
  if schema.type then wrong = check_type(schema.type, value, kind) end
  if not wrong and schema.enum then wrong = check_enum(schema.enum, value) end
  if not wrong and schema.const ~= nil then wrong = check_enum({ schema.const }, value) end
  if not wrong and by_kind[kind] then wrong = by_kind[kind](schema, value, root, depth + 1) end
  return wrong or check_forms(schema, value, root, depth + 1)
end

--- Compare a value with a schema.
--- @param schema table|boolean  JSON Schema
--- @param value any             decoded with explicit nulls
--- @param place string          what the value is called, "data"
--- @return string? wrong        "data.price: expected number, got string"; nil where it fits
function M.check(schema, value, place)
  local wrong = check(schema, value, schema, 0)
  return wrong and place .. wrong.path .. ": " .. wrong.words or nil
end

return M
