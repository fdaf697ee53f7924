--- What differs between Lua 5.1, LuaJIT and 5.2 to 5.4, in one place: names are those of 5.4.
local M = {}

M.unpack = table.unpack or unpack -- luacheck: ignore 143
M.pack = table.pack or function(...)
  return { n = select("#", ...), ... }
end

--- True where a coroutine can be suspended across pcall and in iterators (all but PUC 5.1).
M.yields_across_pcall = (function()
  local co = coroutine.create(function()
    return pcall(coroutine.yield, true)
  end)
  return select(2, coroutine.resume(co)) == true
end)()

--- The running coroutine, nil in the main one.
--- @return thread?
function M.running()
  local co, main = coroutine.running()
  if main then return nil end
  return co
end

--- Whether the running coroutine can be suspended here. PUC 5.1 cannot tell and says yes.
M.isyieldable = coroutine.isyieldable or function()
  return M.running() ~= nil
end

--- An integer where the Lua has integers, the number itself elsewhere.
M.integer = math.tointeger and function(n)
  return math.tointeger(n) or n
end or function(n)
  return n
end

--- What kind of number a value is, where numbers have kinds; its type elsewhere.
M.kind_of = math.type or type

--- The kind of a whole number.
M.whole = math.type and "integer" or "number"

--- The command of a Lua of this version.
M.command = jit and "luajit" or "lua" .. _VERSION:match("%d%.%d") -- luacheck: ignore 113

--- Run `collect` when the returned object is collected or the state is closed.
--- 5.1 and LuaJIT know finalizers on userdata only.
--- @param collect fun()
--- @return table|userdata
function M.finalizer(collect)
  if newproxy then -- luacheck: ignore 113
    local proxy = newproxy(true) -- luacheck: ignore 113
    getmetatable(proxy).__gc = collect
    return proxy
  end
  return setmetatable({}, { __gc = collect })
end

--- A module that need not be there: nil where it is not. Raises what is wrong with one that is.
--- @param name string
--- @return any
function M.optional(name)
  local found, value = pcall(require, name)
  if found then return value end
  if not tostring(value):find("module '" .. name .. "' not found", 1, true) then error(value, 0) end
  return nil
end

--- A module that is loaded when one of its names is first asked for: most scripts need few of them.
--- @param name string
--- @return table
function M.lazy(name)
  return setmetatable({}, { __index = function(self, field)
    local value = require(name)[field]
    rawset(self, field, value)
    return value
  end })
end

return M
