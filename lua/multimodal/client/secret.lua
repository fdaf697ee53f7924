--- A value that prints as "secret": for keys and headers.
--- Names: new is reveal.
local error_class = require("multimodal.error")

local M = {}

-- Texts are kept beside the objects, so that a dump of one shows nothing. Functions, which show nothing, are kept in them:
-- one may hold what holds the secret, and weak keys without ephemerons would keep both alive.
local texts = setmetatable({}, { __mode = "k" })

local Secret = { __name = "multimodal.secret" }

function Secret.__tostring()
  return "secret"
end

--- @class multimodal.Secret

--- @param value string|fun(): string?  a function is asked for each request
--- @return multimodal.Secret
function M.new(value)
  if M.is(value) then return value end
  if type(value) ~= "string" and type(value) ~= "function" then
    error_class.misuse("secret: expected a string or a function, got " .. type(value))
  end
  local secret = setmetatable({ ask = type(value) == "function" and value or nil }, Secret)
  if not secret.ask then texts[secret] = value end
  return secret
end

--- @param value any
--- @return boolean
function M.is(value)
  return getmetatable(value) == Secret
end

--- What is inside a secret; any other value is itself.
--- @param value any
--- @return any
function M.reveal(value)
  if M.is(value) then return value.ask or texts[value] end
  return value
end

return M
