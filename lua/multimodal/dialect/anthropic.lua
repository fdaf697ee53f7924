--- The Anthropic Messages dialect: what is said at `POST /messages`, and what comes back, whole and streamed.
--- Pure: no network, no clock.
---
--- What a profile may say is listed in client/profile.lua.
local count = require("multimodal.dialect.anthropic.count")
local decode = require("multimodal.dialect.anthropic.decode")
local encode = require("multimodal.dialect.anthropic.encode")
local failure = require("multimodal.dialect.failure")
local parts = require("multimodal.dialect.anthropic.parts")
local stream = require("multimodal.dialect.anthropic.stream")

--- @type multimodal.Dialect
local M = {
  name = "anthropic",
  by_turns = true,
  text = { path = { "delta", "text" }, ignore = {}, same = { "type", "index" } },
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
  count = count.encode,
  counted = count.decode,
}

return M
