--- The gateway of a client: one of ours by its name, or a table of the user's, checked; and where it listens.
--- Names: fields limits part_limits task_fields of base_url.
local addresses = require("multimodal.client.address")
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local options_table = require("multimodal.options")
local secret = require("multimodal.client.secret")
local urls = require("multimodal.policy.url")

local misuse = error_class.misuse

local M = {}

--- Gateways that have a file here, to tell the nearest name.
local ours = {
  openai = true, openrouter = true, openroute = true, yourouter = true, gdc = true, glm = true, zai = true, khatash = true,
  google = true, vertex = true, anthropic = true, volcengine = true, byteplus = true,
}

local function of(says, test)
  return { says = says, test = test }
end

local function kind(name, says)
  return of(says, function(value) return type(value) == name end)
end

local function one_of(...)
  local allowed, words = {}, {}
  for i, value in ipairs { ... } do
    allowed[value], words[i] = true, type(value) == "string" and '"' .. value .. '"' or tostring(value)
  end
  return of(table.concat(words, " or "), function(value) return allowed[value] == true end)
end

local text = kind("string", "a string")
local flag = kind("boolean", "true or false")
local set = kind("table", "a table of name = true")
local pair = of("a table { least, most }, the most perhaps absent", function(value)
  return type(value) == "table" and type(value[1]) == "number" and (value[2] == nil or type(value[2]) == "number")
end)
local number = kind("number", "a number")

