--- Token counts of a provider as the neutral record.
--- Names: read.
local integer = require("multimodal.compat").integer

local M = {}

--- A number as the provider wrote it, also in quotes; nil for anything else.
local function amount(value)
  local kind = type(value)
  if kind ~= "number" and kind ~= "string" then return nil end
  local number = tonumber(value)
  if number and number == number and number >= 0 and number < math.huge then return number end
  return nil
end

local function tokens(value)
  local number = amount(value)
  return number and integer(number)
end

local function details(usage, chat, responses)
  local table_of = usage[chat]
  if type(table_of) ~= "table" then table_of = usage[responses] end
  return type(table_of) == "table" and table_of or {}
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
  local cost = amount(usage.cost)
  if not (input or output or total or cost) then return nil end
  local of_input = details(usage, "prompt_tokens_details", "input_tokens_details")
  local of_output = details(usage, "completion_tokens_details", "output_tokens_details")
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
