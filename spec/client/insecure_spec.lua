--- Every server that is asked with insecure = true is told of, once: the gateway's, and those of links.
local mm = require("multimodal")

local function warning(host)
  return ("insecure: the certificate of %s is not checked, so whoever is on the way can read and change what passes; name its "
    .. "issuer with ca_file instead"):format(host)
end

local here, there = warning "mock.invalid", warning "cdn.invalid"

local function client(answers, more)
  local options = { gateway = mm.mock(answers), insecure = true }
  for name, value in pairs(more or {}) do options[name] = value end
  return mm.client(options)
end

--- An answer with pictures of these links.
local function pictures(...)
  local list = {}
  for i, url in ipairs { ... } do list[i] = ('{"type":"image_url","image_url":{"url":"%s"}}'):format(url) end
  local message = ('{"content":"","images":[%s]}'):format(table.concat(list, ","))
  return { body = ('{"choices":[{"index":0,"finish_reason":"stop","message":%s}]}'):format(message) }
end

describe("insecure #small", function()
  it("is told of the gateway", function()
    local ai = client { "a", "b", { body = "{}" } }
    assert.same({ here }, assert(ai:generate "Hi").warnings)
    assert.same({ here }, assert(ai:stream "Hi").warnings)
    assert.same({ here }, assert(ai:http { "GET", "/x" }).warnings)
    assert.same({}, assert(client({ "a" }, { insecure = false }):generate "Hi").warnings)
  end)

  it("is told of the links in a reply, each server once", function()
    local links = pictures("https://cdn.invalid/1", "https://CDN.invalid:8443/2", "http://plain.invalid/3", "https://mock.invalid/4")
    assert.same({ here, there }, assert(client({ links }):generate "Hi").warnings)
    assert.same({}, assert(client({ links }, { insecure = false }):generate "Hi").warnings)
    local chat = client({ links }):chat {}
    assert(chat:say "Hi")
    assert.same({ there, here }, assert(client({}):chat((assert(chat:dump())))).warnings)
  end)

  it("is told of a link that is fetched for a prompt", function()
    local made, err = client({}, { fetch = true, retries = 0, private = true, proxy = false }):request {
      "Hi", mm.image "https://127.0.0.1:1/cat.png",
    }
    assert.is_nil(made)
    assert.equal("network", err.kind)
    local sent = assert(client({ "a" }):generate { "Hi", mm.image "https://cdn.invalid/cat.png" })
    assert.same({ here }, sent.warnings) -- the gateway fetches it, by its own rules
  end)

  it("is told of a task and its outputs", function()
    local done = { body = '{"id":"cgt-1","status":"succeeded","content":{"video_url":"https://cdn.invalid/v.mp4"}}' }
    local task = assert(client({ { body = '{"id":"cgt-1"}' }, done }):video { "A cat.", video_model = "v" })
    assert.same({ here }, task.warnings)
    assert(task:poll())
    assert.same({ here, there }, task.warnings)
    assert.same({ here }, assert(client({}):task "cgt-1").warnings)
  end)
end)
