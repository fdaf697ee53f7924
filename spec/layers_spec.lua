--- The walls of the house: who may include and require whom. An arrow up fails here.

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

--- Layer of a C file by its path.
local base = { err = true, buf = true }
local function c_layer(path)
  local folder, name = path:match("^src/(%w+)/([%w_]+)%.[ch]$")
  if folder == "core" then return base[name] and "base" or "core" end
  return folder
end

local c_may = {
  base = { base = true },
  core = { base = true, core = true },
  net = { base = true, core = true, net = true },
  lua = { base = true, core = true, net = true, lua = true },
}

local c_foreign = {
  { "^lua", "lua" }, { "^lauxlib%.h$", "lua" }, { "^lualib%.h$", "lua" }, { "^luajit%.h$", "lua" },
  { "^curl/", "net" }, { "^uv%.h$", "net" }, { "^uv/", "net" },
}

local function resolve(from, include)
  local path = from:match("^(.*)/") .. "/" .. include
  local count
  repeat path, count = path:gsub("/[^/]+/%.%./", "/", 1) until count == 0
  return path
end

--- Each broken rule of a C file as a sentence.
local function c_faults(path, text)
  local faults, layer = {}, c_layer(path)
  for include in text:gmatch('#%s*include%s*"([^"]+)"') do
    local target = c_layer(resolve(path, include))
    if not c_may[layer][target] then
      faults[#faults + 1] = ("%s (%s) includes %s (%s)"):format(path, layer, include, tostring(target))
    end
  end
  for include in text:gmatch("#%s*include%s*<([^>]+)>") do
    for _, rule in ipairs(c_foreign) do
      if include:find(rule[1]) and layer ~= rule[2] then
        faults[#faults + 1] = ("%s (%s) includes <%s>"):format(path, layer, include)
      end
    end
  end
  return faults
end

--- Layer of a Lua module by its name; the longest prefix wins.
local lua_layers = {
  ["multimodal"] = "init",
  ["multimodal.error"] = "leaf", ["multimodal.options"] = "leaf", ["multimodal.compat"] = "leaf",
  ["multimodal.extension"] = "leaf", ["multimodal.picture"] = "leaf", ["multimodal.moment"] = "leaf",
  ["multimodal.json"] = "json", ["multimodal.media"] = "media", ["multimodal.core"] = "core", ["multimodal.net"] = "net",
  ["multimodal.prompt"] = "prompt", ["multimodal.reply"] = "reply", ["multimodal.dialect"] = "dialect",
  ["multimodal.task"] = "dialect", ["multimodal.gateway"] = "gateway", ["multimodal.policy"] = "policy",
  ["multimodal.runtime"] = "runtime", ["multimodal.host"] = "runtime", ["multimodal.simulator"] = "simulator",
  ["multimodal.client"] = "client", ["multimodal.types"] = "leaf",
}

local function lua_layer(module)
  while module do
    if lua_layers[module] then return lua_layers[module] end
    module = module:match("^(.*)%.[^.]+$")
  end
  return nil
end

local function set(words)
  local result = {}
  for word in words:gmatch("%S+") do result[word] = true end
  return result
end

local lua_may = {
  leaf = set "leaf",
  json = set "leaf core cjson",
  media = set "leaf core json media",
  prompt = set "leaf media json prompt",
  reply = set "leaf media json reply",
  dialect = set "leaf prompt reply media json dialect",
  gateway = set "leaf gateway",
  policy = set "leaf core json policy",
  runtime = set "leaf core runtime",
  simulator = set "leaf core json cjson luv simulator",
  client = set "leaf core json media prompt reply dialect gateway policy runtime client",
  init = set "leaf core json media prompt reply dialect gateway policy runtime client",
}

local function module_of(path)
  local name = path:match("^lua/(.*)%.lua$"):gsub("/", ".")
  return (name:gsub("%.init$", ""))
end

--- Each broken rule of a Lua file as a sentence.
local function lua_faults(path, text)
  local faults, module = {}, module_of(path)
  local layer = assert(lua_layer(module), path .. " belongs to no layer")
  for required in text:gsub("compat%.lazy", "require"):gmatch("require%s*%(?%s*[\"']([%w_.]+)[\"']") do
    local ours = required:match("^multimodal") ~= nil
    local target = ours and lua_layer(required) or required
    local allowed = lua_may[layer][target]
    if target == "net" then allowed = module == "multimodal.runtime.uv" end
    if required:match("^cqueues") then allowed = module == "multimodal.host.cqueues" end
    if required == "ffi" or required == "jit" then allowed = module == "multimodal.compat" end
    if not allowed then faults[#faults + 1] = ("%s (%s) requires %s"):format(path, layer, required) end
  end
  return faults
end

local function all_faults(paths, find)
  local faults = {}
  for _, path in ipairs(paths) do
    for _, fault in ipairs(find(path, read(path))) do faults[#faults + 1] = fault end
  end
  return faults
end

describe("the layers", function()
  it("hold between C files", function()
    local paths = lines_of("ls src/*/*.c src/*/*.h")
    assert.is_true(#paths > 10)
    assert.same({}, all_faults(paths, c_faults))
  end)

  it("hold between Lua modules", function()
    local paths = lines_of("find lua -name '*.lua'")
    assert.is_true(#paths > 10)
    assert.same({}, all_faults(paths, lua_faults))
  end)

  it("are seen to be broken", function()
    assert.equal(1, #c_faults("src/core/sse.c", "#include <lua.h>\n"))
    assert.equal(1, #c_faults("src/core/buf.h", '#include "sse.h"\n'))
    assert.equal(1, #c_faults("src/net/loop.c", '#include "../lua/box.h"\n'))
    assert.equal(0, #c_faults("src/net/loop.c", '#include <curl/curl.h>\n#include "../core/api.h"\n'))
    assert.equal(1, #lua_faults("lua/multimodal/dialect/openai.lua", 'require("multimodal.client")'))
    assert.equal(1, #lua_faults("lua/multimodal/media.lua", "local cjson = require 'cjson'"))
    assert.equal(1, #lua_faults("lua/multimodal/client/resolve.lua", 'require("multimodal.net")'))
    assert.equal(0, #lua_faults("lua/multimodal/runtime/uv.lua", 'require("multimodal.net")'))
  end)

  it("hide every symbol of ours behind the headers", function()
    for _, path in ipairs(lines_of("ls src/*/*.h")) do
      local text = read(path)
      local declares = text:gsub("\nstatic [^\n]*", ""):find("\n[%w_][%w_ %*]*mm_[%w_]+%(") ~= nil
      if declares and not path:find("compat%.h$") then
        assert(text:find("MM_HIDDEN_BEGIN", 1, true), path .. " declares functions outside MM_HIDDEN_BEGIN")
      end
    end
  end)
end)
