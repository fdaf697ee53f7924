--- Bodies of replies in a journal: their JSON text with marks where media stood, and the media as files by their content.
--- A body that is restored goes through a decoder as it did when it came, so a kept reply is read like any other.
--- Names: keep restore of_raw.
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local extension = require("multimodal.extension")
local json = require("multimodal.json")

local M = {}

local piece = 3 * 65536 -- bytes encoded at once; a multiple of 3, so that the texts join

--- Put a blob beside the journal, under the name of its content.
local function keep_blob(folder, blob)
  local sum, err = blob:sha256()
  if not sum then return nil, err end
  local name = sum .. "." .. extension.of(blob:mime())
  local path = folder .. "/media/" .. name
  local there = core.blob_file(path)
  if not there or there:size() ~= blob:size() then
    local part = path .. ".part"
    local saved
    saved, err = blob:save(part, { overwrite = true })
    if saved then saved, err = core.file_move(part, path, { sync = true }) end
    if not saved then return nil, err end
  end
  local prefix, padded = blob:prefix()
  return { file = name, bytes = blob:size(), prefix = prefix or "", padded = prefix == nil or padded }
end

--- Keep the media of a body.
--- @param folder string
--- @param event {data: string, media: userdata[]?}  text with marks
--- @return {body: string, media: table[]}?  for a record
--- @return multimodal.Error? err
function M.keep(folder, event)
  local list = {}
  for i, blob in ipairs(event.media or {}) do
    local kept, err = keep_blob(folder, blob)
    if not kept then return nil, error_class.new(err) end
    list[i] = kept
  end
  return { body = event.data, media = json.array(list) }
end

local function class_of(value)
  local class = (type(value) == "table" or type(value) == "userdata") and getmetatable(value)
  return type(class) == "table" and class.__name or nil
end

--- A body that was read, as text with marks: of a stream there never was one.
--- @param raw table
--- @return {data: string, media: userdata[]}?
--- @return multimodal.Error? err
function M.of_raw(raw)
  local media = {}
  -- No text can have this word in it.
  local word = "media_" .. core.random(16):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end) .. "_"
  local copy
  local function written(value)
    local class = class_of(value)
    if class == "multimodal.blob" then
      media[#media + 1] = value
      return word .. #media .. ";"
    elseif class == "multimodal.mixed" then
      local texts = {}
      for i, part in ipairs(value) do texts[i] = written(part) end
      return table.concat(texts)
    elseif type(value) == "table" and class ~= "multimodal.raw" then
      return copy(value)
    end
    return value
  end
  function copy(from)
    local to = setmetatable({}, getmetatable(from))
    for name, value in pairs(from) do to[name] = written(value) end
    return to
  end
  local text, err = json.encode(copy(raw))
  if not text then return nil, err end
  return { data = (text:gsub(word .. "(%d+);", "\1%1\1")), media = media }
end

local function lost(path, why)
  return nil, error_class.new {
    kind = "file", code = "damaged",
    message = ("a kept reply is damaged: %s %s; resubmit = true asks, and pays, for it again"):format(path, why),
  }
end

local function open_blob(folder, kept)
  local name = type(kept) == "table" and kept.file
  if type(name) ~= "string" or not name:find("^%x+%.%w+$") then return lost(folder .. "/media", "has no file of that name") end
  local path = folder .. "/media/" .. name
  local blob, err = core.blob_file(path)
  if not blob then return lost(path, "cannot be read (" .. tostring(err.code) .. ")") end
  local sum = blob:sha256()
  if not sum or name:sub(1, #sum) ~= sum then return lost(path, "is not what it was") end
  return blob
end

--- Write a medium back as it stood in the text.
local function feed_blob(decoder, blob, kept)
  local size = blob:size()
  local fed, err = decoder:feed(tostring(kept.prefix or ""))
  for offset = 0, size - 1, piece do
    local bytes
    if fed then bytes, err = blob:read(offset, piece) end
    if not bytes then return nil, err end
    local text = core.base64_encode(bytes)
    if offset + piece >= size and kept.padded == false then text = text:gsub("=+$", "") end
    fed, err = decoder:feed(text)
    -- LuaJIT paces its collector by the number of strings, not by their size.
    collectgarbage("step", 512)
  end
  return fed, err
end

local function feed_all(decoder, folder, kept)
  local from, text = 1, kept.body
  while true do
    local first, last, index = text:find("\1(%d+)\1", from)
    local fed, err = decoder:feed(text:sub(from, (first or 0) - 1))
    if not fed or not first then return fed, err end
    local entry = kept.media and kept.media[tonumber(index)]
    local blob
    blob, err = open_blob(folder, entry)
    if blob then fed, err = feed_blob(decoder, blob, entry) end
    if not blob or not fed then return nil, err end
    from = last + 1
  end
end

--- A kept body as the event that it came as.
--- @param folder string
--- @param kept {body: string, media: table[]}  of a record
--- @return {type: string, data: string, media: userdata[]}?
--- @return multimodal.Error? err
function M.restore(folder, kept)
  if type(kept) ~= "table" or type(kept.body) ~= "string" then return lost(folder .. "/journal.jsonl", "has no body in its record") end
  local decoder = core.decoder { format = "json", lenient = true }
  decoder:head(200, "application/json")
  local fed, err = feed_all(decoder, folder, kept)
  if fed then fed, err = decoder:finish() end
  local event
  if fed then event, err = decoder:next() end
  decoder:close()
  if not event then return nil, error_class.new(err or { kind = "file", code = "damaged", message = "a kept reply is empty" }) end
  return event
end

return M
