--- Z.AI and bigmodel.cn, which take more media than a proxy, each in a form of its own: Z-R10.
local core = require("multimodal.core")
local gateway = require("support.gateway")
local mm = require("multimodal")
local server = require("support.server")

describe("zai", function()
  local s, ai
  setup(function() s = server.start() end)
  teardown(function()
    s:stop()
    gateway.clean()
  end)
  before_each(function()
    s:clear()
    ai = gateway.client(s, { gateway = "zai", model = "glm-4.6v" })
  end)

  local function refused(prompt, place)
    local request, err = ai:request(prompt)
    assert.is_nil(request)
    assert.same({ "unsupported", place }, { err.kind, err.part })
    assert(err.message:find(";", 1, true), err.message)
    return err.message
  end

  local function warned(prompt, words)
    local warnings = assert(ai:request(prompt)).warnings
    assert(table.concat(warnings, "\n"):find(words, 1, true), words .. " not in: " .. table.concat(warnings, "\n"))
  end

  it("Z-R10 answers questions about pictures, videos and files by link", function()
    local body, request = gateway.sent(s, ai, { "这是什么?", mm.image "https://h/a.png", mm.video "https://h/a.mp4" })
    assert.equal("/api/paas/v4/chat/completions", request.path)
    assert.same({
      { type = "text", text = "这是什么?" }, { type = "image_url", image_url = { url = "https://h/a.png" } },
      { type = "video_url", video_url = { url = "https://h/a.mp4" } },
    }, body.messages[1].content)
    body = gateway.sent(s, ai, { mm.file "https://h/a.pdf", mm.file "https://h/b.docx", "总结一下" })
    assert.same({
      { type = "file_url", file_url = { url = "https://h/a.pdf" } }, { type = "file_url", file_url = { url = "https://h/b.docx" } },
      { type = "text", text = "总结一下" },
    }, body.messages[1].content)
  end)

  it("Z-R10 never mixes files with pictures or videos, in whatever message", function()
    refused({ mm.file "https://h/a.pdf", mm.image "https://h/a.png" }, "messages[1].content[2]")
    refused({ mm.video "https://h/a.mp4", mm.file "https://h/a.pdf" }, "messages[1].content[1]")
    refused({ messages = { mm.user { mm.image "https://h/a.png" }, mm.assistant "A" }, mm.file "https://h/a.pdf" },
      "messages[1].content[1]")
    refused({ mm.file "https://h/a.pdf", { type = "image_url", image_url = { url = "https://h/a.png" } } }, "messages[1].content[2]")
  end)

  it("takes pictures as bare base64, from data URLs too, unless told otherwise", function()
    local jpg = gateway.bytes(gateway.media().jpg)
    local encoded = core.base64_encode(jpg)
    for _, source in ipairs { { gateway.media().jpg }, { "data:image/jpeg;base64," .. encoded }, { bytes = jpg } } do
      local body = gateway.sent(s, ai, { mm.image(source) })
      assert.equal(encoded, body.messages[1].content[1].image_url.url)
    end
    local own = mm.client { gateway = { name = "mine", like = "zai", image_base64 = "data_url" }, api_key = "canary-k", model = "m" }
    local sent = own:request({ mm.image { bytes = jpg } }):json().messages[1].content[1]
    assert.equal("data:image/jpeg;base64," .. encoded, sent.image_url.url)
    assert.equal("https://api.z.ai/api/paas/v4/chat/completions", own:request("Hi").url)
  end)

  it("says what it cannot take, where, and the way out", function()
    local made = gateway.media()
    refused({ mm.file(made.pdf) }, "messages[1].content[1]")
    refused({ mm.video(made.mp4) }, "messages[1].content[1]")
    refused({ "Hi", mm.image "s3://b/k.png" }, "messages[1].content[2]")
    refused({ mm.file { file_id = "file-1" } }, "messages[1].content[1]")
    refused({ "Hi", system = mm.image "https://h/a.png" }, "messages[1].content[1]")
    refused({ "Hi", top_k = 5 }, "top_k")
    refused({ "Hi", n = 2 }, "n")
    refused({ "Hi", modalities = { "image" } }, "modalities")
    refused({ "Hi", tool_choice = "required" }, "tool_choice")
    assert.equal("auto", ai:request({ "Hi", tool_choice = "auto" }):json().tool_choice)
  end)

  it("takes a system message as one string, stop as a list and thinking as a switch", function()
    local body = ai:request({ "Hi", system = { "A", "B" }, stop = "END", reasoning = "none" }):json()
    assert.same({ role = "system", content = "A\n\nB" }, body.messages[1])
    assert.same({ "END" }, body.stop)
    assert.same({ type = "disabled" }, body.thinking)
    assert.same({ type = "enabled" }, ai:request({ "Hi", reasoning = "high" }):json().thinking)
    assert.is_nil(ai:request({ "Hi" }):json().thinking)
  end)

  it("warns of what it is known to refuse", function()
    warned({ "Hi", stop = { "a", "b" } }, "stop: 2 words; zai takes 1")
    warned({ "Hi", temperature = 1.5 }, "temperature")
    warned({ "Hi", top_p = 0.001 }, "top_p")
    warned({ "Hi", extra = { user_id = "abc" } }, "user_id")
    warned({ mm.image { bytes = "x", mime = "image/webp" } }, "image/webp")
    warned({ mm.image { bytes = "\137PNG\r\n\26\n" .. ("x"):rep(6000000) } }, "6.0 MB; zai takes up to 5.0 MB")
    warned({ mm.image { bytes = "\137PNG\r\n\26\n\0\0\0\rIHDR\0\0\23\113\0\0\0\1" } }, "6001 x 1 pixels")
    local many = {}
    for i = 1, 3 do many[i] = mm.video("https://h/" .. i .. ".mp4") end
    warned(many, "3 videos; zai takes up to 2")
    warned({ messages = { mm.system "A", mm.assistant "B" }, check = "warn" }, "more than system and assistant messages")
    assert.same({}, ai:request({ "Hi", mm.image(gateway.media().jpg), temperature = 0.5, stop = { "a" } }).warnings)
  end)

  it("is bigmodel.cn at another address", function()
    local own = mm.client { gateway = "zai", base_url = "https://open.bigmodel.cn/api/paas/v4", api_key = "id.secret", model = "glm-4.6v" }
    assert.equal("https://open.bigmodel.cn/api/paas/v4/chat/completions", own:request("Hi").url)
  end)
end)
