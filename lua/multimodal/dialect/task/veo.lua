--- Veo as a long-running operation: AI Studio, whose operation is read at its own name, and Vertex, where a POST asks for
--- it. Pure. Returns a multimodal.TaskDialect.
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local media = require("multimodal.media")

local M = { name = "veo" }

M.takes = {
  duration = true, resolution = true, aspect_ratio = true, seed = true, generate_audio = true, fps = true,
}

M.first, M.delays, M.timeout = 10, { 10 }, 1200 -- seconds

local function escape(word)
  return (word:gsub("[^%w._~-]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

local function fault(place, message)
  return nil, error_class.new { kind = "unsupported", part = place, message = message }
end

--- Where a model works; its name may be written as the list of models has it.
local function path_of(model, verb)
  return ("/models/%s:%s"):format(escape((model:gsub("^models/", ""))), verb)
end

local function picture_of(part, place)
  if part.blob then return { bytesBase64Encoded = json.base64_of(part.blob), mimeType = part:mime() } end
  if part.url and part.url:find("^gs://") then return { gcsUri = part.url, mimeType = part:likely_mime() } end
  return fault(place, "Veo reads no links of the web; pass the file, or fetch = true")
end

--- A clip to go on with.
local function video_of(part, vertex)
  if vertex and part.url:find("^gs://") then return { gcsUri = part.url, mimeType = part:likely_mime() or "video/mp4" } end
  return { uri = part.url }
end

local fields = { first_frame = "image", last_frame = "lastFrame" }

local function add(instance, part, place, vertex)
  if not media.is(part) then return fault(place, "Veo takes text, pictures and a video") end
  if part.kind == "video" and part.url then
    if instance.video then return fault(place, "Veo goes on with one video, not with several") end
    instance.video = video_of(part, vertex)
    return true
  end
  if part.kind ~= "image" then return fault(place, "Veo takes text, pictures and a video by its link") end
  local role = part.options.role or "first_frame"
  if not fields[role] and role ~= "reference_image" then
    return fault(place, ("role: %q is none of first_frame, last_frame, reference_image"):format(role))
  end
  local picture, err = picture_of(part, place)
  if not picture then return nil, err end
  if role == "reference_image" then
    instance.referenceImages = instance.referenceImages or json.array {}
    table.insert(instance.referenceImages, { image = picture, referenceType = "asset" })
  elseif instance[fields[role]] then
    return fault(place, "role: more than one " .. role)
  else
    instance[fields[role]] = picture
  end
  return true
end

local function parameters_of(options, given)
  local all = {
    aspectRatio = options.aspect_ratio, durationSeconds = options.duration, resolution = options.resolution, seed = options.seed,
    generateAudio = options.generate_audio, fps = options.fps,
  }
  for name, value in pairs(type(given) == "table" and given or {}) do all[name] = value end
  return next(all) ~= nil and all or nil
end

function M.create(prompt, options, profile)
  local path = path_of(prompt.raw and type(prompt.raw.model) == "string" and prompt.raw.model or options.model, "predictLongRunning")
  if prompt.raw then
    local body = {}
    for name, value in pairs(prompt.raw) do body[name] = name ~= "model" and value or nil end
    return { method = "POST", path = path, body = body }
  end
  for _, name in ipairs { "generate_audio", "fps" } do
    if options[name] ~= nil and not profile.tasks.vertex then return fault(name, name .. ": known on Vertex alone") end
  end
  local instance = { prompt = prompt.text ~= "" and prompt.text or nil }
  for i, part in ipairs(prompt.parts) do
    if media.is(part) or part.type ~= "text" then
      local fine, err = add(instance, part, prompt.places[i], profile.tasks.vertex)
      if not fine then return nil, err end
    end
  end
  local extra = options.extra or {}
  local body = { instances = json.array { instance }, parameters = parameters_of(options, extra.parameters) }
  for name, value in pairs(extra) do
    if name ~= "parameters" then body[name] = value end
  end
  return { method = "POST", path = path, body = body }
end

--- The name of an operation, mostly with its model before it; one from outside must not lead anywhere else.
local function is_name(name)
  return type(name) == "string" and name:find("^%w[%w._~/:@-]+$") ~= nil and not name:find("..", 1, true)
    and name:find("%f[%w]operations/.") ~= nil
end

function M.created(body)
  return is_name(body.name) and body.name or nil
end

function M.inspect(task)
  local model = task.id:match("^projects/.*/models/([^/]+)/operations/")
  if not model then
    local path = is_name(task.id) and task.id or "models/-/operations/" .. escape(task.id)
    return { method = "GET", path = "/" .. path }
  end
  return { method = "POST", path = path_of(model, "fetchPredictOperation"), body = { operationName = task.id } }
end

local function output_of(sample)
  if type(sample) ~= "table" then return nil end
  local video = type(sample.video) == "table" and sample.video or sample
  local bytes = video.bytesBase64Encoded or video.encodedVideo
  if lifted.is_blob(bytes) then return { kind = "video", blob = bytes, mime = video.mimeType or "video/mp4" } end
  local url = video.uri or video.gcsUri
  return type(url) == "string" and url:find("^%a+://") and { kind = "video", url = url, mime = video.mimeType } or nil
end

local function results_of(body)
  local response = type(body.response) == "table" and body.response or {}
  local made = type(response.generateVideoResponse) == "table" and response.generateVideoResponse or response
  local outputs = {}
  for _, sample in ipairs(lifted.list(made.generatedSamples or made.videos)) do outputs[#outputs + 1] = output_of(sample) end
  return outputs, made
end

--- Why nothing was made.
local function filtered(made)
  local reasons = table.concat(type(made.raiMediaFilteredReasons) == "table" and made.raiMediaFilteredReasons or {}, " ")
  return { kind = "content_filter", code = "rai_filtered", message = reasons ~= "" and reasons or "the video was filtered" }
end

--- The share of the work that is done, where an operation tells it.
local function progress_of(body)
  local told = type(body.metadata) == "table" and tonumber(body.metadata.progressPercent or body.metadata.progressPercentage)
  return told and math.min(math.max(told / 100, 0), 1) or nil
end

function M.status(body)
  local task = { id = body.name, state = "running", progress = progress_of(body), outputs = {}, raw = body }
  if type(body.error) == "table" then
    task.state, task.error = "failed", { code = body.error.status or body.error.code, message = body.error.message }
  elseif body.done == true then
    local made
    task.outputs, made = results_of(body)
    task.state = "succeeded"
    if not task.outputs[1] and (tonumber(made.raiMediaFilteredCount) or 0) > 0 then
      task.state, task.error = "failed", filtered(made)
    end
  end
  return task
end

return M
