--- The journal: paid calls are written down before they are sent, and their replies after them, so that a script that runs
--- again is given what it was given before, and pays for nothing twice.
--- Names: begin keep drop leave.
---
--- A call is known by its hash: of method, address and body, media by their content. The n-th call of a run (a process, or
--- a Lua state in it) with a hash gets the n-th kept reply with that hash; a call for which none is left is new. Two processes
--- that share a journal count each for themselves, so both get the same replies; what one of them is sending is not sent by
--- the other, which waits for its end. A process that lives holds the lock of run-<id>.lock: the entries of one that does not
--- are interrupted. An interrupted chat is sent again; an interrupted create (`once`) may have been accepted, and is not.
local book = require("multimodal.client.journal.book")
local compat = require("multimodal.compat")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local jobs = require("multimodal.runtime.jobs")
local json = require("multimodal.json")
local media = require("multimodal.client.journal.media")
local urls = require("multimodal.policy.url")

local M = {}

--- End this run in all journals: the next call of a script is the first of another one.
M.leave = book.leave

local piece = 256 * 1024 -- bytes of a body hashed at once
local longest = 500 -- bytes kept of what an error says

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

local function note(self, record)
  local journal = self.journal
  self.pending = record
  local done, err = journal.log:locked(function() return journal:write(self.record, record) end)
  self.pending, self.record.thread = nil, nil
  if done and record.type ~= "failed" then journal.taken[self.id] = true end
  return done, err
end

--- Write a record without waiting: where the lock is held another job does it.
local function note_at_once(self, record)
  local journal = self.journal
  journal:put_back(self.record)
  local function write() return journal:write(self.record, record) end
  local done, err = journal.log:at_once(write)
  if err == "held" then
    jobs.apart(function() return journal.log:locked(write) end)
  elseif not done then
    journal:know(self.record, record)
  end
end

local function failure(err)
  return {
    type = "failed", kind = err.kind, error = err.message and text_of(err.message), maybe_accepted = err.maybe_accepted or nil,
  }
end

local function leave(self)
  note_at_once(self, self.pending or failure { kind = "cancelled", message = "the call was left", maybe_accepted = true })
end

--- Make the call of an entry in a job of PUC 5.1, which knows no pcall around what waits.
local function owned(entry, fn)
  local guard = {}
  function guard:close()
    if not self.over then leave(entry) end
    self.over = true
  end
  jobs.own(guard)
  local value, err = fn()
  guard.over = true
  return value, err
end

--- Make the call of an entry. One that is left, as by a job that is cancelled, is nothing for others to wait for.
--- @async
--- @generic T
--- @param fn fun(): T?, multimodal.Error?
--- @return T?
--- @return multimodal.Error? err
function Entry:during(fn)
  if jobs.running() and not compat.yields_across_pcall then return owned(self, fn) end
  local fine, value, err = pcall(fn)
  if fine then return value, err end
  leave(self)
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
  local record = failure(err)
  local done, fault = note(self, record)
  if not done then self.journal:know(self.record, record) end
  return done, fault
end

--- Likewise, where nothing may wait: a stream is closed by whoever cancels its job, or by the collector.
--- @param err multimodal.Error|table
function Entry:left(err)
  note_at_once(self, failure(err))
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

--- Let a create be sent again, unless another process has found its task meanwhile.
local function give_up(self, one)
  local done, err = self.log:locked(function()
    local fine, fault = self:refresh()
    if not fine or one.state ~= "maybe" then return fine, fault end
    return self:write(one, failure { kind = "cancelled", message = "given up, to be sent again" })
  end)
  self:put_back(one)
  if not done then return nil, err end
  return false
end

--- What becomes of a create whose answer nobody saw: it is found, given up because the user says so, or an error.
--- @return multimodal.JournalEntry|false|nil entry  false: begin anew
local function reconcile(self, one, options, call)
  local entry = entry_of(self, one, true)
  local noted, err, dump, words
  if options.resubmit then return give_up(self, one) end
  if call.reconcile then dump, words = call.reconcile(one, function() return self:others_of(one) end) end
  if dump then noted, err = entry:accepted(dump) end
  if noted then return entry end
  self:put_back(one)
  return nil, err or uncertain(self, one, words)
end

local function found(self, one, options, call)
  if one.state == "begun" then
    local over, err = self:wait_for(one)
    self:put_back(one)
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
  local self, err = book.open(options.journal)
  if not self then return told(err) end
  local hash
  hash, err = hash_of(call)
  if not hash then return told(err) end
  while true do
    local claimed
    claimed, err = self.log:locked(function() return self:claim(hash, call) end)
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
