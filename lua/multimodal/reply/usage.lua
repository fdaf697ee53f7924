--- Token counts of a provider as the neutral record.
--- Names: read.
local integer = require("multimodal.compat").integer

local M = {}

--- A number as the provider wrote it, also in quotes; nil for anything else.
local function amount(value)
  if type(value) == "string" then value = tonumber(value) end
  if type(value) ~= "number" or not (value >= 0 and value < math.huge) then return nil end
  return value
end

local function tokens(value)
  if value == nil then return nil end
  if type(value) ~= "number" or not (value >= 0 and value < math.huge) then value = amount(value) end
  return value and integer(value)
end

local nothing = {}

local function details(chat, responses)
  if chat == nil then chat = responses end
  return type(chat) == "table" and chat or nothing
end

--- Read the `usage` of the OpenAI family, under the names of chat or of responses. What the provider does not say
--- stays nil: no zero is invented. Only the total is computed, where both its parts are known.
--- @param usage any                  as received
--- @return multimodal.Usage?         nil where nothing is told
function M.read(usage)
  if type(usage) ~= "table" then return nil end
  local input = tokens(usage.prompt_tokens) or tokens(usage.input_tokens)
  local output = tokens(usage.completion_tokens) or tokens(usage.output_tokens)
  local total = tokens(usage.total_tokens)
  if not total and input and output then total = integer(input + output) end
  local cost = usage.cost ~= nil and amount(usage.cost) or nil
  if not (input or output or total or cost) then return nil end
  local of_input = details(usage.prompt_tokens_details, usage.input_tokens_details)
  local of_output = details(usage.completion_tokens_details, usage.output_tokens_details)
  return {
    input_tokens = input,
    output_tokens = output,
    total_tokens = total,
    cached_tokens = tokens(of_input.cached_tokens),
    cache_write_tokens = tokens(of_input.cache_write_tokens),
    reasoning_tokens = tokens(of_output.reasoning_tokens),
    cost = cost,
  }
end

return M
