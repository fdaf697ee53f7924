--- What an Ark task is made of: text, pictures by their role, references, or a draft; and which of them go together.
--- Names: items check.
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local media = require("multimodal.media")
local picture = require("multimodal.picture")

local M = {}

local function fault(kind, code, part, message)
  return nil, error_class.new { kind = kind, code = code, part = part, message = message }
end

local roles = {
  image = { first_frame = true, last_frame = true, reference_image = true },
  video = { reference_video = true },
  audio = { reference_audio = true },
}

local usual_role = { video = "reference_video", audio = "reference_audio" }

local types = {
  ["image/jpeg"] = true, ["image/png"] = true, ["image/webp"] = true, ["image/bmp"] = true, ["image/tiff"] = true,
  ["image/gif"] = true, ["image/heic"] = true, ["image/heif"] = true,
}

local least_side, most_side, flattest = 300, 6000, 2.5

local MB = 1000 * 1000
local largest = { image = 30 * MB, audio = 15 * MB }
local largest_body = 64 * MB

local sounds = { ["audio/wav"] = true, ["audio/mpeg"] = true }

local function warn_of_sides(part, mime, say)
  local width, height = picture.size(mime, part.blob:read(0, 65536) or "")
  if not (width and height and width > 0 and height > 0) then return end
  local ratio = width / height
  if ratio >= flattest or ratio <= 1 / flattest then say("Ark takes pictures whose sides are less than 2.5 to 1") end
  if math.min(width, height) < least_side or math.max(width, height) > most_side then
    say("Ark takes pictures with sides of 300 to 6000 pixels")
  end
end

