--- What a structured reply, or the arguments of a tool, must look like: a short form or JSON Schema.
--- Names: new is of parameters.
---
--- The short form:
---   "string" "number" "integer" "boolean" "null" "any"    a type; "string|null" is either
---   "number?"                                             a field that may be absent
---   "string: the name of the city"                        with words for the model
---   { name = "string", price = "number?" }                an object; ["tags?"] = {...} is a field that may be absent
---   { "string" }   { { name = "string" } }                an array
---   { "small", "large" }                                  one of these words
---   { { "name", "string" }, { "price", "number?" } }      an object whose fields keep this order; a third string is for the model
---   mm.schema {...}                                       a schema inside another
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local messages = require("multimodal.prompt.messages")
local options_table = require("multimodal.options")
local validate = require("multimodal.prompt.validate")

local misuse = error_class.misuse

local M = {}

--- @class multimodal.Schema
--- @field name string?
--- @field description string?
--- @field strict boolean?        asked of the gateway
--- @field schema table|userdata  JSON Schema as it goes out
--- @field value table|boolean    the same to check with
--- @field unchecked string[]     "data.name: pattern": keywords that are sent and not checked here
local Schema = { __name = "multimodal.schema" }
Schema.__index = Schema

--- @param value any
--- @return boolean
function M.is(value)
  return getmetatable(value) == Schema
end

local deepest = 64
local types = { string = true, number = true, integer = true, boolean = true, null = true, any = true }

