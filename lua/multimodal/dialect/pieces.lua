--- What comes in pieces and is one in the end. Nothing is joined before it is asked for.
--- Names: new push joined blob.
local media = require("multimodal.media")

local M = {}

--- @return {n: integer, [integer]: string}
function M.new()
  return { n = 0 }
end

--- @param pieces {n: integer, [integer]: string}
--- @param piece string
function M.push(pieces, piece)
  local n = pieces.n + 1
  pieces.n, pieces[n] = n, piece
end

--- The pieces as one, which then stands in their place.
--- @param pieces {n: integer, [integer]: string}
--- @return string
function M.joined(pieces)
  if pieces.n == 0 then return "" end
  local text = table.concat(pieces, "", 1, pieces.n)
  for i = pieces.n, 2, -1 do pieces[i] = nil end
  pieces.n, pieces[1] = 1, text
  return text
end

local step = 65536 -- bytes copied at once

--- Blobs in a row as one.
--- @param blobs userdata[]
--- @return userdata
function M.blob(blobs)
  if not blobs[2] then return blobs[1] end
  local writer = media.writer {}
  for _, blob in ipairs(blobs) do
    for offset = 0, blob:size() - 1, step do writer:write(blob:read(offset, step)) end
  end
  return writer:finish()
end

return M
