--- The headers of a request: ours, the dialect's and the user's, each name once.
--- Names: is_credential hide public plan lines scrubbed shown.
local error_class = require("multimodal.error")
local secret = require("multimodal.client.secret")

local M = {}

--- One header to be: its name, and its value or that it holds the client's key.
--- @class multimodal.Header
--- @field name string
--- @field value string|multimodal.Secret|nil  nil: the key
--- @field prefix string?                      before the key
--- @field line string?                        the whole, where the value is no secret

--- The headers of a request, in order.
--- @class multimodal.HeaderPlan
--- @field [integer] multimodal.Header
--- @field keyed boolean   one holds the key
--- @field asks boolean    one has a value that a function gives for each request

--- What the names of headers have in them whose values are credentials, whoever wrote them.
local credentials = { "auth", "cookie", "token", "secret", "password", "signature", "apikey", "%f[%a]key$", "^sig$" }

--- Whether the value of a header, or of a pair in a query, is a credential by its name.
--- @param name string
--- @return boolean
function M.is_credential(name)
  local lower = name:lower()
  if lower == "idempotency-key" then return false end
  for _, word in ipairs(credentials) do
    if lower:find(word) then return true end
  end
  return false
end

local is_credential = M.is_credential

--- The headers, or the pairs of a query, with credentials as secrets, so that a dump of what holds them shows none.
--- @param headers table<string, any>
--- @return table<string, any>
function M.hide(headers)
  local hidden = {}
  for name, value in pairs(headers) do
    local wraps = type(name) == "string" and type(value) == "string" and is_credential(name)
    hidden[name] = wraps and secret.new(value) or value
  end
  return hidden
end

--- The headers, or the pairs of a query, without those that are secrets, for another gateway.
--- @param headers table<string, any>?  as hide gave them
--- @return table<string, any>?
function M.public(headers)
  if not headers then return nil end
  local open = {}
  for name, value in pairs(headers) do
    if not secret.is(value) then open[name] = value end
  end
  return open
end

local function misuse(name, why)
  error_class.misuse(("headers: %s: %s"):format(name, why))
end

local function check(name, value)
  if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
    misuse(tostring(name):gsub("%c", "?"), "is no name of a header")
  end
  local text = secret.reveal(value)
  if type(text) == "function" and secret.is(value) then return end
  if type(text) ~= "string" and type(text) ~= "number" then
    misuse(name, "expected a string, got " .. type(value))
  end
  if tostring(text):find("[%z\1-\8\10-\31\127-\255]") then misuse(name, "has a line break, a NUL or a non-ASCII byte in it") end
end

--- Headers that are lists: what one layer adds does not take away what another does.
local joins = { ["anthropic-beta"] = true }

--- Two lists as one, each word once.
local function both(first, second)
  for word in second:gmatch("[^,%s]+") do
    if not ("," .. first:gsub("%s", "") .. ","):find("," .. word .. ",", 1, true) then first = first .. "," .. word end
  end
  return first
end

local function set(list, places, name, value)
  local lower = name:lower()
  local at = places[lower]
  if at and joins[lower] and type(value) == "string" and type(list[at].value) == "string" then
    value = both(list[at].value, value)
  end
  if not at then
    at = #list + 1
    places[lower] = at
  end
  list[at] = { name = name, value = value, line = type(value) == "string" and name .. ": " .. value or nil }
end

local function add_all(list, places, headers)
  if not headers then return end
  local names = {}
  for name in pairs(headers) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do
    local value = headers[name]
    if value == false then
      local at = type(name) == "string" and places[name:lower()]
      if at then list[at].gone = true end
    else
      check(name, value)
      set(list, places, name, type(value) == "number" and tostring(value) or value)
    end
  end
end

--- Options that are headers, at whatever gateway.
local named = {
  { "vendor", "vendor" }, { "app_url", "HTTP-Referer" }, { "app_title", "X-Title" }, { "idempotency_key", "Idempotency-Key" },
}

--- The header of the key: a token of its own name, or the usual one.
local function add_key(list, places, name)
  local bearer = not name or name == "bearer"
  list[1] = { name = bearer and "Authorization" or name, prefix = bearer and "Bearer " or "" }
  places[list[1].name:lower()] = 1
end

--- What headers a request has, without the key itself.
--- @param client table
--- @param options table     effective
--- @param dialect_headers table?
--- @param stream boolean
--- @return multimodal.HeaderPlan
function M.plan(client, options, dialect_headers, stream)
  local list, places = {}, {}
  if client.key.given then add_key(list, places, client.profile.auth) end
  set(list, places, "Content-Type", "application/json")
  set(list, places, "Accept", stream and "text/event-stream" or "application/json")
  add_all(list, places, dialect_headers)
  add_all(list, places, client.profile.headers)
  for _, pair in ipairs(named) do
    local value = options[pair[1]]
    if value then
      check(pair[2], value)
      set(list, places, pair[2], value)
    end
  end
  add_all(list, places, options.headers)
  local kept = { keyed = false, asks = false }
  for _, header in ipairs(list) do
    if not header.gone then
      kept[#kept + 1] = header
      kept.keyed = kept.keyed or header.prefix ~= nil
      kept.asks = kept.asks or type(secret.reveal(header.value)) == "function"
    end
  end
  return kept
end

--- A value at the moment of sending; a secret may be a function.
local function value_of(header)
  local value = secret.reveal(header.value)
  if type(value) ~= "function" then return value end
  value = value()
  check(header.name, value)
  return secret.reveal(value)
end

local function joined(plan, key_text)
  local lines = {}
  for i = 1, #plan do
    local header = plan[i]
    lines[i] = header.line or header.name .. ": " .. (header.prefix and header.prefix .. key_text or value_of(header))
  end
  return lines
end

-- The lines that were sent last of a plan, and the key in them: beside the plans, where no dump shows it. Most requests
-- of a client have the same.
local sent = setmetatable({}, { __mode = "k" })

--- The headers as they go out: "Name: value". Not to be changed.
--- @param plan multimodal.HeaderPlan
--- @param key multimodal.Key
--- @return string[]? lines
--- @return multimodal.Error? err  no key, or a bad one
function M.lines(plan, key)
  local text, err
  if plan.keyed then
    text, err = key:get()
    if not text then return nil, err end
  end
  local last = sent[plan]
  if last and last.key == text and not plan.asks then return last.lines end
  local lines = joined(plan, text)
  sent[plan] = { key = text, lines = lines }
  return lines
end

--- What a server says, without the credentials that were sent: some repeat them.
--- @param plan multimodal.HeaderPlan
--- @param text string
--- @return string
function M.scrubbed(plan, text)
  local last = sent[plan]
  for i, line in ipairs(last and last.lines or {}) do
    local header = plan[i]
    if header.prefix or secret.is(header.value) or is_credential(header.name) then
      local value = line:sub(#header.name + 3)
      text = secret.mask(secret.mask(text, value), value:match("^%a+ +(%S+)$") or "")
    end
  end
  return text
end

--- The headers for people: credentials by the name of a variable.
--- @param plan multimodal.HeaderPlan
--- @param key multimodal.Key
--- @return table<string, string>
function M.shown(plan, key)
  local shown = {}
  for _, header in ipairs(plan) do
    if header.prefix then
      shown[header.name] = header.prefix .. "$" .. key.variable
    elseif secret.is(header.value) or is_credential(header.name) then
      shown[header.name] = "$" .. header.name:upper():gsub("%W", "_")
    else
      shown[header.name] = header.value
    end
  end
  return shown
end

return M
