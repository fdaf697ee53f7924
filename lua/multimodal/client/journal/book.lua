--- What a journal knows of calls: read from its file, claimed by the calls of this run, begun and written on.
--- Names: open leave.
---
--- All but `open` and what waits is done under the lock of the log.
local compat = require("multimodal.compat")
local core = require("multimodal.core")
local jobs = require("multimodal.runtime.jobs")
local log = require("multimodal.client.journal.log")
local runs = require("multimodal.client.journal.runs")
local urls = require("multimodal.policy.url")

local M = {}

local look_again = 0.2 -- seconds between two looks at what another process is sending

--- What a journal knows of a call.
--- @class multimodal.JournalRecord
--- @field id string
--- @field hash string
--- @field run string
--- @field kind string
--- @field once boolean?      must not begin twice
--- @field at string          when it was begun
--- @field state "begun"|"accepted"|"maybe"|"done"|"dead"
--- @field place integer?     of the record with its result
--- @field task string?       the last dump of its task
--- @field words string?      of the error it ended with
--- @field thread thread|false|nil  that has got it and is not through; false: the main one
--- @field gateway string?
--- @field model string?
--- @field url string?

--- @class multimodal.Journal
--- @field folder string
--- @field log multimodal.JournalLog
--- @field runs multimodal.JournalRuns
--- @field records table<string, multimodal.JournalRecord>    by id
--- @field by_hash table<string, multimodal.JournalRecord[]>  in the order in which they were begun
--- @field taken table<string, boolean>                       ids that calls of this run have got
local Journal = {}
Journal.__index = Journal

local open_ones = {} -- by folder

