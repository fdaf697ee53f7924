--- Jobs on a luv loop: the engine keeps its own loop, and theirs watches its descriptor. A loop is never shared: luv
--- takes every handle in its loop for one of its own.
local driver = require("multimodal.runtime.driver")

local M = {}

--- Seconds of work in one turn of the host's loop.
local BUDGET = 0.01

--- @class multimodal.LuvHost
local Host = {}
Host.__index = Host

--- Run a step soon, where `schedule` says that jobs may run.
local function step_soon(self)
  if self.scheduled or self.closed then return end
  self.scheduled = true
  self.schedule(function()
    self.scheduled = false
    if not self.closed then self.driver:step(self.budget) end
  end)
end

local function start_timer(self, seconds)
  self.timer:start(math.ceil(seconds * 1000), 0, function() step_soon(self) end)
end

--- A thread became ready while no step runs. It must not run inside the call that made it ready.
function Host:wake()
  if not self.closed then start_timer(self, 0) end
end

local function watch_fd(self, fd)
  if not fd then
    if self.poll then self.poll:stop() end
    return
  end
  if not self.poll then self.poll = self.uv.new_poll(fd) end
  self.poll:start("r", function()
    self.poll:stop() -- until the step has read; schedule may take its time
    step_soon(self)
  end)
end

--- After each run of the loop: watch what it waits for now. With nothing to wait for the host's loop may end.
function Host:rearm()
  if self.closed then return end
  local fd, seconds = self.driver:watch()
  watch_fd(self, fd)
  if seconds then start_timer(self, seconds) else self.timer:stop() end
end

--- Leave the host's loop.
function Host:close()
  if self.closed then return end
  self.closed = true
  self.driver.host = nil
  self.timer:close()
  if self.poll then self.poll:close() end
end

--- @param uv table
--- @param options? {schedule: (fun(fn: function))?, budget: number?}   schedule: as vim.schedule, else jobs run in luv's callbacks
--- @return multimodal.LuvHost
function M.attach(uv, options)
  options = options or {}
  local self = setmetatable({
    uv = uv, schedule = options.schedule or function(fn) fn() end, budget = options.budget or BUDGET,
    driver = driver.current(), timer = uv.new_timer(),
  }, Host)
  self.driver.host = self
  self:rearm()
  return self
end

return M
