--- What each generation of Ark's models is known to refuse. Warnings only: models change sooner than this page does, and an
--- endpoint's id (ep-...) tells nothing. Names: warn.
local M = {}

--- Seconds, and how many reference images, by generation.
local lengths = { ["1.0"] = { 2, 12 }, ["1.5"] = { 4, 12 }, ["2.0"] = { 4, 15 }, ["2.5"] = { 4, 30 } }
local references = { ["2.0"] = 9, ["2.5"] = 30 }

--- @class multimodal.ArkModel
--- @field generation string  "1.0"
--- @field variant string     "pro", "pro-fast", "lite", "" of a standard one

--- @param name any
--- @return multimodal.ArkModel?
local function read(name)
  local major, minor, rest = tostring(name or ""):match("seedance%-(%d)%-(%d)(.*)$")
  local generation = major and major .. "." .. minor
  if not lengths[generation] then return nil end
  local variant = rest:match("pro%-fast") or rest:match("pro") or rest:match("lite") or rest:match("fast") or rest:match("mini")
  return { generation = generation, variant = variant or "" }
end

local function is_2(model) return model.generation:sub(1, 1) == "2" end

local function set_to(value, wanted) return tostring(value) == wanted end

local function of_time(model, set)
  local least, most = lengths[model.generation][1], lengths[model.generation][2]
  local seconds = tonumber(set.duration)
  if set.frames ~= nil and model.generation ~= "1.0" then return "frames: known to the 1.0 models alone" end
  if not seconds or seconds >= least and seconds <= most then return nil end
  if seconds == -1 and model.generation ~= "1.0" then return nil end
  return ("duration: %d to %d seconds"):format(least, most)
end

local function of_picture(model, set, counts)
  local small = model.variant == "fast" or model.variant == "mini"
  local resolution = tostring(set.resolution):lower()
  if resolution == "4k" and not (model.generation == "2.0" and model.variant == "") then return "resolution: no 4k" end
  if resolution == "1080p" and (is_2(model) and small or model.variant == "lite" and counts.reference_image > 0) then
    return "resolution: no 1080p" .. (model.variant == "lite" and " with reference images" or "")
  end
  local pictures = counts.plain + counts.first_frame + counts.reference_image
  if set_to(set.aspect_ratio, "adaptive") and model.generation == "1.0" and pictures == 0 then
    return "aspect_ratio: adaptive only with a picture"
  end
  return nil
end

local function of_settings(model, set)
  local drafts = model.generation == "1.5" and model.variant == "pro"
  if set_to(set.draft, "true") and not drafts then return "draft: known to 1.5 pro alone" end
  if set_to(set.generate_audio, "true") and model.generation == "1.0" then return "generate_audio: it makes no sound" end
  if set_to(set.camera_fixed, "true") and is_2(model) then return "camera_fixed: unknown to it" end
  if set_to(set.service_tier, "flex") and is_2(model) then return "service_tier: it is not made at the flex tier" end
  if set.priority ~= nil and model.generation ~= "2.0" then return "priority: known to the 2.0 models alone" end
  return nil
end

local function of_references(model, _, counts)
  local most = references[model.generation] or model.variant == "lite" and 4 or 0
  if counts.last_frame > 0 and model.variant == "pro-fast" then return "last_frame: it takes a first frame alone" end
  if counts.reference_image > most then return ("reference_image: at most %d"):format(most) end
  if counts.reference_video + counts.reference_audio > 0 and not is_2(model) then return "it takes no reference video or audio" end
  return nil
end

--- Add what a model is known to refuse.
--- @param name any                    of the model
--- @param set table<string, any>      by option; of flags their words
--- @param counts table<string, integer>  items by role
--- @param warnings string[]
function M.warn(name, set, counts, warnings)
  local model = read(name)
  if not model then return end
  for _, rule in ipairs { of_time, of_picture, of_settings, of_references } do
    local words = rule(model, set, counts)
    if words then warnings[#warnings + 1] = ("%s: %s"):format(name, words) end
  end
end

return M
