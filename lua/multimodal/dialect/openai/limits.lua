--- What gateways are known to refuse, said before it is sent: warnings, but for what can only fail.
--- Names: check.
local error_class = require("multimodal.error")
local parts = require("multimodal.dialect.openai.parts")
local picture = require("multimodal.picture")

local M = {}

--- One part that goes out.
--- @class multimodal.SentPart
--- @field place string
--- @field type string             on the wire
--- @field part multimodal.Media?  nil of a part that was written by hand

local large = 4 * 1024 * 1024 -- characters of base64 from which a link travels better

local function add(warnings, form, ...)
  warnings[#warnings + 1] = form:format(...)
end

local function who(profile)
  return profile.name or "this gateway"
end

--- Files that go as file_url and pictures exclude one another in a whole request.
local function exclusive(sent, profile)
  if profile.file ~= "file_url" then return nil end
  local file, other
  for _, item in ipairs(sent) do
    if item.type == "file_url" then file = file or item end
    if item.type == "image_url" or item.type == "video_url" then other = other or item end
  end
  if not (file and other) then return nil end
  return select(2, parts.unsupported(other.place, ("%s takes no image or video beside a file (%s); send them in two requests"):format(
    who(profile), file.place)))
end

local function encoded(blob)
  return math.ceil(blob:size() / 3) * 4
end

--- Bytes that the user wants nowhere in a body.
local function too_large(sent, most)
  for _, item in ipairs(sent) do
    local blob = item.part and item.part.blob
    if blob and encoded(blob) > most then
      return error_class.new {
        kind = "too_large", code = "max_inline", part = item.place,
        message = ("%s: %d bytes of base64 are above max_inline = %d; pass an https link"):format(item.place, encoded(blob), most),
      }
    end
  end
  return nil
end

local function readable(bytes)
  return bytes >= 1e6 and ("%.1f MB"):format(bytes / 1e6) or ("%.1f KB"):format(bytes / 1e3)
end

local function warn_of_pixels(item, most, profile, warnings)
  local width, height = picture.size(item.part:mime(), item.part.blob:read(0, 65536) or "")
  if width and (width > most or height > most) then
    add(warnings, "%s: %d x %d pixels; %s takes up to %d on a side", item.place, width, height, who(profile), most)
  end
end

local function warn_of_bytes(item, limit, profile, warnings)
  local blob = item.part.blob
  if encoded(blob) > large then
    add(warnings, "%s: %.1f MB of base64; an https link travels better", item.place, encoded(blob) / 1e6)
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

--- Links that a player page stands behind, which one provider takes and others do not.
local function is_youtube(url)
  local host = url:lower():match("^https?://([^/?#:]+)") or ""
  return host == "youtu.be" or host == "youtube.com" or host:find("%.youtube%.com$") ~= nil
end

local function warn_of_link(item, profile, warnings)
  local part = item.part
  if part.kind == "video" and part.url and profile.video_links == "youtube" and not is_youtube(part.url) then
    add(warnings, "%s: some providers behind %s take only YouTube's links (Gemini does); { fetch = true } sends the bytes",
      item.place, who(profile))
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

local function warn_of_parts(sent, profile, warnings)
  local all, counts, totals = profile.limits or {}, {}, {}
  for _, item in ipairs(sent) do
    local part = item.part
    if part then
      local limit = all[part.kind] or {}
      counts[part.kind] = (counts[part.kind] or 0) + 1
      if part.blob then
        totals[part.kind] = (totals[part.kind] or 0) + part.blob:size()
        warn_of_bytes(item, limit, profile, warnings)
      end
      warn_of_type(item, limit, profile, warnings)
      warn_of_link(item, profile, warnings)
      local known = profile.warns and profile.warns[part.kind]
      if known then add(warnings, "%s: %s", item.place, known) end
    end
  end
  warn_of_counts(counts, totals, all, profile, warnings)
end

local function warn_of_tools(tools, warnings)
  if #tools > 128 then add(warnings, "tools: %d of them; gateways take up to 128", #tools) end
  for i, tool in ipairs(tools) do
    local name = type(tool["function"]) == "table" and tool["function"].name
    if type(name) == "string" and (#name > 64 or name:find("[^%w_-]")) then
      add(warnings, "tools[%d]: gateways take names of up to 64 of A-Z a-z 0-9 _ -, not %q", i, name)
    end
  end
end

local function warn_of_range(name, value, range, profile, warnings)
  local measured = type(value) == "string" and #value or value
  if type(measured) ~= "number" then return end
  if measured < range[1] or range[2] and measured > range[2] then
    add(warnings, "%s: %s %s %s", name, who(profile),
      range[2] and ("takes %g to %g"):format(range[1], range[2]) or ("wants at least %g"):format(range[1]),
      type(value) == "string" and "characters" or "; the provider may refuse it")
  end
end

local function warn_of_metadata(metadata, most, warnings)
  local pairs_in = 0
  for name, value in pairs(metadata) do
    pairs_in = pairs_in + 1
    if #tostring(name) > 64 or #tostring(value) > 512 then
      add(warnings, "metadata: %s: names of up to 64 characters and values of up to 512 are taken", tostring(name):sub(1, 64))
    end
  end
  if pairs_in > most then add(warnings, "metadata: %d pairs; up to %d are taken", pairs_in, most) end
end

local ranges = { "temperature", "top_p", "max_tokens", "session_id", "user_id" }

local function warn_of_options(body, profile, warnings)
  local all = profile.limits
  local stop = all and all.stop or 4
  if type(body.stop) == "table" and #body.stop > stop then
    add(warnings, "stop: %d words; %s takes %d", #body.stop, all and all.stop and who(profile) or "most gateways", stop)
  end
  if type(body.n) == "number" and body.n > 128 then add(warnings, "n: %d; gateways take up to 128", body.n) end
  if body.tools then warn_of_tools(body.tools, warnings) end
  if not all then return end
  for _, name in ipairs(ranges) do
    if all[name] and body[name] ~= nil then warn_of_range(name, body[name], all[name], profile, warnings) end
  end
  if all.metadata and type(body.metadata) == "table" then warn_of_metadata(body.metadata, all.metadata, warnings) end
end

local function warn_of_nobody(body, profile, warnings)
  if not profile.user_needed then return end
  for _, message in ipairs(body.messages) do
    if message.role ~= "system" and message.role ~= "assistant" then return end
  end
  add(warnings, "messages: %s wants more than system and assistant messages", who(profile))
end

--- Look at a request before it goes out.
--- @param sent multimodal.SentPart[]
--- @param body table
--- @param options table
--- @param profile multimodal.Profile
--- @param warnings string[]   is appended to
--- @return multimodal.Error?  what can only fail
function M.check(sent, body, options, profile, warnings)
  if sent[1] then
    local err = exclusive(sent, profile) or options.max_inline and too_large(sent, options.max_inline)
    if err then return err end
    warn_of_parts(sent, profile, warnings)
  end
  warn_of_options(body, profile, warnings)
  warn_of_nobody(body, profile, warnings)
  return nil
end

return M
