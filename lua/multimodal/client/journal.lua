--- The journal: paid calls are written down before they are sent, and their replies after them, so that a script that runs
--- again is given what it was given before, and pays for nothing twice.
--- Names: begin keep drop leave.
---
--- A call is known by its hash: of method, address and body, media by their content. The n-th call of a run (a process, or
--- a Lua state in it) with a hash gets the n-th kept reply with that hash; a call for which none is left is new. Two processes
--- that share a journal count each for themselves, so both get the same replies; what one of them is sending is not sent by
--- the other, which waits for its end. A process that lives holds the lock of run-<id>.lock: the entries of one that does not
--- are interrupted. An interrupted chat is sent again; an interrupted create (`once`) may have been accepted, and is not.
local compat = require("multimodal.compat")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local jobs = require("multimodal.runtime.jobs")
local log = require("multimodal.client.journal.log")
local media = require("multimodal.client.journal.media")
local runs = require("multimodal.client.journal.runs")
local urls = require("multimodal.policy.url")

local M = {}

local piece = 256 * 1024 -- bytes of a body hashed at once
local longest = 500 -- bytes kept of what an error says
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

local function open(folder)
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

--- Read what is new. Under the lock.
local function refresh(self)
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
  if not refresh(self) or not self.records[record.id] then return end
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

--- What is about to be sent.
--- @class multimodal.JournalCall
--- @field kind "generate"|"image"|"video"
--- @field method string
--- @field url string
--- @field body userdata?     core.body
--- @field once boolean?      a create that must not begin twice
--- @field gateway string?
--- @field model string?
--- @field vendor string?
--- @field reconcile (fun(record: multimodal.JournalRecord, others: multimodal.JournalOthers): string?, string?)?  asks the gateway
---   for a task that may have been accepted: its dump, or nil and what there is to tell of it

--- Other creates, asked for when the gateway's list is here: waits for those under way to get their answers.
--- @alias multimodal.JournalOthers fun(): string[], multimodal.JournalRecord[]  the dumps of tasks that are theirs; those of them at
---   the same address, of the same model, that have no answer either

--- @class multimodal.JournalEntry
--- @field id string
--- @field kept table?        the result of an earlier run: as `done` got it
--- @field task string?       the dump of its task; to be waited for where nothing is kept
--- @field from_journal boolean
--- @field journal multimodal.Journal
--- @field record multimodal.JournalRecord
local Entry = {}
Entry.__index = Entry

local function entry_of(self, one, earlier)
  return setmetatable({ id = one.id, journal = self, record = one, from_journal = earlier or false }, Entry)
end

--- What an error says, short, and fit for a record whatever bytes a gateway has sent.
local function text_of(message)
  local text = tostring(message)
  if #text > longest then text = text:sub(1, longest):gsub("[\192-\255]?[\128-\191]*$", "") end
  return json.encode { text } and text or text:gsub("[\128-\255]", "?")
end

--- Append a record of an entry. Under the lock.
local function write(self, record)
  local journal = self.journal
  local fine, err = refresh(journal)
  if not fine then return nil, err end
  local place = journal.log.offset
  fine, err = journal.log:append(record)
  if not fine then return nil, err end
  takes[record.type](journal, record, self.record, place)
  return true
end

local function note(self, record)
  record.id, record.at = self.id, log.stamp()
  self.pending = record
  local done, err = self.journal.log:locked(function() return write(self, record) end)
  self.pending, self.record.thread = nil, nil
  if done and record.type ~= "failed" then self.journal.taken[self.id] = true end
  return done, err
end

--- The call was left by a raised error: what there is to write down is written, by another job where the lock is held.
local function abandon(self)
  self.journal.taken[self.id], self.record.thread = nil, nil
  local record = self.pending
    or { type = "failed", id = self.id, at = log.stamp(), kind = "cancelled", error = "the call was left", maybe_accepted = true }
  local done, err = self.journal.log:at_once(function() return write(self, record) end)
  if err == "held" then
    jobs.apart(function()
      return self.journal.log:locked(function() return write(self, record) end)
    end)
  elseif not done and record.type ~= "done" then
    takes[record.type](nil, record, self.record)
  end
