--- Parts of a prompt as Gemini writes them; what cannot be said is an error that names the part.
--- Names: encode media.
local chat_parts = require("multimodal.dialect.chat_parts")
local contexts = require("multimodal.dialect.gemini.context")
local fields = require("multimodal.dialect.fields")
local json = require("multimodal.json")
local links = require("multimodal.dialect.links")
local media = require("multimodal.media")
local refuse = require("multimodal.dialect.refuse")

local merge, unsupported, who, warn = fields.merge, refuse.unsupported, refuse.who, contexts.warn

local M = {}

local files_api = "https://generativelanguage.googleapis.com/v1beta/"

--- The link of what was uploaded: the Files API gives links as ids.
local function uploaded(part)
  local id = part.id
  if not id or part.url then return nil end
  return id:find("^files/") and files_api .. id or id:find("^%a[%w+.-]*://") and id or nil
end

--- Whether a gateway reads a link, or why not.
local function check_link(url, part, context, place)
  local profile, scheme = context.profile, links.scheme(url)
  if scheme == "gs" or scheme == "s3" then
    local buckets = profile.buckets
    if buckets == true or type(buckets) == "table" and buckets[scheme] then return true end
    return unsupported(place, ("%s reads no %s:// links; pass the file, or a link of its Files API"):format(who(profile), scheme))
  end
  if links.is_uploaded(url) then
    if profile.studio_files ~= false then return true end
    return unsupported(place, who(profile) .. " does not know the files of AI Studio; pass the file, or a gs:// link")
  end
  if profile.links == false then
    return unsupported(place, who(profile) .. " fetches no links; pass { fetch = true } or the file")
  end
  if context.generation == 2 and context.model:find("gemini%-2%.0") and not links.is_youtube(url) then
    warn(context, "%s: %s is not known to fetch links; { fetch = true } sends the bytes", place, context.model)
  end
  return part ~= nil
end

local usual = { image = "image/jpeg", audio = "audio/mpeg", video = "video/mp4", file = "application/pdf" }

--- The type of a link, which has to be named.
local function type_of_link(url, part, context, place)
  local mime = part:likely_mime()
  if mime then return mime end
  mime = usual[part.kind]
  if not links.is_youtube(url) and not links.is_uploaded(url) then
    warn(context, "%s: the link does not tell its type; sent as %s, or write mm.%s { url, mime = }", place, mime, part.kind)
  end
  return mime
end

local function of_link(url, part, context, place)
  local fine, err = check_link(url, part, context, place)
  if not fine then return nil, err end
  return { fileData = { mimeType = type_of_link(url, part, context, place), fileUri = url } }
end

local function of_blob(part, context, place)
  local mime = part:mime() or part.options.format and "audio/" .. part.options.format
  mime = context.profile.mimes and context.profile.mimes[mime] or mime
  if mime == "image/gif" and context.options.check ~= "off" and context.options.check ~= false then
    if context.options.check ~= "warn" then
      return unsupported(place, "Gemini reads no GIF; convert it to PNG, or send it as a video")
    end
    warn(context, "%s: Gemini is not known to read GIF", place)
  end
  return { inlineData = { mimeType = mime, data = json.base64_of(part.blob) } }
end

--- Bytes or a link of a medium.
--- @param part multimodal.Media
--- @param context multimodal.gemini.Context
--- @param place string
--- @return table? wire  {inlineData} or {fileData}
--- @return multimodal.Error? err
function M.media(part, context, place)
  context.sent[#context.sent + 1] = { place = place, part = part }
  if part.blob then return of_blob(part, context, place) end
  local url = part.url or uploaded(part)
  if url then return of_link(url, part, context, place) end
  if part.id then return unsupported(place, ("the id %q is none of Gemini's files, which begin with files/"):format(part.id)) end
  error(place .. ": the " .. part.kind .. " was not opened before encoding", 0)
end

local function seconds(value)
  return ("%.9f"):format(value):gsub("0+$", ""):gsub("%.$", "") .. "s"
end

--- Which part of a video is looked at, and how closely.
local function add_clip(wire, part)
  local clip, fps = part.options.clip, part.options.fps
  if not clip and not fps then return end
  local from, to = clip and clip[1], clip and clip[2]
  wire.videoMetadata = {
    startOffset = from and seconds(from) or nil, endOffset = to and seconds(to) or nil, fps = fps,
  }
end

local levels = { low = "LOW", medium = "MEDIUM", high = "HIGH", ultra_high = "ULTRA_HIGH" }

--- How closely a picture is looked at: Gemini 3 takes it from each part.
local function add_detail(wire, part, context, place)
  local detail = part.options.detail
  if not detail or detail == "auto" then return true end
  local level = levels[detail:lower()]
  if level and (context.generation or 0) >= 3 then
    wire.mediaResolution = { level = "MEDIA_RESOLUTION_" .. level }
    return true
  end
  return contexts.cannot(context, place, level and "detail of one part is for Gemini 3; extra = { generationConfig = "
    .. "{ mediaResolution = } } holds for all" or ("detail: %q is none of low, medium, high, auto"):format(detail))
end

local function of_media(part, context, place)
  local wire, err = M.media(part, context, place)
  if not wire then return nil, err end
  local fine
  fine, err = add_detail(wire, part, context, place)
  if not fine then return nil, err end
  add_clip(wire, part)
  return merge(wire, contexts.extra_of(context, place, part.options.extra))
end

--- A part in a dialect's own form: Gemini's says so in its type; those of OpenAI's chat are read first.
local function as_written(part, context, place)
  local medium, err = chat_parts.read(part, place)
  if err then return nil, err end
  if medium then return of_media(medium, context, place) end
  if part.type ~= "gemini" then
    return unsupported(place, ('a part of the type %q is another dialect\'s; write mm.image and the like, or { type = "gemini", ... }')
      :format(tostring(part.type)))
  end
  local copy = merge({}, part)
  copy.type = nil
  return copy
end

--- @param part multimodal.TextPart|multimodal.Media|multimodal.RawPart
--- @param context multimodal.gemini.Context
--- @param place string
--- @return table? wire   nil alone where there is nothing to say
--- @return multimodal.Error? err
function M.encode(part, context, place)
  if media.is(part) then return of_media(part, context, place) end
  if part.type ~= "text" then return as_written(part, context, place) end
  if part.text == "" and part.extra == nil then return nil end
  return merge({ text = part.text }, contexts.extra_of(context, place, part.extra))
end

return M
