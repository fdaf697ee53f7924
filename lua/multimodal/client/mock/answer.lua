--- What the answers of a mock have in common, in whichever dialect they are told.
--- Names: encode opened words pieces.
local json = require("multimodal.json")

local M = {}

--- @param value any
--- @return string
function M.encode(value)
  return assert(json.encode(value))
end

--- A part whose source could be read; raises where it cannot.
--- @param part multimodal.Media
--- @return multimodal.Media
function M.opened(part)
  local opened, err = part:opened()
  if not opened then error(tostring(err), 0) end
  return opened
end

--- How many words texts have: what a mock counts as tokens.
--- @param texts string[]
--- @return integer
function M.words(texts)
  local count = 0
  for _, text in ipairs(texts) do
    for _ in text:gmatch("%S+") do count = count + 1 end
  end
  return count
end

--- The pieces in which a text is streamed: words with the space before them, and the space at its end.
--- @param text string
--- @return string[]
function M.pieces(text)
  local list, from = {}, 1
  while from <= #text do
    local _, to = text:find("^%s*%S+", from)
    to = to or #text
    list[#list + 1] = text:sub(from, to)
    from = to + 1
  end
  return list
end

return M
