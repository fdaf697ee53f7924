--- Content parts as the chat dialect writes them; what a gateway cannot take is an error that names the part.
--- Names: encode unsupported extend.
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local media = require("multimodal.media")

local M = {}

--- @param place string    "messages[1].content[2]"
--- @param message string  what cannot be said, and the way out
--- @return nil
--- @return multimodal.Error
function M.unsupported(place, message)
  return nil, error_class.new { kind = "unsupported", part = place, message = place .. ": " .. message }
end

--- Put further fields into a table that is about to go out; they win.
--- @param target table
--- @param extra table?
--- @return table target
function M.extend(target, extra)
  for name, value in pairs(extra or {}) do target[name] = value end
  return target
end

local function who(profile)
  return profile.name or "this gateway"
end

--- The bytes of a part as a mark, or its link; a bucket's link only where the gateway reads buckets.
local function source(part, profile, place)
  if part.blob then return json.data_url_of(part.blob) end
  if not part.url then
    error(place .. ": the " .. part.kind .. " was not opened before encoding", 0)
  end
  local bucket = part.url:match("^([sg][3s])://")
  if bucket and not profile.buckets then
    return M.unsupported(place, ("%s reads no %s:// links; pass { fetch = true }, the file, or an https link"):format(
      who(profile), bucket))
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

--- The words for audio formats, by the second half of the media type.
local formats = {
  mpeg = "mp3", mp3 = "mp3", wav = "wav", ["x-wav"] = "wav", wave = "wav", ["vnd.wave"] = "wav", ogg = "ogg", vorbis = "ogg",
  aac = "aac", ["x-aac"] = "aac", m4a = "m4a", ["x-m4a"] = "m4a", mp4 = "m4a", aiff = "aiff", ["x-aiff"] = "aiff",
  flac = "flac", ["x-flac"] = "flac", pcm16 = "pcm16", pcm24 = "pcm24",
}

local function format_of(part)
  if part.options.format then return part.options.format end
  local mime = part:mime()
  return mime and formats[mime:match("/(.*)$")]
end

function writers.audio(part, profile, place)
  if not part.blob then
    return M.unsupported(place, "audio goes out as bytes in this dialect, not as a link; pass { fetch = true } or the file")
  end
  local format = format_of(part)
  if not format then
    return M.unsupported(place, "the format of the audio is not known; write mm.audio { ..., format = \"wav\" }")
  end
  if profile.audio_formats and not profile.audio_formats[format] then
    return M.unsupported(place, ("%s takes no %s audio; convert it to mp3 or wav"):format(who(profile), format))
  end
  return { type = "input_audio", input_audio = { data = json.base64_of(part.blob), format = format } }
end

function writers.video(part, profile, place)
  if not profile.video then
    return M.unsupported(place, ("%s takes no video in chat; send frames as images, or use a gateway that does"):format(who(profile)))
  end
  local url, err = source(part, profile, place)
  if not url then return nil, err end
  return { type = "video_url", video_url = { url = url } }
end

--- How each kind of gateway takes a file: by the profile's `file`.
local file_writers = {}

function file_writers.openai(part, profile, place, name)
  if not part.blob then
    return M.unsupported(place, ("%s takes files as bytes, not as links; pass { fetch = true } or the file"):format(who(profile)))
  end
  return { type = "file", file = { filename = name, file_data = json.data_url_of(part.blob) } }
end

function file_writers.openrouter(part, profile, place, name)
  local data, err = source(part, profile, place)
  return data and { type = "file", file = { filename = name, file_data = data } }, err
end

function file_writers.khatash(part, profile, place)
  local url, err = source(part, profile, place)
  return url and { type = "file", file = { url = url, mime_type = part:mime() } }, err
end

function file_writers.file_url(part, profile, place)
  if part.blob then
    return M.unsupported(place, ("%s takes files as https links only; pass a link, or send their text"):format(who(profile)))
  end
  local url, err = source(part, profile, place)
  return url and { type = "file_url", file_url = { url = url } }, err
end

local function name_of(part)
  local from = part.options.filename or part.path or part.url
  if not from then return nil end
  return from:gsub("[?#].*$", ""):match("([^/\\]+)[/\\]*$")
end

function writers.file(part, profile, place)
  if part.id then return { type = "file", file = { file_id = part.id } } end
  local flavour = profile.file or "openai"
  if not file_writers[flavour] then
    return M.unsupported(place, ("%s takes no files in chat; send their text, or pages as images"):format(who(profile)))
  end
  return file_writers[flavour](part, profile, place, name_of(part) or "file")
end

--- A text part or a part in the dialect's own form: as it is, with its further fields.
local function as_written(part)
  if part.extra == nil then return part end
  local copy = M.extend({}, part)
  copy.extra = nil
  return M.extend(copy, part.extra)
end

--- @param part multimodal.TextPart|multimodal.Media|multimodal.RawPart
--- @param profile multimodal.Profile
--- @param place string
--- @return table? wire
--- @return multimodal.Error? err
function M.encode(part, profile, place)
  if not media.is(part) then return as_written(part) end
  local wire, err = writers[part.kind](part, profile, place)
  if not wire then return nil, err end
  return M.extend(wire, part.options.extra)
end

return M
