--- The requests that the guides print, loaded from files as they are (G-R2, G-R14): each arrives at its gateway as equal JSON.
local core = require("multimodal.core")
local gateway = require("support.gateway")
local mm = require("multimodal")
local server = require("support.server")

local samples = {
  yourouter = { "link", "python" },
  gdc = { "image", "audio" },
  openroute = { "sunset", "city" },
  glm = { "request" },
  khatash = { "content_types", "cat", "pdf" },
}

local function read(text)
  return assert(core.json_decode(text, { null = true, exact = true }))
end

describe("the guide's request", function()
  local s
  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function() s:clear() end)

  local function client(name, model)
    local on_premises = name == "gdc"
    return gateway.client(s, {
      gateway = name, model = model or false, endpoint = on_premises and s.url or nil, project = on_premises and "p" or nil,
    })
  end

  local function arrived(ai, path, method)
    local before = #s:requests()
    s:script(gateway.answer "ok")
    local got = assert(ai[method or "generate"](ai, mm.load(path)))
    if method then got = assert(got:reply()) end
    assert.equal("ok", got.text)
    return assert(s:requests(before + 1))[before + 1]
  end

  for name, list in pairs(samples) do
    for _, one in ipairs(list) do
      it("arrives as equal JSON (G-R14): " .. name .. "/" .. one, function()
        local path = "spec/fixtures/" .. name .. "/" .. one .. ".json"
        local given = read(gateway.bytes(path))
        local request = arrived(client(name), path, given.stream and "stream" or nil)
        assert.same(given, read(request.body))
        assert(request.path:find("/chat/completions$"), request.path)
      end)
    end
  end

  it("takes a model and parameters beside it (G-R2)", function()
    local path = os.tmpname()
    local given = read(gateway.bytes "spec/fixtures/gdc/image.json")
    given.temperature, given.top_k = 0.2, 40
    local file = assert(io.open(path, "wb"))
    file:write(tostring(core.body(given)))
    file:close()
    local request = arrived(client("gdc", "my-endpoint"), path)
    os.remove(path)
    given.model = "my-endpoint"
    assert.same(given, read(request.body))
  end)
end)
