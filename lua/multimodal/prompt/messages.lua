--- Messages and the parts in them: pure values, nothing read.
--- Names: new is text list of content.
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local media = require("multimodal.media")

local misuse = error_class.misuse

local M = {}

local Message = { __name = "multimodal.message" }
Message.__index = Message

--- @param value any
--- @return boolean
function M.is(value)
  return getmetatable(value) == Message
end

--- Make a message of a table that has the fields of one, as a dialect reads it.
--- @param fields table   becomes the message
--- @return multimodal.Message
function M.adopt(fields)
  return setmetatable(fields, Message)
end

--- A reply that stands in a history: its class is above this one, so it is known by its name and speaks for itself.
local function is_reply(value)
  local class = getmetatable(value)
  return type(class) == "table" and class.__name == "multimodal.reply"
end

--- A text part.
--- @param text string
--- @param extra? table  further fields of the part on the wire
--- @return multimodal.TextPart
function M.text(text, extra)
  if type(text) ~= "string" then misuse("text: expected a string, got " .. type(text)) end
  if extra ~= nil and type(extra) ~= "table" then misuse("text: expected a table of fields, got " .. type(extra)) end
  return { type = "text", text = text, extra = extra }
end

--- Call `named(name, value)` for each named field and return the length of the list part; a hole, or a key that is
--- neither name nor position, is misuse.
--- @param list table
--- @param place string            names the list in errors
--- @param named fun(name: string, value: any, context: any)
--- @param context any
--- @return integer
function M.list(list, place, named, context)
  local most, found = 0, 0
  for key, value in pairs(list) do
    if type(key) == "string" then
      named(key, value, context)
    elseif type(key) == "number" and key >= 1 and key % 1 == 0 then
      found = found + 1
      if key > most then most = key end
    else
      misuse(("%s: key %s is neither a position nor a name"):format(place, tostring(key)))
    end
  end
  if found == most then return most end
  local hole = 1
  while list[hole] ~= nil do hole = hole + 1 end
  misuse(("%s[%d]: a hole in the list; put false where there may be nothing"):format(place, hole))
end

local function no_names(name, _, place)
  misuse(("%s: %s beside a list; options belong to the prompt, fields to a part with a type"):format(place, name))
end

local deepest = 64
local add_list

--- Append what one field says to a content list.
local function add(content, item, place, depth)
  local kind = type(item)
  if kind == "string" then
    content[#content + 1] = { type = "text", text = item }
  elseif item == false then
    return
  elseif kind ~= "table" then
    misuse(("%s: expected a string or a part, got %s"):format(place, kind))
  elseif media.is(item) or type(item.type) == "string" then
    content[#content + 1] = item
  elseif M.is(item) or is_reply(item) then
    misuse(place .. ": a message among parts; it belongs in messages = { ... }")
  else
    add_list(content, item, place, depth + 1)
  end
end

function add_list(content, list, place, depth)
  if depth > deepest then misuse(place .. ": a list that contains itself") end
  local n = M.list(list, place, no_names, place)
  if n == 0 and depth > 1 and next(list) == nil then return end
  for i = 1, n do add(content, list[i], place .. "[" .. i .. "]", depth) end
end

--- The first `n` fields of a list as content. One string alone stays a string on the wire.
--- @param list table
--- @param n integer
--- @param place string
--- @return (multimodal.TextPart|multimodal.Media|multimodal.RawPart)[] content
--- @return boolean plain
function M.content(list, n, place)
  local content, strings = {}, 0
  for i = 1, n do
    local item = list[i]
    if type(item) == "string" then strings = strings + 1 end
    add(content, item, place .. "[" .. i .. "]", 1)
  end
  return content, strings == 1 and #content == 1
end

local fields = { name = "string", extra = "table" }

local function field(name, value, message)
  if not fields[name] then
    misuse(("%s: unknown field %s; name and extra are known"):format(message.role, name))
  end
  if type(value) ~= fields[name] then
    misuse(("%s: %s: expected a %s, got %s"):format(message.role, name, fields[name], type(value)))
  end
  message[name] = value
end

--- A message of a role: of a string, a part, or a list of them with named fields beside.
--- @param role "system"|"user"|"assistant"
--- @param said string|table
--- @return multimodal.Message
function M.new(role, said)
  if type(said) == "string" then
    return setmetatable({ role = role, content = { { type = "text", text = said } }, plain = true }, Message)
  end
  local message = setmetatable({ role = role, content = {} }, Message)
  if type(said) == "table" and not media.is(said) and type(said.type) ~= "string" then
    if M.is(said) then misuse(role .. ": a message in a message") end
    local n = M.list(said, role, field, message)
    message.content, message.plain = M.content(said, n, role)
  else
    add(message.content, said, role, 1)
  end
  return message
end

local own = { role = true, content = true, name = true, extra = true }

--- Whether a content is a dialect's own through and through: a string, null, or parts that all are in its form.
local function is_native(content)
  if type(content) ~= "table" then return true end
  if media.is(content) or content.type ~= nil then return false end
  for _, part in pairs(content) do
    if type(part) ~= "table" or media.is(part) or type(part.type) ~= "string" or part.extra ~= nil then return false end
  end
  return true
end

--- A message written as a plain table with a role; fields that are not ours go out as they are.
local function of_table(written, place)
  if type(written.role) ~= "string" then misuse(place .. ": role: expected a string, got " .. type(written.role)) end
  local content = written.content
  if content == nil or content == json.null then content = {} end
  local message = M.new(written.role, content)
  message.name = written.name
  local extra = {}
  for name, value in pairs(written) do
    if not own[name] then extra[name] = value end
  end
  for name, value in pairs(type(written.extra) == "table" and written.extra or {}) do extra[name] = value end
  if next(extra) ~= nil then message.extra = extra end
  if is_native(written.content) and written.extra == nil then message.wire = written end
  return message
end

local add_messages

local function add_message(messages, item, place, depth)
  if M.is(item) then
    messages[#messages + 1] = item
  elseif type(item) ~= "table" or media.is(item) then
    misuse(("%s: expected a message, got %s; write mm.user { ... }"):format(place, media.is(item) and "a part" or type(item)))
  elseif is_reply(item) then
    messages[#messages + 1] = item.message
  elseif item.role ~= nil then
    messages[#messages + 1] = of_table(item, place)
  elseif item.type ~= nil then
    misuse(place .. ": a part; write mm.user { ... } around it")
  elseif item.content ~= nil then
    misuse(place .. ": role: expected a string, got nil")
  else
    add_messages(messages, item, place, depth + 1)
  end
end

function add_messages(messages, list, place, depth)
  if depth > deepest then misuse(place .. ": a list that contains itself") end
  for i = 1, M.list(list, place, no_names, place) do
    if list[i] then add_message(messages, list[i], place .. "[" .. i .. "]", depth) end
  end
end

--- A history as messages: messages, replies (their assistant message), tables with a role, and lists of these.
--- @param list table
--- @return multimodal.Message[]
function M.of(list)
  local messages = {}
  add_messages(messages, list, "messages", 1)
  return messages
end

return M
