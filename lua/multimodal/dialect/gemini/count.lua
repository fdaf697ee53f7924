--- How many tokens a prompt is: `:countTokens`.
--- Names: encode decode.
local contexts = require("multimodal.dialect.gemini.context")
local encode = require("multimodal.dialect.gemini.encode")
local integer = require("multimodal.compat").integer
local json = require("multimodal.json")

local M = {}

--- What Vertex counts, beside the contents.
local counted = { contents = true, systemInstruction = true, tools = true, generationConfig = true }

--- The body: contents alone go as they are; what stands beside them goes as the host wants it.
local function body_of(body, model, profile)
  if next(body, next(body)) == nil then return body end
  if profile.count == "wrapped" then
    body.model = model:find("/", 1, true) and model or "models/" .. model
    return { generateContentRequest = body }
  end
  local known = {}
  for name, value in pairs(body) do
    if counted[name] then known[name] = value end
  end
  return known
end

--- @param prompt multimodal.Prompt
--- @param profile multimodal.Profile
--- @return multimodal.DialectRequest?
--- @return multimodal.Error?
--- @return string[] warnings
function M.encode(prompt, profile)
  local model, err = encode.model(prompt)
  if not model then return nil, err, {} end
  local context, body = contexts.new(prompt, profile, model), prompt.raw
  if body then
    local copy = {}
    for name, value in pairs(body) do
      if name ~= "model" then copy[name] = value end
    end
    body = copy
  else
    body, err = encode.body(prompt, context)
  end
  if not body then return nil, err, context.warnings end
  return {
    method = "POST", path = encode.path(profile, model, "countTokens"), body = body_of(body, model, profile), stream = false,
  }, nil, context.warnings
end

--- @param event table  {data = JSON text}
--- @return integer? tokens
function M.decode(event)
  local value = json.decode(event.data)
  local total = type(value) == "table" and tonumber(value.totalTokens)
  return total and integer(total) or nil
end

return M