local function random_id()
  return (core.random(8):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

--- The journal of a folder; one for each in a run.
--- @param folder string
--- @return multimodal.Journal?
--- @return multimodal.Error? err
function M.open(folder)
  folder = folder:gsub("(.)/+$", "%1")
  local self = open_ones[folder]
  if self then return self end
  local file, err = log.open(folder)
  if not file then return nil, err end
  self = setmetatable({
    folder = folder, log = file, runs = runs.new(folder, random_id()), records = {}, by_hash = {}, taken = {},
  }, Journal)
  open_ones[folder] = self
  return self
end

--- End this run in all journals: the next call of a script is the first of another one.
function M.leave()
  for _, self in pairs(open_ones) do self.runs:leave() end
  open_ones = {}
end

local takes = {}

function takes.begin(self, record)
  if self.records[record.id] then return end
  local one = {
    id = record.id, hash = record.hash, run = record.run, kind = record.kind, once = record.once, at = tostring(record.at),
    gateway = record.gateway, model = record.model, url = record.url, state = "begun",
  }
  self.records[one.id] = one
  self.by_hash[one.hash] = self.by_hash[one.hash] or {}
  table.insert(self.by_hash[one.hash], one)
end

function takes.accepted(_, record, one)
  one.state, one.task = "accepted", record.task
end

function takes.done(_, _, one, place)
  one.state, one.place = "done", place
end

function takes.failed(_, record, one)
  if record.maybe_accepted and one.task then return end
  one.state, one.words = one.once and record.maybe_accepted and "maybe" or "dead", record.error
end

local named = { "id", "hash", "run" }

--- Take a record in; what is wrong with it.
local function take(self, record, place)
  local fn, one = takes[record.type], self.records[record.id or ""]
  if record.type == "begin" then
    for _, name in ipairs(named) do
      if type(record[name]) ~= "string" then return ("it has no %s"):format(name) end
    end
  elseif fn and not one then
    -- A call that could not be written down may have left its failure.
    return record.type ~= "failed" and "it tells of a call that no line before it begins" or nil
  end
  if fn then fn(self, record, one, place) end
  -- What this run has begun is known: this one could not be written to last, and was not sent.
  if not one and record.run == self.runs.id then self.records[record.id].state = "dead" end
  return nil
end

--- Read what is new.
--- @return boolean?
--- @return multimodal.Error? err
function Journal:refresh()
  return self.log:read(function(record, place) return take(self, record, place) end)
end

--- What a call has got and was left by a raised error, such as that of a cancelled job: whoever made it is elsewhere by now.
local function release(self, one)
  local thread = one.thread
  if thread == nil or thread ~= (compat.running() or false) and (not thread or coroutine.status(thread) ~= "dead") then return end
  one.thread, self.taken[one.id] = nil, nil
  if one.state == "begun" and one.run == self.runs.id then one.state = one.once and "maybe" or "dead" end
end

--- The entry for the next call with a hash: what is kept first, then what may have been accepted, then what another process
--- is sending.
local function next_of(self, hash)
  local maybe, busy
  for _, one in ipairs(self.by_hash[hash] or {}) do
    release(self, one)
    if not self.taken[one.id] then
      if one.state == "done" or one.state == "accepted" then return one end
      if one.state == "begun" and not self.runs:is_alive(one.run) then one.state = one.once and "maybe" or "dead" end
      if one.state == "maybe" then maybe = maybe or one end
      if one.state == "begun" then busy = busy or one end
    end
  end
  return maybe or busy
end

--- Say that this run lives, and clear away what others have left.
local function live(self)
  local fresh, err = self.runs:live()
  if fresh == nil then return nil, err end
  local seen = {}
  for _, one in pairs(fresh and self.records or {}) do
    if not seen[one.run] then self.runs:sweep(one.run) end
    seen[one.run] = true
  end
  return true
end

--- A beginning that could not be written to last may stand in the file all the same. Nothing was sent.
local function take_back(self, record)
  if not self:refresh() or not self.records[record.id] then return end
  self.log:append { type = "failed", id = record.id, at = log.stamp(), kind = "file", error = "it was not sent" }
end

local function write_begin(self, hash, call)
  local alive, err = live(self)
  if not alive then return nil, err end
  local record = {
    type = "begin", id = random_id(), run = self.runs.id, hash = hash, kind = call.kind, once = call.once or nil, at = log.stamp(),
    gateway = call.gateway, model = call.model, method = call.method, url = urls.shown(call.url),
  }
  local done, fault = self.log:append(record)
  if not done then
    take_back(self, record)
    return nil, fault
  end
  takes.begin(self, record)
  return self.records[record.id]
end

--- Append a record of a call.
--- @param one multimodal.JournalRecord
--- @param record table
--- @return boolean?
--- @return multimodal.Error? err
function Journal:write(one, record)
  local fine, err = self:refresh()
  if not fine then return nil, err end
  local place = self.log.offset
  record.id, record.at = one.id, log.stamp()
  fine, err = self.log:append(record)
  if not fine then return nil, err end
  takes[record.type](self, record, one, place)
  return true
end

--- Take a record in that could not be written.
--- @param one multimodal.JournalRecord
--- @param record table
function Journal:know(one, record)
  if record.type ~= "done" then takes[record.type](self, record, one) end
end

--- Claim what there is for a call, or begin it.
--- @param hash string
--- @param call multimodal.JournalCall
--- @return {one: multimodal.JournalRecord, fresh: boolean}?
--- @return multimodal.Error? err
function Journal:claim(hash, call)
  local fine, err = self:refresh()
  if not fine then return nil, err end
  local one = next_of(self, hash)
  local fresh = not one
  if fresh then one, err = write_begin(self, hash, call) end
  if not one then return nil, err end
  self.taken[one.id], one.thread = true, compat.running() or false
  return { one = one, fresh = fresh }
end

--- Leave a claim to the next call.
--- @param one multimodal.JournalRecord
function Journal:put_back(one)
  self.taken[one.id], one.thread = nil, nil
end

--- Wait until a call has ended, or whoever makes it. Takes the lock itself.
--- @async
--- @param one multimodal.JournalRecord
--- @return boolean?
--- @return multimodal.Error? err
function Journal:wait_for(one)
  repeat
    jobs.sleep(look_again)
    local busy, err = self.log:locked(function()
      local fine, fault = self:refresh()
      if not fine then return nil, fault end
      return one.state == "begun" and self.runs:is_alive(one.run) and "busy" or "over"
    end)
    if not busy then return nil, err end
  until busy == "over"
  return true
end

--- Creates but for one: those being sent, and those whose answer nobody saw.
local function open_creates(self, one)
  local fine, err = self:refresh()
  if not fine then return nil, err end
  local found = { sent = {}, lost = {} }
  for _, other in pairs(self.records) do
    if other ~= one and other.once then
      release(self, other)
      local alive = other.state == "begun" and self.runs:is_alive(other.run)
      local alike = other.url == one.url and other.model == one.model and other.gateway == one.gateway
      if alive then table.insert(found.sent, other) end
      if alike and (other.state == "maybe" or other.state == "begun" and not alive) then table.insert(found.lost, other) end
    end
  end
  return found
end

--- The dumps of the tasks of all calls, and the creates that a task without a call may be of. What is being sent now gets its
--- answer first: its task may be known to the gateway before. Takes the lock itself.
--- @async
--- @param one multimodal.JournalRecord
--- @return string[] dumps
--- @return multimodal.JournalRecord[] lost
function Journal:others_of(one)
  local found = self.log:locked(function() return open_creates(self, one) end)
  for _, other in ipairs(found and found.sent or {}) do self:wait_for(other) end
  found = self.log:locked(function() return open_creates(self, one) end)
  local texts = {}
  for _, other in pairs(self.records) do texts[#texts + 1] = other.task end
  return texts, found and found.lost or {}
end

return M
