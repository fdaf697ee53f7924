--- The picture that the simulator makes of a prompt without one: a red square of 8 x 8 pixels. Returns its bytes, a PNG.
local core = require("multimodal.core")

return core.base64_decode(
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAQMAAAD+wSzIAAAAA1BMVEX/AAAZ4gk3AAAAC0lEQVR42mNgQAUAABAAAaoZ+IIAAAAASUVORK5CYII="
)
