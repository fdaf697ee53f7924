--- The rockspec names every source file: luarocks builds from its lists alone.

local function load_rockspec()
  local env = {}
  local chunk
  if setfenv then -- luacheck: ignore 113
    chunk = assert(loadfile("multimodal-scm-1.rockspec"))
    setfenv(chunk, env) -- luacheck: ignore 113
  else
    chunk = assert(loadfile("multimodal-scm-1.rockspec", "t", env))
  end
  chunk()
  return env
end

local function listed(command)
  local pipe, found = assert(io.popen(command)), {}
  for line in pipe:lines() do found[line] = true end
  pipe:close()
  return found
end

local function as_set(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

describe("the rockspec", function()
  local build = load_rockspec().build

  it("names every C source of the core and its binding", function()
    assert.same(listed("ls src/core/*.c src/lua/*.c | grep -v '^src/lua/net'"), as_set(build.modules["multimodal.core"].sources))
  end)

  it("names every C source of the engine and its binding", function()
    assert.same(listed("ls src/net/*.c src/lua/net*.c src/lua/box.c src/core/err.c"),
      as_set(build.modules["multimodal.net"].sources))
  end)

  it("names every Lua file under its module name", function()
    local expected = {}
    for path in pairs(listed("find lua -name '*.lua'")) do
      expected[path:match("^lua/(.*)%.lua$"):gsub("/", "."):gsub("%.init$", "")] = path
    end
    local named = {}
    for name, source in pairs(build.modules) do
      if type(source) == "string" then named[name] = source end
    end
    assert.same(expected, named)
  end)

  it("installs the command", function()
    assert.same({ multimodal = "bin/multimodal" }, build.install.bin)
  end)
end)
