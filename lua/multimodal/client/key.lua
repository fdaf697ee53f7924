--- The key of a client: where it comes from, and how it is named where it must not be shown.
--- Names: new.
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local secret = require("multimodal.client.secret")

local M = {}

--- @class multimodal.Key
--- @field source multimodal.Secret?   nil: the environment
--- @field variable string             how the key is named in curl lines and messages
--- @field given boolean               whether there is anything to ask
local Key = {}
Key.__index = Key

--- @param value string|function|multimodal.Secret|nil
--- @param variable string?  of the environment
--- @return multimodal.Key
function M.new(value, variable)
  if type(value) == "table" and not secret.is(value) then
    error_class.misuse("api_key: expected a string, a function or mm.secret, got a table")
  end
  return setmetatable({
    source = value and secret.new(value) or nil,
    variable = variable or "API_KEY",
    from_environment = not value and variable ~= nil,
    given = value ~= nil and value ~= false or variable ~= nil,
  }, Key)
end

local function refuse(message, cause)
  return nil, error_class.new { kind = "auth", message = message, code = cause }
end

--- Ask the user's function, which may say for how many seconds its answer holds.
local function ask(self, provider)
  if self.cached and os.time() < self.expires then return secret.reveal(self.cached) end
  local value, seconds = provider()
  if value == nil then
    if error_class.is(seconds) then return nil, seconds end
    return refuse("the api_key function gave no key" .. (seconds and ": " .. tostring(seconds) or ""), "no_key")
  end
  value = secret.reveal(value)
  if type(value) == "string" and type(seconds) == "number" then
    self.cached, self.expires = secret.new(value), os.time() + seconds
  end
  return value
end

local function raw(self)
  if self.from_environment then return os.getenv(self.variable) end
  local value = secret.reveal(self.source)
  if type(value) == "function" then return ask(self, value) end
  return value
end

--- White space at the ends cut, and fit for a header.
local function checked(self, value)
  local text = type(value) == "string" and value:match("^%s*(.-)%s*$") or ""
  if text == "" and self.from_environment then
    return refuse(("no API key: set %s or pass api_key"):format(self.variable), "no_key")
  end
  if text == "" then return refuse("the api_key is empty or no string", "no_key") end
  if text:find("[%c\128-\255]") then return refuse("the api_key has a control character or a non-ASCII byte in it", "bad_key") end
  return text
end

-- The last key of each client as it was given and as it is sent: beside the objects, where no dump shows it.
local last = setmetatable({}, { __mode = "k" })

--- A name for the key that does not tell it: alike for the same key, in every process but where a function gives it.
--- @return string
function Key:identity()
  if not self.given then return "none" end
  local value = self.from_environment and os.getenv(self.variable) or secret.reveal(self.source)
  if type(value) == "function" then return tostring(value):gsub(": .*", "") .. " " .. self.variable end
  return core.sha256():update(value or ""):hex():sub(1, 16)
end

--- The key for one request.
--- @return string? key       nil alone when the client has none and needs none
--- @return multimodal.Error? err
function Key:get()
  if not self.given then return nil end
  -- One that was given as a text does not change.
  local known = last[self]
  if known and known.given == secret.reveal(self.source) then return known.sent end
  local value, err = raw(self)
  if err then return nil, err end
  if known and known.given == value then return known.sent end
  local text, fault = checked(self, value)
  if text then last[self] = { given = value, sent = text } end
  return text, fault
end

return M
