--- How many tokens a prompt is: `POST /messages/count_tokens`, which takes what makes up the input and nothing else.
--- Names: encode decode.
local encode = require("multimodal.dialect.anthropic.encode")
local integer = require("multimodal.compat").integer
local json = require("multimodal.json")

local M = {}

local of_output = {
  "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier",
}

--- @param prompt multimodal.Prompt
--- @param profile multimodal.Profile
--- @return multimodal.DialectRequest?
--- @return multimodal.Error?
--- @return string[] warnings
function M.encode(prompt, profile)
  local request, err, warnings = encode.encode(prompt, profile)
  if not request then return nil, err, warnings end
  for _, name in ipairs(of_output) do request.body[name] = nil end
  request.path, request.stream = request.path .. "/count_tokens", false
  return request, nil, warnings
end

--- @param event table  {data = JSON text}
--- @return integer? tokens
function M.decode(event)
  local value = json.decode(event.data)
  local total = type(value) == "table" and tonumber(value.input_tokens)
  return total and integer(total) or nil
end

return M