--- What a gateway's table may say. `false` is as good as absent, but where it is named.
--- @type table<string, multimodal.OptionType>
M.fields = {
  name = text,                                      -- in errors and replies
  like = text,                                      -- a gateway of ours whose fields hold where this table has none
  base_url = text,                                  -- {endpoint} {project} {location} stand for the options of these names
  base_urls = kind("table", "a table of location = address"), -- of locations that listen elsewhere
  projectless = kind("table", "a table of fields"), -- what differs where no project is named
  prefix = text,                                    -- stands before the paths of the dialect, not of ai:http
  location = text,                                  -- the option that stands for an absent location
  key_variable = text,                              -- the environment's variable of the key
  dialect = text,                                   -- "openai" where absent
  dialects = kind("table", "a table of dialect = fields"), -- others it speaks, and what differs in them
  auth = one_of("bearer", "x-api-key", "x-goog-api-key"), -- where the key goes; "bearer" where absent
  headers = kind("table", "a table of name = value"), -- go with every request
  options = kind("table", "a table of options"),    -- defaults under the client's
  model_required = flag,
  retries_conflicts = flag,                         -- a 409 may be over at the next attempt
  max_tokens_field = text,                          -- the name of max_tokens on the wire
  default_max_tokens = number,                      -- where the wire wants max_tokens and the user named none; 4096 where absent
  stream_options = flag,                            -- asks for usage in a stream
  reasoning = one_of("effort", "object", "thinking", "budget"), -- false: cannot be told how much to reason
  system = one_of("string", "developer"),           -- text alone; or the role's name
  image_base64 = one_of("data_url", "raw"),         -- bytes of an image: a data URL, or bare base64
  buckets = of("true or a table such as { s3 = true }", function(value)
    return value == true or type(value) == "table"
  end),                                             -- whose links go out as they are
  mimes = kind("table", "a table of type = type"),  -- media types that have another name there
  audio = flag,                                     -- false: takes none
  audio_formats = set,                              -- all where absent
  video = one_of(true, "link"),                     -- takes video_url; as https links alone
  video_links = one_of("youtube"),                  -- other links may be refused behind it: a warning
  file = one_of("openai", "openrouter", "khatash", "file_url", "none"), -- the shape of a file part
  mid_system = flag,                                -- takes instructions amid a conversation (Anthropic's dialect)
  tool_media = flag,                                -- media in a tool's answer
  assistant_images = flag,                          -- false: an assistant's pictures cannot go back
  stop = one_of("list"),                            -- one word is a list too
  tool_choice = one_of("auto"),                     -- no other choice is taken
  schema = one_of("json_object", "openapi", "tool"), -- knows JSON as an answer, but no schema; Google's older form of one; or by a
                                                    -- tool that must be called
  links = flag,                                     -- false: fetches none; in Gemini's dialect
  upload = one_of("gemini", "anthropic"),           -- how it takes files that are uploaded; none where absent
  studio_files = flag,                              -- false: knows no files of AI Studio
  call_ids = flag,                                  -- false: refuses the ids of calls; in Gemini's dialect
  count = one_of("wrapped"),                        -- countTokens takes more than contents inside generateContentRequest
  user_needed = flag,                               -- a prompt without a message of the user is refused there
  image_output = one_of("modalities", "images"),    -- how a picture is asked for: in chat, or at /images/generations
  models_query = kind("table", "a table of name = value"), -- so that GET /models leaves none out
  known_models = kind("table", "a list of { id, input, output }"), -- where the gateway does not tell
  parses_pdf = flag,                                -- reads PDFs for models that cannot
  refuses = set,                                    -- options it does not take
  tasks = kind("table", "a table such as { dialect = \"ark\" }"), -- how videos are made there: see M.task_fields
  warns = kind("table", "a table of kind = warning"), -- said when a part of that kind goes out
  limits = kind("table", "a table of limits"),      -- what it is known to refuse: see M.limits
}

--- How a gateway runs tasks.
--- @type table<string, multimodal.OptionType>
M.task_fields = {
  dialect = of("a name or a table of functions", function(value)
    return type(value) == "string" or type(value) == "table"
  end),                                             -- "ark" where absent
  base_url = text,                                  -- the gateway's own where absent
  auth = one_of("bearer", "x-api-key", "x-goog-api-key"), -- the gateway's own where absent
  headers = kind("table", "a table of name = value"), -- in place of the gateway's own
  params_style = one_of("json", "inline"),          -- ark: settings as fields, or as flags in the text
  vertex = flag,                                    -- veo: Vertex, which takes more than AI Studio
}

--- Limits that are warnings: of parts by their kind, of options by their names on the wire.
--- @type table<string, multimodal.OptionType>
M.limits = {
  image = kind("table", "a table of limits"),
  audio = kind("table", "a table of limits"),
  video = kind("table", "a table of limits"),
  file = kind("table", "a table of limits"),
  temperature = pair,
  top_p = pair,
  max_tokens = pair,
  session_id = pair,                                -- characters
  user_id = pair,                                   -- characters
  stop = number,                                    -- words
  metadata = number,                                -- pairs
  request = number,                                 -- bytes of all media as they go out
}

--- Limits of the parts of one kind.
--- @type table<string, multimodal.OptionType>
M.part_limits = {
  count = number,                                   -- in one request
  bytes = number,                                   -- of one
  total = number,                                   -- bytes of all
  pixels = number,                                  -- on a side
  types = set,                                      -- media types
}

local function check(profile, place)
  options_table.check(profile, M.fields, place)
  local limits = profile.limits or {}
  options_table.check(limits, M.limits, place .. "limits: ")
  for _, name in ipairs { "image", "audio", "video", "file" } do
    if limits[name] then options_table.check(limits[name], M.part_limits, place .. "limits." .. name .. ": ") end
  end
  if profile.tasks then options_table.check(profile.tasks, M.task_fields, place .. "tasks: ") end
  if profile.options then options_table.check(profile.options, nil, place .. "options: ") end
  for name, fields in pairs(profile.dialects or {}) do check(fields, place .. "dialects." .. name .. ": ") end
  if profile.projectless then check(profile.projectless, place .. "projectless: ") end
end

local function unknown(name)
  local near = options_table.nearest(name, ours)
  misuse(("gateway: %q is unknown; %spass base_url = for a server of your own"):format(
    name, near and "did you mean " .. near .. "? else " or ""))
end

local function of_file(name)
  return name:find("^[%w_]+$") and compat.optional("multimodal.gateway." .. name) or nil
end

local function over(base, own)
  local all = {}
  for name, value in pairs(base) do all[name] = value end
  for name, value in pairs(own) do all[name] = value end
  return all
end

--- A profile with the fields of the one that it is like.
local function filled(profile)
  if not profile.like then return profile end
  return over(filled(of_file(profile.like) or unknown(profile.like)), profile)
end

--- Mocks are objects that know more than data; they are taken as they are.
local function of_table(gateway)
  if getmetatable(gateway) ~= nil then return gateway end
  if type(gateway.name) ~= "string" then misuse("gateway: name: expected a string, got " .. type(gateway.name)) end
  check(gateway, "gateway: ")
  return filled(gateway)
end

--- The names of the dialects that a gateway speaks, in order.
local function spoken(profile)
  local names = {}
  for name in pairs(profile.dialects or {}) do names[#names + 1] = name end
  table.sort(names)
  table.insert(names, 1, profile.dialect or "openai")
  return table.concat(names, ", ")
end

--- A profile as it is in another dialect than its usual one. Mocks take any.
local function in_dialect(profile, dialect)
  if not dialect or dialect == (profile.dialect or "openai") or getmetatable(profile) ~= nil then return profile end
  local fields = profile.dialects and profile.dialects[dialect]
  if not fields then misuse(("dialect: %s speaks %s, not %q"):format(profile.name, spoken(profile), dialect)) end
  return over(over(profile, { dialect = dialect }), fields)
end

local function named(given)
  local gateway = given.gateway
  if type(gateway) == "table" then return of_table(gateway) end
  if gateway then return filled(of_file(gateway) or unknown(gateway)) end
  if given.base_url then return require("multimodal.gateway.compatible") end
  misuse('client: no gateway; pass gateway = or base_url =, or set MULTIMODAL_CLIENT to "gateway/model"')
end

--- The profile that a client's options name.
--- @param given table
--- @return multimodal.Profile
function M.of(given)
  local profile = in_dialect(named(given), given.dialect)
  if getmetatable(profile) ~= nil or not profile.projectless or given.project then return profile end
  return over(profile, profile.projectless)
end

local function needed(profile, options, name)
  local value = options[name]
  if not value then
    misuse(("%s: expected a string, got nil; gateway %s is found by it"):format(name, profile.name))
  end
  if name ~= "endpoint" and value:find("[^%w._~:@-]") then
    misuse(("%s: %q is no part of a path"):format(name, (value:gsub("%c", "?"))))
  end
  return value
end

local places = { endpoint = true, project = true, location = true }

--- An address with its places filled in. An endpoint may be written with its scheme.
local function fill(address, profile, options)
  local values = { endpoint = options.endpoint, project = options.project, location = options.location }
  if not values.location and profile.location then values.location = options[profile.location] end
  return (address:gsub("{(%l+)}", function(name)
    if not places[name] then misuse(("base_url: {%s} stands for nothing; {endpoint}, {project} and {location} do"):format(name)) end
    return needed(profile, values, name)
  end))
end

--- Where a client's gateway listens.
--- @param profile multimodal.Profile
--- @param options table  effective
--- @return {root: string, query: string, host: string}
function M.base_url(profile, options)
  local elsewhere = options.location and profile.base_urls and profile.base_urls[options.location]
  local address = secret.reveal(options.base_url) or elsewhere or profile.base_url
  if not address then misuse("base_url: this gateway needs one") end
  if address:find("{", 1, true) then
    address = fill(address, profile, options)
    address = address:gsub("^%a+://(%a[%w+.-]*://)", "%1"):gsub("^(%a+://[^/]+)/+", "%1/")
  end
  local parts, why = urls.split(address)
  if not parts then
    misuse(("base_url: %s: %s"):format(urls.shown(address):gsub("//[^/]*@", "//"):gsub("%c", "?"), why))
  end
  if parts.path:find("/chat/completions/?$") then
    misuse("base_url: leave /chat/completions away; each request adds its own path")
  end
  return {
    root = parts.scheme .. "://" .. parts.authority .. parts.path:gsub("/+$", ""),
    query = addresses.guarded(parts.query),
    host = parts.host,
  }
end

return M
