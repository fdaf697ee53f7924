--- Vertex AI: where each location listens, and what express mode differs in.
local mm = require("multimodal")

local function request(more)
  local all = { gateway = "vertex", project = "p", api_key = function() return "token", 600 end, model = "gemini-2.5-flash" }
  for name, value in pairs(more or {}) do all[name] = value or nil end
  return assert(mm.client(all):request "Hi")
end

describe("vertex #small", function()
  it("listens where its location says", function()
    for location, host in pairs {
      global = "aiplatform.googleapis.com", us = "aiplatform.us.rep.googleapis.com", eu = "aiplatform.eu.rep.googleapis.com",
      ["europe-west1"] = "europe-west1-aiplatform.googleapis.com",
    } do
      local req = request { location = location }
      assert.equal(("https://%s/v1/projects/p/locations/%s/publishers/google/models/gemini-2.5-flash:generateContent")
        :format(host, location), req.url)
      assert.equal("Bearer $VERTEX_TOKEN", req.headers.Authorization)
      assert.is_nil(req.headers["x-goog-api-key"])
    end
    assert.equal(request({ location = "global" }).url, request().url)
  end)

  it("without a project is express mode, with a key", function()
    local req = request { project = false }
    assert.equal("https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-flash:generateContent", req.url)
    assert.equal("$GOOGLE_API_KEY", req.headers["x-goog-api-key"])
    assert.is_nil(req.headers.Authorization)
  end)

  it("asks a function for its token", function()
    local server = require("support.server").start()
    local asked = 0
    local ai = mm.client { gateway = "vertex", project = "p", base_url = server.url, model = "m", api_key = function()
      asked = asked + 1
      return "token-" .. asked
    end }
    for i = 1, 2 do
      server:script(require("support.server").json(200, { candidates = { { finishReason = "STOP",
      content = { parts = { { text = "a" } } } } } }))
      assert.equal("a", assert(ai:generate "Hi").text)
      assert.equal("Bearer token-" .. i, assert(server:requests(i))[i].headers.authorization)
    end
    server:stop()
  end)

  it("counts instructions beside the contents", function()
    local count = require("multimodal.dialect.gemini").count
    local prompt = { messages = { mm.system "S", mm.user "Hi" }, options = { model = "m" } }
    local body = assert(count(prompt, { name = "vertex" })).body
    assert.equal("S", body.systemInstruction.parts[1].text)
  end)
end)
