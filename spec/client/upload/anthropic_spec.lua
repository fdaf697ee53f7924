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
    return upload.send(ai, assert(part:opened()), ai.options, function(progress)
      seen[#seen + 1] = progress.done
      if progress.done == stop then return nil, { kind = "cancelled" } end
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
    assert.same({ 0, #bytes }, seen)
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
