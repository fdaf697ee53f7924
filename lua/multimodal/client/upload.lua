--- ai:upload: bytes that go up once and are used in prompts by their link, remembered by what is in them until they expire.
--- Names: send replace.
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local media = require("multimodal.media")
local options_table = require("multimodal.options")

local M = {}

--- How each kind of host takes a file: send(client, part, options, tell) -> part | nil, err.
local protocols = {
  gemini = compat.lazy("multimodal.client.upload.gemini"), anthropic = compat.lazy("multimodal.client.upload.anthropic"),
}

local function fail(client, err)
  return nil, error_class.new(err, { gateway = client.name, where = error_class.caller() })
end

local function part_of(given)
  return media.is(given) and given or media.attach(given)
end

--- What is in a part, and as what it goes.
local function key_of(part)
  return part.blob:sha256() .. " " .. tostring(part:mime())
end

local function remembered(client, part)
  local known = client.shelf.uploads and client.shelf.uploads[key_of(part)]
  if known and (not known.expires_at or known.expires_at > os.time() + 60) then return known end
  return nil
end

local function remember(client, part, made)
  client.shelf.uploads = client.shelf.uploads or {}
  client.shelf.uploads[key_of(part)] = made
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

--- A hook that returns false stops the upload.
local function teller(options)
  return function(progress)
    if not options.on_upload or options.on_upload(progress) ~= false then return true end
    return nil, error_class.new { kind = "cancelled", code = "hook", message = "a hook returned false" }
  end
end

--- @async
--- @param client multimodal.Client
--- @param given multimodal.Media|string|table
--- @param more? table  on_upload, and clocks, retries and the like
--- @return multimodal.Media? part   to be used in prompts; .id .expires_at
--- @return multimodal.Error? err
function M.send(client, given, more)
  options_table.check(more or {})
  local protocol = protocols[client.profile.upload or ""]
  if not protocol then
    return fail(client, {
      kind = "unsupported", code = "upload", message = client.name .. " takes no uploads in this dialect; send the bytes, or a link",
    })
  end
  local options = options_table.over(client.options, more or {})
  local part, err = opened_of(client, part_of(given), options)
  if not part then return fail(client, err) end
  local made = remembered(client, part)
  if not made then
    made, err = protocol.send(client, part, options, teller(options))
    if not made then return fail(client, err) end
    remember(client, part, made)
  end
  return equipped(made, part)
end

local usual_most = 20 * 1024 * 1024 -- characters of base64

local function is_large(part, most)
  return media.is(part) and part.blob ~= nil and math.ceil(part.blob:size() / 3) * 4 > most
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

--- Upload the parts of messages that are too large to go inside a request, where upload = "auto" asks for it.
--- @async
--- @param client multimodal.Client
--- @param list multimodal.Message[]  media at hand; changed where a part is replaced
--- @param options table
--- @return multimodal.Message[]? list
--- @return multimodal.Error? err
function M.replace(client, list, options)
  local most = options.max_inline or usual_most
  for i, message in ipairs(list) do
    for j, part in ipairs(message.content) do
      if is_large(part, most) then
        local made, err = M.send(client, part, { on_upload = options.on_upload })
        if not made then
          err.part = err.part or ("messages[%d].content[%d]"):format(i, j)
          return nil, err
        end
        list[i] = with_part(list[i], j, made)
      end
    end
  end
  return list
end

return M
