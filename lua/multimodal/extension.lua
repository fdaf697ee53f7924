--- The usual end of a file name for a media type. Returns of(mime).
local M = {}

local usual = {
  ["image/png"] = "png", ["image/jpeg"] = "jpg", ["image/gif"] = "gif", ["image/webp"] = "webp", ["image/bmp"] = "bmp",
  ["image/tiff"] = "tiff", ["image/heic"] = "heic", ["image/avif"] = "avif", ["image/svg+xml"] = "svg",
  ["audio/mpeg"] = "mp3", ["audio/wav"] = "wav", ["audio/ogg"] = "ogg", ["audio/flac"] = "flac", ["audio/aac"] = "aac",
  ["audio/m4a"] = "m4a", ["audio/aiff"] = "aiff", ["audio/opus"] = "opus", ["audio/pcm16"] = "pcm",
  ["video/mp4"] = "mp4", ["video/webm"] = "webm", ["video/quicktime"] = "mov", ["video/mpeg"] = "mpeg", ["video/x-matroska"] = "mkv",
  ["application/pdf"] = "pdf", ["application/json"] = "json", ["application/zip"] = "zip",
  ["text/plain"] = "txt", ["text/html"] = "html", ["text/csv"] = "csv", ["text/markdown"] = "md",
}

--- @param mime string?
--- @return string  without a dot; "bin" for a type that has none here
function M.of(mime)
  return mime and usual[mime] or "bin"
end

return M
