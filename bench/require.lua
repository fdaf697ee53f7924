--- What `require "multimodal"` costs. Prints ms of CPU time, KiB of resident memory, KiB of Lua memory.
local function resident()
  local file = assert(io.open("/proc/self/status"))
  local kib = tonumber(file:read("*a"):match("VmRSS:%s*(%d+)"))
  file:close()
  return kib
end

collectgarbage()
local lua, rss, start = collectgarbage("count"), resident(), os.clock()
require("multimodal")
local seconds = os.clock() - start
print(("ms=%.2f growth=%d lua=%.0f"):format(seconds * 1000, resident() - rss, collectgarbage("count") - lua))
