--- Fields of Google's JSON: it writes camelCase, and some gateways write it again in snake_case.
--- Names: field thawed payload is_bare remarks.
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")

local M = {}

local type = type

--- Both spellings of what is read.
local snake = {
  inlineData = "inline_data", fileData = "file_data", mimeType = "mime_type", fileUri = "file_uri", finishReason = "finish_reason",
  finishMessage = "finish_message", usageMetadata = "usage_metadata", functionCall = "function_call",
  thoughtSignature = "thought_signature", promptFeedback = "prompt_feedback", blockReason = "block_reason",
  blockReasonMessage = "block_reason_message", modelVersion = "model_version", responseId = "response_id",
  promptTokenCount = "prompt_token_count", candidatesTokenCount = "candidates_token_count",
  thoughtsTokenCount = "thoughts_token_count", toolUsePromptTokenCount = "tool_use_prompt_token_count",
  cachedContentTokenCount = "cached_content_token_count", totalTokenCount = "total_token_count",
  groundingMetadata = "grounding_metadata", groundingChunks = "grounding_chunks",
  citationMetadata = "citation_metadata", citationSources = "citation_sources",
}

--- @param value table
--- @param name string  in camelCase
--- @return any
function M.field(value, name)
  local found = value[name]
  if found == nil and snake[name] then found = value[snake[name]] end
  if found == json.null then return nil end
  return found
end

local field = M.field

--- Members of a part that are what it carries, the others being remarks on it.
local payloads = { "text", "functionCall", "inlineData", "fileData" }

--- What a part carries: its name and value; nil for what only Gemini knows.
--- @param part table
--- @return string? name
--- @return any value
function M.payload(part)
  for i = 1, #payloads do
    local value = field(part, payloads[i])
    if value ~= nil then return payloads[i], value end
  end
  return nil
end

--- Whether a part is text and nothing else, but that it may be a thought.
--- @param part table
--- @return boolean
function M.is_bare(part)
  for name in next, part do
    if name ~= "text" and name ~= "thought" then return false end
  end
  return true
end

--- A decoded value as it may go out again: bytes that were lifted are base64 once more.
--- @param value any
--- @return any
function M.thawed(value)
  if lifted.is_blob(value) then return json.base64_of(value) end
  if lifted.is_mixed(value) then return tostring(value) end
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, inner in pairs(value) do copy[name] = M.thawed(inner) end
  return setmetatable(copy, getmetatable(value))
end

--- The members of a part beside what it carries, nil where there are none.
--- @param part table     exact
--- @param name string    of what it carries
--- @return table?
function M.remarks(part, name)
  local more
  for key, value in pairs(part) do
    if key ~= name and key ~= snake[name] and value ~= json.null then
      more = more or {}
      more[key] = M.thawed(value)
    end
  end
  return more
end

return M
