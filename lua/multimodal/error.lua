--- The one error class: what failed, in words and in fields. Returned for what the world does, raised for misuse.
local M = {}

--- @class multimodal.Error
--- @field kind string            one of M.kinds
--- @field message string         one or more sentences, no secret in them
--- @field status integer?        HTTP status
--- @field code string?           the provider's code, the errno name, or which clock
--- @field retryable boolean      whether the same call may succeed later
--- @field retry_after number?    seconds the server asked for
--- @field request_id string?
--- @field request_ids string[]?  one an attempt that told its id
--- @field attempts integer?      requests made
--- @field maybe_accepted boolean? the server may have begun paid work
--- @field told table?            what the answer said of another attempt: {parsed: boolean, retry: boolean?}
--- @field partial table?         the reply as far as it had arrived
--- @field body string?           the first 4096 bytes of the body
--- @field where string?          the caller's line, "describe.lua:12"
--- @field part string?           "messages[2].content[1]"
--- @field fallbacks multimodal.Error[]?  of the clients that were asked before
--- @field task_id string?       of a task that failed, or was not waited for
--- @field gateway string?
--- @field model string?
local Error = { __name = "multimodal.error" }
Error.__index = Error

-- C modules make their errors with the metatable of this name, so theirs and ours are one class.
local class_name = "multimodal.error"
do
  local registry = debug.getregistry()
  local class = registry[class_name] or {}
  for name, value in pairs(Error) do class[name] = value end
  class.__index = class
  registry[class_name], Error = class, class
end

M.kinds = {
  network = true, tls = true, timeout = true, cancelled = true, auth = true, permission = true, billing = true,
  not_found = true, bad_request = true, too_large = true, rate_limit = true, quota = true, content_filter = true,
  overloaded = true, server = true, protocol = true, truncated = true, unsupported = true, file = true, schema = true,
  no_output = true, budget = true, limit = true, task_failed = true, task_expired = true,
}

local retryable = { network = true, timeout = true, rate_limit = true, overloaded = true, server = true }

--- Make an error of a table of fields, or adopt the one that a C module returned.
--- @param fields table        kind and message at least; the table becomes the error
--- @param more table?         further fields, kept where the error has none of its own
--- @return multimodal.Error
function M.new(fields, more)
  if more then
    for name, value in pairs(more) do
      if fields[name] == nil then fields[name] = value end
    end
  end
  assert(M.kinds[fields.kind], fields.kind)
  if fields.code ~= nil then fields.code = tostring(fields.code) end
  if fields.retryable == nil then fields.retryable = retryable[fields.kind] or false end
  return setmetatable(fields, Error)
end

--- @param value any
--- @return boolean
function M.is(value)
  return getmetatable(value) == Error
end

--- Where this library lives: whoever is not in there called it.
local root = debug.getinfo(1, "S").source:match("^(@.*[/\\])[^/\\]*$")

--- The first function on the stack that is Lua and not of this library: its level as the caller of this
--- function counts, and its record.
local function outside()
  local level = 3
  local info = debug.getinfo(level, "Sl")
  while info and (info.currentline <= 0 or info.source:sub(1, #root) == root) do
    level = level + 1
    info = debug.getinfo(level, "Sl")
  end
  if not info then return nil end
  return level - 1, info
end

--- The line of the first caller outside this library, as "file.lua:12".
--- @return string?
function M.caller()
  local _, info = outside()
  return info and (info.short_src:match("[^/\\]+$") or info.short_src) .. ":" .. info.currentline
end

--- Raise a misuse at the line of the first caller outside this library.
--- @param message string
function M.misuse(message)
  error(message, outside() or 2)
end

local function origin(self)
  local words = {}
  if self.status then words[#words + 1] = tostring(self.status) end
  if self.kind == "file" or self.kind == "timeout" then words[#words + 1] = self.code end
  local who = {}
  who[#who + 1] = self.gateway
  who[#who + 1] = self.model
  if who[1] then words[#words + 1] = table.concat(who, " ") end
  return words[1] and " (" .. table.concat(words, ", ") .. ")" or ""
end

local function history(self)
  local words = {}
  if self.attempts and self.attempts > 1 then words[#words + 1] = self.attempts .. " attempts" end
  if self.request_id then words[#words + 1] = "request " .. self.request_id end
  return words[1] and " " .. table.concat(words, ", ") or ""
end

local function sentence(text)
  return text:find("[%.!?%)\"]$") and text or text .. "."
end

--- One line: `describe.lua:12: rate_limit (429, yourouter gpt-4o): Slow down. 3 attempts, request req_abc`
function Error:__tostring()
  local tail = history(self)
  local message = self.message or ""
  if self.part and not message:find(self.part, 1, true) then message = self.part .. ": " .. message end
  return (self.where and self.where .. ": " or "")
    .. self.kind .. origin(self) .. ": "
    .. (tail ~= "" and sentence(message) or message) .. tail
end

function Error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

--- `error(err, 0)` for a host that prints no error tables: raise a returned error as its text.
--- @generic T
--- @param value T?
--- @param err multimodal.Error?
--- @return T
function M.check(value, err, ...)
  if value == nil and err ~= nil then error(tostring(err), 0) end
  return value, err, ...
end

return M