end

--- Make the call of an entry. One that is left, as by a job that is cancelled, is nothing for others to wait for.
--- @async
--- @generic T
--- @param fn fun(): T?, multimodal.Error?
--- @return T?
--- @return multimodal.Error? err
function Entry:during(fn)
  if jobs.running() and not compat.yields_across_pcall then return fn() end
  local fine, value, err = pcall(fn)
  if fine then return value, err end
  abandon(self)
  error(value, 0)
end

--- The gateway took the task on. May be called again as the task goes on.
--- @async
--- @param task string  its dump: names the gateway, holds no key
--- @return boolean?
--- @return multimodal.Error? err  it is not written down: tell the user the task's id
function Entry:accepted(task)
  self.task = task
  return note(self, { type = "accepted", task = task })
end

--- The call has its result.
--- @async
--- @param result {body: {data: string, media: userdata[]?}?, status: integer?, request_id: string?}  body: text with marks
--- @return boolean?
--- @return multimodal.Error? err  it is not kept, and would be asked for again
function Entry:done(result)
  local kept, err = media.keep(self.journal.folder, result.body)
  if not kept then return nil, err end
  kept.type, kept.status, kept.request_id = "done", result.status, result.request_id
  return note(self, kept)
end

--- The call failed, or its result is not to be kept: the next one is sent again, unless it may not be.
--- @async
--- @param err multimodal.Error|table   err.maybe_accepted: a create may have been served
--- @return boolean?
--- @return multimodal.Error? fault
function Entry:failed(err)
  self.journal.taken[self.id] = nil
  local done, fault = note(self, {
    type = "failed", kind = err.kind, error = err.message and text_of(err.message), maybe_accepted = err.maybe_accepted or nil,
  })
  if not done then takes.failed(nil, { maybe_accepted = err.maybe_accepted }, self.record) end
  return done, fault
end

--- The body that was kept, as an event.
--- @return table? event
--- @return multimodal.Error? err
function Entry:restore()
  return media.restore(self.journal.folder, self.kept)
end

local function hash_of(call)
  local sum = core.sha256()
  local parts = urls.split(call.url)
  sum:update(("%s\n%s%s%s\n%s\n"):format(call.method, parts and urls.origin(parts) or "", parts and parts.path or call.url,
    parts and parts.query or "", call.vendor or ""))
  local length = call.body and call.body:length() or 0
  for offset = 0, length - 1, piece do
    local bytes, err = call.body:read(offset, piece)
    if not bytes then return nil, error_class.new(err) end
    sum:update(bytes)
    if #bytes == piece then collectgarbage("step", 2 * piece / 1024) end
  end
  return sum:hex()
end

