--- Hosts: programs with an event loop of their own that move jobs on, as `mm.host`.
local M = {}

--- Let a luv loop, or Neovim's vim.uv, move the jobs on.
--- @param uv table           luv
--- @param options? {schedule: (fun(fn: function))?, budget: number?}
--- @return {close: fun(self)}
function M.luv(uv, options)
  return require("multimodal.host.luv").attach(uv, options)
end

--- Let a cqueues controller move the jobs on.
--- @param controller table   cqueues.new()
--- @param options? {budget: number?}
--- @return {close: fun(self)}
function M.cqueues(controller, options)
  return require("multimodal.host.cqueues").attach(controller, options)
end

return M
