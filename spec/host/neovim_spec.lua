--- A real Neovim streams into a buffer and stays an editor. Runs under LuaJIT, whose modules Neovim loads.
local simulator = require("multimodal.simulator")

if not jit then return end

describe("in Neovim", function()
  if os.execute("nvim --version > /dev/null 2>&1") ~= 0 then return pending("nvim is not installed") end

  local sim

  setup(function() sim = assert(simulator.start { pace = 0.02 }) end)
  teardown(function() sim:stop() end)

  local function edit(more)
    local pipe = assert(io.popen(("MULTIMODAL_URL=%s LUA_PATH='%s' LUA_CPATH='%s' %s timeout 60 nvim --clean --headless"
      .. " -c 'luafile spec/host/scripts/editor.lua' -c 'qa!' 2>&1; echo \" status $?\""):format(
      sim.url, package.path, package.cpath, more or "")))
    local text = pipe:read("*a")
    pipe:close()
    return text
  end

  it("streams into a buffer while timers run, and refuses to block", function()
    local text = edit()
    local pieces, rest = text:match("(%d+) pieces, (.*) status 0")
    assert(pieces and tonumber(pieces) >= 5, text)
    assert(rest:find("^ticks: true, whole: true, refused: editor.lua:%d+: would block outside a job"), text)
  end)

  it("leaves in the middle of a stream", function()
    local text = edit("MULTIMODAL_LEAVE=1")
    assert(text:find("whole: false", 1, true) and text:find(" status 0", 1, true), text)
  end)
end)
