--- Speech comes as bare samples (audio/L16), which no player reads: they get the head of a WAV file.
--- Names: is_bare playable.
local media = require("multimodal.media")

local M = {}

local piece = 65536 -- bytes copied at once

--- Whether a media type is that of samples without a head.
--- @param mime string?
--- @return boolean
function M.is_bare(mime)
  local lower = type(mime) == "string" and mime:lower() or ""
  return lower:find("^audio/l16") ~= nil or lower:find("^audio/pcm") ~= nil
end

--- A number as little-endian bytes.
local function little(number, bytes)
  local list = {}
  for i = 1, bytes do
    list[i] = string.char(number % 256)
    number = math.floor(number / 256)
  end
  return table.concat(list)
end

local function head(size, rate, channels)
  return "RIFF" .. little(size + 36, 4) .. "WAVEfmt " .. little(16, 4) .. little(1, 2) .. little(channels, 2) .. little(rate, 4)
    .. little(rate * channels * 2, 4) .. little(channels * 2, 2) .. little(16, 2) .. "data" .. little(size, 4)
end

--- Samples of 16 bits as a WAV file.
--- @param blob userdata
--- @param mime string   "audio/L16;codec=pcm;rate=24000"
--- @return userdata
function M.playable(blob, mime)
  local rate, channels = tonumber(mime:match("rate=(%d+)")) or 24000, tonumber(mime:match("channels=(%d+)")) or 1
  local writer = media.writer { mime = "audio/wav" }
  writer:write(head(blob:size(), rate, channels))
  for offset = 0, blob:size() - 1, piece do writer:write(blob:read(offset, piece)) end
  return writer:finish()
end

return M
