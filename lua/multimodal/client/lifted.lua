--- JSON of any size read in pieces: media in it become blobs on the way and never stand in memory.
--- Names: read of_text of_blob.
local core = require("multimodal.core")
local json = require("multimodal.json")

local M = {}

local piece = 256 * 1024 -- bytes read at once

--- Feed all of a source to a decoder.
local function feed(decoder, read)
  local offset, text, err = 0, read(0)
  if text then text = text:gsub("^\239\187\191", "") end
  while text and text ~= "" do
    local fed, why = decoder:feed(text)
    if not fed then return nil, why end
    -- LuaJIT paces its collector by the number of strings, not by their size.
    if #text == piece then collectgarbage("step", 2 * piece / 1024) end
    offset = offset + piece
    text, err = read(offset)
  end
  if not text then return nil, err end
  return decoder:finish()
end

--- Read one JSON value.
--- @param read fun(offset: integer): string?, multimodal.Error?  the piece at an offset, "" at the end
--- @param options? table  of json.decode
--- @return any value
--- @return multimodal.Error|table|nil err
function M.read(read, options)
  local decoder = core.decoder { format = "json" }
  decoder:head(200, "application/json")
  local fed, err = feed(decoder, read)
  local event
  if fed then event, err = decoder:next() end
  decoder:close()
  if not event then return nil, err or { kind = "protocol", code = "empty", message = "it is empty" } end
  local all = { media = event.media }
  for name, value in pairs(options or {}) do all[name] = value end
  return json.decode(event.data, all)
end

--- Pieces of a string.
--- @param text string
function M.of_text(text)
  return function(offset)
    return text:sub(offset + 1, offset + piece)
  end
end

--- Pieces of a blob.
--- @param blob userdata
function M.of_blob(blob)
  local size = blob:size()
  return function(offset)
    if offset >= size then return "" end
    return blob:read(offset, piece)
  end
end

return M
