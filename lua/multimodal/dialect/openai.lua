--- The OpenAI chat dialect: what is said at `POST /chat/completions`, and what comes back, whole and streamed.
--- Pure: no network, no clock.
---
--- Beside `max_tokens_field` and `stream_options` a profile may say:
---   reasoning          "effort" (reasoning_effort), "object" (reasoning = {...}) or "thinking"
---   system             "string" (text alone, as one string) or "developer" (the role's name)
---   image_base64       "raw": bare base64 where others take a data URL
---   buckets            true: s3:// and gs:// links go out as they are
---   video              true: video_url parts
---   audio_formats      set of formats; all where absent
---   file               "openai", "openrouter", "khatash", "file_url", or "none"
---   tool_media         true: media in a tool's answer
---   assistant_images   false: pictures of an assistant cannot go back
---   refuses            set of options it does not take
local decode = require("multimodal.dialect.openai.decode")
local encode = require("multimodal.dialect.openai.encode")
local failure = require("multimodal.dialect.openai.failure")
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
  decode = decode.decode,
  begin = stream.begin,
  delta = stream.delta,
  text_delta = stream.text_delta,
  ended = stream.ended,
  finish = stream.finish,
  partial = stream.partial,
  failure = failure.read,
}

return M
