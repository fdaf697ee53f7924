--- What a request contained, in words that depend on nothing else: parts, types, sizes, SHA-256.
--- Returns parts(messages), and words(parts).
local core = require("multimodal.core")
local picture = require("multimodal.picture")

local M = {}

local kinds = { image_url = "image", input_audio = "audio", video_url = "video", file = "file", file_url = "file" }

--- The bytes of a medium as a blob: lifted ones are blobs already, short ones are still text.
local function blob_of(value)
  if type(value) == "userdata" then return value end
  if type(value) ~= "string" then return nil end
  local mime, bytes = core.data_url_parse(value)
  if mime then return core.blob(bytes, mime) end
  if value:find("^%a[%w+.-]*:") then return nil end
  bytes = core.base64_decode(value)
  return bytes and core.blob(bytes, core.mime_sniff(bytes)) or nil
end

local function source_of(part)
  local inner = part[part.type]
  if type(inner) ~= "table" then return inner end
  return inner.url or inner.data or inner.file_data or inner.file_id
end

local function medium(part)
  local source = source_of(part)
  local blob = blob_of(source)
  local seen = { kind = kinds[part.type] }
  if not blob then
    seen.url = tostring(source)
    return seen
  end
  seen.blob, seen.size, seen.sha256 = blob, blob:size(), blob:sha256()
  seen.mime = blob:mime() or "application/octet-stream"
  seen.width, seen.height = picture.size(seen.mime, blob:read(0, 65536))
  return seen
end

local function parts_of(content, list)
  if type(content) == "string" then content = { { type = "text", text = content } } end
  if type(content) ~= "table" then return end
  for _, part in ipairs(content) do
    if part.type == "text" then
      list[#list + 1] = { kind = "text", text = tostring(part.text) }
    elseif kinds[part.type] then
      list[#list + 1] = medium(part)
    else
      list[#list + 1] = { kind = tostring(part.type) }
    end
  end
end

local function as_results(list, from)
  for i = from, #list do
    if list[i].kind == "text" then list[i].kind = "result" end
  end
end

--- Every part of the turns since the last answer, in order.
--- @param messages table[]
--- @return table[] parts {kind, text | url | blob, mime, size, sha256, width, height}
function M.parts(messages)
  local first = 1
  for i, message in ipairs(messages) do
    if message.role == "assistant" then first = i + 1 end
  end
  local list = {}
  for i = first, #messages do
    local from = #list
    if messages[i].role ~= "system" then parts_of(messages[i].content, list) end
    if messages[i].role == "tool" then as_results(list, from + 1) end
  end
  return list
end

local function article(word)
  return (word:find("^[aeiou]") and "an " or "a ") .. word
end

local function medium_words(part)
  if part.url then return ("%s at %s, which I have not fetched"):format(article(part.kind), part.url) end
  local size = part.width and (", %d x %d pixels"):format(part.width, part.height) or ""
  return ("%s of type %s%s, %d bytes, sha256 %s"):format(article(part.kind), part.mime, size, part.size, part.sha256)
end

--- One text about the parts, the same for the same parts.
--- @param parts table[]
--- @return string
function M.words(parts)
  local said, seen, results = {}, {}, {}
  for _, part in ipairs(parts) do
    if part.kind == "text" then
      said[#said + 1] = part.text
    elseif part.kind == "result" then
      results[#results + 1] = part.text
    else
      seen[#seen + 1] = (part.url or part.blob) and medium_words(part) or article(part.kind)
    end
  end
  local words = {}
  if seen[1] then words[#words + 1] = "I received " .. table.concat(seen, "; ") .. "." end
  if results[1] then words[#words + 1] = "The tool says: " .. table.concat(results, "; ") end
  if said[1] then words[#words + 1] = 'You said: "' .. table.concat(said, " ") .. '"' end
  return words[1] and table.concat(words, " ") or "I received nothing."
end

return M
