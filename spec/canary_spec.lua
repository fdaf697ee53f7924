--- No key is seen anywhere: what may be dumped is dumped, and the watch over the whole suite is shown to bite.
local canary = require("support.canary")
local mm = require("multimodal")
local server = require("support.server")

local key = "sk-canary-0123456789"
local words = '"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}]'

--- Every string that a dumper could reach.
local function found_in(value, place)
  canary.take()
  canary.search(value, place)
  return canary.take()
end

describe("a key", function()
  local s

  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function() s:clear() end)

  local function client(more)
    local options = {
      base_url = s.url .. "/v1", api_key = key, model = "m", headers = { ["X-Api-Key"] = key, Cookie = key }, retries = 0,
      proxy = false, limit = { concurrent = 2 }, budget = { requests = 100 },
    }
    for name, value in pairs(more or {}) do options[name] = value end
    return mm.client(options)
  end

  it("stands in no client, request, reply, stream, error or conversation", function()
    local records = {}
    local ai = client { observe = function(record) records[#records + 1] = record end }
    s:script(server.json(200, "{" .. words .. "}"), { times = 2 })
    local request = assert(ai:request "Hi")
    local reply = assert(request:send())
    local chat = ai:chat {}
    assert(chat:say "Hi")
    s:script(server.sse { '{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}', "[DONE]" })
    local stream = assert(ai:stream "Hi")
    assert(stream:reply())
    s:script(server.json(401, '{"error":{"message":"Bad key."}}'))
    local _, err = ai:generate "Hi"
    s:script { { close = true } }
    local _, lost = ai:generate "Hi"
    local values = {
      client = ai, derived = ai:with { temperature = 0 }, request = request, shown = request.headers, reply = reply, chat = chat,
      stream = stream, err = err, lost = lost, records = records, dump = assert(chat:dump()), curl = request:curl(),
      words = tostring(ai) .. tostring(request) .. tostring(err) .. tostring(lost) .. tostring(chat) .. tostring(stream),
    }
    for name, value in pairs(values) do assert.same({}, found_in(value, name)) end
    assert.equal("Bearer " .. key, s:requests()[1].headers.authorization)
    assert.is_true(#records > 6)
  end)

  it("that a gateway repeats stands in no error", function()
    local ways = {
      { "api_key", { api_key = "canary-0123/456=789" } }, { "api_key", { api_key = function() return "canary-0123/456=789" end } },
      { "header", { headers = { ["X-Mine"] = mm.secret "canary-0123/456=789" } } },
      { "header", { headers = { ["X-Mine"] = mm.secret(function() return "canary-0123/456=789" end) } } },
      { "header", { headers = { ["X-Token"] = "canary-0123/456=789" } } },
      { "query", { query = { key = "canary-0123/456=789" } } },
      { "base_url", { base_url = s.url .. "/v1?key=canary-0123/456=789" } },
    }
    local long = ("x"):rep(4090) .. "canary-0123/456=789"
    for _, case in ipairs(ways) do
      local ai = client(case[2])
      s:clear()
      s:script(server.json(401, '{"error":{"message":"No such key: canary-0123\\/456=789."}}'))
      s:script(server.text(500, "Authorization: Bearer canary-0123/456=789 key=canary-0123%2F456%3D789"))
      s:script(server.text(500, long))
      s:script(server.sse { '{"choices":[{"index":0,"delta":{"content":"a"}}]}', '{"error":{"message":"canary-0123/456=789"}}' })
      local _, told = ai:generate "Hi"
      local _, page = ai:generate "Hi"
      local _, cut = ai:http { "GET", "/x" }
      local _, late = assert(ai:stream "Hi"):reply()
      local way = case[1]
      assert.same({ way, "No such key: ***." }, { way, told.message })
      for _, err in ipairs { told, page, cut, late } do
        assert.is_nil((tostring(err) .. tostring(err.body)):find("canary%-0"), way)
      end
      assert.equal(4090, #cut.body:match("^x*"))
    end
    canary.take() -- the watch sees each error before the client does
  end)

  it("in a query, of base_url or of the option, is sent and stands in none either", function()
    local records = {}
    local ai = client {
      base_url = s.url .. "/v1?key=" .. key, query = { access_token = key, mine = mm.secret(key), v = "2" },
      observe = function(record) records[#records + 1] = record end,
    }
    s:script(server.text(307, "", { headers = { Location = "/v1/there?key=" .. key } }))
    s:script(server.json(200, "{" .. words .. "}"), { times = 2 })
    s:script(server.json(401, '{"error":{"message":"Bad key."}}'))
    local request = assert(ai:request "Hi")
    local values = {
      client = ai, request = request, reply = assert(request:send()), answer = assert(ai:http { "GET", "/x" }),
      err = select(2, ai:generate "Hi"), derived = ai:with { query = { other = mm.secret(key) } }, records = records, curl = request:curl(),
    }
    values.words = tostring(ai) .. tostring(request) .. tostring(values.err)
    for name, value in pairs(values) do assert.same({}, found_in(value, name)) end
    local query = ("?key=%s&access_token=%s&mine=%s&v=2"):format(key, key, key)
    local seen = assert(s:requests(4))
    local paths = { "/v1/chat/completions" .. query, "/v1/there?key=" .. key, "/v1/x" .. query }
    assert.same(paths, { seen[1].path, seen[2].path, seen[3].path })
    assert.equal(s.url .. "/v1/chat/completions?key=$KEY&access_token=$ACCESS_TOKEN&mine=$MINE&v=2", request.url)
    assert.equal(s.url .. "/v1/there?key=$KEY", values.reply.url)
    assert(values.curl:find([[/v1/chat/completions?key='"$KEY"'&access_token='"$ACCESS_TOKEN"'&mine='"$MINE"'&v=2']], 1, true), values.curl)
    assert.equal("https://api.openai.com/v1/chat/completions?v=2", ai:with({ gateway = "openai", model = "m" }):request("Hi").url)
  end)

  it("of a function, a secret, the environment's or a proxy's stands in none either", function()
    for _, given in ipairs { mm.secret(key), function() return key end, mm.secret(function() return key end) } do
      local ai = client { api_key = given, proxy = "http://user:" .. key .. "@127.0.0.1:1" }
      local _, err = ai:generate "Hi"
      assert.equal("network", err.kind)
      for name, value in pairs { client = ai, err = err, words = tostring(err) .. tostring(ai) } do
        assert.same({}, found_in(value, name))
      end
    end
  end)

  it("stands in no journal and no text of a task", function()
    local folder = os.tmpname()
    os.remove(folder)
    s:script(server.json(200, "{" .. words .. "}"))
    assert(client({ journal = folder }):generate "Hi")
    local pipe = assert(io.popen("cat $(find '" .. folder .. "' -type f); rm -r '" .. folder .. "'"))
    local kept = pipe:read("*a")
    pipe:close()
    assert.is_truthy(kept:find('\\"ok\\"', 1, true))
    assert.same({}, found_in(kept, "journal"))
    require("multimodal.client.journal").leave()
    s:script(server.json(200, '{"id":"cgt-1"}'))
    local task = assert(client({ gateway = "volcengine", video_model = "v" }):video "A cat.")
    assert.same({}, found_in({ task, task:dump(), tostring(task) }, "task"))
  end)

  it("is seen wherever it is planted", function()
    canary.take()
    canary.note(key)
    local error_class = require("multimodal.error")
    local planted = {
      ["an error's message"] = function() return error_class.new { kind = "network", message = "bad key " .. key } end,
      ["an error's body"] = function() return error_class.new { kind = "network", message = "x", body = { deep = { key } } } end,
      ["a misuse"] = function() pcall(error_class.misuse, "bad key " .. key) end,
      ["tostring of multimodal.leaky"] = function()
        return tostring(setmetatable({}, { __name = "multimodal.leaky", __tostring = function() return key end }))
      end,
      ["a traceback"] = function() return debug.traceback(key) end,
      ["shown headers"] = function()
        return require("multimodal.client.headers").shown({ { name = "X", value = key } }, { variable = "K" })
      end,
      ["a file"] = function()
        local path = os.tmpname()
        require("multimodal.core").file_write(path, key)
        os.remove(path)
      end,
    }
    for place, leak in pairs(planted) do
      leak()
      local found = canary.take()
      assert(found[1] and found[1]:find("a key in " .. place, 1, true), place .. ": " .. tostring(found[1]))
    end
    assert.same(1, #found_in({ a = { b = "x" .. key } }, "a dump"))
  end)

  it("that leaks fails the file that let it", function()
    local path = os.tmpname() .. "_spec.lua"
    local file = assert(io.open(path, "w"))
    file:write(([[
      it("leaks", function()
        local mm = require("multimodal")
        mm.client { base_url = "http://127.0.0.1:1", api_key = %q, model = "m" }
        require("multimodal.error").new { kind = "auth", message = "the key was " .. %q }
      end)]]):format(key, key))
    file:close()
    local lowest = 0
    for i in pairs(arg) do if type(i) == "number" and i < lowest then lowest = i end end
    local pipe = assert(io.popen(("LUA_PATH='%s' LUA_CPATH='%s' %s /usr/bin/busted --helper=spec/support/helper.lua %s 2>&1"):format(
      package.path, package.cpath, arg[lowest], path)))
    local out = pipe:read("*a")
    pipe:close()
    os.remove(path)
    assert(out:find("showed a key in an error's message", 1, true), out)
    assert(out:find("1 error", 1, true), out)
  end)
end)
