--- A stream that came to its end mark leaves a connection that can be used again.
local mm = require("multimodal")
local net = require("multimodal.net")
local server = require("support.server")

local chunks = {
  '{"choices":[{"index":0,"delta":{"content":"hi"}}]}', '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', "[DONE]",
}

--- A stream whose framing ends in `tail`, after its end mark.
local function stream_with(tail)
  local steps = server.sse(chunks, { open = true })
  for _, step in ipairs(tail) do steps[#steps + 1] = step end
  return steps
end

describe("a connection", function()
  local s, ai

  before_each(function()
    s = server.start()
    ai = mm.client { base_url = s.url .. "/v1", api_key = "canary-k", model = "m" }
  end)

  after_each(function() s:stop() end)

  local function read_one()
    assert.equal("hi", assert(assert(ai:stream "x"):reply()).text)
    assert.equal(0, net.live())
  end

  it("serves the next stream although the framing ended after the end mark", function()
    s:script(stream_with { { wait = 0.02 }, server.last_chunk }, { times = 4 })
    for _ = 1, 4 do
      read_one()
      mm.sleep(0.06)
    end
    local first = s:requests()[1].connection
    for _, request in ipairs(s:requests()) do assert.equal(first, request.connection) end
    assert.equal(4, #s:requests())
  end)

  it("closes when the framing does not end", function()
    s:script(stream_with { { stall = true } })
    read_one()
    mm.sleep(0.4)
    assert.is_truthy(s:closed(s:requests()[1].connection))
  end)

  it("closes when too much comes after the end mark", function()
    s:script(stream_with { { fill = -1, chunk = 65536 } })
    read_one()
    mm.sleep(0.2)
    assert.is_truthy(s:closed(s:requests()[1].connection))
  end)

  it("that nobody reads any more is let go with the state", function()
    s:script(stream_with { { stall = true } })
    local lua = jit and "luajit" or "lua" .. _VERSION:match("%d%.%d")
    local program = os.tmpname()
    local file = assert(io.open(program, "w"))
    file:write(([[
      local mm = require "multimodal"
      local ai = mm.client { base_url = %q, api_key = "canary-k", model = "m" }
      print(assert(assert(ai:stream "x"):reply()).text)
    ]]):format(s.url .. "/v1"))
    file:close()
    local pipe = io.popen(lua .. " " .. program)
    assert.equal("hi\n", pipe:read("*a"))
    pipe:close()
    os.remove(program)
    assert.is_truthy(s:closed(s:requests()[1].connection))
  end)
end)
