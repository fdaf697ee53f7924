--- Before a request: files are opened, broken sources found, links fetched where that is wanted.
--- Names: messages.
local error_class = require("multimodal.error")
local links = require("multimodal.dialect.links")
local media = require("multimodal.media")
local transport = require("multimodal.client.transport")

local M = {}

local function at(i, j)
  return ("messages[%d].content[%d]"):format(i, j)
end

local function fault(fields, i, j)
  local err = error_class.new(fields)
  err.part = at(i, j)
  return nil, err
end

local expected = { image = "image", audio = "audio", video = "video" }

--- A picture that is a song by its bytes is sent as it is, and said; so is a name that the bytes contradict.
local function compare(part, i, j, warnings)
  local family, mime = expected[part.kind], part:likely_mime()
  if family and mime and not mime:find("^" .. family .. "/") and mime ~= "application/ogg" then
    warnings[#warnings + 1] = part.blob and ("%s: the bytes are %s, sent as %s"):format(at(i, j), mime, part.kind)
      or ("%s: the link ends like %s, sent as %s"):format(at(i, j), mime, part.kind)
  end
  local said, found, stands = part:misnamed()
  if said then
    warnings[#warnings + 1] = ("%s: %s is %s by its bytes, %s"):format(
      at(i, j), said, found, stands and "sent as it was said" or "sent as that")
  end
end

--- Whether the bytes of a link are wanted: not of what was uploaded, nor of a page that plays a film, which have none to give.
local function wants_link(part, options)
  local url = options.fetch and not part.id and part.url
  return url and url:find("^[Hh][Tt][Tt][Pp]") ~= nil and not links.is_youtube(url) and not links.is_uploaded(url)
end

--- How links are fetched: never more than goes inside a request.
local function fetching(options)
  if not options.max_inline or options.upload == "auto" then return options end
  local own = { max_bytes = math.floor(options.max_inline / 4) * 3 }
  return setmetatable(own, { __index = options })
end

local function resolve(part, options, warnings, i, j, client)
  local taken, refusal = true, nil
  local takes = client and client.dialect.takes
  if takes then taken, refusal = takes(part, client.profile, at(i, j)) end
  if not taken then return nil, refusal end
  if part.path and not part.blob and options.files == false then
    return fault({
      kind = "file", code = "forbidden",
      message = "files are off (files = false); pass { bytes = } or a URL",
    }, i, j)
  end
  local fetched = wants_link(part, options)
  if fetched then transport.warn(warnings, options, part.url) end
  local opened, err = part:opened(fetched and fetching(options) or nil)
  if not opened then return fault(err, i, j) end
  if not opened.blob then
    compare(opened, i, j, warnings)
    return opened
  end
  if not opened:mime() and not (opened.kind == "audio" and opened.options.format) then
    return fault({
      kind = "bad_request", code = "mime",
      message = "the type of the bytes is unknown; say it: { ..., mime = \"image/png\" }",
    }, i, j)
  end
  compare(opened, i, j, warnings)
  return opened
end

local function copied(list)
  local copy = {}
  for i, item in ipairs(list) do copy[i] = item end
  return copy
end

local function copy_of(message)
  local copy = {}
  for name, value in pairs(message) do copy[name] = value end
  copy.content = copied(message.content)
  return setmetatable(copy, getmetatable(message))
end

--- The message with its media resolved: itself where nothing had to be opened, else a copy.
local function resolve_message(message, options, warnings, i, client)
  local resolved = message
  for j = 1, #message.content do
    local part = message.content[j]
    if media.is(part) then
      local opened, err = resolve(part, options, warnings, i, j, client)
      if not opened then return nil, err end
      if opened ~= part and resolved == message then resolved = copy_of(message) end
      resolved.content[j] = opened
    end
  end
  return resolved
end

--- The messages with every medium either here or a link. What the user holds is not touched.
--- @async
--- @param list multimodal.Message[]
--- @param options table
--- @param warnings string[]  added to
--- @param client? multimodal.Client  asks its dialect whether it has words for a part at all
--- @return multimodal.Message[]?
--- @return multimodal.Error? err  names the part
function M.messages(list, options, warnings, client)
  local resolved = list
  for i = 1, #list do
    local message, err = resolve_message(list[i], options, warnings, i, client)
    if not message then return nil, err end
    if message ~= list[i] then
      if resolved == list then resolved = copied(list) end
      resolved[i] = message
    end
  end
  return resolved
end

return M
