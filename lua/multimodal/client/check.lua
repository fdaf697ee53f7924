--- Before sending: can this model take and give what is asked? Only by what is known already; nothing is fetched.
--- Names: run advise.
local compat = require("multimodal.compat")
local catalogue = compat.lazy("multimodal.client.catalogue")
local error_class = require("multimodal.error")
local media = require("multimodal.media")

local M = {}

local of_wire = { image_url = "image", input_audio = "audio", video_url = "video", file = "file", file_url = "file" }

local function is_pdf(part)
  return media.is(part) and part.kind == "file" and (part:mime() or part.url or ""):lower():find("pdf") ~= nil
end

local function modality_of(part, profile)
  if not media.is(part) then
    local modality = of_wire[part.type]
    return not (profile.parses_pdf and modality == "file") and modality or nil
  end
  if profile.parses_pdf and is_pdf(part) then return nil end
  return part.kind
end

--- What the messages need, each modality once, with the place of the first part that needs it.
local function needs_of(messages, profile)
  local needs, places = {}, {}
  for i, message in ipairs(messages) do
    for j, part in ipairs(message.role ~= "assistant" and message.content or {}) do
      local modality = modality_of(part, profile)
      if modality and not places[modality] then
        needs[#needs + 1], places[modality] = modality, ("messages[%d].content[%d]"):format(i, j)
      end
    end
  end
  return needs, places
end

local function outputs_of(options)
  local list = {}
  for _, modality in ipairs(options.modalities or {}) do
    if modality ~= "text" then list[#list + 1] = modality end
  end
  return list
end

local most_named = 5

--- The models of the catalogue that could, as words.
local function others(client, needs, gives)
  local names = {}
  for _, model in ipairs(client.shelf.models or {}) do
    if catalogue.fits(model, needs, gives) then names[#names + 1] = model.id end
    if #names == most_named then break end
  end
  return names[1] and "; these could: " .. table.concat(names, ", ") or ""
end

local function first_missing(list, wanted)
  local set = {}
  for _, word in ipairs(list) do set[word] = true end
  for _, word in ipairs(wanted) do
    if not set[word] then return word end
  end
  return nil
end

local function sentence(model, verb, list, missing)
  return ("%s %s %s, not %s"):format(model.id, verb, table.concat(list, ", "), missing)
end

--- What a model cannot do, and where that is asked.
local function fault_of(client, model, needs, places, gives)
  local missing = model.input and first_missing(model.input, needs)
  if missing then return sentence(model, "takes", model.input, missing) .. others(client, needs, gives), places[missing] end
  missing = model.output and first_missing(model.output, gives)
  if missing then return sentence(model, "gives", model.output, missing) .. others(client, needs, gives), "modalities" end
  return nil
end

--- Pictures and speech are only made where they are asked for.
local function warn_of_silence(options, warnings)
  if (options.aspect_ratio or options.image_size) and first_missing(options.modalities or {}, { "image" }) then
    warnings[#warnings + 1] = "aspect_ratio and image_size say how a picture shall be, but modalities asks for none; "
      .. "write modalities = { \"image\", \"text\" }, or ai:image"
  end
  if (options.voice or options.audio_format) and first_missing(options.modalities or {}, { "audio" }) then
    warnings[#warnings + 1] = "voice and audio_format say how speech shall be, but modalities asks for none; "
      .. "write modalities = { \"text\", \"audio\" }"
  end
end

--- Compare a prompt with what is known of its model.
--- @param client multimodal.Client
--- @param options table
--- @param messages multimodal.Message[]
--- @param warnings string[]   added to, where the knowledge is not sure or check = "warn"
--- @return boolean? fine
--- @return multimodal.Error? err   unsupported, code modality
function M.run(client, options, messages, warnings)
  if options.check == false or options.check == "off" then return true end
  warn_of_silence(options, warnings)
  local id = options.model
  if not id then return true end
  local model, fetched = catalogue.find(client, id)
  if not model then
    if fetched then warnings[#warnings + 1] = ("%s is not among the models of %s"):format(id, client.name) end
    return true
  end
  local needs, places = needs_of(messages, client.profile)
  local message, place = fault_of(client, model, needs, places, outputs_of(options))
  if not message then return true end
  if not model.sure or options.check == "warn" then
    warnings[#warnings + 1] = place .. ": " .. message
    return true
  end
  return nil, error_class.new {
    kind = "unsupported", code = "modality", part = place, message = message .. '; check = "warn" sends it all the same',
  }
end

local function about_model(err)
  return ((err.code or "") .. " " .. (err.message or "")):lower():find("model", 1, true) ~= nil
end

--- Add to an error about a model that is not there how to find one that is.
--- @param err multimodal.Error
--- @param client multimodal.Client
--- @param options table
--- @return multimodal.Error err
function M.advise(err, client, options)
  if err.kind ~= "not_found" or not about_model(err) or err.message:find("ai:models", 1, true) then return err end
  local wanted = outputs_of(options)[1]
  local near = options.model and catalogue.nearest(client, options.model)
  err.message = ("%s%s; %slists the models there are"):format(
    (err.message:gsub("%.$", "")),
    near and near ~= options.model and "; did you mean " .. near .. "?" or "",
    wanted and ('ai:models { output = "%s" } '):format(wanted) or "ai:models() ")
  return err
end

return M
