--- Content parts as the chat dialect writes them; what a gateway cannot take is an error that names the part.
--- Names: encode takes.
local fields = require("multimodal.dialect.fields")
local json = require("multimodal.json")
local links = require("multimodal.dialect.links")
local media = require("multimodal.media")
local refuse = require("multimodal.dialect.refuse")

local M = {}

local extend, unsupported, who = fields.extend, refuse.unsupported, refuse.who

--- Whether links of a kind of bucket go out as they are.
local function reads_bucket(profile, scheme)
  local buckets = profile.buckets
  return buckets == true or type(buckets) == "table" and buckets[scheme] == true
end

--- "s3" or "gs" of a link to a bucket.
local function bucket_of(url)
  local scheme = links.scheme(url)
  return (scheme == "s3" or scheme == "gs") and scheme or nil
end

--- The bytes of a part as a mark, or its link; a bucket's link only where the gateway reads buckets.
local function source(part, profile, place)
  if part.blob then
    local mime = part:mime()
    mime = profile.mimes and profile.mimes[mime] or mime
    return json.data_url_of(part.blob, mime ~= part.blob:mime() and mime or nil)
  end
  if not part.url then
    if part.id then
      return unsupported(place, ("an uploaded %s has no place there; pass its link or the file"):format(part.kind))
    end
    error(place .. ": the " .. part.kind .. " was not opened before encoding", 0)
  end
  local bucket = bucket_of(part.url)
  if bucket and not reads_bucket(profile, bucket) then
    return unsupported(place, ("%s reads no %s:// links; pass the file, or an https link"):format(who(profile), bucket))
  end
  return part.url
end

local writers = {}

function writers.image(part, profile, place)
  local url, err = source(part, profile, place)
  if not url then return nil, err end
  if part.blob and profile.image_base64 == "raw" then url = json.base64_of(part.blob) end
  return { type = "image_url", image_url = { url = url, detail = part.options.detail } }
end

--- The words for audio formats, by the media type.
local formats = {
  mpeg = "mp3", mp3 = "mp3", wav = "wav", ["x-wav"] = "wav", wave = "wav", ["vnd.wave"] = "wav", ogg = "ogg", vorbis = "ogg",
  opus = "ogg", aac = "aac", ["x-aac"] = "aac", m4a = "m4a", ["x-m4a"] = "m4a", mp4 = "m4a", aiff = "aiff",
  ["x-aiff"] = "aiff", flac = "flac", ["x-flac"] = "flac", pcm16 = "pcm16", pcm24 = "pcm24",
}

local function format_of(part)
  if part.options.format then return part.options.format end
  local family, name = (part:mime() or ""):match("^(%w+)/(.*)$")
  -- An MP4 file without pictures looks like one with.
  return (family == "audio" or name == "mp4" or name == "ogg") and formats[name] or nil
end

