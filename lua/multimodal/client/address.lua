--- Where a request goes: base_url, path and query; and the same for people, with the name of a variable for each key in it.
--- Names: hide guarded of masked scrubbed.
local error_class = require("multimodal.error")
local headers = require("multimodal.client.headers")
local secret = require("multimodal.client.secret")
local urls = require("multimodal.policy.url")

local M = {}

local function stand_in(name)
  return "$" .. name:upper():gsub("%W", "_")
end

--- A query as it stands in a URL, keys by the names of variables.
local function masked(query)
  return (query:gsub("([^?&=]+)=([^&#]*)", function(name, value)
    return value ~= "" and headers.is_credential(name) and name .. "=" .. stand_in(name) or nil
  end))
end

--- A URL for people who need its query.
--- @param url string
--- @return string
function M.masked(url)
  local before, query = url:match("^([^?]*)(%?.*)$")
  return before and before .. masked(query) or url
end

--- A URL, or a query alone, with a key in it as a secret.
--- @param text string
--- @return string|multimodal.Secret
function M.guarded(text)
  local query = text:match("%?.*$")
  return query and masked(query) ~= query and secret.new(text) or text
end

--- A base_url with a key in it as a secret. Changes the table.
--- @param options table
function M.hide(options)
  local given = options.base_url
  if type(given) == "string" then options.base_url = M.guarded(given) end
  if given and type(secret.reveal(given)) ~= "string" then
    error_class.misuse("base_url: expected a string, or mm.secret of one, got " .. type(given))
  end
end

local function plain(value)
  value = secret.reveal(value)
  if type(value) == "function" then value = secret.reveal(value()) end
  return value
end

--- @param list {[1]: string, [2]: string}[]  each pair as it goes out, and as it is shown
local function add(list, name, value)
  local begin = urls.escape(name) .. "="
  local pair = begin .. urls.escape(plain(value))
  list[#list + 1] = { pair, (secret.is(value) or headers.is_credential(name)) and begin .. stand_in(name) or pair }
end

local function add_query(list, query)
  for name, value in pairs(query or {}) do
    if type(value) == "table" and not secret.is(value) then
      for _, one in ipairs(value) do add(list, name, one) end
    elseif value ~= false then
      add(list, name, value)
    end
  end
end

local function joined(root, list, which)
  local words = {}
  for i, pair in ipairs(list) do words[i] = pair[which] end
  return root .. "?" .. table.concat(words, "&")
end

--- The base URL keeps its own query, as some gateways put a version there.
--- @param client {base: {root: string, query: string|multimodal.Secret}}
--- @param path string
--- @param query table?   of the dialect
--- @param options table  effective: query, trailing_slash
--- @return string url                    for people, too
--- @return multimodal.Secret? target     where it goes, if there is a key in it
function M.of(client, path, query, options)
  local base = client.base
  local root = base.root .. path .. (options.trailing_slash and "/" or "")
  if not (query or options.query or base.query ~= "") then return root end
  local list = {}
  add_query(list, query)
  add_query(list, options.query)
  table.sort(list, function(a, b) return a[1] < b[1] end)
  local own = secret.reveal(base.query):gsub("^%?", "")
  if own ~= "" then table.insert(list, 1, { own, masked(own) }) end
  if not list[1] then return root end
  local url, shown = joined(root, list, 1), joined(root, list, 2)
  return shown, shown ~= url and secret.new(url) or nil
end

local function values_of(url)
  local list = {}
  for value in (url:match("%?(.*)$") or ""):gmatch("[^&=]+=([^&#]*)") do list[#list + 1] = value end
  return list
end

--- What a server says, without the keys that were in the query.
--- @param request {url: string, target: multimodal.Secret?}
--- @param text string
--- @return string
function M.scrubbed(request, text)
  if not request.target then return text end
  local shown, sent = values_of(request.url), values_of(secret.reveal(request.target))
  for i, value in ipairs(sent) do
    if value ~= shown[i] then
      local plain_value = value:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
      text = secret.mask(text, plain_value)
    end
  end
  return text
end

return M
