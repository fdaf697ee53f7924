--- How a dialect says no: to what it has no word for, and to what is wrong in a prompt.
--- Names: unsupported bad left_out accepted unspoken unspoken_message elsewhere who.
local error_class = require("multimodal.error")
local links = require("multimodal.dialect.links")

local M = {}

--- @param place string    what cannot be said: "messages[1].content[2]", or the name of an option
--- @param message string  why, and the way out
--- @return nil
--- @return multimodal.Error
function M.unsupported(place, message)
  return nil, error_class.new { kind = "unsupported", part = place, message = place .. ": " .. message }
end

--- @param place string
--- @param code string     "missing_tool_result"
--- @param message string  what is wrong, and the way out
--- @return nil
--- @return multimodal.Error
function M.bad(place, code, message)
  return nil, error_class.new { kind = "bad_request", code = code, part = place, message = place .. ": " .. message }
end

--- An option that only tunes and cannot be said: an error; with check = "warn" it is left out and that is said, with "off" it is
--- left out. Parts, schemas and tools are never left out.
--- @param options table
--- @param warnings string[]  is appended to
--- @param name string        of the option, or the place of the part that it tunes
--- @param message string     why, and the way out
--- @return boolean? fine
--- @return multimodal.Error? err
function M.left_out(options, warnings, name, message)
  local check = options.check
  if check == "off" or check == false then return true end
  if check ~= "warn" then return M.unsupported(name, message .. '; check = "warn" leaves it out') end
  warnings[#warnings + 1] = ("%s was left out: %s"):format(name, message)
  return true
end

--- Options that only tune.
local knobs = { temperature = true, top_p = true, top_k = true, n = true, seed = true, stop = true, reasoning = true }

--- The options without those that only tune and that a gateway is known not to take; what shapes the reply is refused.
--- @param options table
--- @param names string[]     those that the dialect has words for
--- @param profile multimodal.Profile
--- @param warnings string[]  is appended to
--- @return table? options    a copy where one was left out
--- @return multimodal.Error? err
function M.accepted(options, names, profile, warnings)
  local refuses = profile.refuses
  if not refuses then return options end
  local kept = options
  for _, name in ipairs(names) do
    if options[name] and refuses[name] then
      local message = M.who(profile) .. " does not take it; leave it out, or send it by extra"
      if not knobs[name] then return M.unsupported(name, message) end
      local fine, err = M.left_out(options, warnings, name, message)
      if not fine then return nil, err end
      if kept == options then
        kept = {}
        for key, value in pairs(options) do kept[key] = value end
      end
      kept[name] = nil
    end
  end
  return kept
end

--- A part in Gemini's own form, which says so in its type, where another dialect is spoken.
--- @param part table
--- @param place string
--- @param dialect string   "openai"
--- @return boolean? fine
--- @return multimodal.Error? err
function M.unspoken(part, place, dialect)
  if part.type ~= "gemini" then return true end
  return M.unsupported(place, ("a part in Gemini's own form cannot be said in the %s dialect; write mm.text, mm.image and the like"):format(
    dialect))
end

--- A message in Gemini's own form, whose parts stand beside our fields, where another dialect is spoken.
--- @param message multimodal.Message
--- @param place string
--- @param dialect string   "openai"
--- @return boolean? fine
--- @return multimodal.Error? err
function M.unspoken_message(message, place, dialect)
  if type(message.extra) ~= "table" or type(message.extra.parts) ~= "table" then return true end
  return M.unsupported(place, ("a message in Gemini's own form cannot be said in the %s dialect; write mm.user { ... }"):format(dialect))
end

--- A file that was uploaded to Google, where another dialect is spoken.
--- @param part multimodal.Media
--- @param place string
--- @param who string   listens, in words
--- @return boolean? fine
--- @return multimodal.Error? err
function M.elsewhere(part, place, who)
  if not links.is_googles(part) then return true end
  return M.unsupported(place, ("%s cannot read what was uploaded to Google; pass the file itself"):format(who))
end

--- Who listens, in words.
--- @param profile multimodal.Profile
--- @return string
function M.who(profile)
  return profile.name or "this gateway"
end

return M
