--- A conversation as JSON text, and back. The text comes from outside when it is read: nothing in it opens a file, names a
--- host for a key, or is run.
--- Names: write read.
local access = require("multimodal.client.access")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local options_table = require("multimodal.options")
local tool_calls = require("multimodal.reply.tool_calls")
local urls = require("multimodal.policy.url")

local M = {}

local mark, version = "chat", 1

--- Options that are values and say nothing of keys, hosts and functions.
local saved_options = {
  "tool_choice", "parallel_tools", "max_steps", "max_tokens", "temperature", "top_p", "top_k", "stop", "seed", "n", "reasoning",
  "modalities", "aspect_ratio", "image_size", "voice", "audio_format", "model", "image_model", "extra", "check",
}

local function origin_of(client)
  local parts = urls.split(client.base.root)
  return parts and urls.origin(parts) or ""
end

--- Writing.

local function forbidden()
  return nil, error_class.new {
    kind = "file", code = "forbidden", message = "files are off (files = false); pass { bytes = } or a URL",
  }
end

local function write_media(part, options)
  local saved = {
    kind = part.kind, transcript = part.transcript, id = part.id, mime = part:mime(),
    options = next(part.options) ~= nil and part.options or nil,
  }
  if part.url and not part.blob then
    saved.url = part.url
    return { media = saved }
  end
  if part.path and not part.blob and options.files == false then return forbidden() end
  local opened, err = part:opened()
  if not opened then return nil, err end
  if opened.blob then saved.data, saved.mime = json.base64_of(opened.blob), opened:mime() end
  return { media = saved }
end

--- Whether a part is text and nothing else, so that any dialect can say it.
local function is_text(part)
  for name in pairs(part) do
    if name ~= "type" and name ~= "text" and name ~= "extra" then return false end
  end
  return part.type == "text" and type(part.text) == "string"
end

local function write_part(part, options)
  if media.is(part) then return write_media(part, options) end
  if is_text(part) then return { text = part.text, extra = part.extra } end
  return { raw = part }
end

local function write_content(content, place, options)
  local list = {}
  for i, part in ipairs(content) do
    local saved, err = write_part(part, options)
    if not saved then
      err.part = ("%s.content[%d]"):format(place, i)
      return nil, err
    end
    list[i] = saved
  end
  return json.array(list)
end

local function write_calls(calls)
  if not calls then return nil end
  local list = {}
  for i, call in ipairs(calls) do list[i] = { id = call.id, name = call.name, arguments = call.arguments_raw } end
  return json.array(list)
end

--- Fields of a message that are saved as they are.
local plain_fields = { "role", "plain", "name", "tool_call_id", "tool_name", "error", "dialect", "native", "extra", "wire" }

local function write_message(message, place, options)
  local content, err = write_content(message.content, place, options)
  if not content then return nil, err end
  local saved = { content = content, tool_calls = write_calls(message.tool_calls) }
  for _, name in ipairs(plain_fields) do saved[name] = message[name] end
  return saved
end

local function write_messages(list, options)
  local saved = {}
  for i, message in ipairs(messages.of(list)) do
    local one, err = write_message(message, ("messages[%d]"):format(i), options)
    if not one then return nil, err end
    saved[i] = one
  end
  return json.array(saved)
end

--- @param chat multimodal.Chat
--- @return string? text
--- @return multimodal.Error? err
function M.write(chat)
  local rules = chat.client.options
  local list, err = write_messages(chat.messages, rules)
  local given, options = chat.given, {}
  local system = list and given.system and messages.new("system", given.system)
  if system then options.system, err = write_message(system, "system", rules) end
  if err then return nil, error_class.new(err, { where = error_class.caller() }) end
  for _, name in ipairs(saved_options) do options[name] = given[name] end
  local text, fault = json.encode {
    multimodal = mark, version = version, origin = origin_of(chat.client), gateway = chat.client.name,
    model = chat.client.options.model, options = options, messages = list,
  }
  if not text then return nil, error_class.new(fault, { where = error_class.caller() }) end
  return text
end

--- Reading.

local function refuse(place, why)
  error(error_class.new {
    kind = "bad_request", code = "dump", part = place, message = ("%s: %s"):format(place, why),
  }, 0)
end

--- A field of a saved table, nil where it is absent or null.
local function field(saved, name, kind, place)
  local value = saved[name]
  if value == nil or value == json.null then return nil end
  if type(value) ~= kind then refuse(place, ("%s: expected a %s, got %s"):format(name, kind, type(value))) end
  return value
end

local kinds = { image = true, audio = true, video = true, file = true }

local function part_options(saved, place)
  local options = field(saved, "options", "table", place) or {}
  for name, value in pairs(options) do
    local known = options_table.part[name]
    if not known or not known.test(value) then refuse(place, ("options: %s is none of a part"):format(tostring(name))) end
  end
  return options
end