--- The names in "string|null", or nil and the one that is no type.
local function type_names(text)
  local names = {}
  for name in (text .. "|"):gmatch("%s*(.-)%s*|") do
    if not types[name] then return nil, name end
    names[#names + 1] = name
  end
  return names
end

--- "number?: in euros" -> names, optional, words for the model; nil and what is no type.
local function read_word(text)
  local head, description = text:match("^([^:]*):%s*(.-)%s*$")
  head = (head or text):gsub("%s+$", "")
  local bare = head:match("^(.-)%s*%?$")
  local names, odd = type_names(bare or head)
  if not names then return nil, odd end
  return names, bare ~= nil, description ~= "" and description or nil
end

local function is_word(value)
  return type(value) == "string" and read_word(value) ~= nil
end

local function of_names(names)
  for _, name in ipairs(names) do
    if name == "any" then return {} end
  end
  return { type = names[2] and json.array(names) or names[1] }
end

--- A schema as it goes out and as it is checked with: one table unless an order must be kept.
--- @class multimodal.schema.Node
--- @field value table
--- @field wire table
--- @field optional boolean?

local function node(value, wire)
  return { value = value, wire = wire or value }
end

local function both(made, change)
  if made.wire == made.value then return node(change(made.value)) end
  return node(change(made.value), change(made.wire))
end

local function copy_with(schema, more)
  local copy = {}
  for name, value in pairs(schema) do copy[name] = value end
  for name, value in pairs(more) do copy[name] = value end
  return copy
end

--- The same, or null.
local function nullable(schema)
  local kind = schema.type
  if type(kind) == "string" and not schema.enum then return copy_with(schema, { type = json.array { kind, "null" } }) end
  return { anyOf = json.array { schema, { type = "null" } } }
end

local function described(made, words)
  if not words then return made end
  return both(made, function(schema) return copy_with(schema, { description = words }) end)
end

local compile

local function compile_word(text, place)
  local names, optional, words = read_word(text)
  if not names then
    local near = optional ~= "" and options_table.nearest(optional, types)
    misuse(("%s: %q is no type%s"):format(place, optional, near and ("; did you mean %q?"):format(near)
      or "; string, number, integer, boolean, null and any are"))
  end
  local made = described(node(of_names(names)), words)
  made.optional = optional
  return made
end

--- One field of an object. Under `strict` every field is required, and an optional one may be null.
local function compile_field(fields, name, written, words, context)
  local bare = name:match("^(.-)%?$")
  local place = context.place .. "." .. (bare or name)
  local made = compile(written, { place = place, strict = context.strict, depth = context.depth + 1 })
  local optional = bare ~= nil or made.optional
  if optional and context.strict then made = both(made, nullable) end
  fields[#fields + 1] = { name = bare or name, node = described(made, words), required = not optional or context.strict }
end

--- An object of its fields; `ordered` keeps their order on the wire, where a table would be sorted by name.
local function object_of(fields, ordered)
  local values, wires, required, texts, same = {}, {}, json.array {}, {}, true
  for i, field in ipairs(fields) do
    values[field.name], wires[field.name] = field.node.value, field.node.wire
    same = same and field.node.value == field.node.wire
    if field.required then required[#required + 1] = field.name end
    texts[i] = ordered and json.encode(field.name) .. ":" .. json.encode(field.node.wire)
  end
  local value = { type = "object", properties = values, required = required, additionalProperties = false }
  if ordered then return node(value, copy_with(value, { properties = json.raw("{" .. table.concat(texts, ",") .. "}") })) end
  return same and node(value) or node(value, copy_with(value, { properties = wires }))
end

local function compile_named(named, context)
  local names, fields = {}, {}
  for name in pairs(named) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do compile_field(fields, name, named[name], nil, context) end
  return object_of(fields, false)
end

local function is_pair(value)
  if type(value) ~= "table" or M.is(value) or type(value[1]) ~= "string" then return false end
  local words = value[3]
  return (is_word(value[2]) or type(value[2]) == "table") and (words == nil or type(words) == "string") and value[4] == nil
end

local function all(list, test)
  for _, item in ipairs(list) do
    if not test(item) then return false end
  end
  return true
end

local function compile_pairs(list, context)
  local fields, seen = {}, {}
  for _, pair in ipairs(list) do
    if seen[pair[1]] then misuse(("%s: the field %s comes twice"):format(context.place, pair[1])) end
    seen[pair[1]] = true
    compile_field(fields, pair[1], pair[2], pair[3], context)
  end
  return object_of(fields, true)
end

local function compile_array(item, context)
  local made = compile(item, { place = context.place .. "[]", strict = context.strict, depth = context.depth + 1 })
  if made.optional then made = both(made, nullable) end
  return both(made, function(schema) return { type = "array", items = schema } end)
end

local function compile_list(list, context)
  if all(list, is_pair) then return compile_pairs(list, context) end
  if list[2] == nil then return compile_array(list[1], context) end
  if not all(list, function(item) return type(item) == "string" end) then
    misuse(context.place .. ": a list is { type }, an array; { \"a\", \"b\" }, one of these words; or pairs { name, type }")
  end
  for _, word in ipairs(list) do
    if is_word(word) then
      misuse(('%s: %q in a list of words is a type; write "string|number" for either'):format(context.place, word))
    end
  end
  local words = {}
  for i, word in ipairs(list) do words[i] = word end
  return node { type = "string", enum = json.array(words) }
end

function compile(written, context)
  if type(written) == "string" then return compile_word(written, context.place) end
  if M.is(written) then return node(written.value, written.schema) end
  if type(written) ~= "table" then
    misuse(("%s: expected a type or a table, got %s"):format(context.place, type(written)))
  end
  if context.depth > deepest then misuse(context.place .. ": a table that contains itself") end
  local named = {}
  local n = messages.list(written, context.place, function(name, value) named[name] = value end)
  if n == 0 then return compile_named(named, context) end
  if next(named) ~= nil then misuse(context.place .. ": names and positions in one table; a list of { name, type } keeps an order") end
  return compile_list(written, context)
end

local function make(value, wire, more, unchecked)
  more = more or {}
  return setmetatable({
    name = more.name, description = more.description, strict = more.strict or nil, schema = wire, value = value,
    unchecked = unchecked or {},
  }, Schema)
end

local fields = { name = "string", description = "string", strict = "boolean" }

local function check_more(more)
  for name, value in pairs(more) do
    if not fields[name] then options_table.unknown(name, fields, "schema: ") end
    if type(value) ~= fields[name] then
      misuse(("schema: %s: expected a %s, got %s"):format(name, fields[name], type(value)))
    end
  end
end

--- A schema of the short form; see the head of this file.
--- @param written string|table
--- @param more? {name: string?, description: string?, strict: boolean?}  strict asks the gateway to hold to it
--- @return multimodal.Schema
function M.new(written, more)
  if more ~= nil and type(more) ~= "table" then misuse("schema: expected a table of name, description and strict, got " .. type(more)) end
  check_more(more or {})
  local made = compile(written, { place = "schema", strict = more and more.strict or false, depth = 0 })
  if made.optional then made = both(made, nullable) end
  return make(made.value, made.wire, more)
end

local normal

local function normal_each(written, path, context)
  local copy = {}
  for name, value in pairs(written) do
    copy[name] = normal(value, type(name) == "number" and path or path .. "." .. tostring(name), context)
  end
  return copy
end

local normalisers = {
  schema = function(value, path, context, keyword) return normal(value, keyword == "items" and path .. "[]" or path, context) end,
  map = function(value, path, context, keyword)
    return normal_each(value, keyword == "properties" and path or keyword, context)
  end,
  list = function(value, path, context) return json.array(normal_each(value, path, context)) end,
  values = function(value)
    local copy = {}
    for i, item in ipairs(value) do copy[i] = item end
    return json.array(copy)
  end,
}

--- Refuse what a keyword cannot hold, so that checking need not ask.
local function check_keyword(name, value, keyword, path)
  local kind = type(value)
  local fits = not keyword.takes or keyword.takes:find(kind, 1, true) ~= nil
  if not fits then misuse(("schema: %s: %s: expected a %s, got %s"):format(path, name, keyword.takes, kind)) end
end

--- A copy in which lists are marked as such, so that an empty one stays a list; notes keywords that are not checked.
function normal(written, path, context)
  if type(written) ~= "table" then return written end
  context.depth = context.depth + 1
  if context.depth > deepest then misuse("schema: a table that contains itself") end
  local copy = {}
  for name, value in pairs(written) do
    local keyword = validate.keywords[name]
    local holds = keyword and type(value) == "table" and keyword.holds
    copy[name] = holds and normalisers[holds](value, path, context, name) or value
    if keyword then check_keyword(name, value, keyword, path) end
    if not keyword then context.unchecked[#context.unchecked + 1] = path .. ": " .. tostring(name) end
    if name == "$ref" and (type(value) ~= "string" or validate.resolve(context.root, value) == nil) then
      misuse(("schema: $ref %s leads nowhere; only #/... is followed"):format(tostring(value)))
    end
  end
  context.depth = context.depth - 1
  return copy
end

local function of_table(written, place, wire)
  local context = { root = written, depth = 0, unchecked = {} }
  local value = normal(written, place, context)
  table.sort(context.unchecked)
  return make(value, wire or value, nil, context.unchecked)
end

local function of_text(text, place)
  local value, err = json.decode(text, { null = true })
  if type(value) ~= "table" or validate.is_array(value) then
    misuse(("%s: expected JSON Schema: %s"):format(place, err and err.message or "the text is no JSON object"))
  end
  return of_table(value, place, json.raw(text))
end

local function is_json_schema(written)
  for name in pairs(written) do
    if validate.keywords[name] and validate.keywords[name].checked then return true end
  end
  return next(written) == nil
end

--- The schema of the option `schema`: of mm.schema, or JSON Schema as a table or as text.
--- @param written multimodal.Schema|table|string
--- @return multimodal.Schema
function M.of(written)
  if M.is(written) then return written end
  if type(written) == "string" then return of_text(written, "data") end
  if not is_json_schema(written) then misuse("schema: expected JSON Schema; write mm.schema { ... } for the short form") end
  return of_table(written, "data")
end

local marks = { "$schema", "$ref", "$defs", "anyOf", "oneOf", "allOf" }

--- JSON Schema of an object says so; everything else is the short form.
local function says_so(written)
  if written.type == "object" then return true end
  for _, name in ipairs(marks) do
    if type(written[name]) == "table" or type(written[name]) == "string" and name:sub(1, 1) == "$" then return true end
  end
  return false
end

--- The schema of a tool's arguments: as `of`, or the short form without mm.schema.
--- @param written multimodal.Schema|table|string
--- @param strict? boolean
--- @return multimodal.Schema
function M.parameters(written, strict)
  if M.is(written) then return written end
  if type(written) == "string" then return of_text(written, "arguments") end
  if says_so(written) then return of_table(written, "arguments") end
  local made = compile(written, { place = "parameters", strict = strict or false, depth = 0 })
  return make(made.value, made.wire)
end

local function wrong(code, message)
  return false, error_class.new { kind = "schema", code = code, message = message }
end

--- The inside of the first fence, for models that put one around their JSON.
local function unfenced(text)
  local from = text:find("```", 1, true)
  local line = from and text:find("\n", from, true)
  if not line then return nil end
  local inside = text:sub(line + 1)
  -- Not %s: it would read on over the lines that follow, once more for each of them.
  return inside:match("^(.*)\n[ \t]*```") or inside:match("^(.*)```")
end

--- The value of a text, nulls explicit and nulls left out.
local function decode(text)
  local exact, err = json.decode(text, { null = true })
  if exact == nil then return nil, nil, err end
  if not text:find("null", 1, true) then return exact, exact end
  return exact, (json.decode(text))
end

--- Read a text as a value that fits.
--- @param text string
--- @param place string      what the value is called in errors, "data"
--- @return boolean fits
--- @return any value        or the multimodal.Error: code "syntax" or "mismatch"
function Schema:read(text, place)
  local exact, value, err = decode(text)
  local inside = exact == nil and unfenced(text)
  if inside then exact, value = decode(inside) end
  if exact == nil then return wrong("syntax", ("%s: expected JSON: %s"):format(place, err.message)) end
  local mismatch = validate.check(self.value, exact, place)
  if mismatch then return wrong("mismatch", mismatch) end
  return true, value
end

--- JSON Schema as text.
--- @return string
function Schema:text()
  return assert(json.encode(self.schema))
end

function Schema:__tostring()
  return "multimodal.schema: " .. self:text()
end

return M
