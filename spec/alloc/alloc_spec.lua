--- Memory that runs out: Lua's, mm_alloc's and libcurl's allocators fail from the n-th allocation on, for every n of a
--- whole request. Each run is a fresh state in spec/alloc/host.c, under sanitizers; it ends with an error or well, and
--- leaves nothing behind.
local core = require("multimodal.core")
local server = require("support.server")

local picture = core.data_url("image/png", "\137PNG\r\n\26\n" .. ("picture"):rep(6000))
local images = ('[{"type":"image_url","index":0,"image_url":{"url":"%s"}}]'):format(picture)

local function whole(message)
  return ('{"id":"c","model":"m","choices":[{"index":0,"finish_reason":"stop","message":%s}]}'):format(message)
end

local function chunk(delta, reason)
  return ('{"id":"c","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}'):format(
    delta, reason and '"' .. reason .. '"' or "null")
end

local scripts = {
  ["/whole"] = server.json(200, whole(('{"role":"assistant","content":"A cat.","images":%s}'):format(images))),
  ["/stream"] = server.sse {
    chunk '{"role":"assistant","content":""}', chunk '{"content":"A "}', chunk '{"content":"cat."}',
    chunk(('{"images":%s}'):format(images)), chunk("{}", "stop"), "[DONE]",
  },
  ["/refused"] = server.json(429, '{"error":{"message":"Slow down.","type":"rate_limit_error","code":"rate_limit"}}'),
}

--- Start a sweep: how, from where, script and arguments. It runs beside this process.
local function start(...)
  local command = ('LUA_CPATH="build/asan/?.so;;" build/asan/alloc_host %s 2>&1'):format(table.concat({ ... }, " "))
  return { command = command, pipe = assert(io.popen(command)) }
end

--- Wait for a sweep; its last lines on failure.
local function finish(sweep)
  local out = sweep.pipe:read("*a")
  local ok, how, code = sweep.pipe:close()
  assert(ok, ("%s: %s %s\n%s"):format(sweep.command, how, tostring(code), out:sub(-6000)))
  local line = out:match("([^\n]*)\n$")
  assert(line and line:find("ends well", 1, true), out)
  io.write("  ", sweep.command:match("alloc_host %S+ %S+ (.-) 2>&1"):gsub(" http%S+", ""), "\n  ", line, "\n")
end

describe("memory that runs out #alloc", function()
  local s

  setup(function()
    s = server.start()
    for path, steps in pairs(scripts) do s:script(steps, { path = path .. "/chat/completions", times = -1 }) end
  end)
  teardown(function() s:stop() end)

  -- Two at a time.
  for _, pair in ipairs { { "load", "mock" }, { "whole", "stream" }, { "jobs", "refused" } } do
    it("in Lua: " .. table.concat(pair, ", "), function()
      local sweeps = {}
      for i, how in ipairs(pair) do
        local loads = how == "load"
        sweeps[i] = loads and start("lua", "-1/3", "spec/alloc/load.lua") or start("lua", "0", "spec/alloc/request.lua", how, s.url)
      end
      for _, sweep in ipairs(sweeps) do finish(sweep) end
    end)
  end

  for _, how in ipairs { "mock", "whole", "stream", "jobs", "refused" } do
    it("in the core: " .. how, function()
      finish(start("core", "0", "spec/alloc/request.lua", how, s.url))
    end)
  end

  for _, how in ipairs { "whole", "stream", "jobs", "refused" } do
    it("in libcurl: " .. how, function()
      finish(start("curl", "0", "spec/alloc/request.lua", how, s.url))
    end)
  end
end)
