--- How large a prompt is, and when that is said.
local core = require("multimodal.core")
local mm = require("multimodal")

local ai = mm.client { base_url = "https://h.org/v1", api_key = "canary-k", model = "m" }

local function picture(bytes)
  return mm.image { bytes = "\137PNG\r\n\26\n" .. ("x"):rep(bytes - 8), mime = "image/png" }
end

describe("an estimate #small", function()
  it("tells the sizes of a prompt part by part (K-R11)", function()
    local seen = assert(ai:estimate { "Hello", picture(1000), mm.image "https://h.org/a.png" })
    assert.equal(1005, seen.bytes)
    assert.equal(#tostring(ai:request({ "Hello", picture(1000), mm.image "https://h.org/a.png" }).body), seen.encoded_bytes)
    assert.same({
      { part = "messages[1].content[1]", kind = "text", bytes = 5, encoded_bytes = 5 },
      { part = "messages[1].content[2]", kind = "image", mime = "image/png", bytes = 1000, encoded_bytes = 1336 },
      { part = "messages[1].content[3]", kind = "image", url = "https://h.org/a.png", bytes = 0, encoded_bytes = 19 },
    }, seen.parts)
    assert.same({}, seen.warnings)
  end)

  it("counts history and options, and a raw request as a whole", function()
    local seen = assert(ai:estimate({ messages = { mm.user "abc" }, "de" }, { system = "f" }))
    assert.same({ 6, 3 }, { seen.bytes, #seen.parts })
    local raw = assert(ai:estimate(mm.raw { messages = core.array {}, model = "x" }))
    assert.equal(#'{"messages":[],"model":"x"}', raw.encoded_bytes)
    assert.equal(raw.encoded_bytes, raw.bytes)
  end)

  it("returns what would fail", function()
    local seen, err = ai:estimate { mm.image "no/such.png" }
    assert.is_nil(seen)
    assert.same({ "file", "messages[1].content[1]" }, { err.kind, err.part })
  end)
end)

describe("size #small", function()
  it("is warned of above 4 MiB of base64, where a link is better (Y-R7, Y-R14)", function()
    assert.same({}, assert(ai:estimate { "What?", picture(3 * 1024 * 1024) }).warnings)
    local seen = assert(ai:estimate { "What?", picture(3 * 1024 * 1024 + 3) })
    assert.equal(1, #seen.warnings)
    assert(seen.warnings[1]:find("messages[1].content[2]", 1, true), seen.warnings[1])
    assert(seen.warnings[1]:find("https link", 1, true), seen.warnings[1])
  end)

  it("is an error only above max_inline, which names the part (Y-R7)", function()
    local prompt = { "What?", picture(90), picture(1000) }
    assert(ai:estimate(prompt, { max_inline = 1336 }))
    local seen, err = ai:generate(prompt, { max_inline = 1335 })
    assert.is_nil(seen)
    assert.same({ "too_large", "messages[1].content[3]" }, { err.kind, err.part })
    assert(err.message:find("https link", 1, true), err.message)
    assert(ai:estimate { mm.image "https://h.org/huge.png", max_inline = 1 })
  end)
end)
