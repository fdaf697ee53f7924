--- Decoded values in which media may stand where text was: the decoder lifts bytes out of long strings.
--- Names: is_blob is_mixed mixed is_text is_object text present list exact.
local json = require("multimodal.json")

local M = {}

local type, getmetatable = type, getmetatable
local nothing = {} -- for reading alone

local function class_name(value)
  local class = getmetatable(value)
  return type(class) == "table" and class.__name or nil
end

--- Bytes that the decoder lifted out of the text.
function M.is_blob(value)
  return type(value) == "userdata" and class_name(value) == "multimodal.blob"
end

--- A list of strings and blobs: text with media amid.
function M.is_mixed(value)
  return type(value) == "table" and class_name(value) == "multimodal.mixed"
end

local mixed_class

--- A list of strings and blobs, one blob at least, as text with media amid: its tostring is the original text.
--- @param list (string|userdata)[]
--- @param blob userdata  one of those in the list
function M.mixed(list, blob)
  mixed_class = mixed_class or getmetatable(json.decode('"x\1\49\1"', { media = { blob } }))
  return setmetatable(list, mixed_class)
end

--- Whether a value is text, bytes of which may have been lifted out.
function M.is_text(value)
  return type(value) == "string" or M.is_blob(value) or M.is_mixed(value)
end

--- Whether a value is an object, no list and no text.
function M.is_object(value)
  return type(value) == "table" and getmetatable(value) == nil and value[1] == nil
end

--- The original text of a field that may have been lifted; nil for what is no text.
--- @param value any
--- @return string?
function M.text(value)
  if type(value) == "string" then return value end
  if M.is_mixed(value) then return tostring(value) end
  if M.is_blob(value) then return tostring(M.mixed({ value }, value)) end
  return nil
end

--- The original text where there is any, else nil.
--- @param value any
--- @return string?
function M.present(value)
  if value == nil or value == "" then return nil end
  if type(value) == "string" then return value end
  local text = M.text(value)
  return text ~= "" and text or nil
end

local array_class = getmetatable(json.array {})

--- A list to read, empty where there is none.
--- @param value any
--- @return table
function M.list(value)
  if value == nil then return nothing end
  if getmetatable(value) ~= array_class and (type(value) ~= "table" or M.is_mixed(value)) then return nothing end
  return value[1] ~= nil and next(value, 1) == nil and value or json.closed(value)
end

--- The JSON of an event once more, with explicit nulls and exact numbers: what goes back must be what came.
--- @param event table   {data, media}; keeps what was read
--- @param at? integer   of the answer, where the event is a list of them; the first unless named
--- @return table?
function M.exact(event, at)
  if event.exact == nil then
    local exact = json.decode(event.data, { media = event.media, null = true, exact = true })
    event.exact = type(exact) == "table" and exact or false
  end
  local exact = event.exact
  if exact and (at or exact[1] ~= nil) then exact = exact[at or 1] end
  return type(exact) == "table" and exact or nil
end

return M
