--- Options as fields of a generateContent request. What is not set is not sent.
--- Names: add.
local contexts = require("multimodal.dialect.gemini.context")
local error_class = require("multimodal.error")
local fields = require("multimodal.dialect.fields")
local json = require("multimodal.json")
local refuse = require("multimodal.dialect.refuse")
local schemas = require("multimodal.dialect.gemini.schema")
local tools = require("multimodal.dialect.gemini.tools")

local M = {}

local cannot, warn = contexts.cannot, contexts.warn

local function words(value, change)
  local list = {}
  for i, item in ipairs(type(value) == "table" and value or { value }) do list[i] = change and change(item) or item end
  return json.array(list)
end

--- Names of options in generationConfig.
local direct = {
  temperature = "temperature", top_p = "topP", top_k = "topK", max_tokens = "maxOutputTokens", seed = "seed", n = "candidateCount",
}

--- Words for how much to reason: as a level for Gemini 3, as tokens for older models.
local levels = { none = "MINIMAL", minimal = "MINIMAL", low = "LOW", medium = "MEDIUM", high = "HIGH", xhigh = "HIGH", max = "HIGH" }
local budgets = { none = 0, minimal = 512, low = 1024, medium = 8192, high = 24576, xhigh = 24576, max = 24576 }

--- Words that one of these forms says less exactly.
local coarse = {
  level = { none = "MINIMAL", xhigh = "HIGH", max = "HIGH" },
  budget = { xhigh = "24576 tokens", max = "24576 tokens" },
}

local function thinking(value, context)
  if type(value) == "number" then return { thinkingBudget = value, includeThoughts = value ~= 0 } end
  if not levels[value] then
    return refuse.unsupported("reasoning", ("%q is none of none, minimal, low, medium, high, xhigh, max"):format(value))
  end
  local form = context.generation and context.generation < 3 and "budget" or "level"
  local told = coarse[form][value]
  if told then warn(context, "reasoning: %q is said as %s to %s", value, told, context.model) end
  local config = { includeThoughts = value ~= "none" }
  if form == "level" then config.thinkingLevel = levels[value] else config.thinkingBudget = budgets[value] end
  return config
end

--- A schema: multimodal.Schema, or a table {schema} or JSON Schema itself.
local function add_schema(config, schema, context)
  local given = type(schema) == "table" and schema.schema or schema
  config.responseMimeType = "application/json"
  if context.profile.schema ~= "openapi" then
    config.responseJsonSchema = given
    return true
  end
  local err
  config.responseSchema, err = schemas.convert(given, "schema")
  return config.responseSchema ~= nil, err
end

local function add_output(config, options)
  if options.modalities then config.responseModalities = words(options.modalities, string.upper) end
  if options.aspect_ratio or options.image_size then
    config.imageConfig = { aspectRatio = options.aspect_ratio, imageSize = options.image_size }
  end
  if options.voice then
    config.speechConfig = { voiceConfig = { prebuiltVoiceConfig = { voiceName = options.voice } } }
  end
end

--- Options that this dialect has no words for.
local function check_unsaid(context)
  local options, fine, err = context.options, true, nil
  if options.audio_format then
    fine, err = cannot(context, "audio_format", "Gemini's speech comes in one format, which is given as WAV; leave it out")
  end
  if fine and options.n and options.n > 1 and context.stream then
    fine, err = cannot(context, "n", "Gemini streams one choice; leave it out, or do not stream")
  end
  return fine, err
end

local refusable = { "top_k", "n", "seed", "stop", "modalities", "aspect_ratio", "image_size", "voice", "schema", "tools", "reasoning" }

local function check_refused(context)
  local kept, err = refuse.accepted(context.options, refusable, context.profile, context.warnings)
  context.options = kept or context.options
  return kept ~= nil, err
end

local function config_of(context)
  local options, config = context.options, {}
  for name, wire in pairs(direct) do config[wire] = options[name] or nil end
  if options.n and context.stream then config.candidateCount = nil end
  if options.stop then config.stopSequences = words(options.stop) end
  if options.stop and #config.stopSequences > 5 then warn(context, "stop: %d words; Gemini takes 5", #config.stopSequences) end
  add_output(config, options)
  local fine, err = true, nil
  if options.reasoning then
    config.thinkingConfig, err = thinking(options.reasoning, context)
    if not config.thinkingConfig then return nil, err end
  end
  if options.schema then fine, err = add_schema(config, options.schema, context) end
  return fine and config, err
end

--- Instructions and tools live in what was cached.
local function check_cache(body)
  if body.cachedContent == nil then return true end
  for _, name in ipairs { "systemInstruction", "tools", "toolConfig" } do
    if body[name] ~= nil then
      return nil, error_class.new {
        kind = "bad_request", code = "conflicting_option", part = name,
        message = name .. ": it stands in cachedContent already, or has to be put there; send one of the two",
      }
    end
  end
  return true
end

local steps = { check_refused, check_unsaid }

--- Put what the options say into a body.
--- @param body table
--- @param context multimodal.gemini.Context
--- @return boolean? fine
--- @return multimodal.Error? err
function M.add(body, context)
  for _, step in ipairs(steps) do
    local fine, err = step(context)
    if not fine then return nil, err end
  end
  local config, err = config_of(context)
  if not config then return nil, err end
  local fine
  fine, err = tools.add(body, context)
  if not fine then return nil, err end
  if next(config) ~= nil then body.generationConfig = config end
  fields.merge(body, context.options.extra)
  return check_cache(body)
end

return M
