--- How large a prompt is before it is sent.
--- Names: estimate.
local media = require("multimodal.media")

local M = {}

--- Bytes of base64 that bytes become.
local function encoded(bytes)
  return math.ceil(bytes / 3) * 4
end

local function describe(part, place)
  if not media.is(part) then
    local bytes = type(part.text) == "string" and #part.text or nil
    return { part = place, kind = part.type, bytes = bytes or 0, encoded_bytes = bytes or 0 }
  end
  local size = part:size()
  return {
    part = place, kind = part.kind, mime = part:mime(), url = part.url,
    bytes = size or 0, encoded_bytes = size and encoded(size) or part.url and #part.url or 0,
  }
end

--- @class multimodal.Estimate
--- @field bytes integer           of text and media as they are
--- @field encoded_bytes integer   of the request's body
--- @field parts {part: string, kind: string, mime: string?, url: string?, bytes: integer, encoded_bytes: integer}[]
--- @field warnings string[]

--- The sizes of a request.
--- @param request multimodal.Request
--- @return multimodal.Estimate
function M.estimate(request)
  local parts, bytes = {}, 0
  for i, message in ipairs(request.messages) do
    for j, part in ipairs(message.content) do
      local one = describe(part, ("messages[%d].content[%d]"):format(i, j))
      parts[#parts + 1] = one
      bytes = bytes + one.bytes
    end
  end
  local length = request.body:length()
  return { bytes = parts[1] and bytes or length, encoded_bytes = length, parts = parts, warnings = request.warnings }
end

return M
