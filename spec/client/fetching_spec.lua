--- fetch = true: links are downloaded before a request, bounded, and only where bytes can be had and said.
local mm = require("multimodal")
local server = require("support.server")

describe("fetch = true", function()
  local s
  before_each(function() s = server.start() end)
  after_each(function() s:stop() end)

  local function client(gateway, more)
    local all = { gateway = gateway, api_key = "canary-k", model = "m", fetch = true, private = true, retries = 0 }
    for name, value in pairs(more or {}) do all[name] = value end
    return mm.client(all)
  end

  it("sends bytes in each dialect where a link would be refused", function()
    s:script(server.text(200, "\137PNG\r\n\26\n", { headers = { ["Content-Type"] = "image/png" } }), { times = -1 })
    local url = s.url .. "/a.png"
    assert.equal("unsupported", select(2, client("anthropic", { fetch = false }):request { mm.image(url) }).kind)
    local said = {
      client("openai"):request({ mm.image(url) }):json().messages[1].content[1].image_url.url,
      client("google"):request({ mm.image(url) }):json().contents[1].parts[1].inlineData.data,
      client("anthropic"):request({ mm.image(url) }):json().messages[1].content[1].source.data,
    }
    assert.same({ "data:image/png;base64,iVBORw0KGgo=", "iVBORw0KGgo=", "iVBORw0KGgo=" }, said)
  end)

  it("takes no more than goes inside a request", function()
    s:script(server.text(200, ("x"):rep(100000), { headers = { ["Content-Type"] = "application/pdf" } }), { times = -1 })
    local request, err = client("google", { max_inline = 4000 }):request { mm.file(s.url .. "/a.pdf") }
    assert.is_nil(request)
    assert.same({ "too_large", "messages[1].content[1]" }, { err.kind, err.part })
    assert(err.message:find("more than 3000 bytes", 1, true), err.message)
    assert(client("google", { max_inline = 200000 }):request { mm.file(s.url .. "/a.pdf") })
  end)

  it("fetches nothing that the dialect has no words for", function()
    for gateway, part in pairs { anthropic = mm.audio(s.url .. "/a.mp3"), openai = mm.video(s.url .. "/a.mp4") } do
      local request, err = client(gateway):request { "Hi", part }
      assert.is_nil(request)
      assert.same({ "unsupported", "messages[1].content[2]" }, { err.kind, err.part })
    end
    assert.equal(0, #s:requests())
  end)

  it("leaves links that have no bytes to give", function()
    local uploaded, page = "https://generativelanguage.googleapis.com/v1beta/files/abc", "https://www.youtube.com/watch?v=x"
    local prompt = { mm.file { uploaded, mime = "application/pdf" }, mm.video(page) }
    local parts = assert(client("google"):request(prompt)):json().contents[1].parts
    assert.same({ uploaded, page }, { parts[1].fileData.fileUri, parts[2].fileData.fileUri })
  end)
end)
