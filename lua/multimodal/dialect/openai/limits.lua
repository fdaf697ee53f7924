--- What gateways are known to refuse, said before it is sent: warnings, but for what can only fail.
--- Names: check.
local links = require("multimodal.dialect.links")
local ranges = require("multimodal.dialect.ranges")
local refuse = require("multimodal.dialect.refuse")
local sents = require("multimodal.dialect.sent")

local M = {}

local who = refuse.who

local large = 4 * 1024 * 1024 -- characters of base64 from which a link travels better

local function add(warnings, form, ...)
  warnings[#warnings + 1] = form:format(...)
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
  return select(2, refuse.unsupported(other.place, ("%s takes no image or video beside a file (%s); send them in two requests"):format(
    who(profile), file.place)))
end

local function warn_of_link(item, profile, warnings)
  local part = item.part
  if part and part.kind == "video" and part.url and profile.video_links == "youtube" and not links.is_youtube(part.url) then
    add(warnings, "%s: some providers behind %s take only YouTube's links (Gemini does); { fetch = true } sends the bytes",
      item.place, who(profile))
  end
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

local ranged = { "temperature", "top_p", "max_tokens", "session_id", "user_id" }

local function warn_of_options(body, profile, warnings)
  local all = profile.limits
  local stop = all and all.stop or 4
  if body.stop and type(body.stop) == "table" and #body.stop > stop then
    add(warnings, "stop: %d words; %s takes %d", #body.stop, all and all.stop and who(profile) or "most gateways", stop)
  end
  if body.n and type(body.n) == "number" and body.n > 128 then add(warnings, "n: %d; gateways take up to 128", body.n) end
  if body.tools then warn_of_tools(body.tools, warnings) end
  ranges.warn(body, ranged, profile, warnings)
  if all and all.metadata and type(body.metadata) == "table" then warn_of_metadata(body.metadata, all.metadata, warnings) end
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
    local err = exclusive(sent, profile) or sents.check(sent, options, profile, warnings, { way = "pass an https link", large = large })
    if err then return err end
    for _, item in ipairs(sent) do warn_of_link(item, profile, warnings) end
  end
  warn_of_options(body, profile, warnings)
  warn_of_nobody(body, profile, warnings)
  return nil
end

return M
