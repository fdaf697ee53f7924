--- What the children of the heavy specs share: figures of this process, printed as name=value lines, and a client.
--- Names: mm say peak resident descriptors client grown.
local mm = require("multimodal")

local M = { mm = mm }

local failed = false
function mm.on_error(err)
  failed = true
  io.stderr:write("unasked failure: ", tostring(err), "\n")
end

local function status(name)
  local file = assert(io.open("/proc/self/status"))
  local kib = tonumber(file:read("*a"):match(name .. ":%s*(%d+)"))
  file:close()
  return kib
end

--- Print a figure for the spec.
function M.say(name, value)
  print(name .. "=" .. tostring(value))
end

--- KiB resident at most so far.
function M.peak()
  return status("VmHWM")
end

--- KiB resident now.
function M.resident()
  return status("VmRSS")
end

--- Open descriptors; those of the shell that counts them are its own.
function M.descriptors()
  local pipe = assert(io.popen("ls /proc/" .. status("Pid") .. "/fd | wc -l"))
  local n = tonumber(pipe:read("*a"))
  pipe:close()
  return n - 1 -- the pipe to that shell
end

--- A client of the server at `url`/`path`, after one small request to `url`/warm.
function M.client(url, path)
  local plain = mm.client { base_url = url .. "/warm", api_key = "key", model = "m", timeout = 300 }
  assert(plain:generate("Hello"))
  return plain:with { base_url = url .. path }
end

--- Say by how much the peak grew since it was `before`, and whether nothing failed unasked.
function M.grown(before)
  M.say("growth", M.peak() - before)
  M.say("quiet", not failed)
end

return M
