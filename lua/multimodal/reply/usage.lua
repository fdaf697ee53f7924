--- Token counts of a provider as the neutral record.
--- Names: read.
local compat = require("multimodal.compat")

local M = {}

--- A number as the provider wrote it, also in quotes; nil for anything else.
local function amount(value)
  if type(value) == "string" then value = tonumber(value) end
  if type(value) ~= "number" or not (value >= 0 and value < math.huge) then return nil end
  return value
end

-- Where numbers have a subtype, one that is whole already needs no second look.
local kind_of, whole, integer = compat.kind_of, compat.whole, compat.integer

local huge = math.huge

local function tokens(value)
  if value == nil then return nil end
  if kind_of(value) == whole and value >= 0 and value < huge then return value end
  value = amount(value)
  return value and integer(value)
end

local function detail(details, name)
  return type(details) == "table" and tokens(details[name]) or nil
end

--- Read the `usage` of the OpenAI family, under the names of chat or of responses. What the provider does not say
--- stays nil: no zero is invented. Only the total is computed, where both its parts are known.
--- @param usage any                  as received
--- @return multimodal.Usage?         nil where nothing is told
function M.read(usage)
  if type(usage) ~= "table" then return nil end
  local input = tokens(usage.prompt_tokens) or usage.input_tokens and tokens(usage.input_tokens) or nil
  local output = tokens(usage.completion_tokens) or usage.output_tokens and tokens(usage.output_tokens) or nil
  local total = tokens(usage.total_tokens)
  if not total and input and output then total = integer(input + output) end
  local cost = usage.cost ~= nil and amount(usage.cost) or nil
  if not (input or output or total or cost) then return nil end
  local of_input, of_output = usage.prompt_tokens_details, usage.completion_tokens_details
  if of_input == nil then of_input = usage.input_tokens_details end
  if of_output == nil then of_output = usage.output_tokens_details end
  return {
    input_tokens = input,
    output_tokens = output,
    total_tokens = total,
    cached_tokens = of_input and detail(of_input, "cached_tokens"),
    cache_write_tokens = of_input and detail(of_input, "cache_write_tokens"),
    reasoning_tokens = of_output and detail(of_output, "reasoning_tokens"),
    cost = cost,
  }
end

return M
