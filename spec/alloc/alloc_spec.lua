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

--- Run the host to its end; its last lines on failure.
local function sweep(...)
  local command = ('LUA_CPATH="build/asan/?.so;;" build/asan/alloc_host %s 2>&1'):format(table.concat({ ... }, " "))
  local pipe = assert(io.popen(command))
  local out = pipe:read("*a")
  local ok, how, code = pipe:close()
  assert(ok, ("%s: %s %s\n%s"):format(command, how, tostring(code), out:sub(-6000)))
  io.write("  ", table.concat({ ... }, " "):gsub(" http%S+", ""), ": ", out)
end

describe("memory that runs out #alloc", function()
  local s

  setup(function()
    s = server.start()
    for path, steps in pairs(scripts) do s:script(steps, { path = path .. "/chat/completions", times = -1 }) end
  end)
  teardown(function() s:stop() end)

  it("while the modules load", function()
    sweep("lua", "-1/7", "spec/alloc/load.lua")
  end)

  for _, how in ipairs { "mock", "whole", "stream", "jobs", "refused" } do
    it("in Lua: " .. how, function()
      sweep("lua", "0", "spec/alloc/request.lua", how, s.url)
    end)

    it("in the core: " .. how, function()
      sweep("core", "0", "spec/alloc/request.lua", how, s.url)
    end)
  end

  for _, how in ipairs { "whole", "stream", "jobs", "refused" } do
    it("in libcurl: " .. how, function()
      sweep("curl", "0", "spec/alloc/request.lua", how, s.url)
    end)
  end
end)
