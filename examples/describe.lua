-- A picture is described in streamed text. In this folder: YOUROUTER_API_KEY=... lua5.4 describe.lua [another base URL]
local mm = require "multimodal"
local ai = mm.client { gateway = "yourouter", base_url = arg[1], model = "gpt-4o" }
local stream = assert(ai:stream { "Describe this image in one sentence.", mm.image "cat.jpg" })
for text in stream:text() do io.write(text) end
assert(stream:reply())
