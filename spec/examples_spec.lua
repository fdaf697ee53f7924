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

local keys = { "MULTIMODAL_CLIENT", "OPENAI_API_KEY", "YOUROUTER_API_KEY", "OPENROUTER_API_KEY", "KHATASH_API_KEY" }

--- A search path that holds from any folder.
local function absolute(path)
  local here = lines_of("pwd")[1]
  return (path:gsub("[^;]+", function(one) return one:find("^/") and one or here .. "/" .. one end))
end

--- Run a file in its folder without any key, so that it starts the simulator; one that takes an URL gets that of ours.
local function run(path, url)
  local out, name = os.tmpname(), path:match("[^/]+$")
  local takes_url = lines_of("grep -c 'arg\\[1\\]' " .. path)[1] ~= "0"
  local ok, _, code = os.execute(("cd examples && env -u %s LUA_PATH='%s' LUA_CPATH='%s' %s %s %s %s > %s 2>&1"):format(
    table.concat(keys, " -u "), absolute(package.path), absolute(package.cpath), takes_url and "YOUROUTER_API_KEY=any" or "",
    lua, name, takes_url and url or "", out))
  local file = assert(io.open(out))
  local text = file:read("*a")
  file:close()
  os.remove(out)
  return (ok == true or ok == 0) and (code == nil or code == 0), text
end

describe("an example", function()
  local sim

  setup(function() sim = assert(require("multimodal.simulator").start()) end)
  teardown(function() sim:stop() end)

  for _, path in ipairs(lines_of("ls examples/*.lua")) do
    it("is pasteable: " .. path, function()
      local lines = lines_of("cat " .. path)
      assert(#lines <= 40, #lines .. " lines")
      local ok, text = run(path, sim.url)
      assert(ok, text)
      assert.is_true(#text > 20)
    end)
  end
end)
