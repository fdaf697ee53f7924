--- ai:upload: bytes that go up once and are used in prompts by their link, remembered by what is in them until they expire.
--- Names: send replace.
local compat = require("multimodal.compat")
local drivers = require("multimodal.runtime.driver")
local error_class = require("multimodal.error")
local media = require("multimodal.media")
local options_table = require("multimodal.options")

local M = {}

--- How each kind of host takes a file: send(client, part, options, tell) -> part | nil, err; tell(state, bytes done) -> fine | nil, err.
local protocols = {
  gemini = compat.lazy("multimodal.client.upload.gemini"), anthropic = compat.lazy("multimodal.client.upload.anthropic"),
}

local function fail(client, err)
  return nil, error_class.new(err, { gateway = client.name, where = error_class.caller() })
end

local function part_of(given)
  return media.is(given) and given or media.attach(given)
end

--- What is in a part, and as what it goes, where.
local function key_of(client, part)
  return ("%s %s %s"):format(client.profile.upload, part.blob:sha256(), tostring(part:mime()))
end

--- What a client remembers: files belong to whose key sent them.
local function memory_of(client)
  local shelf, owner = client.shelf, client.given.api_key or "the environment's"
  shelf.uploads = shelf.uploads or {}
  shelf.uploads[owner] = shelf.uploads[owner] or {}
  return shelf.uploads[owner]
end

local function remembered(client, part)
  local known = memory_of(client)[key_of(client, part)]
  if known and (not known.expires_at or known.expires_at > os.time() + 60) then return known end
  return nil
end

local function remember(client, part, made)
  memory_of(client)[key_of(client, part)] = made
  return made
end

--- The uploaded part with what was written beside its source.
local function equipped(made, part)
  local copy = media.new(part.kind, made, part.options)
  copy.expires_at = made.expires_at
  return copy
end

local function opened_of(client, part, options)
  if part.path and not part.blob and options.files == false then
    return nil, { kind = "file", code = "forbidden", message = "files are off (files = false); pass { bytes = }" }
  end
  local opened, err = part:opened()
  if not opened then return nil, err end
  if not opened.blob then
    return nil, {
      kind = "unsupported", code = "upload", message = "a link needs no upload to " .. client.name .. "; pass the file, or the link itself",
    }
  end
  if not opened:mime() then
    return nil, {
      kind = "bad_request", code = "mime", message = "the type of the bytes is unknown; say it: { ..., mime = \"image/png\" }",
    }
  end
  return opened
end

--- Tells the hook of the upload how far it is; one that returns false stops it.
local function teller(client, options, total)
  local hook = options.on_upload
  local now = options.clock and options.clock.now or (client.driver or drivers.current()).now
  local began, last = now(), 0
  return function(state, done)
    last = done or last
    local fine = not hook or hook { what = "upload", state = state, elapsed = now() - began, done = last, total = total } ~= false
    if fine then return true end
    return nil, error_class.new { kind = "cancelled", code = "hook", message = "a hook returned false" }
  end
end

local function send(client, part, options)
  local total = part.blob:size()
  local tell = teller(client, options, total)
  local made, err = protocols[client.profile.upload].send(client, part, options, tell)
  if made then
    tell("succeeded", total)
    return made
  end
  if err.kind ~= "cancelled" then tell("failed") end
  return nil, err
end

--- @async
--- @param client multimodal.Client
--- @param given multimodal.Media|string|table
--- @param more? table  on_upload, and clocks, retries and the like
--- @return multimodal.Media? part   to be used in prompts; .id .expires_at
--- @return multimodal.Error? err
function M.send(client, given, more)
  options_table.check(more or {})
  if not protocols[client.profile.upload or ""] then
    return fail(client, {
      kind = "unsupported", code = "upload", message = client.name .. " takes no uploads in this dialect; send the bytes, or a link",
    })
  end
  local options = options_table.over(client.options, more or {})
  local part, err = opened_of(client, part_of(given), options)
  if not part then return fail(client, err) end
  local made = remembered(client, part)
  if not made then
    made, err = send(client, part, options)
    if not made then return fail(client, err) end
    remember(client, part, made)
  end
  return equipped(made, part)
end

local usual_most = 20 * 1024 * 1024 -- characters of base64 in a request

local function encoded(bytes)
  return math.ceil(bytes / 3) * 4
end

--- What one part of a kind may weigh inside a request, in characters of base64.
local function most_of(part, options, limits, whole)
  if options.max_inline then return options.max_inline end
  local bytes = limits[part.kind] and limits[part.kind].bytes
  return bytes and math.min(whole, encoded(bytes)) or whole
end

--- The parts with bytes in messages, the largest first, and what they weigh together.
local function inline_of(list)
  local items, total = {}, 0
  for i, message in ipairs(list) do
    for j, part in ipairs(message.content) do
      if media.is(part) and part.blob then
        local size = encoded(part.blob:size())
        items[#items + 1], total = { i = i, j = j, part = part, size = size, order = #items }, total + size
      end
    end
  end
  table.sort(items, function(a, b)
    if a.size ~= b.size then return a.size > b.size end
    return a.order < b.order
  end)
  return items, total
end

--- The parts that do not go inside a request: each that is too large by itself, and the largest of what is too much together.
local function chosen(client, list, options)
  local limits = client.profile.limits or {}
  local whole = limits.request or usual_most
  local items, total = inline_of(list)
  local some = {}
  for _, item in ipairs(items) do
    if item.size > most_of(item.part, options, limits, whole) or total > whole then
      some[#some + 1], total = item, total - item.size
    end
  end
  return some
end

--- A message with one part in another's place.
local function with_part(message, at, part)
  local copy = {}
  for name, value in pairs(message) do copy[name] = value end
  copy.content = {}
  for j, one in ipairs(message.content) do copy.content[j] = one end
  copy.content[at] = part
  return setmetatable(copy, getmetatable(message))
end

--- What the dialect could not say of the messages anyway is found before anything goes up.
local function check(client, list, options)
  local wire, err = client.dialect.encode({ messages = list, options = { model = options.model, check = options.check } }, client.profile)
  return wire ~= nil, err
end

--- Options of a call that hold for its uploads too.
local carried = { "on_upload", "clock", "retries", "max_retry_after", "connect_timeout", "first_byte_timeout", "idle_timeout", "timeout" }

--- Upload the parts of messages that are too large to go inside a request, where upload = "auto" asks for it. A gateway that
--- takes no uploads is sent the bytes.
--- @async
--- @param client multimodal.Client
--- @param list multimodal.Message[]  media at hand; changed where a part is replaced
--- @param options table
--- @return multimodal.Message[]? list
--- @return multimodal.Error? err
function M.replace(client, list, options)
  local some = protocols[client.profile.upload or ""] and chosen(client, list, options) or {}
  if not some[1] then return list end
  local fine, err = check(client, list, options)
  if not fine then return nil, err end
  local own = {}
  for _, name in ipairs(carried) do own[name] = options[name] end
  for _, item in ipairs(some) do
    local made
    made, err = M.send(client, item.part, own)
    if not made then
      err.part = err.part or ("messages[%d].content[%d]"):format(item.i, item.j)
      return nil, err
    end
    list[item.i] = with_part(list[item.i], item.j, made)
  end
  return list
end

return M
