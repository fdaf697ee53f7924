--- Ark's settings of a video: each is a field of the body, and some are a flag in the text, `--duration 5`, as well.
--- Names: read (what is set, and where) fields flags (as they go out).
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")

local M = {}

--- The option, the field of the body, and the flag in the text, with its short form. In the order in which flags go out.
local settings = {
  { option = "duration", field = "duration", flag = "duration", short = "dur" },
  { option = "resolution", field = "resolution", flag = "resolution", short = "rs" },
  { option = "aspect_ratio", field = "ratio", flag = "ratio", short = "rt" },
  { option = "frames", field = "frames", flag = "frames" },
  { option = "fps", flag = "framespersecond", short = "fps" },
  { option = "seed", field = "seed", flag = "seed" },
  { option = "camera_fixed", field = "camera_fixed", flag = "camerafixed", short = "cf" },
  { option = "watermark", field = "watermark", flag = "watermark", short = "wm" },
  { option = "generate_audio", field = "generate_audio" },
  { option = "draft", field = "draft" },
  { option = "return_last_frame", field = "return_last_frame" },
  { option = "service_tier", field = "service_tier" },
  { option = "callback_url", field = "callback_url" },
}

local of_flag = {}
for _, setting in ipairs(settings) do
  if setting.flag then of_flag[setting.flag] = setting end
  if setting.short then of_flag[setting.short] = setting end
end

local function refuse(code, part, message)
  return nil, error_class.new { kind = "bad_request", code = code, part = part, message = message }
end

--- The flags of a text: option to value, and how they are written there. One begins a word, or follows a letter of another script.
local function flags_in(text)
  local found, names = {}, {}
  for name, at in (" " .. text):gmatch("[^%w-]%-%-(%a+)()") do
    local setting = of_flag[name:lower()]
    if setting then
      local value = text:match("^%s+(%S+)", at - 1) or ""
      found[setting.option], names[setting.option] = not value:find("^%-%-") and value or "", "--" .. name
    end
  end
  return found, names
end

local function whole(value)
  return type(value) == "number" and value % 1 == 0
end

--- What Ark is known to refuse, of the options alone: flags are checked there, and loosely.
local function check_values(options)
  local frames, seed = options.frames, options.seed
  if frames and not (whole(frames) and frames >= 29 and frames <= 289 and (frames - 25) % 4 == 0) then
    return refuse("frames", "frames", "frames: expected 29 to 289 in steps of 4 (25 + 4n)")
  end
  if seed and not (whole(seed) and seed >= -1 and seed <= 4294967295) then
    return refuse("seed", "seed", "seed: expected -1 to 4294967295")
  end
  if options.duration and not whole(options.duration) then
    return refuse("duration", "duration", "duration: expected whole seconds")
  end
  if options.fps and options.fps ~= 24 then return refuse("fps", "fps", "fps: 24 is all there is") end
  return true
end

--- Settings that rule each other out.
local function check_pairs(set, names)
  local function conflict(option, message) return refuse("conflicting_option", option, message) end
  -- Two flags of the user's own are between the user and Ark.
  if set.frames ~= nil and set.duration ~= nil and not (names.frames and names.duration) then
    return conflict("frames", "frames and duration both say how long; take one away (duration = false)")
  end
  local draft = set.draft == true
  if draft and set.resolution ~= nil and set.resolution ~= "480p" then
    return conflict("resolution", "a draft is made in 480p; take resolution away, or draft")
  end
  if draft and set.return_last_frame == true then
    return conflict("return_last_frame", "a draft has no last frame; take return_last_frame away, or draft")
  end
  if set.service_tier == "flex" and draft then
    return conflict("service_tier", "a draft is not made at the flex tier; take service_tier away, or draft")
  end
  if set.service_tier == "flex" and set.priority ~= nil then
    return conflict("service_tier", "the flex tier has no priority; take one of them away")
  end
  return true
end

--- What is set, by options, by fields of `extra` and by flags in the text.
--- @param text string
--- @param options table
--- @return table<string, any>? set   by option
--- @return multimodal.Error? err     twice set, or ruled out
function M.read(text, options)
  local fine, err = check_values(options)
  if not fine then return nil, err end
  local set, names = flags_in(text)
  local extra = options.extra or {}
  for _, setting in ipairs(settings) do
    local value, twin = options[setting.option], setting.field and extra[setting.field]
    if value ~= nil and twin ~= nil then
      return refuse("conflicting_option", setting.option,
        ("%s is an option and stands in extra as %s too; take one away"):format(setting.option, setting.field))
    end
    if value == nil then value = twin end
    if value ~= nil then
      local flag = names[setting.option]
      if flag then
        return refuse("conflicting_option", setting.option,
          ("%s stands in the text as %s and is an option too; take one away"):format(setting.option, flag))
      end
      set[setting.option] = value
    end
  end
  set.priority = extra.priority
  fine, err = check_pairs(set, names)
  if not fine then return nil, err end
  return set
end

--- Settings as fields of the body.
--- @param options table
--- @param inline boolean  those that have a flag go out as flags
--- @param body table
function M.fields(options, inline, body)
  for _, setting in ipairs(settings) do
    if setting.field and not (inline and setting.flag) then body[setting.field] = options[setting.option] end
  end
end

local function shown(value)
  if type(value) == "number" and value % 1 == 0 then return ("%.0f"):format(compat.integer(value)) end
  return tostring(value)
end

--- Settings as flags after a text: " --duration 5 --resolution 1080p".
--- @param options table
--- @return string
function M.flags(options)
  local words = {}
  for _, setting in ipairs(settings) do
    local value = options[setting.option]
    if setting.flag and value ~= nil then words[#words + 1] = (" --%s %s"):format(setting.flag, shown(value)) end
  end
  return table.concat(words)
end

return M
