--- Audio that comes in fragments: base64 cut anywhere, or padded on its own in each, and a transcript.
--- Names: new append whole.
local lifted = require("multimodal.dialect.lifted")
local media = require("multimodal.media")
local pieces = require("multimodal.dialect.pieces")

local M = {}

--- @return table
function M.new()
  return { carry = "", fields = {}, transcript = {} }
end

--- Bytes of the next base64: an unfinished quantum waits for the next fragment, `=` ends one.
local function decode_fragment(audio, text)
  if not audio.begun then text = text:gsub("^%s*[Dd][Aa][Tt][Aa]:[^,]*,", "") end
  audio.begun = true
  text = audio.carry .. text:gsub("%s+", "")
  local bytes = {}
  local from, pad, last = 1, text:find("=+")
  while pad do
    bytes[#bytes + 1] = media.base64_bytes(text:sub(from, pad - 1))
    from = last + 1
    pad, last = text:find("=+", from)
  end
  local whole = #text - from + 1
  whole = whole - whole % 4
  bytes[#bytes + 1] = media.base64_bytes(text:sub(from, from + whole - 1))
  audio.carry = text:sub(from + whole)
  return table.concat(bytes)
end

--- Take a fragment.
--- @param audio table
--- @param fragment table    {id, data, transcript, expires_at}, any of them
--- @return string? bytes
--- @return string? transcript
function M.append(audio, fragment)
  for name, value in pairs(fragment) do
    if name ~= "data" and name ~= "transcript" and audio.fields[name] == nil then audio.fields[name] = value end
  end
  local words, data = lifted.present(fragment.transcript), lifted.present(fragment.data)
  audio.transcript[#audio.transcript + 1] = words
  if not data then return nil, words end
  local bytes = decode_fragment(audio, data)
  audio.writer = audio.writer or media.writer {}
  audio.writer:write(bytes)
  return bytes, words
end

local small = 12288 -- bytes that a decoder would leave as text in a whole body

--- The bytes so far. A snapshot closes the writer; what comes after goes to another.
local function audio_data(audio, over)
  local rest = over and #audio.carry > 1 and media.base64_bytes(audio.carry)
  if rest then
    audio.carry, audio.writer = "", audio.writer or media.writer {}
    audio.writer:write(rest)
  end
  if audio.writer then
    audio.blob = pieces.blob { audio.blob or audio.writer:finish(), audio.blob and audio.writer:finish() }
    audio.writer = nil
  end
  local blob = audio.blob
  return blob and blob:size() < small and blob:base64() or blob
end

--- The audio in the shape of a whole body.
--- @param audio table
--- @param over boolean   nothing more comes
--- @return table
function M.whole(audio, over)
  local whole = { data = audio_data(audio, over) }
  for name, value in pairs(audio.fields) do whole[name] = value end
  if audio.transcript[1] then whole.transcript = table.concat(audio.transcript) end
  return whole
end

return M
