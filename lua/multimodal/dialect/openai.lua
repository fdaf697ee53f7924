--- The OpenAI chat dialect: what is said at `POST /chat/completions`, and what comes back, whole and streamed.
--- Pure: no network, no clock.
---
--- What a profile may say is listed in client/profile.lua.
local decode = require("multimodal.dialect.openai.decode")
local encode = require("multimodal.dialect.openai.encode")
local failure = require("multimodal.dialect.failure")
local parts = require("multimodal.dialect.openai.parts")
local stream = require("multimodal.dialect.openai.stream")

--- @type multimodal.Dialect
local M = {
  name = "openai",
  text = {
    path = { "choices", "0", "delta", "content" },
    ignore = { "obfuscation" },
    same = { "id", "object", "created", "model", "system_fingerprint", "service_tier", "provider" },
  },
  encode = encode.encode,
  takes = parts.takes,
  decode = decode.decode,
  begin = stream.begin,
  delta = stream.delta,
  text_delta = stream.text_delta,
  ended = stream.ended,
  finish = stream.finish,
  partial = stream.partial,
  exact = stream.exact,
  failure = failure.read,
}

return M
