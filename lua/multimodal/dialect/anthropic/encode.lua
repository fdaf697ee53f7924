--- A prompt as a Messages request.
--- Names: encode.
local fields = require("multimodal.dialect.fields")
local parameters = require("multimodal.dialect.anthropic.parameters")
local ranges = require("multimodal.dialect.ranges")
local sents = require("multimodal.dialect.sent")
local turns = require("multimodal.dialect.anthropic.turns")

local M = {}

local version = "2023-06-01" -- of the wire, where nobody names one
local files_beta = "files-api-2025-04-14"

--- A header by its name in any case.
local function header(headers, wanted)
  for name, value in pairs(headers or {}) do
    if type(name) == "string" and name:lower() == wanted then return value end
  end
  return nil
end

--- The headers that the profile and the user leave to the dialect. Later versions know files without a word.
local function headers_of(prompt, profile, knows_files)
  local headers = {}
  local told = header(profile.headers, "anthropic-version")
  if not told then headers["anthropic-version"] = version end
  local asked = header(prompt.options.headers, "anthropic-version") or told or version
  if knows_files and asked == version then headers["anthropic-beta"] = files_beta end
  return headers
end

local function request(body, headers)
  return { method = "POST", path = "/messages", headers = headers, body = body, stream = body.stream == true }
end

--- A request that was written by hand: only an absent model and the stream are put in.
local function encode_raw(prompt, profile)
  local body = fields.extend({}, prompt.raw)
  if body.model == nil then body.model = prompt.options.model or nil end
  body.stream = prompt.stream or nil
  return request(body, headers_of(prompt, profile, false))
end

local limits = { large = 4 * 1024 * 1024, way = "upload it first, or pass an https link" }
local ranged = { "temperature", "top_p" }

--- @param prompt multimodal.Prompt
--- @param profile multimodal.Profile
--- @return multimodal.DialectRequest?
--- @return multimodal.Error?  unsupported: names the part and the way out
--- @return string[] warnings
function M.encode(prompt, profile)
  local warnings = {}
  if prompt.raw then return encode_raw(prompt, profile), nil, warnings end
  local context = { profile = profile, warnings = warnings, sent = {} }
  local messages, system = turns.encode(prompt.messages, context)
  if not messages then return nil, system, warnings end
  local body, err = parameters.encode(messages, system, prompt, profile, warnings)
  if not body then return nil, err, warnings end
  err = sents.check(context.sent, prompt.options, profile, warnings, limits)
  if err then return nil, err, warnings end
  ranges.warn(body, ranged, profile, warnings)
  return request(body, headers_of(prompt, profile, context.files)), nil, warnings
end

return M
