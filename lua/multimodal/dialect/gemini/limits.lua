--- What hosts are known to refuse, said before it is sent.
--- Names: check.
local contexts = require("multimodal.dialect.gemini.context")
local error_class = require("multimodal.error")

local M = {}

local warn, who = contexts.warn, contexts.who

local large = 20 * 1024 * 1024 -- characters of base64 in a request that some hosts refuse

local function encoded(blob)
  return math.ceil(blob:size() / 3) * 4
end

--- Bytes that the user wants nowhere in a body.
local function too_large(sent, most)
  for _, item in ipairs(sent) do
    local blob = item.part.blob
    if blob and encoded(blob) > most then
      return error_class.new {
        kind = "too_large", code = "max_inline", part = item.place,
        message = ("%s: %d bytes of base64 are above max_inline = %d; upload it first, or pass a link"):format(
          item.place, encoded(blob), most),
      }
    end
  end
  return nil
end

local function warn_of_part(item, context)
  local part, profile = item.part, context.profile
  local limit = profile.limits and profile.limits[part.kind] or {}
  local mime = part:likely_mime()
  if limit.types and mime and not limit.types[mime] then
    warn(context, "%s: %s is not known to take %s", item.place, who(profile), mime)
  end
  if limit.bytes and part.blob and part.blob:size() > limit.bytes then
    warn(context, "%s: %.1f MB; %s takes up to %.1f MB inside a request", item.place, part.blob:size() / 1e6, who(profile),
      limit.bytes / 1e6)
  end
  local known = profile.warns and profile.warns[part.kind]
  if known then warn(context, "%s: %s", item.place, known) end
end

--- Look at the parts before they go out.
--- @param context multimodal.gemini.Context
--- @return multimodal.Error?  what can only fail
function M.check(context)
  local most, total = context.options.max_inline, 0
  local err = most and too_large(context.sent, most)
  if err then return err end
  for _, item in ipairs(context.sent) do
    if item.part.blob then total = total + encoded(item.part.blob) end
    warn_of_part(item, context)
  end
  if total > large then
    warn(context, "%.1f MB of base64 in one request; some hosts refuse more than 20 MB, so upload large parts or pass links", total / 1e6)
  end
  return nil
end

return M
