--- Anthropic's Files API, at a server.
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")
local upload = require("multimodal.client.upload.anthropic")

describe("an upload to Anthropic", function()
  local s, ai, seen

  before_each(function()
    s, seen = server.start(), {}
    ai = mm.client {
      gateway = "anthropic", base_url = s.url .. "/v1", api_key = "canary-k", model = "m",
      clock = { sleep = function() end, random = function() return 0 end },
    }
  end)
  after_each(function() s:stop() end)

  local function send(part, stop)
    return upload.send(ai, assert(part:opened()), ai.options, function(_, done)
      seen[#seen + 1] = done
      if done == stop then return nil, { kind = "cancelled" } end
      return true
    end)
  end

  it("is one multipart request, and a part that prompts know by its id", function()
    s:script(server.json(200, { id = "file_1", type = "file" }))
    local bytes = "%PDF-1.4\r\n\0\255"
    local part = assert(send(mm.file { bytes = bytes, filename = 'a"b.pdf' }))
    local request = s:requests(1)[1]
    assert.same({ "/v1/files", "POST", "files-api-2025-04-14", "2023-06-01", "canary-k" }, { request.path, request.method,
      request.headers["anthropic-beta"], request.headers["anthropic-version"], request.headers["x-api-key"] })
    local mark = request.headers["content-type"]:match("^multipart/form%-data; boundary=(%S+)$")
    assert.equal(core.sha256():update("--" .. mark .. '\r\nContent-Disposition: form-data; name="file"; filename="a_b.pdf"\r\n'
      .. "Content-Type: application/pdf\r\n\r\n" .. bytes .. "\r\n--" .. mark .. "--\r\n"):hex(), request.body_sha256)
    assert.same({ type = "document", source = { type = "file", file_id = "file_1" } },
      ai:request({ "Read it.", part }):json().messages[1].content[2])
    assert.same({ 0, #bytes }, { seen[1], seen[#seen] })
  end)

  it("is not repeated where the file may be there, and is where it was refused", function()
    s:script(server.json(500, { type = "error", error = { type = "api_error", message = "No." } }))
    local part, err = send(mm.file { bytes = "%PDF-1.4" })
    assert.is_nil(part)
    assert.same({ "server", true, 1 }, { err.kind, err.maybe_accepted, #s:requests(1) })
    s:script(server.json(429, { type = "error", error = { type = "rate_limit_error", message = "No." } }))
    s:script(server.json(200, { id = "file_2" }))
    assert.equal("file_2", assert(send(mm.image { bytes = "\137PNG\r\n\26\n" })).id)
    assert.equal(3, #s:requests(3))
  end)

  it("tells how far it is, and can be stopped on its way", function()
    s:script(server.json(200, { id = "file_1" }))
    local states, last = {}, 0
    assert(ai:upload(mm.file { bytes = "%PDF-" .. ("x"):rep(1000000) }, { on_upload = function(now)
      states[#states + 1] = now.state
      assert(now.what == "upload" and now.elapsed >= 0 and now.done >= last and now.total == 1000005)
      last = now.done
    end }))
    assert.same({ "running", "running", "succeeded", 1000005 }, { states[1], states[2], states[#states], last })
    local part, err = ai:upload(mm.file { bytes = "%PDF-1.5" }, { on_upload = function(now) return now.done == 0 end })
    assert.is_nil(part)
    assert.equal("cancelled", err.kind)
  end)

  it("is remembered until it expires", function()
    s:script(server.json(200, { id = "file_1", expires_at = "2001-01-01T00:00:00Z" }))
    s:script(server.json(200, { id = "file_2" }))
    for i, id in ipairs { "file_1", "file_2", "file_2" } do
      assert.equal(id, assert(ai:upload(mm.file { bytes = "%PDF-1.4" })).id, i)
    end
    assert.equal(2, #s:requests(2))
  end)

  it("is chosen by itself above what the dialect takes inside a request", function()
    for i = 1, 2 do s:script(server.json(200, { id = "file_" .. i })) end
    local function picture(bytes) return mm.image { bytes = "\137PNG\r\n\26\n" .. ("x"):rep(bytes) } end
    local content = assert(ai:request { "Look.", picture(5300000), picture(1000), upload = "auto" }):json().messages[1].content
    assert.same({ "file_1", "base64" }, { content[2].source.file_id, content[3].source.type })
    local function document(bytes) return mm.file { bytes = "%PDF-" .. ("x"):rep(bytes) } end
    local req = assert(ai:request { document(13000000), document(12000000), upload = "auto" })
    content = req:json().messages[1].content
    assert.same({ "file_2", "base64", "files-api-2025-04-14" },
      { content[1].source.file_id, content[2].source.type, req.headers["anthropic-beta"] })
    local none, err = ai:request { mm.audio { bytes = "RIFF0000WAVE" .. ("x"):rep(3000) }, upload = "auto", max_inline = 100 }
    assert.is_nil(none)
    assert.same({ "unsupported", "messages[1].content[1]", 2 }, { err.kind, err.part, #s:requests() })
  end)

  it("stops before it begins where a hook says so, and needs an id", function()
    local part, err = send(mm.file { bytes = "%PDF-1.4" }, 0)
    assert.is_nil(part)
    assert.same({ "cancelled", 0 }, { err.kind, #s:requests() })
    s:script(server.json(200, {}))
    part, err = send(mm.file { bytes = "%PDF-1.4" })
    assert.is_nil(part)
    assert.equal("protocol", err.kind)
  end)
end)
