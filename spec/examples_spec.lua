--- Every example runs as it stands, offline, and is short enough to paste.

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local lua
do
  local lowest = 0
  for i in pairs(arg) do
    if type(i) == "number" and i < lowest then lowest = i end
  end
  lua = arg[lowest]
end

local needs_server = { ["examples/describe.lua"] = true } -- takes the URL of one; spec/client/server_spec.lua runs it

--- Run a file without any key, so that it finds the simulator.
local function run(path)
  local out = os.tmpname()
  local ok, _, code = os.execute(("env -u MULTIMODAL_CLIENT -u OPENAI_API_KEY -u YOUROUTER_API_KEY %s %s > %s 2>&1"):format(lua, path, out))
  local file = assert(io.open(out))
  local text = file:read("*a")
  file:close()
  os.remove(out)
  return (ok == true or ok == 0) and (code == nil or code == 0), text
end

describe("an example", function()
  for _, path in ipairs(lines_of("ls examples/*.lua")) do
    it("is pasteable: " .. path, function()
      local lines = lines_of("cat " .. path)
      assert(#lines <= 40, #lines .. " lines")
      if needs_server[path] then return end
      local ok, text = run(path)
      assert(ok, text)
      assert.is_true(#text > 20)
    end)
  end
end)
