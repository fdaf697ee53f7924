--- What the encoder carries along: the prompt's options, the gateway, the model, and what is noticed on the way.
--- Names: new warn cannot extra_of.
local refuse = require("multimodal.dialect.refuse")

local M = {}

--- @class multimodal.gemini.Context
--- @field profile multimodal.Profile
--- @field options table
--- @field model string
--- @field generation integer?   3 of gemini-3-pro; nil of a name that does not tell
--- @field warnings string[]
--- @field sent multimodal.SentPart[]  parts whose bytes or links go out
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

--- @param context multimodal.gemini.Context
function M.warn(context, form, ...)
  context.warnings[#context.warnings + 1] = form:format(...)
end

--- What is asked for and cannot be said, where it only tunes.
--- @param context multimodal.gemini.Context
--- @param name string      of the option, or the place of the part
--- @param message string   why, and the way out
--- @return boolean? left_out
--- @return multimodal.Error? err
function M.cannot(context, name, message)
  return refuse.left_out(context.options, context.warnings, name, message)
end

--- Further fields of a part or a tool, without a mark for Anthropic's cache, which has no place here.
--- @param context multimodal.gemini.Context
--- @param place string
--- @param extra table?
--- @return table?
function M.extra_of(context, place, extra)
  if type(extra) ~= "table" or extra.cache_control == nil then return extra end
  M.warn(context, "%s: cache_control has no place in Gemini's dialect and was left out", place)
  local copy = {}
  for name, value in pairs(extra) do
    if name ~= "cache_control" then copy[name] = value end
  end
  return copy
end

return M
