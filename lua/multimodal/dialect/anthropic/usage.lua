--- Token counts of the Messages dialect as the neutral record: its input does not count what the cache read and wrote.
--- Names: read.
local usage = require("multimodal.reply.usage")

local M = {}

local function amount(value)
  value = tonumber(value)
  return value and value >= 0 and value < math.huge and value or nil
end

--- All of the input; nil where nothing of it is told.
local function input_of(told)
  local sum
  for _, name in ipairs { "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens" } do
    local value = amount(told[name])
    if value then sum = (sum or 0) + value end
  end
  return sum
end

--- @param told any            as received
--- @return multimodal.Usage?  nil where nothing is told
function M.read(told)
  if type(told) ~= "table" then return nil end
  local details = told.output_tokens_details
  return usage.read {
    prompt_tokens = input_of(told), completion_tokens = told.output_tokens,
    prompt_tokens_details = { cached_tokens = told.cache_read_input_tokens, cache_write_tokens = told.cache_creation_input_tokens },
    completion_tokens_details = { reasoning_tokens = type(details) == "table" and details.thinking_tokens or nil },
  }
end

return M
