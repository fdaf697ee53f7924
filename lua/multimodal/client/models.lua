--- The models of a gateway, fetched when they are asked for and kept for the client; and what one generation was.
--- Names: list generation.
local catalogue = require("multimodal.client.catalogue")
local error_class = require("multimodal.error")
local http = require("multimodal.client.http")
local jobs = require("multimodal.runtime.jobs")
local options_table = require("multimodal.options")
local usage = require("multimodal.reply.usage")

local misuse = error_class.misuse

local M = {}

local most_pages = 100

--- All pages of the catalogue.
local function fetch(client)
  local list, seen = {}, {}
  local query = client.profile.models_query
  for _ = 1, most_pages do
    local body, err = http.get(client, "/models", query)
    if err then return nil, err end
    if type(body) ~= "table" then
      return nil, error_class.new { kind = "protocol", code = "type", message = "the list of models is no list", gateway = client.name }
    end
    local added = catalogue.read(body, client.profile, list, seen)
    query = catalogue.next_query(body)
    if not query or added == 0 then break end
  end
  return list
end

local function fill(client)
  local list, err = fetch(client)
  if not list then
    local own = err.status == 404 and catalogue.of_profile(client.profile) or {}
    if not own[1] then return nil, err end
    list = own
  end
  local by_id = {}
  for _, model in ipairs(list) do by_id[model.id] = model end
  client.shelf.models, client.shelf.by_id = list, by_id
  return list
end

local words = {
  says = "a string or a list of strings",
  test = function(value)
    if type(value) == "string" then return true end
    if type(value) ~= "table" then return false end
    for _, item in ipairs(value) do
      if type(item) ~= "string" then return false end
    end
    return value[1] ~= nil
  end,
}

--- @type table<string, multimodal.OptionType>
local filters = {
  input = words,
  output = words,
  search = { says = "a string", test = function(value) return type(value) == "string" end },
  refresh = { says = "true or false", test = function(value) return type(value) == "boolean" end },
}

local function list_of(value)
  if not value then return {} end
  return type(value) == "string" and { value } or value
end

local function untold(client)
  return nil, error_class.new {
    kind = "unsupported", code = "modality", gateway = client.name, where = error_class.caller(),
    message = client.name .. " does not tell what its models take and give; ai:models() lists their names",
  }
end

local function told(list)
  for _, model in ipairs(list) do
    if model.input or model.output then return true end
  end
  return false
end

--- The models of the client's gateway that take and give what the filter says.
--- @async
--- @param client multimodal.Client
--- @param filter? {output: string|string[]|nil, input: string|string[]|nil, search: string?, refresh: boolean?}
--- @return multimodal.Model[]?
--- @return multimodal.Error? err
function M.list(client, filter)
  filter = filter or {}
  if type(filter) ~= "table" then misuse("models: expected a table such as { output = \"image\" }, got " .. type(filter)) end
  options_table.check(filter, filters, "models: ")
  local list, err = not filter.refresh and client.shelf.models or nil, nil
  if not list then list, err = fill(client) end
  if not list then return nil, err end
  local input, output, search = list_of(filter.input), list_of(filter.output), (filter.search or ""):lower()
  if (input[1] or output[1]) and list[1] and not told(list) then return untold(client) end
  local found = {}
  for _, model in ipairs(list) do
    local named = search == "" or (model.id .. "\n" .. model.name):lower():find(search, 1, true)
    if named and catalogue.fits(model, input, output) then found[#found + 1] = model end
  end
  return found
end

--- Seconds between looks: a generation is written down a little after its reply.
local delays = { 0.5, 1, 2 }

--- @class multimodal.Generation
--- @field id string
--- @field model string?
--- @field provider string?
--- @field finish_reason string?
--- @field usage multimodal.Usage?  with cost as the gateway billed it
--- @field latency number?          seconds to the first token
--- @field duration number?         seconds of generating
--- @field raw table

local function seconds(value)
  return type(value) == "number" and value / 1000 or nil
end

local function generation_of(raw, id)
  return {
    id = raw.id or id, model = raw.model, provider = raw.provider_name, finish_reason = raw.finish_reason,
    usage = usage.read {
      prompt_tokens = raw.native_tokens_prompt or raw.tokens_prompt,
      completion_tokens = raw.native_tokens_completion or raw.tokens_completion,
      prompt_tokens_details = { cached_tokens = raw.native_tokens_cached },
      completion_tokens_details = { reasoning_tokens = raw.native_tokens_reasoning },
      cost = raw.total_cost,
    },
    latency = seconds(raw.latency), duration = seconds(raw.generation_time), raw = raw,
  }
end

--- What the gateway wrote down of one generation: OpenRouter's lookup.
--- @async
--- @param client multimodal.Client
--- @param reply multimodal.Reply|string  or its id
--- @return multimodal.Generation?
--- @return multimodal.Error? err   not_found when it is not written down after some looks
function M.generation(client, reply)
  local id = type(reply) == "table" and reply.id or reply
  if type(id) ~= "string" or id == "" then misuse("generation: expected a reply with an id, or an id, got " .. type(id)) end
  for look = 1, #delays + 1 do
    local body, err = http.get(client, "/generation", { id = id })
    if body then
      local raw = type(body) == "table" and (type(body.data) == "table" and body.data or body) or {}
      return generation_of(raw, id)
    end
    if err.kind ~= "not_found" or not delays[look] then return nil, err end
    jobs.sleep(delays[look])
  end
end

return M
