--- What the headers of a reply say about it, whoever sent it.
--- Names: get request_id retry_after reset remaining should_retry.
local moment = require("multimodal.moment")

local M = {}

--- A header by its lower-case name; the first value where there are several.
--- @param headers table?
--- @param name string
--- @return string?
function M.get(headers, name)
  local value = headers and headers[name]
  if type(value) == "table" then value = value[1] end
  if value == nil or value == "" then return nil end
  return tostring(value)
end

--- Where gateways put the id of a request, the most telling first.
local id_names = {
  "x-request-id", "x-generation-id", "request-id", "anthropic-request-id", "x-oneapi-request-id",
  "x-new-api-request-id", "x-litellm-call-id", "apim-request-id", "x-goog-request-id", "x-amzn-requestid",
  "x-tt-logid", "x-client-request-id", "cf-ray", "x-trace-id", "traceparent",
}

local function text(value)
  if type(value) == "number" then value = tostring(value) end
  return type(value) == "string" and value ~= "" and value or nil
end

local function in_words(message)
  local id = type(message) == "string" and message:match("[Rr]equest id:%s*([^%s%)]+)")
  return id and id:gsub("[%.,;]+$", "") or nil
end

--- The id of a request, from the headers or else from the body.
--- @param headers table?  by lower-case name
--- @param body any?       the decoded body
--- @return string?
function M.request_id(headers, body)
  for i = 1, headers and #id_names or 0 do
    local name = id_names[i]
    local id = headers[name] and M.get(headers, name)
    if id then return id end
  end
  if type(body) ~= "table" or body.request_id == nil and body.error == nil and body.message == nil then return nil end
  local err = type(body.error) == "table" and body.error or {}
  return text(body.request_id) or text(err.request_id) or in_words(err.message) or in_words(body.error)
    or in_words(body.message)
end

--- Now, as the server's clock has it: a wrong one here does not count.
local function time_of(headers, now)
  local date = M.get(headers, "date")
  return date and moment.http(date) or now or os.time()
end

--- A count of seconds that makes sense to wait, or nil. Lua's own spellings of numbers (0x10) are none of HTTP's.
local function wait(value, unit)
  local number = not tostring(value):find("[xX]") and tonumber(value)
  if not number or number ~= number or number < 0 or number == math.huge then return nil end
  return number / (unit or 1)
end

--- Seconds that the server asks to wait: `retry-after-ms`, or `retry-after` as seconds or as a date, which counts
--- from the reply's own `date`.
--- @param headers table?
--- @param now? number  seconds since 1970, where the reply has no date
--- @return number?
function M.retry_after(headers, now)
  local value = wait(M.get(headers, "retry-after-ms"), 1000)
  if value then return value end
  local after = M.get(headers, "retry-after")
  if not after then return nil end
  -- Two headers of that name arrive as one, and a date begins with a letter.
  after = after:match("^%s*(%d[%d.]*)%s*,") or after
  if tonumber(after) then return wait(after) end
  local at = moment.http(after)
  if not at then return nil end
  return math.max(0, at - time_of(headers, now))
end

local units = { h = 3600, m = 60, s = 1, ms = 1e-3, us = 1e-6, ["\194\181s"] = 1e-6, ns = 1e-9 }

--- Seconds of a duration as Go writes it: "6m0s", "12ms", "1h2m3.5s".
local function duration(text_of)
  local sum, rest = 0, text_of
  while rest ~= "" do
    local number, unit, more = rest:match("^(%d+%.?%d*)([^%d.]+)(.*)$")
    if not units[unit] then return nil end
    sum, rest = sum + tonumber(number) * units[unit], more
  end
  return text_of ~= "" and sum or nil
end

-- Larger bare numbers are moments: since 1970, in milliseconds or in seconds.
local least_ms, least_s = 1e11, 1e9

--- Seconds until a bucket is full again, from any form in which a gateway says it.
local function until_full(value, from)
  local number = tonumber(value)
  if number then
    if number >= least_s then number = (number >= least_ms and number / 1000 or number) - from end
    return wait(math.max(0, number))
  end
  local at = moment.rfc3339(value)
  return at and math.max(0, at - from) or duration(value)
end

--- The header that tells when the bucket of `name` is full again.
local function reset_of(name)
  local kind = name:match("^x%-ratelimit%-remaining(.*)$")
  if kind then return "x-ratelimit-reset" .. kind end
  kind = name:match("^(anthropic%-ratelimit%-.+)%-remaining$")
  return kind and kind .. "-reset"
end

--- Seconds until the last empty bucket of a rate limit is full again: `x-ratelimit-remaining-*` that is 0 with its
--- `x-ratelimit-reset-*`, and Anthropic's pairs.
--- @param headers table?
--- @param now? number  seconds since 1970, where the reply has no date
--- @return number?
function M.reset(headers, now)
  local longest
  for name in pairs(headers or {}) do
    local reset = reset_of(name)
    local value = reset and tonumber(M.get(headers, name)) == 0 and M.get(headers, reset)
    local left = value and until_full(value, time_of(headers, now))
    if left and (not longest or left > longest) then longest = left end
  end
  return longest
end

--- How many requests or tokens may still be asked for before the bucket is full again.
--- @param headers table?
--- @param what "requests"|"tokens"
--- @return number?
function M.remaining(headers, what)
  local value = M.get(headers, "x-ratelimit-remaining-" .. what) or M.get(headers, "anthropic-ratelimit-" .. what .. "-remaining")
    or what == "requests" and M.get(headers, "x-ratelimit-remaining")
  return wait(value)
end

--- What the server says about trying again, nil where it says nothing.
--- @param headers table?
--- @return boolean?
function M.should_retry(headers)
  local word = (M.get(headers, "x-should-retry") or ""):lower()
  if word == "true" then return true end
  if word == "false" then return false end
  return nil
end

return M
