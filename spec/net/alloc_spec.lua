--- libcurl's allocator fails from its n-th allocation on, for every n of an exchange: each ends with an error or with
--- the whole answer, and nothing is left. Needs a test build (make spec-alloc, spec-asan); spec/alloc sweeps whole requests.
local core = require("multimodal.core")
local net = require("multimodal.net")
local server = require("support.server")

local texts = { "one", ("two"):rep(100), "three" }

describe("an exchange without memory #alloc", function()
  local s

  before_each(function() s = server.start() end)
  after_each(function() s:stop() end)

  --- One exchange from the engine to the end, by calls that may raise.
  local function whole(url)
    local engine = net.engine()
    if not engine then return "no engine" end
    local exchange, err = engine:start({
      method = "POST", url = url, headers = { "Authorization: Bearer k", "X-Empty:" }, timeout = 3, idle_timeout = 1,
      body = core.body({ file = core.base64_of(core.blob(("x"):rep(20000))), text = "t" }), decoder = core.decoder({}),
    })
    if not exchange then return err end
    local list = {}
    while true do
      local event, why = exchange:next()
      if event then
        list[#list + 1] = event.data
      elseif why == "again" then
        engine:step(3)
        while engine:pop() do end
      else
        if why then return why.kind .. "/" .. tostring(why.code) end
        break
      end
    end
    local status, headers = exchange:head()
    exchange:timing()
    exchange:close()
    engine:close()
    if status == 200 and headers["content-type"] == "text/event-stream" and table.concat(list, " ") == table.concat(texts, " ") then
      return "whole"
    end
    return "wrong: " .. tostring(status) .. " " .. table.concat(list, " ")
  end

  it("of libcurl ends all the same", function()
    s:script(server.sse(texts, { split = 40 }), { times = -1 })
    assert.equal("whole", whole(s.url))
    local n, count, result = -1, math.huge, nil
    while result ~= "whole" or count > n do
      n = n + 1
      collectgarbage()
      local lives = core.live()
      net.fail_after(n)
      local ok
      ok, result = pcall(whole, s.url)
      count = net.fail_after(-1)
      collectgarbage()
      collectgarbage()
      assert(not ok or not tostring(result):find("wrong", 1, true), ("n = %d: %s"):format(n, tostring(result)))
      assert.equal(0, net.live())
      assert.is_true(core.live() <= lives)
      assert(n < 3000, "still failing")
    end
    assert.is_true(n > 50)
  end)
end)
