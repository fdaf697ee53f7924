--- Gemini's own dialect: what is said at `:generateContent`, and what comes back, whole and streamed.
--- Pure: no network, no clock.
---
--- What a profile may say is listed in client/profile.lua.
local count = require("multimodal.dialect.gemini.count")
local decode = require("multimodal.dialect.gemini.decode")
local encode = require("multimodal.dialect.gemini.encode")
local failure = require("multimodal.dialect.failure")
local stream = require("multimodal.dialect.gemini.stream")

--- @type multimodal.Dialect
local M = {
  name = "gemini",
  by_turns = true,
  text = {
    path = { "candidates", "0", "content", "parts", "0", "text" },
    ignore = { "role" },
    same = { "responseId", "modelVersion", "createTime", "usageMetadata", "safetyRatings" },
  },
  encode = encode.encode,
  decode = decode.decode,
  begin = stream.begin,
  delta = stream.delta,
  text_delta = stream.text_delta,
  ended = stream.ended,
  finish = stream.finish,
  partial = stream.partial,
  exact = stream.exact,
  failure = failure.read,
  count = count.encode,
  counted = count.decode,
}

return M
