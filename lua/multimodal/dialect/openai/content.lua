--- What stands in `content`, `images` and `annotations`: text and media, in whatever form a gateway gives them.
--- Names: split url_of picture memory.
local lifted = require("multimodal.dialect.lifted")
local media = require("multimodal.media")

local M = {}

local type = type

local kinds = { image = "image", audio = "audio", video = "video" }

local function kind_of(blob)
  local mime = blob:mime()
  return mime and kinds[mime:match("^%a+")] or nil
end

local function add_text(parts, text)
  if text ~= "" then parts[#parts + 1] = { type = "text", text = text } end
end

local longest_alt = 1024

--- Take the `![alt](` and `)` of a picture in Markdown away from around it.
local function unwrap(before, after)
  local from = math.max(1, #before - longest_alt)
  local open = before:find("!%[[^%[%]]*%]%(%s*<?$", from)
  local _, close = after:find('^>?[ \t]*"?[^%)"\n]*"?%)')
  if not (open and close) then return before, after end
  return before:sub(1, open - 1), after:sub(close + 1)
end

local data_url = "[Dd][Aa][Tt][Aa]:(%a+)/[%w%.%+%-]+;base64,[%w%+/_%-]+=*"

--- The next data URL of a medium in a text: where it begins, ends, and its kind.
local function find_data_url(text, from)
  while true do
    local first, last, family = text:find(data_url, from)
    if not first then return nil end
    local kind = kinds[family:lower()]
    if kind then return first, last, kind end
    from = last + 1
  end
end

--- Cut a text into strings and media at the data URLs in it.
local function cut(text, pieces)
  local from = 1
  local first, last, kind = find_data_url(text, 1)
  while first do
    local part = media.new(kind, { data_url = text:sub(first, last) }):opened()
    if part then
      pieces[#pieces + 1] = text:sub(from, first - 1)
      pieces[#pieces + 1] = part
      from = last + 1
    end
    first, last, kind = find_data_url(text, last + 1)
  end
  pieces[#pieces + 1] = text:sub(from)
end

local function part_of_blob(blob)
  local kind = kind_of(blob)
  return kind and media.from_blob(kind, blob) or lifted.text(blob)
end

local picture_link = "^%s*(https?://[^%s\"<>]+%.(%a+)[^%s\"<>]*)%s*$"
local picture_types = { png = true, jpg = true, jpeg = true, webp = true, gif = true, avif = true }

--- Links to pictures: the text stays as it is, the pictures stand after it.
local function add_links(parts, text)
  if text:find("![", 1, true) then
    for url in text:gmatch("!%[[^%[%]]*%]%(%s*<?(https?://[^%s%)>]+)") do
      parts[#parts + 1] = media.from_url("image", url)
    end
  end
  local url, ending = text:match(picture_link)
  if url and picture_types[ending:lower()] then parts[#parts + 1] = media.from_url("image", url) end
end

--- Pieces of a value: strings and media by turns.
local function pieces_of(value)
  local pieces = {}
  for _, piece in ipairs(lifted.is_mixed(value) and value or { value }) do
    if type(piece) == "string" and piece:find(";base64,", 1, true) then
      cut(piece, pieces)
    else
      pieces[#pieces + 1] = lifted.is_blob(piece) and part_of_blob(piece) or piece
    end
  end
  return pieces
end

--- Read text that may hold media into parts; Markdown around a picture of its own bytes goes with it.
--- @param value any                        string, blob, or text with blobs amid; anything else says nothing
--- @param parts table                      list that is appended to
function M.split(value, parts)
  if type(value) == "string" and not value:find(";base64,", 1, true) then
    add_text(parts, value)
    return add_links(parts, value)
  end
  if not lifted.is_text(value) then return end
  local pieces = pieces_of(value)
  for i, piece in ipairs(pieces) do
    local before, after = pieces[i - 1], pieces[i + 1]
    if media.is(piece) and type(before) == "string" and type(after) == "string" then
      pieces[i - 1], pieces[i + 1] = unwrap(before, after)
    end
  end
  for _, piece in ipairs(pieces) do
    if type(piece) == "string" then
      add_text(parts, piece)
      add_links(parts, piece)
    else
      parts[#parts + 1] = piece
    end
  end
end

--- The URL of an image element: under `image_url.url`, or where gateways put it instead.
--- @return any  string or blob
function M.url_of(element)
  if type(element) ~= "table" or lifted.is_mixed(element) then return element end
  local url = element.image_url
  if url == nil then url = element.url end
  if type(url) == "table" and not lifted.is_mixed(url) then url = url.url end
  return url
end

--- A picture of an image element: a link, a data URL, or bytes that were lifted from one.
--- @param element any
--- @return multimodal.Media?   nil where it is malformed
function M.picture(element)
  local url = M.url_of(element)
  if lifted.is_blob(url) then return media.from_blob("image", url) end
  if type(url) ~= "string" then return nil end
  if url:find("^%s*[Dd][Aa][Tt][Aa]:") then return (media.new("image", { data_url = url }):opened()) end
  if url:find("^https?://%S+$") then return media.from_url("image", url) end
  return nil
end

--- A memory of pictures: `memory(url)` is true the first time a URL or the bytes of a blob come by. Bytes are
--- hashed only where two blobs are of one size.
--- @return fun(url: any): boolean
function M.memory()
  local seen, first = {}, {}
  return function(url)
    local key = url
    if lifted.is_blob(url) then
      local size = url:size()
      local other = first[size]
      if not other then
        first[size] = url
        return true
      end
      if other ~= true then seen[other:sha256()], first[size] = true, true end
      key = url:sha256()
    end
    if key == nil then return true end
    local new = not seen[key]
    seen[key] = true
    return new
  end
end

return M
