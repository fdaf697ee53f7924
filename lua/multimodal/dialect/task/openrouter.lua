--- Videos at OpenRouter: POST /videos, a link to look at, and results that may be links or need the key. Pure.
--- Returns a multimodal.TaskDialect.
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local media = require("multimodal.media")

local M = { name = "openrouter" }

M.takes = {
  duration = true, resolution = true, aspect_ratio = true, seed = true, generate_audio = true, callback_url = true,
}

M.states = {
  pending = "queued", in_progress = "running", completed = "succeeded", failed = "failed", cancelled = "cancelled", expired = "expired",
}

M.first, M.delays, M.timeout = 5, { 5, 10, 15, 20, 30 }, 1800 -- seconds

local function escape(id)
  return (id:gsub("[^%w._~-]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

local function fault(place, message)
  return nil, error_class.new { kind = "unsupported", part = place, message = message }
end

local frames = { first_frame = true, last_frame = true }

--- What each kind is called as a reference.
local references = { image = "reference_image", video = "reference_video", audio = "reference_audio" }

--- A part as an item of the body.
local function item_of(part, place)
  if not media.is(part) or not references[part.kind] then
    return fault(place, "a video is made of text, pictures, videos and audio there")
  end
  if not part.blob and not part.url then return fault(place, "an upload has no place there; pass its link or the file") end
  if part.url and not part.blob and not part.url:find("^[Hh][Tt][Tt][Pp][Ss]?:") then
    return fault(place, "http and https links alone are fetched there; { fetch = true } sends the bytes of others")
  end
  local item = { type = part.kind .. "_url" }
  item[item.type] = { url = part.blob and json.data_url_of(part.blob, part.options.mime) or part.url }
  for name, value in pairs(part.options.extra or {}) do item[name] = value end
  return item
end

local function append(body, field, item)
  body[field] = body[field] or json.array {}
  table.insert(body[field], item)
end

--- A part where it belongs: the first or last frame, or a reference.
local function add(body, part, place)
  local item, err = item_of(part, place)
  if not item then return nil, err end
  local role = part.options.role or (part.kind == "image" and "first_frame" or references[part.kind])
  if role == references[part.kind] then
    append(body, "input_references", item)
    return true
  end
  if part.kind ~= "image" or not frames[role] then
    return fault(place, ("role: %q is none of %s"):format(role, part.kind == "image" and "first_frame, last_frame, reference_image"
      or references[part.kind]))
  end
  for _, other in ipairs(body.frame_images or {}) do
    if other.frame_type == role then return fault(place, "role: more than one " .. role) end
  end
  item.frame_type = role
  append(body, "frame_images", item)
  return true
end

function M.create(prompt, options)
  if prompt.raw then return { method = "POST", path = "/videos", body = prompt.raw } end
  local body = {
    model = options.model, prompt = prompt.text ~= "" and prompt.text or nil, duration = options.duration, resolution = options.resolution,
    aspect_ratio = options.aspect_ratio, seed = options.seed, generate_audio = options.generate_audio, callback_url = options.callback_url,
  }
  for i, part in ipairs(prompt.parts) do
    if media.is(part) or part.type ~= "text" then
      local fine, err = add(body, part, prompt.places[i])
      if not fine then return nil, err end
    end
  end
  for name, value in pairs(options.extra or {}) do body[name] = value end
  return { method = "POST", path = "/videos", body = body }
end

function M.created(body)
  if type(body.id) ~= "string" or body.id == "" then return nil end
  return body.id, { state = body.status, poll_url = type(body.polling_url) == "string" and body.polling_url or nil }
end

function M.inspect(task)
  return { method = "GET", path = "/videos/" .. escape(task.id), url = task.poll_url }
end

--- Where the video lies when no link was given: behind the key.
function M.download(task)
  return { method = "GET", path = "/videos/" .. escape(task.id) .. "/content", query = { index = 0 } }
end

local function error_of(told)
  if type(told) == "string" and told ~= "" then return { message = told } end
  return type(told) == "table" and { code = told.code, message = told.message } or nil
end

function M.status(body)
  local outputs = {}
  for _, url in ipairs(type(body.unsigned_urls) == "table" and body.unsigned_urls or {}) do
    if type(url) == "string" and url:find("^https?://") then outputs[#outputs + 1] = { kind = "video", url = url } end
  end
  return {
    id = body.id, model = body.model, state = body.status, outputs = outputs, error = error_of(body.error), usage = body.usage,
    poll_url = type(body.polling_url) == "string" and body.polling_url or nil, raw = body,
  }
end

return M
