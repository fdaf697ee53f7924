--- Parts in the form of OpenAI's chat, as users write them by hand, as parts of ours: for the other dialects.
--- Names: read.
local media = require("multimodal.media")
local refuse = require("multimodal.dialect.refuse")

local M = {}

local function word(value)
  return type(value) == "string" and value ~= "" and value or nil
end

local function of_data(kind, url, options)
  return (media.new(kind, { data_url = url }, options):opened())
end

local readers = {}

function readers.image_url(part)
  local url = part.image_url
  if type(url) == "table" then url = url.url end
  if type(url) ~= "string" then return nil end
  if url:find("^%s*[Dd][Aa][Tt][Aa]:") then return of_data("image", url) end
  return media.from_url("image", url)
end

function readers.file(part)
  local file = type(part.file) == "table" and part.file or {}
  if type(file.file_data) == "string" then return of_data("file", file.file_data, { filename = word(file.filename) }) end
  return type(file.file_id) == "string" and media.new("file", { file_id = file.file_id }) or nil
end

function readers.input_audio(part)
  local audio = type(part.input_audio) == "table" and part.input_audio or {}
  if type(audio.data) ~= "string" then return nil end
  return (media.new("audio", { base64 = audio.data }, { format = word(audio.format) }):opened())
end

function readers.video_url(part)
  local url = type(part.video_url) == "table" and part.video_url.url
  return type(url) == "string" and url:find("^https?:") and media.from_url("video", url) or nil
end

--- @param part table
--- @param place string
--- @return multimodal.Media? medium  nil alone where it is no part of OpenAI's chat
--- @return multimodal.Error? err     it is one that cannot be read
function M.read(part, place)
  local reader = readers[part.type]
  if not reader then return nil end
  local medium = reader(part)
  if medium then return medium end
  return refuse.unsupported(place, ("a %s part of OpenAI's chat that cannot be read; write mm.image and the like"):format(part.type))
end

return M
