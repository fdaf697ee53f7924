--- What work a call makes, counted instead of timed.
--- Names: work.
local core = require("multimodal.core")
local json = require("multimodal.json")

local M = {}

--- Run and count the work: bytes of JSON decoded, those that a scan follows, and those that pieces are joined to.
function M.work(fn)
  local decode, scan, concat = core.json_decode, json.scan, table.concat
  local work = { decoded = 0, fed = 0, joined = 0, values = 0 }
  table.concat = function(...) -- luacheck: ignore 122
    local text = concat(...)
    work.joined = work.joined + #text
    return text
  end
  core.json_decode = function(text, options)
    work.decoded = work.decoded + #text
    return decode(text, options)
  end
  json.scan = function()
    local inner = scan()
    return {
      feed = function(_, text) work.fed = work.fed + #text return inner:feed(text) end,
      complete = function() return inner:complete() end,
      closed = function() return inner:closed() end,
    }
  end
  local ok, err = pcall(fn, work)
  core.json_decode, json.scan, table.concat = decode, scan, concat -- luacheck: ignore 122
  -- Traces hold what they were recorded with.
  if jit then jit.flush() end -- luacheck: ignore 113
  if not ok then error(err, 0) end
  return work
end

return M
