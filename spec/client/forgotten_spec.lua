--- What nobody holds any more is collected, also where weak tables are no ephemerons: LuaJIT and 5.1.
local mm = require("multimodal")

--- How many of some values outlive their maker.
local function alive(make)
  local weak = setmetatable({}, { __mode = "v" })
  for i = 1, 20 do weak[i] = make() end
  if jit then jit.flush() end -- luacheck: ignore 113
  for _ = 1, 3 do collectgarbage() end
  local count = 0
  for _ in pairs(weak) do count = count + 1 end
  return count
end

local function client(options)
  options.gateway = options.gateway or mm.mock { "ok" }
  local ai = mm.client(options)
  assert.equal("ok", assert(ai:generate "Hi").text)
  return ai
end

describe("nobody keeps #small", function()
  it("a client", function()
    assert.equal(0, alive(function() return client {} end))
  end)

  it("a client that the function of its key, or of a header, holds", function()
    for _, name in ipairs { "api_key", "headers" } do
      assert.equal(0, alive(function()
        local holder = {}
        local function ask() return holder.token or "canary-k" end
        holder.client = client { [name] = name == "headers" and { ["X-Mine"] = mm.secret(ask) } or ask }
        return holder.client
      end))
    end
  end)

  it("a limit or a budget", function()
    assert.equal(0, alive(function()
      local limit = { concurrent = 1, requests_per_minute = 9 }
      client { limit = limit }
      return limit
    end))
    assert.equal(0, alive(function()
      local budget = { requests = 9 }
      client { budget = budget }
      return budget
    end))
  end)

  it("a mock that answered in place of another", function()
    assert.equal(0, alive(function()
      local last = mm.mock { "ok" }
      client { gateway = mm.mock { { kind = "overloaded" } }, retries = 0, fallback = { last } }
      return last
    end))
  end)
end)
