--- Jobs on a cqueues controller: one of its threads runs them while there are any, asleep on the engine's descriptor.
local condition = require("cqueues.condition")
local cqueues = require("cqueues")
local driver = require("multimodal.runtime.driver")
local job = require("multimodal.runtime.job")

local M = {}

--- Seconds of work in one turn.
local BUDGET = 0.01

--- @class multimodal.CqueuesHost
local Host = {}
Host.__index = Host

local function sleep(self)
  local fd, seconds = self.driver:watch()
  local pollable = fd and { pollfd = fd, events = "r" }
  if pollable and seconds then return cqueues.poll(pollable, self.changed, seconds) end
  if pollable or seconds then return cqueues.poll(self.changed, pollable or seconds) end
  return cqueues.poll(self.changed)
end

local function serve(self)
  while not self.closed do
    self.driver:step(self.budget)
    if job.alive() == 0 then break end
    sleep(self)
  end
  self.serving = false
end

--- A thread became ready while no step runs.
function Host:wake()
  if self.serving then return self.changed:signal() end
  self.serving = true
  self.controller:wrap(serve, self)
end

--- Somebody else ran the loop: what is to be watched may have changed.
function Host:rearm()
  if self.serving then self.changed:signal() end
end

--- Leave the controller.
function Host:close()
  if self.closed then return end
  self.closed = true
  self.driver.host = nil
  self.changed:signal()
end

--- @param controller table
--- @param options? {budget: number?}
--- @return multimodal.CqueuesHost
function M.attach(controller, options)
  local self = setmetatable({
    controller = controller, budget = options and options.budget or BUDGET, driver = driver.current(),
    changed = condition.new(),
  }, Host)
  self.driver.host = self
  if self.driver:has_work() then self:wake() end
  return self
end

return M
