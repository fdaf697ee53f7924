local cjson = require("cjson").new()
local core = require("multimodal.core")
local mm = require("multimodal")

local ai = mm.client { base_url = "https://your-proxy-domain.com/v1", api_key = "canary-k", model = "gpt-4o" }

local jpeg = "\255\216\255\224\0\16JFIF\0\1\1\0\0\1\0\1\0\0\255\217"

local function file(bytes, suffix)
  local path = os.tmpname() .. (suffix or "")
  local out = assert(io.open(path, "wb"))
  out:write(bytes)
  out:close()
  return path
end

local function body(...)
  return cjson.decode(tostring(assert(ai:request(...)).body))
end

--- A fault of the world: nil, err with kind, part and a message that has the words.
local function refused(prompt, kind, part, words)
  local req, err = ai:request(prompt)
  assert.is_nil(req)
  assert.equal(kind, err.kind)
  assert.equal(part, err.part)
  assert(err.message:find(words, 1, true), err.message)
  assert(tostring(err):find(part, 1, true), tostring(err))
  assert(err.where:find("^request_spec.lua:%d+$"), err.where)
  assert.equal("gpt-4o", err.model)
  return err
end

local function misuse(prompt, options)
  local ok, message = pcall(function() return ai:request(prompt, options) end)
  assert.is_false(ok)
  assert.is_string(message)
  assert(message:find("request_spec.lua:%d+: "), message)
  return message
end

describe("a request #small", function()
  it("is the seed's, of text and a link", function()
    assert.same({
      model = "gpt-4o",
      messages = { { role = "user", content = {
        { type = "text", text = "Describe this image in one sentence." },
        { type = "image_url", image_url = { url = "https://example.com/image.jpg" } },
      } } },
    }, body { "Describe this image in one sentence.", mm.image "https://example.com/image.jpg" })
  end)

  it("carries a file as a data URL of its bytes", function()
    local path = file(jpeg, ".jpg")
    local sent = body { "Describe this image in one sentence.", mm.image(path) }
    assert.equal("data:image/jpeg;base64," .. core.base64_encode(jpeg), sent.messages[1].content[2].image_url.url)
    os.remove(path)
  end)

  it("sends a string as a string", function()
    assert.same({ model = "gpt-4o", messages = { { role = "user", content = "Hi" } } }, body "Hi")
    assert.equal("Be brief.", body({ system = "Be brief.", "Hi" }).messages[1].content)
  end)

  it("shows itself as a table and as a curl command", function()
    local req = assert(ai:request { "It's a cat", max_tokens = 5 })
    assert.equal("It's a cat", req:json().messages[1].content)
    assert.equal(5, req:json().max_tokens)
    assert(req:curl():find("^curl %-X POST 'https://your%-proxy%-domain.com/v1/chat/completions'"), req:curl())
    assert(req:curl():find([['\'']], 1, true))
  end)

  it("is a curl command that a shell reads as it was meant", function()
    local req = assert(ai:request { "It's $HOME, `date` and \\ \"quoted\"", headers = { ["X-Note"] = "$HOME $(date)" } })
    local script = req:curl():gsub("^curl", "API_KEY=sesame; printf '%%s\\n'")
    local path = file(script)
    local pipe = io.popen("sh " .. path)
    local text = pipe:read("*a")
    pipe:close()
    os.remove(path)
    assert(text:find("Authorization: Bearer sesame", 1, true), text)
    assert(text:find("X-Note: $HOME $(date)", 1, true), text)
    assert(text:find(tostring(req.body), 1, true), text)
  end)

  it("does not pour a large body into a command line", function()
    local req = assert(ai:request { mm.image { bytes = jpeg .. ("x"):rep(300000) } })
    assert.is_true(#req:curl() < 1000)
  end)
end)

describe("bad input #small", function()
  it("returns what the world did: files", function()
    local empty, folder = file(""), os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    assert.equal("ENOENT", refused({ "a", mm.image "/nowhere/cat.jpg" }, "file", "messages[1].content[2]", "/nowhere/cat.jpg").code)
    assert.equal("EINVAL", refused({ "a", mm.image(empty) }, "file", "messages[1].content[2]", "empty").code)
    assert.equal("EISDIR", refused({ mm.image(folder) }, "file", "messages[1].content[1]", "folder").code)
    os.remove(empty)
    os.execute("rmdir " .. folder)
  end)

  it("returns what the world did: data URLs and UTF-8", function()
    refused({ "a", "b", mm.image { data_url = "data:image/png;base64,%%%" } }, "bad_request", "messages[1].content[3]", "data URL")
    refused({ "a", "b\255" }, "bad_request", "messages[1].content[2]", "UTF-8")
    refused("b\255", "bad_request", "messages[1].content[1]", "UTF-8")
    refused({ system = "s", messages = { mm.user { "a" }, mm.user { "b", "c\255" } } }, "bad_request", "messages[3].content[2]", "UTF-8")
    refused({ mm.image { bytes = "what is this" } }, "bad_request", "messages[1].content[1]", "mime")
  end)

  it("returns that files are off", function()
    local req, err = ai:request({ mm.image "cat.jpg" }, { files = false })
    assert.is_nil(req)
    assert.same({ "file", "forbidden", "messages[1].content[1]" }, { err.kind, err.code, err.part })
    assert(ai:request({ mm.image "https://a/b.jpg" }, { files = false }))
  end)

  it("raises misuse with the position", function()
    local circle = {}
    circle.circle = circle
    for words, prompt in pairs {
      ["prompt[2]: expected a string or a part, got number"] = { "a", 5 },
      ["prompt[2]: a hole"] = { "a", nil, "b" },
      ["max_tokns: unknown option; did you mean max_tokens?"] = { "a", max_tokns = 5 },
      ["temperature: expected a number, got NaN"] = { "a", temperature = 0 / 0 },
      ["messages: expected a table, got 5"] = { "a", messages = 5 },
    } do
      local message = misuse(prompt)
      assert(message:find(words, 1, true), message)
    end
    for _, extra in ipairs { { x = 0 / 0 }, { x = { 1, nil, 3 } }, { x = { 1, a = 2 } }, { x = print }, { x = circle } } do
      local message = misuse({ "a", extra = extra })
      assert(message:find("x", 1, true), message)
    end
    local part = { type = "image_url", image_url = { url = 0 / 0 } }
    assert(misuse({ "a", part }):find("messages[1].content[2]", 1, true))
    assert(misuse({ messages = { mm.user { "a" }, mm.user { "b", part } } }):find("messages[2].content[2]", 1, true))
  end)

  it("raises a path with NUL where it is written", function()
    local ok, message = pcall(function() mm.image "a\0.jpg" end)
    assert.is_false(ok)
    assert(message:find("request_spec.lua:%d+: image: the path has a NUL"), message)
  end)

  it("leaks nothing", function()
    collectgarbage()
    collectgarbage()
    local before = core.live()
    for _ = 1, 50 do
      ai:request { "a", mm.image { bytes = jpeg }, mm.image "/nowhere" }
      ai:request { "a\255", mm.image { bytes = jpeg } }
      pcall(ai.request, ai, { mm.image { bytes = jpeg }, extra = { x = 0 / 0 } })
    end
    collectgarbage()
    collectgarbage()
    assert.equal(before, core.live())
  end)
end)
