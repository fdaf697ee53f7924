--- Finalizers that run while the core is short of descriptors: what they close is not pulled from under a call.
local drive = require("net.drive")

local script = [[
local core = require("multimodal.core")
local path = ...
local kept = {}

local function take_all_descriptors()
  for i = 1, 100 do kept[i] = io.open("/dev/null") end
end

-- A value whose finalizer, which a full collection runs, closes `object`.
local function doom(object)
  local function close() object:close() end
  if newproxy then
    getmetatable(newproxy(true)).__gc = close
  else
    setmetatable({}, { __gc = close })
  end
end

local function give_back()
  for i = 1, #kept do kept[i]:close() end
  kept = {}
end

local writer, decoder = core.blob_writer({ memory = 0 }), core.decoder({ format = "bytes", memory = 0 })
local blob, body = core.blob(("x"):rep(100)), core.body_raw({ assert(core.blob_file(path)) })
decoder:head(200, "image/png")
take_all_descriptors()

doom(writer)
local done, err = writer:write("abc")
assert(done == nil and err.code == "EMFILE", tostring(err))
local again, same = writer:finish()
assert(again == nil and same.code == "EMFILE")

doom(decoder)
assert(select(2, decoder:feed("abc")).code == "EMFILE")
assert(select(2, decoder:next()).code == "EMFILE")

doom(blob)
assert(select(2, blob:save(path .. ".saved")).code == "EMFILE")
assert(tostring(blob) == "blob (closed)")

doom(body)
assert(select(2, body:read(0, 10)).code == "EMFILE")
assert(not pcall(body.read, body, 0, 10))

give_back()
writer:close()
decoder:close()
collectgarbage()
assert(core.live() == 0, core.live())
print("well")
]]

describe("a finalizer", function()
  it("closes nothing that a call is busy with", function()
    local path, run = os.tmpname(), os.tmpname()
    local file = assert(io.open(run, "w"))
    file:write(script)
    file:close()
    file = assert(io.open(path, "w"))
    file:write("0123456789")
    file:close()
    local command = ("ulimit -n 20; ulimit -t 20; exec %s %s %s 2>&1"):format(drive.interpreter(), run, path)
    local pipe = assert(io.popen(command))
    assert.equal("well\n", pipe:read("*a"))
    pipe:close()
    os.remove(path)
    os.remove(run)
  end)
end)
