--- Every option there is: its name, what it takes, and how a wrong one is refused.
--- Names: known video part save check_value check unknown nearest merge over.
local error_class = require("multimodal.error")

local M = {}

--- What an option takes: a test of the value, and the words for it.
--- @class multimodal.OptionType
--- @field test fun(value: any): boolean
--- @field says string
--- @field off boolean?       false is a value of it, and takes nothing away
--- @field merges boolean?    a table whose fields win one by one
--- @field derives boolean?   belongs to a client: named at a call, the call is made on a derived client

local function of(says, test)
  return { says = says, test = test }
end

local function kind(name, says)
  return of(says, function(value) return type(value) == name end)
end

local function finite(value)
  return type(value) == "number" and value == value and value < math.huge and value > -math.huge
end

local function whole(value)
  return finite(value) and value % 1 == 0
end

local function one_of(...)
  local allowed = {}
  for _, name in ipairs { ... } do allowed[name] = true end
  return of('"' .. table.concat({ ... }, '", "') .. '"', function(value) return allowed[value] == true end)
end

local function either(a, b)
  return of(a.says .. " or " .. b.says, function(value) return a.test(value) or b.test(value) end)
end

local function with(option, mark)
  local copy = {}
  for name, value in pairs(option) do copy[name] = value end
  copy[mark] = true
  return copy
end

local function of_client(option)
  return with(option, "derives")
end

local function merged(says)
  return with(kind("table", says), "merges")
end

local text = kind("string", "a string")
local list_or_table = kind("table", "a table")
local flag = with(kind("boolean", "true or false"), "off")
local hook = kind("function", "a function")
local number = of("a number", finite)
local integer = of("an integer", whole)
local count = of("a positive integer", function(value) return whole(value) and value >= 1 end)
local seconds = with(of("seconds above 0", function(value) return finite(value) and value > 0 end), "off")
local waiting = with(of("seconds, 0 or more", function(value) return finite(value) and value >= 0 end), "off")
local strings = either(text, list_or_table)

