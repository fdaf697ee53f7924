--- What OpenAI is known to take and to refuse.
local mm = require("multimodal")

describe("openai #small", function()
  local ai = mm.client { gateway = "openai", api_key = "canary-k", model = "gpt-4o" }
  local png, pdf = "\137PNG\r\n\26\n", "%PDF-1.4"

  local function warned(prompt, words)
    local warnings = assert(ai:request(prompt)).warnings
    assert(table.concat(warnings, "\n"):find(words, 1, true), words .. " not in: " .. table.concat(warnings, "\n"))
  end

  local function refused(prompt, place)
    local request, err = ai:request(prompt)
    assert.is_nil(request)
    assert.same({ "unsupported", place }, { err.kind, err.part })
    assert(err.message:find("openai", 1, true) and err.message:find(";", 1, true), err.message)
  end

  it("takes files as data URLs with a name, or by their ids", function()
    local content = ai:request({
      mm.file { bytes = pdf }, mm.file { bytes = pdf, filename = "a.pdf" }, mm.file { file_id = "file-abc" },
    }):json().messages[1].content
    local data = "data:application/pdf;base64,JVBERi0xLjQ="
    assert.same({ { filename = "file.pdf", file_data = data }, { filename = "a.pdf", file_data = data }, { file_id = "file-abc" } },
      { content[1].file, content[2].file, content[3].file })
  end)

  it("refuses what it has no words for", function()
    refused({ "Hi", mm.video "https://h/a.mp4" }, "messages[1].content[2]")
    refused({ mm.audio { bytes = "x", format = "flac" } }, "messages[1].content[1]")
    refused({ mm.file "https://h/a.pdf" }, "messages[1].content[1]")
    refused({ mm.image "s3://b/a.png" }, "messages[1].content[1]")
    refused({ "Hi", top_k = 5 }, "top_k")
    refused({ "Hi", reasoning = 500 }, "reasoning")
    refused({ messages = { mm.assistant { mm.image { bytes = png } } }, "Hi" }, "messages[1].content[1]")
  end)

  it("warns of limits", function()
    warned({ mm.image { bytes = png, mime = "image/heic" } }, "image/heic")
    warned({ mm.file { bytes = "a,b", mime = "text/csv" } }, "text/csv")
    warned({ "Hi", stop = { "1", "2", "3", "4", "5" } }, "openai takes 4")
    warned({ "Hi", temperature = 2.5 }, "temperature")
    local many = {}
    for i = 1, 17 do many["k" .. i] = "v" end
    warned({ "Hi", extra = { metadata = many } }, "metadata: 17 pairs")
    warned({ "Hi", extra = { metadata = { k = ("x"):rep(513) } } }, "metadata: k")
    local large = png .. ("x"):rep(26000000)
    warned({ mm.image { bytes = large }, mm.image { bytes = large } }, "52.0 MB of images; openai takes up to 50.0 MB")
    assert.same({}, ai:request({ "Hi", mm.image { bytes = png }, temperature = 1, stop = { "a" } }).warnings)
  end)
end)