local function uncertain(self, one, words)
  local cut = self.log.cuts[#self.log.cuts]
  return error_class.new {
    kind = "network", code = "maybe_accepted", maybe_accepted = true, retryable = false,
    message = ("a create that was begun at %s has no answer in %s%s%s: the gateway may have taken it on, and charge for it%s. Look for"
      .. " it there and take it up with ai:task(id), or let resubmit = true send it again"):format(one.at, self.log.path,
      one.words and (" (" .. one.words .. ")") or "", cut and ("; a line there was cut off: " .. cut) or "", words and "; " .. words or ""),
  }
end

--- Claim what there is for a call, or begin it. Under the lock.
local function claim(self, hash, call)
  local fine, err = refresh(self)
  if not fine then return nil, err end
  local one = next_of(self, hash)
  local fresh = not one
  if fresh then one, err = write_begin(self, hash, call) end
  if not one then return nil, err end
  self.taken[one.id], one.thread = true, compat.running() or false
  return { one = one, fresh = fresh }
end

--- Leave a claim to the next call.
local function put_back(self, one)
  self.taken[one.id], one.thread = nil, nil
end

--- Wait until a call has ended, or whoever makes it.
local function wait_for(self, one)
  repeat
    jobs.sleep(look_again)
    local busy, err = self.log:locked(function()
      local fine, fault = refresh(self)
      if not fine then return nil, fault end
      return one.state == "begun" and self.runs:is_alive(one.run) and "busy" or "over"
    end)
    if not busy then return nil, err end
  until busy == "over"
  return true
end

--- Creates but for one: those being sent, and those whose answer nobody saw. Under the lock.
local function open_creates(self, one)
  local fine, err = refresh(self)
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
--- answer first: its task may be known to the gateway before.
local function others_of(self, one)
  local found = self.log:locked(function() return open_creates(self, one) end)
  for _, other in ipairs(found and found.sent or {}) do wait_for(self, other) end
  found = self.log:locked(function() return open_creates(self, one) end)
  local texts = {}
  for _, other in pairs(self.records) do texts[#texts + 1] = other.task end
  return texts, found and found.lost or {}
end

--- What becomes of a create whose answer nobody saw: it is found, given up because the user says so, or an error.
--- @return multimodal.JournalEntry|false|nil entry  false: begin anew
local function reconcile(self, one, options, call)
  local entry = entry_of(self, one, true)
  local noted, err, dump, words
  if options.resubmit then
    noted, err = entry:failed { kind = "cancelled", message = "given up, to be sent again" }
    if not noted then return nil, err end
    return false
  end
  if call.reconcile then dump, words = call.reconcile(one, function() return others_of(self, one) end) end
  if dump then noted, err = entry:accepted(dump) end
  if noted then return entry end
  put_back(self, one)
  return nil, err or uncertain(self, one, words)
end

local function found(self, one, options, call)
  if one.state == "begun" then
    local over, err = wait_for(self, one)
    put_back(self, one)
    if not over then return nil, err end
    return false
  end
  if one.state == "maybe" then return reconcile(self, one, options, call) end
  local entry = entry_of(self, one, true)
  entry.task, one.thread = one.task, nil
  if one.state == "done" then entry.kept = self.log:at(one.place) or {} end
  return entry
end

local function told(err)
  return nil, error_class.new(err, { where = error_class.caller() })
end

--- Begin a paid call: before it is sent. The entry has `kept` or `task` where nothing is to be sent; else the call is made,
--- and the entry is told of its end by `done`, `accepted` or `failed`.
--- @async
--- @param options table  effective: journal, resubmit
--- @param call multimodal.JournalCall
--- @return multimodal.JournalEntry?
--- @return multimodal.Error? err  nothing was sent, and nothing is to be
function M.begin(options, call)
  local self, err = open(options.journal)
  if not self then return told(err) end
  local hash
  hash, err = hash_of(call)
  if not hash then return told(err) end
  while true do
    local claimed
    claimed, err = self.log:locked(function() return claim(self, hash, call) end)
    if not claimed then return told(err) end
    if claimed.fresh then return entry_of(self, claimed.one) end
    local entry
    entry, err = found(self, claimed.one, options, call)
    if entry then return entry end
    if entry == nil then return told(err) end
  end
end

local entries = setmetatable({}, { __mode = "k" }) -- by the reply they were kept for

--- Keep a reply. Where that fails the reply tells of it as a warning: it was paid for.
--- @async
--- @param entry multimodal.JournalEntry
--- @param reply multimodal.Reply
--- @param event {data: string, media: userdata[]?}?  the body as it came; nil of a stream
--- @param raw table?  of a stream: the same accumulated, with explicit nulls and exact numbers; nil: what the reply has of it
function M.keep(entry, reply, event, raw)
  local body, err = event, nil
  if not body then body, err = media.of_raw(raw or reply.raw) end
  local done
  if body then done, err = entry:done { body = body, status = reply.status, request_id = reply.request_id } end
  entries[reply] = entry
  if done then return end
  local warnings = {}
  for i, warning in ipairs(reply.warnings) do warnings[i] = warning end
  warnings[#warnings + 1] = ("journal: this reply is not kept, and would be asked for again: %s"):format(err.message)
  reply.warnings = warnings
end

--- A reply that was kept is not what was wanted: the next call is sent again.
--- @async
--- @param reply multimodal.Reply
--- @param err multimodal.Error
function M.drop(reply, err)
  local entry = entries[reply]
  if entry then entry:failed(err) end
end

return M
