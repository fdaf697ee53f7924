--- Uploads in Google's resumable protocol: pieces, lost pieces, processing, and what is remembered.
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")

local uri = "https://generativelanguage.googleapis.com/v1beta/files/abc"

local function empty(headers)
  return { server.head(200, (function()
    headers["Content-Length"] = 0
    return headers
  end)()) }
end

describe("ai:upload #small", function()
  local s, ai, slept
  before_each(function()
    s, slept = server.start(), 0
    ai = mm.client { gateway = "google", base_url = s.url .. "/v1beta", api_key = "sk-canary", model = "gemini-2.5-flash",
      clock = { sleep = function() slept = slept + 1 end } }
  end)
  after_each(function() s:stop() end)

  local function file(state, more)
    local fields = { name = "files/abc", uri = uri, mimeType = "application/pdf", state = state, expirationTime = "2999-01-01T00:00:00Z" }
    for name, value in pairs(more or {}) do fields[name] = value end
    return fields
  end

  local function begin()
    s:script(empty { ["X-Goog-Upload-URL"] = s.url .. "/session?id=1", ["X-Goog-Upload-Status"] = "active" },
      { path = "/upload/v1beta/files" })
  end

  it("begins a session, sends bytes, waits, and gives a part for prompts", function()
    begin()
    s:script(server.json(200, { file = file "PROCESSING" }, { headers = { ["X-Goog-Upload-Status"] = "final" } }), { path = "/session" })
    s:script(server.json(200, file "PROCESSING"), { path = "/v1beta/files/abc" })
    s:script(server.json(200, file "ACTIVE"), { path = "/v1beta/files/abc" })
    local told = {}
    local part = assert(ai:upload(mm.file { bytes = "%PDF-1.4 x", filename = "a.pdf" },
      { on_upload = function(p) told[#told + 1] = p.state end }))
    assert.same({ "file", uri, "files/abc", 2 }, { part.kind, part.url, part.id, slept })
    assert.equal(32472144000, part.expires_at)
    assert.same({ "running", "processing", "processing", "succeeded" }, told)
    local requests = assert(s:requests(4))
    local start, bytes = requests[1].headers, requests[2].headers
    assert.same({ "resumable", "start", "10", "application/pdf", "sk-canary" }, {
      start["x-goog-upload-protocol"], start["x-goog-upload-command"], start["x-goog-upload-header-content-length"],
      start["x-goog-upload-header-content-type"], start["x-goog-api-key"],
    })
    assert.equal('{"file":{"displayName":"a.pdf"}}', requests[1].body)
    assert.same({ "upload, finalize", "0", "%PDF-1.4 x" }, { bytes["x-goog-upload-command"], bytes["x-goog-upload-offset"],
      requests[2].body })
    local sent = assert(ai:request { "Read.", part }):json().contents[1].parts[2]
    assert.same({ fileData = { mimeType = "application/pdf", fileUri = uri } }, sent)
    -- The same bytes are not sent again.
    assert.equal(uri, assert(ai:upload(mm.file { bytes = "%PDF-1.4 x" })).url)
    assert.equal(4, #s:requests())
  end)

  it("goes on from where the server is when a piece was lost", function()
    local bytes = "%PDF-" .. ("0123456789abcdef"):rep(600000)
    local half = 8 * 1024 * 1024
    begin()
    s:script(empty { ["X-Goog-Upload-Status"] = "active" }, { path = "/session" })
    s:script({ { reset = true } }, { path = "/session" })
    s:script(empty { ["X-Goog-Upload-Status"] = "active", ["X-Goog-Upload-Size-Received"] = half }, { path = "/session" })
    s:script(server.json(200, { file = file "ACTIVE" }), { path = "/session" })
    local done = {}
    assert(ai:upload(mm.file { bytes = bytes }, { on_upload = function(p) done[#done + 1] = p.done end }))
    assert.same({ half, half, #bytes, #bytes }, done)
    local requests = assert(s:requests(5))
    assert.equal(core.sha256():update(bytes:sub(1, half)):hex(), requests[2].body_sha256)
    assert.equal("query", requests[4].headers["x-goog-upload-command"])
    assert.same({ tostring(half), "upload, finalize" },
      { requests[5].headers["x-goog-upload-offset"], requests[5].headers["x-goog-upload-command"] })
    assert.equal(core.sha256():update(bytes:sub(half + 1)):hex(), requests[5].body_sha256)
  end)

  it("takes the file of a last piece whose answer was lost, and says so where no answer names it", function()
    local final = { headers = { ["X-Goog-Upload-Status"] = "final" } }
    begin()
    s:script({ { reset = true } }, { path = "/session" })
    s:script(server.json(200, { file = file "ACTIVE" }, final), { path = "/session" })
    assert.equal(uri, assert(ai:upload(mm.file { bytes = "%PDF-1.4 y" })).url)
    begin()
    s:script({ { reset = true } }, { path = "/session" })
    s:script(empty(final.headers), { path = "/session" })
    local none, err = ai:upload(mm.file { bytes = "%PDF-1.4 z" })
    assert.is_nil(none)
    assert.same({ "network", true }, { err.kind, err.maybe_accepted })
  end)

  it("sends no key to a session on another host", function()
    local other = server.start()
    s:script(empty { ["X-Goog-Upload-URL"] = other.url .. "/session" }, { path = "/upload/v1beta/files" })
    other:script(server.json(200, { file = file "ACTIVE" }))
    assert(ai:upload(mm.file { bytes = "%PDF-1.4" }))
    assert.is_nil(assert(other:requests(1))[1].headers["x-goog-api-key"])
    other:stop()
  end)

  it("tells what failed", function()
    begin()
    s:script(server.json(200, { file = file("FAILED", { error = { message = "bad pixels" } }) }), { path = "/session" })
    local none, err = ai:upload(mm.file { bytes = "%PDF-1.4" })
    assert.is_nil(none)
    assert(err.message:find("bad pixels", 1, true))
    none, err = mm.client({ gateway = "openrouter", api_key = "canary-k" }):upload(mm.file { bytes = "%PDF-1.4" })
    assert.is_nil(none)
    assert.same({ "unsupported", "upload" }, { err.kind, err.code })
    assert.equal("unsupported", select(2, ai:upload(mm.image "https://h/a.png")).kind)
    begin()
    s:script(server.json(200, { file = file "ACTIVE" }), { path = "/session" })
    none, err = ai:upload(mm.file { bytes = "%PDF-1.5" }, { on_upload = function() return false end })
    assert.is_nil(none)
    assert.same({ "cancelled", "hook" }, { err.kind, err.code })
    begin()
    s:script(server.json(403, { error = { code = 403, message = "no", status = "PERMISSION_DENIED" } }), { path = "/session" })
    none, err = ai:upload(mm.file { bytes = "%PDF-1.6" })
    assert.is_nil(none)
    assert.same({ "permission", "google" }, { err.kind, err.gateway })
  end)

  it("is chosen by itself for what is too large", function()
    begin()
    s:script(server.json(200, { file = file "ACTIVE" }), { path = "/session" })
    local req = assert(ai:request { "Read.", mm.file { bytes = "%PDF-1.4 " .. ("x"):rep(3000) }, upload = "auto", max_inline = 1000 })
    assert.same({ fileData = { mimeType = "application/pdf", fileUri = uri } }, req:json().contents[1].parts[2])
    assert.equal(2, #assert(s:requests(2)))
    assert.truthy(assert(ai:request { mm.file { bytes = "%PDF-1.4" }, upload = "auto" }):json().contents[1].parts[1].inlineData)
  end)

  it("is chosen for the largest of what is too much together", function()
    local function document(name, size) return mm.file { bytes = "%PDF-" .. name .. ("x"):rep(size), mime = "application/pdf" } end
    begin()
    s:script(server.json(200, { file = file "ACTIVE" }), { path = "/session" })
    local parts = assert(ai:request { document("a", 6000000), document("b", 7000000), document("c", 5000000), upload = "auto" }):json()
      .contents[1].parts
    assert.truthy(parts[1].inlineData and parts[2].fileData and parts[3].inlineData)
    assert.equal(2, #assert(s:requests(2)))
  end)

  it("is not begun where the dialect could not say the rest, nor where a gateway takes none", function()
    local large = mm.file { bytes = "%PDF-1.4" .. ("x"):rep(3000) }
    local request, err = ai:request { large, mm.image "s3://bucket/a.png", upload = "auto", max_inline = 1000 }
    assert.is_nil(request)
    assert.same({ "unsupported", "messages[1].content[2]", 0 }, { err.kind, err.part, #s:requests() })
    local other = mm.client { base_url = s.url, api_key = "canary-k", model = "m", upload = "auto" }
    assert.truthy(assert(other:request { large }):json().messages[1].content[1].file.file_data)
    assert.equal(0, #s:requests())
  end)

  it("is not shared by those who have another key, and ends", function()
    local part = mm.file { bytes = "%PDF-1.4" }
    local other = ai:with { api_key = "canary-other" }
    for _ = 1, 2 do
      begin()
      s:script(server.json(200, { file = file "ACTIVE" }), { path = "/session" })
    end
    for _, client in ipairs { ai, other, ai, other, ai:with { temperature = 1 } } do assert(client:upload(part)) end
    assert.equal(4, #s:requests(4))
    for _ = 1, 2 do
      begin()
      s:script(server.json(200, { file = file("ACTIVE", { expirationTime = "2001-01-01T00:00:00.5Z" }) }), { path = "/session" })
      assert(ai:upload(mm.file { bytes = "%PDF-old" }))
    end
    assert.equal(8, #s:requests(8))
  end)

  it("is shown by mm.progress", function()
    begin()
    s:script(server.json(200, { file = file "PROCESSING" }), { path = "/session" })
    s:script(server.json(200, file "ACTIVE"), { path = "/v1beta/files/abc" })
    local out = { text = "" }
    function out:write(...) self.text = self.text .. table.concat { ... } end
    function out.flush() end
    assert(ai:upload(mm.file { bytes = "%PDF-1.4 x" }, { on_upload = mm.progress { out = out, terminal = false } }))
    assert.matches("^upload: running, 10 B.*\nupload: processing, 10 B.*\nupload: succeeded, 10 B", out.text)
  end)
end)