--- A table of amounts above 0; a "store" is what counts for several processes.
local function amounts_of(name, fields)
  local names = {}
  for field in pairs(fields) do names[#names + 1] = field end
  table.sort(names)
  return of(("a table of %s, numbers above 0"):format(table.concat(names, ", ")), function(value)
    if type(value) ~= "table" then return false end
    for field, amount in pairs(value) do
      local usage = fields[field]
      if not usage then M.unknown(field, fields, name .. ": ") end
      if usage == "store" then
        if (type(amount) ~= "table" and type(amount) ~= "userdata") or type(amount.incr) ~= "function" then return false end
      elseif not finite(amount) or amount <= 0 then
        return false
      end
    end
    return true
  end)
end

--- What may answer in the place of a client, by the names of the classes.
local answering = { ["multimodal.client"] = true, ["multimodal.mock"] = true }

local fallback = of("a list of clients or mocks, perhaps with on = { kinds of errors }", function(value)
  if type(value) ~= "table" then return false end
  for name, item in pairs(value) do
    if name == "on" then
      if type(item) ~= "table" then return false end
      for _, kind_of in ipairs(item) do
        if not error_class.kinds[kind_of] then M.unknown(tostring(kind_of), error_class.kinds, "fallback: on: ") end
      end
    else
      local class = type(name) == "number" and type(item) == "table" and getmetatable(item)
      if not class or not answering[class.__name] then return false end
    end
  end
  return value[1] ~= nil
end)

local clock_functions = { now = true, sleep = true, random = true }

--- The one table of options. `false` is always allowed: it takes the option away, or is its value.
--- @type table<string, multimodal.OptionType>
M.known = {
  -- said
  system = strings,
  messages = list_or_table,
  tools = list_or_table,
  tool_choice = strings,
  parallel_tools = flag,
  max_steps = count,
  schema = strings,
  -- sampling
  max_tokens = count,
  temperature = number,
  top_p = number,
  top_k = count,
  stop = strings,
  seed = integer,
  n = count,
  reasoning = either(text, integer),
  -- output
  modalities = list_or_table,
  aspect_ratio = text,
  image_size = text,
  voice = text,
  audio_format = text,
  -- video
  duration = number,
  resolution = text,
  frames = count,
  fps = number,
  watermark = flag,
  camera_fixed = flag,
  generate_audio = flag,
  draft = flag,
  return_last_frame = flag,
  service_tier = text,
  callback_url = text,
  params_style = one_of("json", "inline"),
  -- wire
  model = text,
  image_model = text,
  video_model = text,
  headers = merged("a table of name = value"),
  query = merged("a table of name = value"),
  vendor = text,
  app_url = text,
  app_title = text,
  aliases = merged("a table of word = model"),
  trailing_slash = flag,
  extra = merged("a table of body fields"),
  -- clocks
  connect_timeout = seconds,
  first_byte_timeout = seconds,
  idle_timeout = seconds,
  timeout = seconds,
  -- policy
  check = with(one_of("error", "warn", "off"), "off"),
  fetch = flag,
  upload = one_of("auto"),
  files = flag,
  max_inline = count,
  private = flag,
  skip_bad_chunks = flag,
  retries = of("0 or a positive integer", function(value) return whole(value) and value >= 0 end),
  retry_ambiguous = flag,
  idempotency_key = text,
  journal = of("the path of a folder", function(value) return type(value) == "string" and value ~= "" and not value:find("%z") end),
  resubmit = flag,
  max_retry_after = waiting,
  clock = of("a table of the functions now, sleep and random", function(value)
    if type(value) ~= "table" then return false end
    for name, fn in pairs(value) do
      if not clock_functions[name] or type(fn) ~= "function" then return false end
    end
    return true
  end),
  limit = amounts_of("limit", {
    concurrent = true, per_host = true, requests_per_minute = true, tokens_per_minute = true, store = "store",
  }),
  budget = amounts_of("budget", { requests = true, output_tokens = true, cost = true }),
  fallback = fallback,
  -- client
  gateway = of_client(strings),
  base_url = of_client(of("a string, or mm.secret of one", function(value)
    return type(value) == "string" or type(value) == "table"
  end)),
  endpoint = of_client(text),
  project = of_client(text),
  location = of_client(text),
  dialect = of_client(text),
  api_key = of_client(of("a string, a function or mm.secret", function(value)
    local type_of = type(value)
    return type_of == "string" or type_of == "function" or type_of == "table"
  end)),
  http2 = of_client(flag),
  proxy = of_client(with(of("a URL, or mm.secret of one", function(value)
    return type(value) == "string" or type(value) == "table"
  end), "off")),
  no_proxy = of_client(text),
  ca_file = of_client(text),
  ca_path = of_client(text),
  client_cert = of_client(text),
  insecure = of_client(flag),
  -- hooks
  on_text = hook,
  on_event = hook,
  observe = hook,
  on_upload = hook,
}

--- Options of a video, of which a provider may know some.
M.video = {
  "duration", "resolution", "aspect_ratio", "frames", "fps", "seed", "watermark", "camera_fixed", "generate_audio", "draft",
  "return_last_frame", "service_tier", "callback_url", "params_style",
}

--- Options that stand beside the source of a medium: mm.image { "cat.jpg", detail = "high" }.
--- @type table<string, multimodal.OptionType>
M.part = {
  detail = text,
  mime = of('a media type such as "image/png"', function(value)
    return type(value) == "string" and value:find("^%s*[%w!#$&^_.+-]+/[%w!#$&^_.+-]+%s*") ~= nil
  end),
  filename = text,
  format = text,
  role = text,
  fps = of("a number above 0", function(value) return finite(value) and value > 0 end), -- frames of a video that are looked at
  clip = of("a table { from, to } of seconds, either perhaps absent", function(value)
    if type(value) ~= "table" then return false end
    for name, second in pairs(value) do
      if name ~= 1 and name ~= 2 or not (finite(second) and second >= 0) then return false end
    end
    return value[1] ~= nil or value[2] ~= nil
  end),
  extra = kind("table", "a table of further fields of the part"),
}

--- Options of a saved file.
--- @type table<string, multimodal.OptionType>
M.save = { overwrite = flag, exists = one_of("skip", "error"), on_progress = hook }

--- How many letters must change to make `b` of `a`; a swap of neighbours is one change.
local function distance(a, b)
  local before, above = nil, {}
  for j = 0, #b do above[j] = j end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same and 0 or 1))
      if before and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, above = above, row
  end
  return above[#b]
end

--- The known name that looks most like `name`, or nil when none does.
--- @param name string
--- @param names table<string, any>  its keys are the known names
--- @return string?
function M.nearest(name, names)
  local best, least
  for candidate in pairs(names) do
    local changes = distance(name:lower(), candidate)
    local most = math.floor(math.max(#name, #candidate) / 2)
    local nearer = not least or changes < least or changes == least and candidate < best
    if changes <= most and nearer then best, least = candidate, changes end
  end
  return best
end

--- Raise that `name` is unknown, with the nearest known name.
--- @param name any
--- @param names table<string, any>
--- @param place string?  written before the name, "image: "
function M.unknown(name, names, place)
  if type(name) ~= "string" then
    error_class.misuse(("%skey %s: expected the name of an option"):format(place or "", tostring(name)))
  end
  local near = M.nearest(name, names)
  error_class.misuse(("%s%s: unknown option%s"):format(place or "", name, near and "; did you mean " .. near .. "?" or ""))
end

local function shown(value)
  if type(value) == "number" then return value ~= value and "NaN" or tostring(value) end
  return type(value) == "string" and "a string" or type(value)
end

--- Raise unless `value` may stand for the option `name`.
--- @param name any
--- @param value any
--- @param names? table<string, multimodal.OptionType>  M.known unless given
--- @param place? string
--- @return multimodal.OptionType
function M.check_value(name, value, names, place)
  names = names or M.known
  local option = names[name] or M.unknown(name, names, place)
  if value ~= false and not option.test(value) then
    error_class.misuse(("%s%s: expected %s, got %s"):format(place or "", name, option.says, shown(value)))
  end
  return option
end

--- Raise unless every key of a table is an option with a fitting value.
--- @param given table
--- @param names? table<string, multimodal.OptionType>
--- @param place? string
function M.check(given, names, place)
  if type(given) ~= "table" then
    error_class.misuse(("%sexpected a table of options, got %s"):format(place or "", shown(given)))
  end
  for name, value in pairs(given) do M.check_value(name, value, names, place) end
end

--- The fields of two tables, those of `own` winning; names of headers are the same in any letters.
--- @param option string  its name
--- @param base table?
--- @param own table
--- @return table
function M.merge(option, base, own)
  local all, lower = {}, {}
  for name in pairs(own) do lower[option == "headers" and tostring(name):lower() or name] = true end
  for name, value in pairs(base or {}) do
    if not lower[option == "headers" and tostring(name):lower() or name] then all[name] = value end
  end
  for name, value in pairs(own) do all[name] = value end
  return all
end

--- The options of `base` with those of `own` over them: the nearest wins, false takes one away.
--- @param base table   left as it is
--- @param own table    checked
--- @return table
function M.over(base, own)
  local all = {}
  for name, value in pairs(base) do all[name] = value end
  for name, value in pairs(own) do
    local option = M.known[name]
    if value == false and not option.off then
      all[name] = nil
    elseif option.merges and base[name] then
      all[name] = M.merge(name, base[name], value)
    else
      all[name] = value
    end
  end
  return all
end

return M
