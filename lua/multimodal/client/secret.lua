--- A value that prints as "secret": for keys and headers.
--- Names: new is reveal mask.
local error_class = require("multimodal.error")
local urls = require("multimodal.policy.url")

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
  if getmetatable(value) == Secret then return value.ask or texts[value] end
  return value
end

local shortest = 6 -- bytes of what is worth hiding
local cut = 512 -- bytes from which on a text may be the beginning of a longer one

local function without(text, value)
  if #value < shortest then return text end
  local at, till = text:find(value, 1, true)
  while at do
    text = text:sub(1, at - 1) .. "***" .. text:sub(till + 1)
    at, till = text:find(value, at + 3, true)
  end
  for n = #text >= cut and #value - 1 or 0, shortest, -1 do
    if text:sub(-n) == value:sub(1, n) then return text:sub(1, -n - 1) .. "***" end
  end
  return text
end

--- A text without a value that somebody repeats in it, as it is, as a URL has it, or as PHP writes it in JSON; nor does a long
--- one end with the beginning of that.
--- @param text string
--- @param value string
--- @return string
function M.mask(text, value)
  text = without(text, value)
  if value:find("[^%w._~-]") then text = without(without(text, urls.escape(value)), (value:gsub("/", "\\/"))) end
  return text
end

return M
