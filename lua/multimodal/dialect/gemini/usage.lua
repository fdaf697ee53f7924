--- Gemini's token counts as the neutral record.
--- Names: read.
local usage = require("multimodal.reply.usage")
local wire = require("multimodal.dialect.gemini.wire")

local M = {}

local field = wire.field

local function count(told, name)
  return tonumber(field(told, name))
end

--- The sum of what is told, nil where nothing is.
local function sum(a, b)
  if a and b then return a + b end
  return a or b
end

--- @param told any  the usageMetadata as received
--- @return multimodal.Usage?
function M.read(told)
  if type(told) ~= "table" then return nil end
  local thoughts = count(told, "thoughtsTokenCount")
  return usage.read {
    prompt_tokens = sum(count(told, "promptTokenCount"), count(told, "toolUsePromptTokenCount")),
    completion_tokens = sum(count(told, "candidatesTokenCount"), thoughts),
    total_tokens = count(told, "totalTokenCount"),
    prompt_tokens_details = { cached_tokens = count(told, "cachedContentTokenCount") },
    completion_tokens_details = { reasoning_tokens = thoughts },
  }
end

return M
