--- An error of a gateway, in any of the shapes of wire-openai B.4, as one error.
--- Names: read (a body that failed) in_body (an error inside a decoded value) of_choice empty broken (text that is no JSON).
local error_class = require("multimodal.error")
local headers_of = require("multimodal.reply.headers")
local json = require("multimodal.json")
local kinds = require("multimodal.dialect.kinds")

local M = {}

local longest_message, longest_body, longest_title = 2000, 4096, 512

--- Keys are never in an error, also when a gateway quotes one.
local function without_keys(text)
  return (text:gsub("%f[%w]sk%-[%w_%-%*%.]+", "sk-***"))
end

--- At most n bytes of a text without keys, cut before a character, not in one.
local function head(text, n)
  text = without_keys(text:sub(1, 2 * n))
  if #text <= n then return text end
  while n > 0 and (text:byte(n + 1) or 0) >= 0x80 and text:byte(n + 1) < 0xC0 do n = n - 1 end
  return text:sub(1, n)
end

local function text(value)
  return type(value) == "string" and value:find("%S") and value or nil
end

local function word(value)
  if type(value) == "number" then
    return value % 1 == 0 and ("%.0f"):format(value) or tostring(value)
  end
  return text(value)
end

local function at(value, ...)
  for _, name in ipairs { ... } do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  return value
end

