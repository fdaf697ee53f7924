--- The runs of a journal: each holds the lock of run-<id>.lock while it lives, so that others know whether it does.
--- Names: new.
local compat = require("multimodal.compat")
local core = require("multimodal.core")
local error_class = require("multimodal.error")

local M = {}

--- @class multimodal.JournalRuns
--- @field folder string
--- @field id string                 of this run
--- @field gone table<string, boolean>  those that have ended
--- @field lock userdata?            held from the first record on
local Runs = {}
Runs.__index = Runs

local function path_of(self, run)
  return self.folder .. "/run-" .. run .. ".lock"
end

--- @param folder string
--- @param id string
--- @return multimodal.JournalRuns
function M.new(folder, id)
  return setmetatable({ folder = folder, id = id, gone = {} }, Runs)
end

--- Hold the lock that says that this run lives. Under the journal's lock.
--- @return boolean? fresh   true where it was not held before
--- @return multimodal.Error? err
function Runs:live()
  if self.lock then return false end
  local path = path_of(self, self.id)
  local lock, err = core.file_lock(path)
  if not lock then return nil, err == "held" and error_class.new { kind = "file", code = "held", message = path .. " is held" } or err end
  self.lock = lock
  self.guard = compat.finalizer(function()
    if self.lock then os.remove(path) end
  end)
  return true
end

--- Whether a run is still at it. Under the journal's lock: of one that is not, the file is removed.
--- @param run string
--- @return boolean
function Runs:is_alive(run)
  if run == self.id then return true end
  if self.gone[run] or not run:find("^%x+$") then return false end
  local path = path_of(self, run)
  local lock, why = core.file_lock(path)
  if not lock then return why == "held" end
  os.remove(path)
  lock:close()
  self.gone[run] = true
  return false
end

--- Remove what runs that were killed have left. Under the journal's lock.
--- @param run string
function Runs:sweep(run)
  local file = not self.gone[run] and io.open(path_of(self, run), "rb")
  if not file then return end
  file:close()
  self:is_alive(run)
end

--- This run is over.
function Runs:leave()
  if not self.lock then return end
  os.remove(path_of(self, self.id))
  self.lock:close()
  self.lock = nil
end

return M
