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
local piece = 65536 -- bytes read at once
local missing = 2 -- ENOENT

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

local function held(lock, fn)
  local fine, value, err = pcall(fn)
  lock:close()
  if not fine then error(value, 0) end
  return value, err
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
  return held(lock, fn)
end

--- Likewise, without waiting for the lock: nil, "held" where another process has it.
--- @generic T
--- @param fn fun(): T?, multimodal.Error?
--- @return T?
--- @return multimodal.Error|"held"|nil err
function Log:at_once(fn)
  local lock, why = core.file_lock(self.folder .. "/journal.lock")
  if not lock then return nil, why end
  return held(lock, fn)
end

--- The beginning of the hash of a line's text: a record that was changed on the disk is not believed.
local function sum_of(text)
  return core.sha256():update(text):hex():sub(1, 16)
end

--- A record as a line, with its sum as the last field.
local function line_of(record)
  local text, err = json.encode(record)
  if not text then return nil, err end
  text = text:sub(1, -2)
  return ('%s,"sum":"%s"}\n'):format(text, sum_of(text))
end

local function parsed(text)
  local plain, sum = text:match('^(.*),"sum":"(%x+)"}$')
  if sum and sum_of(plain) ~= sum then return nil, "it was changed: its sum is another" end
  local value = json.decode(text)
  if type(value) == "table" and type(value.type) == "string" then return value end
  return nil, "it is no JSON"
end

--- Write a record at the end, to last before this returns. Under the lock, all read. On a full disk what was put by makes room.
--- @param record table
--- @return boolean?
--- @return multimodal.Error? err
function Log:append(record)
  local text, err = line_of(record)
  if not text then return unusable(self, err) end
  local options = { append = true, sync = true }
  local done
  done, err = core.file_write(self.path, text, options)
  if not done and (err.code == "ENOSPC" or err.code == "EDQUOT") and os.remove(self.folder .. "/journal.spare") then
    done, err = core.file_write(self.path, text, options)
  end
  if not done then return unusable(self, err) end
  self.offset, self.line = self.offset + #text, self.line + 1
  return true
end

--- A file that begins. What was put by beside it is younger than its first line.
local function begin(self)
  local before = io.open(self.folder .. "/journal.spare", "rb")
  if before then
    before:close()
    return nil, error_class.new {
      kind = "file", code = "damaged",
      message = ("the journal %s is empty or gone, and there was one: put it back, or remove the folder to have everything asked for, and"
        .. " paid for, once more"):format(self.path),
    }
  end
  local done, err = self:append { type = "journal", version = version }
  if not done then return nil, err end
  core.file_write(self.folder .. "/journal.spare", core.random(spare), { sync = true })
  return true
end

--- The end of the file was cut off: nobody writes now, so whoever wrote it is gone.
local function close_cut(self)
  local mend = "\n" .. assert(line_of { type = "cut", at = M.stamp() })
  local done, err = core.file_write(self.path, mend, { append = true, sync = true })
  if not done then return unusable(self, err) end
  return "closed"
end

local function check_first(self, record)
  if record.type ~= "journal" then return damaged(self, 1, "it is no journal of this library") end
  if record.version ~= version then return damaged(self, 1, ("its version %s is not known here"):format(tostring(record.version))) end
  return true
end

--- A function that gives the lines of a file, each with whether its end is there. The lines of io end at a NUL in some Luas.
--- @return fun(): string?, boolean|string|nil  nil alone at the end; nil and words where the file cannot be read
local function lines_of(file)
  local buffer, at = "", 1
  return function()
    local texts = {}
    while true do
      local stop = buffer:find("\n", at, true)
      texts[#texts + 1] = buffer:sub(at, (stop or 0) - 1)
      if stop then
        at = stop + 1
        return table.concat(texts), true
      end
      local more, why = file:read(piece)
      buffer, at = more or "", 1
      if why then return nil, why end
      if not more then
        local text = table.concat(texts)
        return text ~= "" and text or nil, nil
      end
    end
  end
end

local function unreadable(self, why)
  local _, err = core.blob_file(self.path)
  if err and err.code ~= "EINVAL" then return unusable(self, err) end
  return unusable(self, { kind = "file", code = "EIO", message = ('cannot read "%s": %s'):format(self.path, why) })
end

--- Take one whole line. A line that is no record is one that a crash cut off, if the next one says so.
--- @return string? bad   why it is none
--- @return multimodal.Error? err
local function take_line(self, text, bad, take)
  local place = self.offset
  self.offset, self.line = place + #text + 1, self.line + 1
  if not text:find("%S") then return bad end -- by an editor
  local record, why = parsed(text)
  if record and record.type == "cut" then return nil end
  if bad then return nil, select(2, damaged(self, self.line - 1, bad)) end
  if not record then
    self.cuts[#self.cuts + 1] = text:sub(1, 2000):gsub("%c", "?")
    return why
  end
  if self.line == 1 then return nil, select(2, check_first(self, record)) end
  local wrong = take(record, place)
  if wrong then return nil, select(2, damaged(self, self.line, wrong)) end
  return nil
end

--- Read the lines that are new, from where the file stands.
--- @return boolean|"closed"|nil  closed: the last one was cut off, and is closed now
--- @return multimodal.Error? err
local function read_lines(self, file, take)
  local next_line, bad = lines_of(file), nil
  while true do
    local text, ended = next_line()
    if not text then
      if ended then return unreadable(self, ended) end
      break
    end
    if not ended then
      if bad then return damaged(self, self.line, bad) end
      return close_cut(self)
    end
    local err
    bad, err = take_line(self, text, bad, take)
    if err then return nil, err end
  end
  if bad then return damaged(self, self.line, bad) end
  return true
end

--- Read what has been appended since the last time. Under the lock.
--- @param take fun(record: table, place: integer): string?  place: where the record begins, for `at`; what is wrong with it
--- @return boolean?
--- @return multimodal.Error? err
function Log:read(take)
  local file, why, number = io.open(self.path, "rb")
  if not file and number ~= missing then return unreadable(self, why) end
  local size = file and file:seek("end") or 0
  if size < self.offset then
    if file then file:close() end
    return damaged(self, self.line, "it has become shorter while it was in use")
  end
  if size == 0 then
    if file then file:close() end
    return begin(self)
  end
  local fine, err
  repeat
    file:seek("set", self.offset)
    fine, err = read_lines(self, file, take)
  until fine ~= "closed"
  file:close()
  if not fine then self.offset, self.line, self.cuts = 0, 0, {} end
  return fine, err
end

--- A record by its place.
--- @param place integer
--- @return table?
function Log:at(place)
  local file = io.open(self.path, "rb")
  if not file then return nil end
  file:seek("set", place)
  local text = lines_of(file)()
  file:close()
  return text and (parsed(text))
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
