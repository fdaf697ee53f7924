rockspec_format = "3.0"
package = "multimodal"
version = "scm-1"
source = { url = "." }
description = {
  summary = "Multimodal prompts to AI gateways, streamed, from Lua",
  detailed = [[
Scripts compose prompts of text, images, audio, video and documents in a few lines, send them to AI gateways,
stream what comes back and chain the results. A C core encodes media while they are sent, so a file of a
gigabyte goes out inside a JSON body in a few megabytes of memory.]],
  license = "MIT",
  labels = { "ai", "llm", "multimodal", "openai", "streaming" },
}
dependencies = { "lua >= 5.1", "lua-cjson >= 2.1.0" }
-- Headers of libcurl live in folders that luarocks does not search (multiarch), so only its library is named.
external_dependencies = {
  CURL = { library = "curl" },
  UV = { header = "uv.h", library = "uv" },
}
