--- Failures that nobody asked about.
--- Names: unasked handler.
local M = {}

--- What happens to them; `mm.on_error` is looked up each time, so that a script may set it.
--- @type fun(err: multimodal.Error, job: any)
M.handler = function(err)
  io.stderr:write("multimodal: ", tostring(err), "\n")
end

--- @param err multimodal.Error
function M.unasked(err)
  M.handler(err)
end

return M
