--- The file of a journal: JSON lines that are only ever appended, each synced, under a lock that processes share.
--- A line that a crash cut off is closed by a record of type "cut" behind it; any other line that is no JSON is damage,
--- and the journal is refused, since what the line told may be paid for again.
--- Names: open stamp.
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local jobs = require("multimodal.runtime.jobs")
local json = require("multimodal.json")

local M = {}

local version = 1
local patience = 30 -- seconds to wait for another process to release the lock; it is held for one write
local spare = 65536 -- bytes put by for the last records on a full disk

--- @class multimodal.JournalLog
--- @field folder string
--- @field path string
--- @field offset integer   bytes read so far
--- @field line integer     lines read so far
--- @field cuts string[]    beginnings of lines that were cut off
local Log = {}
Log.__index = Log

--- The time in UTC, as records tell it.
--- @return string
function M.stamp()
  return os.date("!%Y-%m-%dT%H:%M:%SZ") --[[@as string]]
end

local function unusable(self, err)
  err = error_class.new(err)
  err.message = ("the journal in %s cannot be used: %s"):format(self.folder, err.message)
  return nil, err
end

local function damaged(self, line, why)
  return nil, error_class.new {
    kind = "file", code = "damaged",
    message = ("the journal %s is damaged in line %d (%s): put the line right or take it out; what it told may then be asked for,"
      .. " and paid for, once more"):format(self.path, line, why),
  }
end

--- Run a function while no other process is in the journal. It must not wait for anything.
--- @async
--- @generic T
--- @param fn fun(): T?, multimodal.Error?
--- @return T?
--- @return multimodal.Error? err
function Log:locked(fn)
  local waited = 0
  local lock, why = core.file_lock(self.folder .. "/journal.lock")
  while not lock and why == "held" do
    if waited >= patience then
      local message = ("another process has held its lock for %d seconds"):format(patience)
      return unusable(self, { kind = "file", code = "held", message = message })
    end
    jobs.sleep(0.02)
    waited = waited + 0.02
    lock, why = core.file_lock(self.folder .. "/journal.lock")
  end
  if not lock then return unusable(self, why) end
  local fine, value, err = pcall(fn)
  lock:close()
  if not fine then error(value, 0) end
  return value, err
end

--- Write a record at the end, to last before this returns. Under the lock, all read. On a full disk what was put by makes room.
--- @param record table
--- @return boolean?
--- @return multimodal.Error? err
function Log:append(record)
  local text = assert(json.encode(record)) .. "\n"
  local options = { append = true, sync = true }
  local done, err = core.file_write(self.path, text, options)
  if not done and (err.code == "ENOSPC" or err.code == "EDQUOT") and os.remove(self.folder .. "/journal.spare") then
    done, err = core.file_write(self.path, text, options)
  end
  if not done then return unusable(self, err) end
  self.offset, self.line = self.offset + #text, self.line + 1
  return true
end

--- A file that begins.
local function begin(self)
  local done, err = self:append { type = "journal", version = version }
  if not done then return nil, err end
  core.file_write(self.folder .. "/journal.spare", core.random(spare), { sync = true })
  return true
end

--- The end of the file was cut off: nobody writes now, so whoever wrote it is gone.
local function close_cut(self, text)
  self.cuts[#self.cuts + 1] = text:sub(1, 2000)
  local mend = "\n" .. assert(json.encode { type = "cut", at = M.stamp() }) .. "\n"
  local done, err = core.file_write(self.path, mend, { append = true, sync = true })
  if not done then return unusable(self, err) end
  return true
end

local function parsed(text)
  local value = json.decode(text)
  return type(value) == "table" and type(value.type) == "string" and value or nil
end

local function check_first(self, record)
  if record.type ~= "journal" then return damaged(self, 1, "it is no journal of this library") end
  if record.version ~= version then return damaged(self, 1, ("its version %s is not known here"):format(tostring(record.version))) end
  return true
end

--- Read the lines that are new, from where the file stands.
local function read_lines(self, file, take)
  local bad
  while true do
    local place = self.offset
    local text = file:read("*l")
    if not text then break end
    local after = file:seek()
    if after - place ~= #text + 1 then return bad and damaged(self, bad, "it is no JSON") or close_cut(self, text) end
    self.offset, self.line = after, self.line + 1
    local record = parsed(text)
    if record and record.type == "cut" then
      bad = nil
    elseif bad then
      return damaged(self, bad, "it is no JSON")
    elseif not record then
      bad = self.line
      self.cuts[#self.cuts + 1] = text:sub(1, 2000)
    elseif self.line == 1 then
      local fine, err = check_first(self, record)
      if not fine then return nil, err end
    else
      take(record, place)
    end
  end
  if bad then return damaged(self, bad, "it is no JSON") end
  return true
end

--- Read what has been appended since the last time. Under the lock.
--- @param take fun(record: table, place: integer)  place: where the record begins, for `at`
--- @return boolean?
--- @return multimodal.Error? err
function Log:read(take)
  local file = io.open(self.path, "rb")
  local size = file and file:seek("end") or 0
  if size < self.offset then
    if file then file:close() end
    return damaged(self, self.line, "it has become shorter while it was in use")
  end
  if size == 0 then
    if file then file:close() end
    return begin(self)
  end
  file:seek("set", self.offset)
  local fine, err = read_lines(self, file, take)
  -- A cut line and its record are passed now; they are no lines of ours.
  if fine and file:seek("end") ~= self.offset then
    file:seek("set", self.offset)
    self.cuts[#self.cuts] = nil
    fine, err = read_lines(self, file, take)
  end
  file:close()
  if not fine then self.offset, self.line = 0, 0 end
  return fine, err
end

--- A record by its place.
--- @param place integer
--- @return table?
function Log:at(place)
  local file = io.open(self.path, "rb")
  if not file then return nil end
  file:seek("set", place)
  local text = file:read("*l")
  file:close()
  return text and parsed(text)
end

--- @param folder string  made where it is missing
--- @return multimodal.JournalLog?
--- @return multimodal.Error? err
function M.open(folder)
  local self = setmetatable({ folder = folder, path = folder .. "/journal.jsonl", offset = 0, line = 0, cuts = {} }, Log)
  local made, err = core.file_folder(folder .. "/media")
  if not made then return unusable(self, err) end
  return self
end

return M