--- What Ark says it refuses, which is its own to do.
local function warn(part, place, warnings)
  local function say(words) warnings[#warnings + 1] = place .. ": " .. words end
  local mime, is_picture = part:mime(), part.kind == "image"
  if not (is_picture and types or sounds)[mime] then
    say(("Ark takes no %s as %s"):format(mime, is_picture and "a picture" or "a sound"))
  end
  if part.blob:size() >= largest[part.kind] then
    say(("Ark takes %s below %d MB"):format(is_picture and "pictures" or "sounds", largest[part.kind] / MB))
  end
  if is_picture then warn_of_sides(part, mime, say) end
end

local function url_of(part, place, warnings)
  if part.blob and not (part.kind == "video" and part.url) then
    if part.kind == "video" then
      return fault("unsupported", nil, place, "Ark takes a video by an https link alone; put it where Ark can fetch it")
    end
    warn(part, place, warnings)
    return json.data_url_of(part.blob, part:mime())
  end
  if part.url then
    if part.url:find("^[Hh][Tt][Tt][Pp][Ss]?:") then return part.url end
    return fault("unsupported", nil, place, "Ark fetches http and https links alone; { fetch = true } sends the bytes of others")
  end
  return part.id:find("^asset://") and part.id or "asset://" .. part.id
end

--- The item of a medium.
local function of_media(part, place, warnings)
  local known = roles[part.kind]
  if not known then
    return fault("unsupported", nil, place, "a video is made of text, pictures, videos and audio, not of a file")
  end
  local role = part.options.role or usual_role[part.kind]
  if role and not known[role] then
    return fault("bad_request", "role", place, ("role: %q is none of %s"):format(role, part.kind == "image"
      and "first_frame, last_frame, reference_image" or usual_role[part.kind]))
  end
  local url, err = url_of(part, place, warnings)
  if not url then return nil, err end
  local item = { type = part.kind .. "_url", role = role }
  item[item.type] = { url = url }
  for name, value in pairs(part.options.extra or {}) do item[name] = value end
  return item
end

local function copy_of(part)
  local item = {}
  for name, value in pairs(part) do
    if name ~= "extra" then item[name] = value end
  end
  for name, value in pairs(part.extra or {}) do item[name] = value end
  return item
end

--- Bytes of the media as they go out, in base64.
local function encoded_size(parts)
  local bytes = 0
  for _, part in ipairs(parts) do
    if media.is(part) and part.blob and part.kind ~= "video" then bytes = bytes + part.blob:size() * 4 / 3 end
  end
  return bytes
end

--- The items of a prompt: its texts are one, where the first of them stands.
--- @param prompt multimodal.TaskPrompt
--- @param warnings string[]
--- @return table[]? items
--- @return multimodal.Error|table|nil err_or_text  the item that holds the text
--- @return string[] places  of the items
function M.items(prompt, warnings)
  local items, places, words = {}, {}, nil
  for i, part in ipairs(prompt.parts) do
    local item, err
    if media.is(part) then
      item, err = of_media(part, prompt.places[i], warnings)
      if not item then return nil, err, places end
    elseif part.type ~= "text" then
      item = copy_of(part)
    elseif not words then
      item = copy_of(part)
      item.text, words = prompt.text, item
    end
    if item then items[#items + 1], places[#places + 1] = item, prompt.places[i] end
  end
  if encoded_size(prompt.parts) > largest_body then
    warnings[#warnings + 1] = "Ark takes requests of 64 MB at most; pass links, or smaller pictures"
  end
  return items, words, places
end

local without_role = { image_url = "plain", video_url = "reference_video", audio_url = "reference_audio" }

--- How many items there are of each type and role; of pictures without a role, "plain".
local function count(items)
  local counts, first = {}, {}
  for i, item in ipairs(items) do
    local name = item.role or without_role[item.type] or item.type
    counts[name] = (counts[name] or 0) + 1
    first[name] = first[name] or i
  end
  return setmetatable(counts, { __index = function() return 0 end }), first
end

--- What may not stand together: {found, beside, why}.
local apart = {
  { "reference_image", "first_frame" }, { "reference_image", "last_frame" }, { "reference_image", "plain" },
  { "reference_video", "first_frame" }, { "reference_video", "last_frame" }, { "reference_video", "plain" },
  { "reference_audio", "first_frame" }, { "reference_audio", "last_frame" }, { "reference_audio", "plain" },
}

local words_of = {
  plain = "a picture without a role", first_frame = "a first frame", last_frame = "a last frame", draft_task = "a draft",
  reference_image = "a reference image", reference_video = "a reference video", reference_audio = "reference audio",
}

local function check_frames(counts, first, places)
  local pictures = counts.plain + counts.first_frame + counts.last_frame
  if counts.plain > 0 and pictures > 1 then
    return fault("bad_request", "role", places[first.plain],
      "several pictures need a role each: mm.image { ..., role = \"first_frame\" | \"last_frame\" | \"reference_image\" }")
  end
  for _, role in ipairs { "first_frame", "last_frame" } do
    if counts[role] > 1 then return fault("bad_request", "role", places[first[role]], "role: more than one " .. role) end
  end
  if counts.last_frame > 0 and counts.first_frame == 0 then
    return fault("bad_request", "role", places[first.last_frame], "role: a last frame needs a first frame beside it")
  end
  return true
end

local function check_references(counts, first, places)
  for _, pair in ipairs(apart) do
    if counts[pair[1]] > 0 and counts[pair[2]] > 0 then
      return fault("bad_request", "conflicting_option", places[first[pair[2]]],
        ("%s and %s do not go together"):format(words_of[pair[1]], words_of[pair[2]]))
    end
  end
  for role, most in pairs { reference_image = 30, reference_video = 3, reference_audio = 3 } do
    if counts[role] > most then
      return fault("bad_request", "role", places[first[role]], ("role: more than %d of %s"):format(most, role))
    end
  end
  if counts.reference_audio > 0 and counts.reference_image + counts.reference_video == 0 then
    return fault("bad_request", "role", places[first.reference_audio], "reference audio needs a reference image or video beside it")
  end
  return true
end

--- Whether the items go together, and with what is set.
--- @param items table[]
--- @param places string[]
--- @param set table<string, any>
--- @return table<string, integer>? counts  of items by role
--- @return multimodal.Error? err
function M.check(items, places, set)
  local counts, first = count(items)
  if counts.draft_task > 0 and #items > 1 then
    return fault("bad_request", "conflicting_option", places[first.draft_task], "a draft is finished alone: nothing else in the prompt")
  end
  local fine, err = check_references(counts, first, places)
  if fine then fine, err = check_frames(counts, first, places) end
  if not fine then return nil, err end
  if counts.reference_image > 0 and (set.camera_fixed == true or set.camera_fixed == "true") then
    return fault("bad_request", "conflicting_option", "camera_fixed", "camera_fixed does not go with reference images")
  end
  return counts
end

return M
