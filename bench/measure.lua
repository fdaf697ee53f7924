--- Figures of this process, and a client of the bench server: what the Lua programs share.
--- Names: mm now print client.
local mm = require("multimodal")

local M = { mm = mm }

local function peak()
  local file = assert(io.open("/proc/self/status"))
  local kib = tonumber(file:read("*a"):match("VmHWM:%s*(%d+)"))
  file:close()
  return kib
end

--- @return {cpu: number, peak: integer}  seconds; KiB
function M.now()
  return { cpu = os.clock(), peak = peak() }
end

--- Print what came to be used since `before`.
function M.print(before)
  local after = M.now()
  print(("cpu=%.6f growth=%d"):format(after.cpu - before.cpu, after.peak - before.peak))
end

--- A client whose requests all go to `base`/`path`, after one small request has been made.
--- @param base string
--- @param path string
function M.client(base, path)
  local plain = mm.client { base_url = base .. "/reply", api_key = "key", model = "m" }
  assert(plain:generate("Hello"))
  return plain:with { base_url = base .. path }
end

return M