local function listed(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

function writers.audio(part, profile, place)
  if not part.blob then
    return unsupported(place, "audio goes out as bytes in this dialect, not as a link; pass { fetch = true } or the file")
  end
  local format = format_of(part)
  if not format then
    return unsupported(place, "the format of the audio is not known; write mm.audio { ..., format = \"wav\" }")
  end
  if profile.audio_formats and not profile.audio_formats[format] then
    return unsupported(place, ("%s takes no %s audio; convert it to one of %s"):format(
      who(profile), format, listed(profile.audio_formats)))
  end
  return { type = "input_audio", input_audio = { data = json.base64_of(part.blob), format = format } }
end

function writers.video(part, profile, place)
  if part.blob and profile.video == "link" then
    return unsupported(place, ("%s takes videos as https links only; pass a link"):format(who(profile)))
  end
  local url, err = source(part, profile, place)
  if not url then return nil, err end
  return { type = "video_url", video_url = { url = url } }
end

--- How each kind of gateway takes a file: by the profile's `file`.
local file_writers = {}

function file_writers.openai(part, profile, place, name)
  local readable = part.blob or part.url and bucket_of(part.url)
  if not readable then
    return unsupported(place, ("%s takes files as bytes, not as links; pass { fetch = true } or the file"):format(who(profile)))
  end
  local data, err = source(part, profile, place)
  return data and { type = "file", file = { filename = name, file_data = data } }, err
end

function file_writers.openrouter(part, profile, place, name)
  local data, err = source(part, profile, place)
  return data and { type = "file", file = { filename = name, file_data = data } }, err
end

function file_writers.khatash(part, profile, place)
  local mime = part:likely_mime()
  if part.url and not mime then
    return unsupported(place, ("%s wants the type of a file, which this link does not tell; write mm.file { url, mime = %q }")
      :format(who(profile), "application/pdf"))
  end
  local url, err = source(part, profile, place)
  return url and { type = "file", file = { url = url, mime_type = mime } }, err
end

function file_writers.file_url(part, profile, place)
  if part.blob then
    return unsupported(place, ("%s takes files as https links only; pass a link, or send their text"):format(who(profile)))
  end
  local url, err = source(part, profile, place)
  return url and { type = "file_url", file_url = { url = url } }, err
end

local function name_of(part)
  local from = part.options.filename or part.path or part.url and part.url:gsub("[?#].*$", "")
  local name = from and from:match("([^/\\]+)[/\\]*$")
  -- Some hosts tell a PDF by its name alone.
  return name or part:mime() == "application/pdf" and "file.pdf" or "file"
end

--- Flavours that know uploaded files by their ids.
local takes_id = { openai = true, openrouter = true }

function writers.file(part, profile, place)
  local flavour = profile.file or "openai"
  if part.id and takes_id[flavour] then return { type = "file", file = { file_id = part.id } } end
  return file_writers[flavour](part, profile, place, name_of(part))
end

--- What each kind wants of a gateway.
local wants = {}

function wants.audio(_, profile, place)
  if profile.audio ~= false then return true end
  return unsupported(place, ("%s takes no audio in chat; send a transcript, or use a gateway that does"):format(who(profile)))
end

function wants.video(part, profile, place)
  if part.options.fps or part.options.clip then
    return unsupported(place, "fps and clip are said in Gemini's dialect alone; cut the video, or pass dialect = \"gemini\"")
  end
  if profile.video then return true end
  return unsupported(place, ("%s takes no video in chat; send frames as images, or use a gateway that does"):format(who(profile)))
end

function wants.file(_, profile, place)
  if file_writers[profile.file or "openai"] then return true end
  return unsupported(place, ("%s takes no files in chat; send their text, or pages as images"):format(who(profile)))
end

--- Whether there are words for a part at all, wherever its bytes come from.
--- @param part multimodal.Media
--- @param profile multimodal.Profile
--- @param place string
--- @return boolean? fine
--- @return multimodal.Error? err
function M.takes(part, profile, place)
  local fine, err = refuse.elsewhere(part, place, who(profile))
  local want = wants[part.kind]
  if not fine or not want then return fine, err end
  return want(part, profile, place)
end

--- A text part or a part in the dialect's own form: as it is, with its further fields.
local function as_written(part, place)
  local fine, err = refuse.unspoken(part, place, "openai")
  if not fine then return nil, err end
  if part.extra == nil then return part end
  local copy = extend({}, part)
  copy.extra = nil
  return extend(copy, part.extra)
end

--- @param part multimodal.TextPart|multimodal.Media|multimodal.RawPart
--- @param profile multimodal.Profile
--- @param place string
--- @return table? wire
--- @return multimodal.Error? err
function M.encode(part, profile, place)
  if not media.is(part) then return as_written(part, place) end
  local taken, refusal = M.takes(part, profile, place)
  if not taken then return nil, refusal end
  local wire, err = writers[part.kind](part, profile, place)
  if not wire then return nil, err end
  return extend(wire, part.options.extra)
end

return M
