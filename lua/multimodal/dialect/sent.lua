--- Parts that go out in a request: what their sizes and types are known to run into, whoever listens.
--- Names: check encoded readable.
local error_class = require("multimodal.error")
local picture = require("multimodal.picture")
local refuse = require("multimodal.dialect.refuse")

local M = {}

--- One part that goes out.
--- @class multimodal.SentPart
--- @field place string
--- @field type string?            on the wire, where that matters
--- @field part multimodal.Media?  nil of a part that was written by hand

local who = refuse.who

local function add(warnings, form, ...)
  warnings[#warnings + 1] = form:format(...)
end

--- Characters of base64 that bytes become.
--- @param blob userdata
--- @return integer
function M.encoded(blob)
  return math.ceil(blob:size() / 3) * 4
end

--- @param bytes number
--- @return string
function M.readable(bytes)
  return bytes >= 1e6 and ("%.1f MB"):format(bytes / 1e6) or ("%.1f KB"):format(bytes / 1e3)
end

local encoded, readable = M.encoded, M.readable

--- Bytes that the user wants nowhere in a body.
local function too_large(sent, most, way)
  for _, item in ipairs(sent) do
    local blob = item.part and item.part.blob
    if blob and encoded(blob) > most then
      return error_class.new {
        kind = "too_large", code = "max_inline", part = item.place,
        message = ("%s: %d bytes of base64 are above max_inline = %d; %s"):format(item.place, encoded(blob), most, way),
      }
    end
  end
  return nil
end

local function warn_of_pixels(item, most, profile, warnings)
  local width, height = picture.size(item.part:mime(), item.part.blob:read(0, 65536) or "")
  if width and (width > most or height > most) then
    add(warnings, "%s: %d x %d pixels; %s takes up to %d on a side", item.place, width, height, who(profile), most)
  end
end

local function warn_of_bytes(item, limit, profile, warnings, large)
  local blob = item.part.blob
  if large and encoded(blob) > large then
    add(warnings, "%s: %s of base64; an https link travels better", item.place, readable(encoded(blob)))
  end
  if limit.bytes and blob:size() > limit.bytes then
    add(warnings, "%s: %s; %s takes up to %s", item.place, readable(blob:size()), who(profile), readable(limit.bytes))
  end
  if limit.pixels then warn_of_pixels(item, limit.pixels, profile, warnings) end
end

local function warn_of_type(item, limit, profile, warnings)
  local mime = item.part:likely_mime()
  if limit.types and mime and not limit.types[mime] then
    add(warnings, "%s: %s is not known to take %s", item.place, who(profile), mime)
  end
end

local function warn_of_counts(counts, totals, all, profile, warnings)
  for _, kind in ipairs { "image", "audio", "video", "file" } do
    local limit = all[kind] or {}
    if limit.count and (counts[kind] or 0) > limit.count then
      add(warnings, "%d %ss; %s takes up to %d in a request", counts[kind], kind, who(profile), limit.count)
    end
    if limit.total and (totals[kind] or 0) > limit.total then
      add(warnings, "%s of %ss; %s takes up to %s in a request", readable(totals[kind]), kind, who(profile), readable(limit.total))
    end
  end
end

local function warn_of_request(sent, most, profile, warnings)
  local total = 0
  for _, item in ipairs(sent) do
    if item.part and item.part.blob then total = total + encoded(item.part.blob) end
  end
  if total <= most then return end
  add(warnings, "%s of media as base64; %s takes up to %s in a request; %s", readable(total), who(profile), readable(most),
    profile.upload and 'upload = "auto" uploads what is too large' or "pass links, or upload them first")
end

--- @param sent multimodal.SentPart[]
--- @param options table
--- @param profile multimodal.Profile
--- @param warnings string[]  is appended to
--- @param told {way: string, large: integer?, request: integer?}  of the dialect: what to do with bytes above max_inline;
---   characters of base64 from which a link travels better, and those that a request holds where the profile names none
--- @return multimodal.Error?  what the user wants to fail
function M.check(sent, options, profile, warnings, told)
  local err = options.max_inline and too_large(sent, options.max_inline, told.way)
  if err then return err end
  local all, counts, totals = profile.limits or {}, {}, {}
  for _, item in ipairs(sent) do
    local part = item.part
    if part then
      local limit = all[part.kind] or {}
      counts[part.kind] = (counts[part.kind] or 0) + 1
      if part.blob then
        totals[part.kind] = (totals[part.kind] or 0) + part.blob:size()
        warn_of_bytes(item, limit, profile, warnings, told.large)
      end
      warn_of_type(item, limit, profile, warnings)
      local known = profile.warns and profile.warns[part.kind]
      if known then add(warnings, "%s: %s", item.place, known) end
    end
  end
  warn_of_counts(counts, totals, all, profile, warnings)
  local most = all.request or told.request
  if most then warn_of_request(sent, most, profile, warnings) end
  return nil
end

return M
