--- What the encoder carries along: the prompt's options, the gateway, the model, and what is noticed on the way.
--- Names: new warn cannot.
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

return M
