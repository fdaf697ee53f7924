--- What the encoder carries along: the prompt's options, the gateway, the model, and what is noticed on the way.
--- Names: new generation who warn cannot.
local turns = require("multimodal.dialect.turns")

local M = {}

--- @class multimodal.gemini.Context
--- @field profile multimodal.Profile
--- @field options table
--- @field model string
--- @field generation integer?   3 of gemini-3-pro; nil of a name that does not tell
--- @field warnings string[]
--- @field sent {place: string, part: multimodal.Media}[]  parts whose bytes or links go out
--- @field stream boolean?

--- @param prompt multimodal.Prompt
--- @param profile multimodal.Profile
--- @param model string
--- @return multimodal.gemini.Context
function M.new(prompt, profile, model)
  return {
    profile = profile, options = prompt.options, model = model, stream = prompt.stream, warnings = {}, sent = {},
    generation = tonumber(model:lower():match("gemini%-(%d+)")),
  }
end

--- @param profile multimodal.Profile
--- @return string
function M.who(profile)
  return profile.name or "this gateway"
end

--- @param context multimodal.gemini.Context
function M.warn(context, form, ...)
  context.warnings[#context.warnings + 1] = form:format(...)
end

--- What is asked for and cannot be said: an error, or with check = "warn" a warning, or with "off" nothing.
--- @param context multimodal.gemini.Context
--- @param name string      of the option, or the place of the part
--- @param message string   why, and the way out
--- @return boolean? left_out
--- @return multimodal.Error? err
function M.cannot(context, name, message)
  local check = context.options.check
  if check == "off" or check == false then return true end
  if check ~= "warn" then return turns.unsupported(name, message .. '; check = "warn" leaves it out') end
  M.warn(context, "%s was left out: %s", name, message)
  return true
end

return M
