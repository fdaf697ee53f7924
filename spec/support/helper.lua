--- For busted's --helper: after each file nothing of ours may be alive, and no key may have been seen.
local busted = require("busted")
local canary = require("support.canary")

canary.install()

-- Files forget what they alone have required, and luv does not bear being loaded again after its loop was collected.
pcall(require, "luv")

local loaded = { core = "multimodal.core", net = "multimodal.net" }

local function left()
  local words = {}
  for name, module in pairs(loaded) do
    local count = package.loaded[module] and package.loaded[module].live() or 0
    if count ~= 0 then words[#words + 1] = ("%d live objects of multimodal.%s"):format(count, name) end
  end
  return words[1] and table.concat(words, ", ")
end

local function collect()
  -- Compiled traces hold what they were recorded with.
  if jit then jit.flush() end -- luacheck: ignore 113
  collectgarbage()
  collectgarbage()
end

busted.subscribe({ "file", "end" }, function(file)
  collect()
  local fault = left()
  if fault then error((file.name or "a file") .. " left " .. fault, 0) end
  local leaks = canary.take()
  if leaks[1] then error((file.name or "a file") .. " showed " .. table.concat(leaks, "\n"), 0) end
  return nil, true
end)
