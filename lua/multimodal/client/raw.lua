--- A request as somebody else wrote it: a table, JSON text, or a file of it. It goes out as equal JSON.
--- Names: new load is written value.
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local lifted = require("multimodal.client.lifted")
local options_table = require("multimodal.options")

local misuse = error_class.misuse

local M = {}

--- @class multimodal.Raw
--- @field value table?     the request
--- @field text string?     or its JSON
--- @field path string?     or the file that holds it
--- @field dialect string?  whose request it is; the client's where absent
local Raw = { __name = "multimodal.raw_request" }
Raw.__index = Raw

local function check_dialect(name, dialect)
  if dialect ~= nil and type(dialect) ~= "string" then
    misuse(("%s: dialect: expected a string, got %s"):format(name, type(dialect)))
  end
  return dialect
end

--- A request that goes out as it is: the client's model fills an absent one, `stream` follows the method called, and
--- nothing else is added. What is wrong with a text is told when it is sent.
--- @param request table|string  a table, or JSON text
--- @param dialect? string       whose request it is, "gemini"; the client's unless given
--- @return multimodal.Raw
function M.new(request, dialect)
  check_dialect("raw", dialect)
  if type(request) == "string" then return setmetatable({ text = request, dialect = dialect }, Raw) end
  if type(request) ~= "table" then misuse("raw: expected a table or JSON text, got " .. type(request)) end
  if M.is(request) then misuse("raw: a raw request already") end
  return setmetatable({ value = request, dialect = dialect }, Raw)
end

--- A request from a file of JSON, read when it is sent; media in it never stand in memory.
--- @param path string
--- @param dialect? string
--- @return multimodal.Raw
function M.load(path, dialect)
  if type(path) ~= "string" or path == "" then misuse("load: expected a path, got " .. type(path)) end
  if path:find("\0", 1, true) then misuse("load: the path has a NUL in it") end
  return setmetatable({ path = path, dialect = check_dialect("load", dialect) }, Raw)
end

--- @param value any
--- @return boolean
function M.is(value)
  return getmetatable(value) == Raw
end

--- Options that would add to a request which goes out as it is.
local saying = {
  "system", "messages", "tools", "tool_choice", "parallel_tools", "max_steps", "schema", "max_tokens", "temperature",
  "top_p", "top_k", "stop", "seed", "n", "reasoning", "modalities", "aspect_ratio", "image_size", "voice", "audio_format",
}

--- The options of a call with a raw request, checked.
--- @param raw multimodal.Raw
--- @param more? table
--- @return table? options
function M.written(raw, more)
  if more ~= nil and type(more) ~= "table" then misuse("options: expected a table, got " .. type(more)) end
  local own = {}
  for name, value in pairs(more or {}) do
    options_table.check_value(name, value)
    own[name] = value
  end
  for _, name in ipairs(saying) do
    if own[name] then misuse(name .. ": a raw request goes out as it is; write it there, or pass extra = { ... }") end
  end
  own.dialect = raw.dialect or own.dialect
  return next(own) ~= nil and own or nil
end

local function broken(raw, err)
  err = error_class.new(err)
  err.kind = err.code == "too_large" and "too_large" or "bad_request"
  err.message = ("%s is no request: %s"):format(raw.path or "the text", err.message)
  return nil, err
end

local function decode(raw, read)
  local value, err = lifted.read(read, { null = true, exact = true })
  if err then return broken(raw, err) end
  return value
end

local function of_file(raw, options)
  if options.files == false then
    return nil, error_class.new { kind = "file", code = "forbidden", message = "files are off (files = false); pass mm.raw(text)" }
  end
  local blob, err = core.blob_file(raw.path)
  if not blob then return nil, error_class.new(err) end
  return decode(raw, lifted.of_blob(blob))
end

local function of_any(raw, options)
  if raw.value then return raw.value end
  if raw.path then return of_file(raw, options) end
  return decode(raw, lifted.of_text(raw.text))
end

local function is_object(value)
  local class = getmetatable(value)
  return type(value) == "table" and value[1] == nil and not (type(class) == "table" and class.__name == "multimodal.array")
end

--- The request as a table of its own, with what the call itself names put in.
--- @param raw multimodal.Raw
--- @param options table  effective
--- @param own? table     of the call
--- @return table? value
--- @return multimodal.Error? err
function M.value(raw, options, own)
  local value, err = of_any(raw, options)
  if err then return nil, err end
  if not is_object(value) then
    return broken(raw, { kind = "bad_request", code = "type", message = "expected an object, { ... }" })
  end
  local copy = {}
  for name, field in pairs(value) do copy[name] = field end
  if own then
    copy.model = own.model or copy.model
    for name, field in pairs(own.extra or {}) do copy[name] = field end
  end
  return copy
end

function Raw:__tostring()
  return "multimodal.raw_request: " .. (self.path or self.text and "text" or "table")
end

return M
