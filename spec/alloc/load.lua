--- Run by host.c: load everything a first request needs. Names: none.
local mm = require("multimodal")
require("multimodal.core")
require("multimodal.net")
assert(mm.client { base_url = "http://127.0.0.1:9", model = "m" })
