--- Pages of web servers that speak of TLS.
local error_class = require("multimodal.error")
local tls_page = require("multimodal.policy.tls_page")

local function told(status, message, body)
  return tls_page.told(error_class.new { kind = "bad_request", status = status, message = message, body = body }, "http://h:1/v1?key=hush")
end

describe("a page about TLS", function()
  it("is the error that it tells", function()
    for message, code in pairs {
      ["400 No required SSL certificate was sent"] = "client_cert", ["400 The SSL certificate error"] = "client_cert",
      ["400 The plain HTTP request was sent to HTTPS port"] = "tls_wanted",
      ["Client sent an HTTP request to an HTTPS server."] = "tls_wanted",
    } do
      local err = told(400, message)
      assert.same({ "tls", code, 400 }, { err.kind, err.code, err.status })
      assert(err.message:find("^h:1 "), err.message)
    end
    local apache = told(400, "400 Bad Request", "<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />")
    assert.equal("tls_wanted", apache.code)
  end)

  it("is nothing of another status, or of other words", function()
    assert.equal("bad_request", told(500, "400 No required SSL certificate was sent").kind)
    assert.equal("bad_request", told(400, "the picture is too large").kind)
  end)
end)
