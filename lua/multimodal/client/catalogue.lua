--- What a gateway tells of its models, in OpenAI's, OpenRouter's or GLM's shape, as records of one shape. Pure.
--- Names: read next_query known of_profile find fits nearest.
local json = require("multimodal.json")
local options_table = require("multimodal.options")

local M = {}

--- @class multimodal.Model
--- @field id string
--- @field name string
--- @field input string[]?      "text" "image" "audio" "video" "file" ...; nil where nobody tells
--- @field output string[]?
--- @field context integer?     tokens
--- @field max_output integer?  tokens
--- @field pricing table?       USD a unit by what is counted, numbers
--- @field parameters string[]? fields of a request that it takes
--- @field description string?
--- @field created integer?
--- @field sure boolean         the gateway itself told input and output
--- @field raw table            as received

local function text(value)
  return type(value) == "string" and value ~= "" and value or nil
end

local function number(value)
  return type(value) == "number" and value or nil
end

local function table_of(value)
  return type(value) == "table" and value or {}
end

local function strings(value)
  if type(value) ~= "table" then return nil end
  local list = {}
  for _, item in ipairs(value) do list[#list + 1] = text(item) end
  return list[1] and list or nil
end

local function words(value)
  local list = {}
  for word in value:gmatch("[%w_-]+") do list[#list + 1] = word end
  return list
end

--- "text+image->text" as two lists.
local function of_arrow(value)
  local input, output = (text(value) or ""):match("^(.-)%->(.*)$")
  if not input then return nil end
  return words(input), words(output)
end

local function prices(value)
  if type(value) ~= "table" then return nil end
  local all = {}
  for name, price in pairs(value) do all[name] = tonumber(price) end
  return next(all) ~= nil and all or nil
end

--- The entry of a profile's own table that an id matches: { "glm-4v*", "text image", "text" }.
--- @param profile multimodal.Profile
--- @param id string
--- @return string[]? input
--- @return string[]? output
function M.known(profile, id)
  local known = profile.known_models
  if not known then return nil end
  local lower = id:lower()
  for _, entry in ipairs(known) do
    local name = entry[1]:lower()
    local start = name:match("^(.*)%*$")
    if lower == name or start and lower:sub(1, #start) == start then return words(entry[2]), words(entry[3]) end
  end
  return nil
end

local function modalities(raw, profile, id)
  local of = table_of(raw.architecture)
  local pair = table_of(raw.modalities)
  local input = strings(of.input_modalities) or strings(raw.input_modalities) or strings(pair.input)
  local output = strings(of.output_modalities) or strings(raw.output_modalities) or strings(pair.output)
  if not (input or output) then input, output = of_arrow(of.modality) end
  if input or output then return input, output, true end
  input, output = M.known(profile, id)
  return input, output, false
end

local function record(raw, profile)
  if type(raw) == "string" then raw = { id = raw } end
  local id = type(raw) == "table" and (text(raw.id) or text(raw.name) or text(raw.model))
  if not id then return nil end
  -- Google names the folder as well.
  id = id:gsub("^models/", "")
  local input, output, sure = modalities(raw, profile, id)
  local top = table_of(raw.top_provider)
  return {
    id = id, name = text(raw.displayName) or text(raw.name) or text(raw.display_name) or id, input = input, output = output, sure = sure,
    context = number(raw.context_length) or number(raw.context_window) or number(raw.max_input_tokens)
      or number(top.context_length) or number(raw.inputTokenLimit),
    max_output = number(top.max_completion_tokens) or number(raw.max_output_tokens) or number(raw.outputTokenLimit),
    pricing = prices(raw.pricing), parameters = strings(raw.supported_parameters),
    description = text(raw.description), created = number(raw.created), raw = raw,
  }
end

local function list_in(body)
  for _, name in ipairs { "data", "models", "result" } do
    if type(body[name]) == "table" then return json.closed(body[name]) end
  end
  return json.closed(body)
end

--- Append the models of one answer to a list; those that are there already are passed over.
--- @param body table
--- @param profile multimodal.Profile
--- @param list multimodal.Model[]
--- @param seen table<string, boolean>
--- @return integer added
function M.read(body, profile, list, seen)
  local before = #list
  for _, raw in ipairs(list_in(body)) do
    local model = record(raw, profile)
    if model and not seen[model.id] then
      seen[model.id], list[#list + 1] = true, model
    end
  end
  return #list - before
end

local function unescape(value)
  return (value:gsub("+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- The query of the next page. Only the query is taken from the link: the key goes nowhere else.
--- @param body table
--- @return table? query
function M.next_query(body)
  local link = text(table_of(body.links).next)
  if link then
    local query = {}
    for name, value in (link:match("%?([^#]*)") or ""):gmatch("([^&=]+)=([^&]*)") do query[unescape(name)] = unescape(value) end
    return next(query) ~= nil and query or nil
  end
  if text(body.nextPageToken) then return { pageToken = body.nextPageToken } end
  if body.has_more ~= true or not text(body.last_id) then return nil end
  -- Anthropic's lists tell the type of each entry, and name the place otherwise.
  local first = table_of(table_of(body.data)[1])
  return first.type == "model" and { after_id = body.last_id } or { after = body.last_id }
end

--- The models of a profile's own table, for a gateway that lists none.
--- @param profile multimodal.Profile
--- @return multimodal.Model[]
function M.of_profile(profile)
  local list = {}
  for _, entry in ipairs(profile.known_models or {}) do
    if not entry[1]:find("*", 1, true) then list[#list + 1] = record(entry[1], profile) end
  end
  return list
end

--- What is known of a model: from the catalogue where that is fetched, else from the profile.
--- @param client multimodal.Client
--- @param id string
--- @return multimodal.Model?
--- @return boolean fetched  a catalogue is there
function M.find(client, id)
  local shelf = client.shelf
  if shelf.models then
    -- A variant such as ":online" is the same model by another route.
    return shelf.by_id[id] or shelf.by_id[id:match("^(.*):[%w-]+$") or ""], true
  end
  local input, output = M.known(client.profile, id)
  if not input then return nil, false end
  return { id = id, name = id, input = input, output = output, sure = false }, false
end

local function has_all(list, wanted)
  local set = {}
  for _, word in ipairs(list or {}) do set[word] = true end
  for _, word in ipairs(wanted) do
    if not set[word] then return false end
  end
  return true
end

--- Whether a model takes and gives these modalities; one of which nobody tells does not.
--- @param model multimodal.Model
--- @param input string[]
--- @param output string[]
--- @return boolean
function M.fits(model, input, output)
  return has_all(model.input, input) and has_all(model.output, output)
end

--- The id in the catalogue that looks most like a wrong one.
--- @param client multimodal.Client
--- @param id string
--- @return string?
function M.nearest(client, id)
  return client.shelf.by_id and options_table.nearest(id, client.shelf.by_id) or nil
end

return M
