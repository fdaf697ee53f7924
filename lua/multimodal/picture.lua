--- What a picture's first bytes say about it: format and size in pixels. Returns describe(blob).
local M = {}

local function big16(s, at)
  local a, b = s:byte(at, at + 1)
  return a and b and a * 256 + b
end

local function little16(s, at)
  local a, b = s:byte(at, at + 1)
  return a and b and b * 256 + a
end

--- Walk the segments of a JPEG to the frame header (SOF0 to SOF15 but for DHT, JPG and DAC).
local function jpeg(s)
  local at = 3
  while at + 8 < #s do
    if s:byte(at) ~= 0xFF then return nil end
    local marker = s:byte(at + 1)
    if marker >= 0xC0 and marker <= 0xCF and marker ~= 0xC4 and marker ~= 0xC8 and marker ~= 0xCC then
      return big16(s, at + 7), big16(s, at + 5)
    end
    at = at + 2 + (big16(s, at + 2) or #s)
  end
  return nil
end

local readers = {
  ["image/png"] = function(s)
    return big16(s, 19), big16(s, 23)
  end,
  ["image/gif"] = function(s)
    return little16(s, 7), little16(s, 9)
  end,
  ["image/jpeg"] = jpeg,
}

--- Width and height in pixels, nil where the format is not known here.
--- @param mime string
--- @param head string  the first bytes, 64 KiB are plenty
--- @return integer? width, integer? height
function M.size(mime, head)
  local read = readers[mime]
  if not read then return nil end
  local width, height = read(head)
  if width and height and width > 0 then return width, height end
  return nil
end

return M