--- FastAPI's list of faults as one sentence.
local function faults(detail)
  if type(detail) ~= "table" then return text(detail) end
  local list = {}
  for _, fault in ipairs(detail) do
    local place = type(at(fault, "loc")) == "table" and table.concat(fault.loc, ".") or nil
    local message = text(at(fault, "msg")) or text(fault)
    if message then list[#list + 1] = place and place .. ": " .. message or message end
  end
  return list[1] and table.concat(list, "; ") or nil
end

--- The message that an upstream provider gave, inside what the router passes on.
local function dig(raw, depth)
  if type(raw) == "string" then
    local value = raw:find("^%s*[{%[]") and json.decode(raw)
    if type(value) ~= "table" then return text(raw) end
    raw = value
  end
  if type(raw) ~= "table" or depth > 4 then return nil end
  for _, name in ipairs { "message", "error", "detail", "details", "msg" } do
    local found = dig(raw[name], depth + 1)
    if found then return found end
  end
  return nil
end

local function of_upstream(err)
  local message = text(err.message)
  if message and not message:find("^Provider returned error") then return nil end
  local found = dig(at(err, "metadata", "raw"), 1)
  local who = text(at(err, "metadata", "provider_name"))
  return found and (who and who .. ": " .. found or found)
end

--- The words of an error, in the order of wire-openai B.4.
local function message_of(body)
  local err = body.error
  if type(err) == "table" then
    local message = of_upstream(err) or text(err.message)
    if message then return message end
  end
  return text(err) or text(body.message) or text(body.msg) or text(body.err) or text(body.error_msg) or faults(body.detail)
    or text(at(body, "header", "message")) or text(at(body, "response", "error", "message")) or text(at(err, "msg"))
end

--- Seconds to wait as a body tells them; nonsense is as good as nothing.
local function seconds(value)
  local number = tonumber(value)
  return number and number >= 0 and number < math.huge and number or nil
end

--- The details of an error: Google's list of reasons, quotas, how long to wait; Anthropic's code.
local function of_details(err, words)
  local wait
  words[#words + 1] = word(at(err, "details", "error_code"))
  for _, detail in ipairs(type(at(err, "details")) == "table" and err.details or {}) do
    local kind = text(at(detail, "@type")) or ""
    words[#words + 1] = word(at(detail, "reason"))
    if kind:find("google.rpc.RetryInfo$") then wait = seconds((word(detail.retryDelay) or ""):match("^([%d.]+)s$")) end
    for _, violation in ipairs(type(at(detail, "violations")) == "table" and detail.violations or {}) do
      if (text(at(violation, "quotaId")) or ""):find("PerDay") then words[#words + 1] = "quota_exceeded" end
    end
  end
  return wait
end

--- Codes and types, the most telling first, and the seconds the body asks to wait.
local function words_of(body)
  local err = type(body.error) == "table" and body.error or {}
  local words = {}
  for _, value in ipairs {
    { err.code }, { err.error_type }, { at(err, "metadata", "error_type") }, { at(err, "availability", "code") },
    { err.type }, { err.status }, { body.code }, { body.error_type }, { type(body.error) == "table" and "" or body.type },
  } do
    words[#words + 1] = word(value[1])
  end
  local wait = of_details(err, words)
  return words, seconds(at(err, "availability", "retry_after")) or seconds(err.retry_after) or seconds(body.retry_after)
    or wait
end

--- A status that stands in the body: E2, E3, E6, E8.
local function status_in(body, words)
  local named = tonumber(at(body, "error", "http_status"))
  if named then return named end
  for _, value in ipairs(words) do
    local number = tonumber(value)
    if number and number >= 400 and number < 600 then return number end
  end
  return nil
end

--- Statuses that an empty bucket explains.
local throttled = { [429] = true, [503] = true, [529] = true }

local function make(status, headers, body, raw, from_page)
  local words, wait = words_of(body)
  local failed = status and status >= 400 and status or nil
  local kind = kinds.of(words, failed or status_in(body, words))
  if failed == 402 then kind = "billing" end
  local verdict = headers_of.should_retry(headers)
  local available = at(body, "error", "availability", "retryable")
  if type(available) == "boolean" then verdict = available end
  local said = message_of(body)
  local message = said
    or (failed and ("HTTP %d"):format(failed)) or "the gateway sent an error without a message"
  return error_class.new {
    kind = kind,
    message = head(message, longest_message),
    status = failed,
    code = words[1],
    retryable = verdict,
    retry_after = headers_of.retry_after(headers) or wait or throttled[failed] and headers_of.reset(headers) or nil,
    told = { retry = verdict, parsed = not from_page and (said ~= nil or words[1] ~= nil) },
    request_id = headers_of.request_id(headers, body),
    body = raw and head(raw, longest_body),
  }
end

local function trimmed(words)
  return words:gsub("^%s+", ""):match("^(.*%S)")
end

local function title_of(data)
  local _, open = data:find("<[Tt][Ii][Tt][Ll][Ee]")
  local _, begin = data:find(">", open or #data + 1, true)
  local finish = begin and data:find("</", begin, true)
  return finish and trimmed(data:sub(begin + 1, math.min(finish - 1, begin + longest_title)))
end

--- What a page of a web server says: its title, or the text itself where it is no page.
local function of_page(data, status)
  data = data:sub(1, 65536)
  local title = title_of(data)
  if title then return title end
  if data:find("^%s*<") or not text(data) then return status and ("HTTP %d"):format(status) or nil end
  return trimmed(head(data:gsub("^%s+", ""), longest_title))
end

--- The data of an event stream that stands where a body should.
local function unframed(data)
  if not (data:find("^%s*event:") or data:find("^%s*data:")) then return data end
  local lines = {}
  for line in (data .. "\n"):gmatch("data: ?([^\r\n]*)\r?\n") do lines[#lines + 1] = line end
  return table.concat(lines, "\n")
end

--- The text of an event without the marks of lifted media.
local function plain(event)
  return ((event and event.data or ""):gsub("\1%d+\1", ""))
end

--- A body that failed, as an error.
--- @param status integer?
--- @param headers table?    by lower-case name
--- @param event table       {data = text, media = blobs}
--- @return multimodal.Error
function M.read(status, headers, event)
  local raw = plain(event)
  local data = unframed(raw)
  local value = data:find("^%s*[{%[\"]") and json.decode(data)
  if type(value) == "table" and value[1] ~= nil then value = value[1] end
  local from_page = type(value) ~= "table"
  if from_page then
    value = { message = text(value) or of_page(data, status and status >= 400 and status or nil) }
  end
  return make(status, headers, value, raw, from_page)
end

local function blank(err)
  if type(err) ~= "table" then return not text(err) end
  for _, name in ipairs { "message", "code", "type", "error_type", "metadata", "http_status" } do
    if err[name] ~= nil and err[name] ~= "" then return false end
  end
  return true
end

--- An error inside a decoded value of a 2xx reply, nil where there is none.
--- @param value table
--- @param event table
--- @return multimodal.Error?
function M.in_body(value, event)
  if value.error == nil and value.choices ~= nil and value.object ~= "error" then return nil end
  local answered = type(value.choices) == "table" and value.choices[1] ~= nil
  if answered and blank(value.error) then return nil end
  if not answered and not text(message_of(value)) and (value.error == nil or value.error == false) then return nil end
  return make(nil, nil, value, plain(event))
end

--- The error of one choice, where a router puts it.
--- @param err any
--- @param event table?
--- @return multimodal.Error?
function M.of_choice(err, event)
  if blank(err) then return nil end
  return make(nil, nil, { error = err }, plain(event))
end

--- A 2xx reply that holds neither an answer nor an error.
--- @param event table?
--- @return multimodal.Error
function M.empty(event)
  return error_class.new {
    kind = "protocol", message = "the gateway sent a reply without choices", body = head(plain(event), longest_body),
  }
end

--- Text that should have been JSON: a protocol error that shows how it begins.
--- @param event table
--- @param fault multimodal.Error?   what the reader said
--- @return multimodal.Error
function M.broken(event, fault)
  local raw = plain(event)
  local page = raw:find("^%s*<") and of_page(raw)
  local message = page and "the gateway sent a page, not JSON: " .. page
    or "the gateway sent no JSON" .. (fault and ": " .. fault.message or "")
  return error_class.new {
    kind = "protocol", message = head(message, longest_message), body = head(raw, longest_body),
  }
end

return M
