--- Content parts as blocks of the Messages dialect; what it cannot say is an error that names the part.
--- Names: encode takes who.
local chat_parts = require("multimodal.dialect.chat_parts")
local error_class = require("multimodal.error")
local fields = require("multimodal.dialect.fields")
local json = require("multimodal.json")
local links = require("multimodal.dialect.links")
local media = require("multimodal.media")
local refuse = require("multimodal.dialect.refuse")

local M = {}

--- What is known while the messages of one prompt are written.
--- @class multimodal.anthropic.Context
--- @field profile multimodal.Profile
--- @field warnings string[]           is appended to
--- @field ids multimodal.anthropic.Ids?
--- @field sent multimodal.SentPart[]  is appended to
--- @field files boolean?              a part is known by its id: the header of the Files API must go along

--- Who listens, in words.
--- @param profile multimodal.Profile
--- @return string
function M.who(profile)
  return refuse.who(profile) .. " in Anthropic's dialect"
end

local extend, unsupported, who = fields.extend, refuse.unsupported, M.who

local pictures = { ["image/jpeg"] = true, ["image/png"] = true, ["image/gif"] = true, ["image/webp"] = true }

--- The link of a part, where the dialect takes it.
local function link_source(part, context, place)
  local scheme = links.scheme(part.url) or "such"
  if scheme == "https" then return { type = "url", url = part.url } end
  return unsupported(place, ("%s reads https links alone, no %s:// ones; pass the file%s"):format(who(context.profile), scheme,
    scheme == "http" and ", or { fetch = true }" or ", or an https link"))
end

local function file_source(part, context)
  context.files = true
  return { type = "file", file_id = part.id }
end

local function unopened(part, place)
  error(place .. ": the " .. part.kind .. " was not opened before encoding", 0)
end

local writers = {}

local function image_source(part, context, place)
  if part.blob then
    local mime = part:mime()
    if not pictures[mime or ""] then
      return unsupported(place, ("%s takes images as JPEG, PNG, GIF or WebP, not %s; convert it to one of these"):format(
        who(context.profile), mime or "of an unknown type"))
    end
    return { type = "base64", media_type = mime, data = json.base64_of(part.blob) }
  end
  if part.url then return link_source(part, context, place) end
  if part.id then return file_source(part, context) end
  return unopened(part, place)
end

function writers.image(part, context, place)
  local source, err = image_source(part, context, place)
  if not source then return nil, err end
  if part.options.detail then
    context.warnings[#context.warnings + 1] = place .. ": detail has no place in Anthropic's dialect and was left out"
  end
  return { type = "image", source = source }
end

--- Words that a document consists of: they go out as text, so they must be text.
local function text_source(part, place)
  local bytes, err = part.blob:bytes()
  if not bytes then
    err = error_class.new(err)
    err.part = place
    return nil, err
  end
  return { type = "text", media_type = "text/plain", data = (bytes:gsub("^\239\187\191", "")) }
end

local function other_file(mime, context, place)
  local image = mime and mime:find("^image/")
  return unsupported(place, ("%s takes PDF and plain text as documents, not %s; %s"):format(who(context.profile),
    mime or "bytes of an unknown type", image and "write mm.image for a picture" or "convert it, or send its text"))
end

local function linked_document(part, context, place)
  local source, err = link_source(part, context, place)
  if not source then return nil, err end
  local mime = part:likely_mime()
  if mime and mime ~= "application/pdf" then
    return unsupported(place, ("%s reads links to PDF alone, not to %s; pass { fetch = true } or the file"):format(who(context.profile),
      mime))
  end
  if not mime then
    context.warnings[#context.warnings + 1] = place .. ": the link is taken for one to a PDF, which is all that can be read there"
  end
  return source
end

local function document_source(part, context, place)
  if part.blob then
    local mime = part:mime()
    if mime == "application/pdf" then return { type = "base64", media_type = mime, data = json.base64_of(part.blob) } end
    if mime and mime:find("^text/") then return text_source(part, place) end
    return other_file(mime, context, place)
  end
  if part.url then return linked_document(part, context, place) end
  if part.id then return file_source(part, context) end
  return unopened(part, place)
end

function writers.file(part, context, place)
  local source, err = document_source(part, context, place)
  if not source then return nil, err end
  return { type = "document", source = source, title = part.options.filename }
end

local instead = {
  audio = "send a transcript, or ask a dialect that hears (openai, gemini)",
  video = "send frames as images, or ask a dialect that sees videos (gemini)",
}

--- Whether there are words for a part at all, wherever its bytes come from.
--- @param part multimodal.Media
--- @param profile multimodal.Profile
--- @param place string
--- @return boolean? fine
--- @return multimodal.Error? err
function M.takes(part, profile, place)
  if not instead[part.kind] then return refuse.elsewhere(part, place, who(profile)) end
  return unsupported(place, ("%s takes no %s; %s"):format(who(profile), part.kind, instead[part.kind]))
end

--- Blocks that were written by hand go out as they are; those of OpenAI's chat are read first.
local function as_written(part, context, place)
  local medium, err = chat_parts.read(part, place)
  if err then return nil, err end
  if medium then return M.encode(medium, context, place) end
  local fine
  fine, err = refuse.unspoken(part, place, "anthropic")
  if not fine then return nil, err end
  local copy = extend({}, part)
  copy.extra = nil
  return extend(copy, part.extra)
end

--- One part as a block.
--- @param part multimodal.TextPart|multimodal.Media|multimodal.RawPart
--- @param context multimodal.anthropic.Context
--- @param place string
--- @return table? block
--- @return multimodal.Error? err
function M.encode(part, context, place)
  if not media.is(part) then return as_written(part, context, place) end
  local taken, refusal = M.takes(part, context.profile, place)
  if not taken then return nil, refusal end
  local block, err = writers[part.kind](part, context, place)
  if not block then return nil, err end
  context.sent[#context.sent + 1] = { place = place, type = block.type, part = part }
  return extend(block, part.options.extra)
end

return M
