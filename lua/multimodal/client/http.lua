--- Any other endpoint of a gateway, with the client's key, headers and clocks.
--- Names: send get.
local address = require("multimodal.client.address")
local attempts = require("multimodal.client.attempts")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local headers = require("multimodal.client.headers")
local json = require("multimodal.json")
local observe = require("multimodal.client.observe")
local options_table = require("multimodal.options")
local transport = require("multimodal.client.transport")
local urls = require("multimodal.policy.url")

local misuse = error_class.misuse

local M = {}

local known = options_table.known

local function is_blob(value)
  local class = type(value) == "userdata" and getmetatable(value)
  return type(class) == "table" and class.__name == "multimodal.blob"
end

local text = { says = "a string", test = function(value) return type(value) == "string" end }

--- What a call may name.
--- @type table<string, multimodal.OptionType>
local fields = {
  method = text,
  path = text,
  json = { says = "a value", test = function() return true end },
  body = { says = "a string or a core.blob", test = function(value) return type(value) == "string" or is_blob(value) end },
  headers = known.headers,
  query = known.query,
  connect_timeout = known.connect_timeout,
  first_byte_timeout = known.first_byte_timeout,
  idle_timeout = known.idle_timeout,
  timeout = known.timeout,
  on_upload = known.on_upload,
  idempotent = { says = "true or false", test = function(value) return type(value) == "boolean" end },
}
for _, name in ipairs(attempts.options) do fields[name] = known[name] end

--- What came back. `body` and `json` are made when they are first asked for.
--- @class multimodal.HttpAnswer
--- @field status integer
--- @field headers table     by lower-case name
--- @field url string        the last one, after redirects
--- @field request_id string?
--- @field request_ids string[]  one an attempt that told its id
--- @field attempts integer
--- @field timing table     seconds
--- @field warnings string[]
--- @field blob userdata     the bytes as a core.blob: save them, or send them on
--- @field body string       the bytes
--- @field json any          the body as a value, nil where it is no JSON
local Answer = { __name = "multimodal.http_answer" }

local views = {}

function views.body(self)
  local blob = rawget(self, "blob")
  return blob and assert(blob:bytes()) or ""
end

function views.json(self)
  return (json.decode(self.body))
end

function Answer:__index(name)
  local make = views[name]
  if not make then return nil end
  local value = make(self)
  rawset(self, name, value)
  return value
end

function Answer:__tostring()
  return ("multimodal.http_answer: %d, %d bytes"):format(self.status, self.blob and self.blob:size() or 0)
end

--- The call as it travels; a mock may look at it as it looks at a prompt's request.
local Call = { __name = "multimodal.http_call" }
Call.__index = Call

function Call:json()
  return self.body and json.decode(tostring(self.body), { null = true }) or {}
end

--- What each method is to the rules of retrying. What writes is not written twice, unless the caller knows better.
--- @type table<string, multimodal.Operation>
local operations = {
  GET = "poll", HEAD = "poll", OPTIONS = "poll", POST = "create", PUT = "create", PATCH = "create", DELETE = "delete",
}

--- The fields of `{ "POST", "/embeddings", json = {...} }` by their names.
local function named(given)
  local all = {}
  for name, value in pairs(given) do
    if name == 1 or name == 2 then
      local field = (name == 2 or given[2] == nil) and "path" or "method"
      if given[field] ~= nil then misuse(("http: two values of %s"):format(field)) end
      all[field] = value
    else
      all[name] = value
    end
  end
  options_table.check(all, fields, "http: ")
  if type(all.path) ~= "string" or not all.path:find("^/") or all.path:find("[%c #?\127-\255]") then
    misuse('http: path: expected one such as "/embeddings", which follows base_url; a query goes into query = { ... }')
  end
  if all.json and all.body then misuse("http: json and body: one body is enough") end
  all.method = all.method and all.method:upper() or (all.json or all.body) and "POST" or "GET"
  if not operations[all.method] then misuse(("http: method: %q is none of HTTP's"):format(all.method)) end
  return all
end

local function body_of(call)
  if call.json == nil or call.json == false then
    if not call.body then return nil, { ["Content-Type"] = false } end
    return core.body_raw { call.body }, { ["Content-Type"] = is_blob(call.body) and call.body:mime() or "application/octet-stream" }
  end
  local body, err = core.body(call.json)
  if body then return body, nil end
  err = error_class.new(err)
  if err.code ~= "utf8" and err.code ~= "too_large" then misuse("http: json: " .. err.message) end
  err.kind = err.code == "utf8" and "bad_request" or "too_large"
  return nil, nil, err
end

local function read(answer)
  local event, err = answer.exchange:next()
  answer.exchange:close()
  if err then return nil, answer:fail(answer:cut(err)) end
  local made = setmetatable({
    status = answer.status, headers = answer.headers, url = answer.url, request_id = answer:request_id(),
    attempts = answer.attempts or 1, request_ids = answer:request_ids(), warnings = answer.request.warnings,
    timing = answer.exchange:timing(), blob = event and event.media and event.media[1],
  }, Answer)
  observe.response(answer.request, made, answer.exchange)
  return made
end

local function operation_of(call)
  local operation = operations[call.method]
  return operation == "create" and call.idempotent and "chat" or operation
end

--- Ask an endpoint of the client's gateway. `path` follows its base_url; the method is GET, with a body POST, unless it
--- is named.
--- @async
--- @param client multimodal.Client
--- @param given table  {method?, path, json=, body=, headers=, query=, clocks, retries and the like, and idempotent=,
---   which says that the call may be made again where it may have been served}
--- @return multimodal.HttpAnswer?
--- @return multimodal.Error? err   a status that is not 2xx among them, with err.status and err.body
function M.send(client, given)
  if type(given) ~= "table" then misuse('http: expected a table such as { "GET", "/models" }, got ' .. type(given)) end
  local call = named(given)
  local own = { model = false, trailing_slash = false, on_text = false, on_event = false, on_upload = false }
  for name, value in pairs(call) do
    if known[name] then own[name] = value end
  end
  local options = options_table.over(client.options, own)
  local body, head, err = body_of(call)
  if err then return nil, error_class.new(err, { gateway = client.name, where = error_class.caller() }) end
  local url, target = address.of(client, call.path, nil, options)
  local warnings = {}
  transport.warn(warnings, options, url)
  local answer
  answer, err = attempts.run(setmetatable({
    method = call.method,
    url = url,
    target = target,
    plan = headers.plan(client, options, head, false),
    body = body,
    client = client,
    options = options,
    warnings = warnings,
    streams = false,
    operation = "http",
    decoder = { format = "bytes" },
  }, Call), operation_of(call), read)
  if not answer then return nil, error_class.new(err, { gateway = client.name, where = error_class.caller() }) end
  return answer
end

--- GET a JSON value.
--- @async
--- @param client multimodal.Client
--- @param path string
--- @param query? table
--- @return any value
--- @return multimodal.Error? err
function M.get(client, path, query)
  local answer, err = M.send(client, { "GET", path, query = query })
  if not answer then return nil, err end
  local value = answer.json
  if value ~= nil then return value, nil, answer end
  return nil, error_class.new {
    kind = "protocol", code = "syntax", status = answer.status, gateway = client.name, request_id = answer.request_id,
    message = urls.shown(answer.url) .. " answered without JSON", where = error_class.caller(),
  }
end

return M