local function bytes_part(kind, data, saved, place, options)
  local bytes, mime = core.base64_decode(data), field(saved, "mime", "string", place)
  if not bytes then refuse(place, "the base64 is broken") end
  local known = options_table.part.mime
  if mime and (not known.test(mime) or mime:find("[%c\127-\255]")) then refuse(place, "mime: expected " .. known.says) end
  return media.from_blob(kind, core.blob(bytes, mime), options)
end

local function read_media(saved, place, rules)
  local kind = field(saved, "kind", "string", place)
  if not kinds[kind] then refuse(place, "kind: expected image, audio, video or file") end
  local options, part = part_options(saved, place), nil
  local data, url = field(saved, "data", "string", place), field(saved, "url", "string", place)
  if data then
    part = bytes_part(kind, data, saved, place, options)
  elseif url then
    if not url:find("^[Hh][Tt][Tt][Pp][Ss]?://[^%s%c]+$") and not url:find("^[sg][3s]://[^%s%c]+$") then
      refuse(place, "the url is none of http, https, s3 and gs")
    end
    part = media.from_url(kind, url, options)
    part.access = rules
  end
  local id = field(saved, "id", "string", place)
  part = part or id and id ~= "" and media.new(kind, { file_id = id }) or refuse(place, "a medium without bytes, url and id")
  part.transcript, part.id = field(saved, "transcript", "string", place), id
  return part
end

local function read_part(saved, place, rules)
  if type(saved) ~= "table" then refuse(place, "expected a table") end
  local medium, text = field(saved, "media", "table", place), field(saved, "text", "string", place)
  if medium then return read_media(medium, place, rules) end
  if text then return messages.text(text, field(saved, "extra", "table", place)) end
  return field(saved, "raw", "table", place) or refuse(place, "neither text nor media nor raw")
end

local function read_calls(saved, place)
  local list = field(saved, "tool_calls", "table", place)
  if not list then return nil end
  local calls = {}
  for i, call in ipairs(list) do
    local at = ("%s.tool_calls[%d]"):format(place, i)
    if type(call) ~= "table" then refuse(at, "expected a table") end
    calls[i] = tool_calls.call(field(call, "id", "string", at), field(call, "name", "string", at), field(call, "arguments", "string", at))
  end
  return calls
end

local field_kinds = {
  plain = "boolean", name = "string", tool_call_id = "string", tool_name = "string", error = "boolean", extra = "table",
  dialect = "string", wire = "table",
}

local roles = { system = true, user = true, assistant = true, tool = true, developer = true }

local function read_message(saved, place, rules, same)
  if type(saved) ~= "table" then refuse(place, "expected a table") end
  local role = field(saved, "role", "string", place)
  if not roles[role] then refuse(place, "role: expected system, user, assistant or tool") end
  local message = messages.new(role, "")
  message.content, message.plain = {}, nil
  for i, part in ipairs(field(saved, "content", "table", place) or {}) do
    message.content[i] = read_part(part, ("%s.content[%d]"):format(place, i), rules)
  end
  message.tool_calls = read_calls(saved, place)
  for name, kind in pairs(field_kinds) do message[name] = field(saved, name, kind, place) end
  if same then message.native = field(saved, "native", "table", place) end
  return message
end

local function read_options(saved, rules)
  local options = {}
  for _, name in ipairs(saved_options) do
    local value = saved[name]
    if value ~= nil and value ~= json.null then
      local fits = value == false or options_table.known[name].test(value)
      if not fits then refuse("options", name .. ": expected " .. options_table.known[name].says) end
      options[name] = value
    end
  end
  local system = field(saved, "system", "table", "options")
  if system then
    local message = read_message(system, "system", rules, true)
    options.system = message.plain and message.content[1] and message.content[1].text or message.content
  end
  return options
end

local function read(text, client)
  local saved, err = json.decode(text, { null = true, exact = true })
  if err then refuse("chat", "the text is no conversation: " .. err.message) end
  if type(saved) ~= "table" or saved.multimodal ~= mark then refuse("chat", "the text is no conversation that chat:dump() made") end
  if saved.version ~= version then refuse("chat", ("version %s is not known here"):format(tostring(saved.version))) end
  local rules, same = access.of(client, client.options), saved.origin == origin_of(client)
  local list, warnings = {}, {}
  for i, message in ipairs(field(saved, "messages", "table", "chat") or {}) do
    list[i] = read_message(message, ("messages[%d]"):format(i), rules, same)
    for _, part in ipairs(list[i].content) do
      if part.access then access.equip(part, rules, warnings) end
    end
  end
  if not same then
    warnings[#warnings + 1] = ("the conversation came from %s; what only that gateway reads is left out"):format(tostring(saved.origin))
  end
  return { messages = list, options = read_options(field(saved, "options", "table", "chat") or {}, rules), warnings = warnings }
end

--- @param text string
--- @param client multimodal.Client
--- @return {messages: multimodal.Message[], options: table, warnings: string[]}? saved
--- @return multimodal.Error? err
function M.read(text, client)
  local fine, saved = pcall(read, text, client)
  if fine then return saved end
  if not error_class.is(saved) then error(saved, 0) end
  saved.where = error_class.caller()
  return nil, saved
end

return M
