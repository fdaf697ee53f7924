--- Tasks under a journal: a creation is written down before it is sent, its task after it, and what came of it at the end.
--- A later run goes on with the task, or has what was kept; it sends no creation twice.
--- Names: begin settle.
local journal = require("multimodal.client.journal")
local json = require("multimodal.json")
local moment = require("multimodal.moment")
local task_call = require("multimodal.client.task_call")
local task_text = require("multimodal.client.task_text")

local M = {}

local page_size, most_pages = 100, 20 -- of the list that a creation without an answer is looked for in
local skew = 120 -- seconds that the clocks here and there may differ

--- All tasks of the gateway's list that one may be: as status gives them.
--- @return table[]?
--- @return multimodal.Error? err
local function listed(call, fits)
  local side, found = call.client, {}
  for page = 1, most_pages do
    local wire = side.tasks.list { page = page, limit = page_size }
    local bodies, err = task_call.send(side, call.options, wire, "poll", function(got)
      return (side.tasks.listed(got.body or {}))
    end)
    if not bodies then return nil, err end
    for _, body in ipairs(bodies) do
      local seen = type(body) == "table" and side.tasks.status(body)
      if seen and type(seen.id) == "string" and fits(seen) then found[#found + 1] = seen end
    end
    if #bodies < page_size then break end
  end
  return found
end

--- The ids of tasks that are known to be of other calls.
local function ids_of(side, texts)
  local ids = {}
  for _, text in ipairs(texts) do
    local saved = task_text.read(text, side)
    if saved then ids[saved.id] = true end
  end
  return ids
end

--- Look in the gateway's list for the task of a creation whose answer nobody saw: the one of the same model, begun at that
--- time, that is of no other call.
--- @param call multimodal.TaskCall
--- @param record multimodal.JournalRecord
--- @param texts string[]   the dumps of other calls' tasks
--- @return string? dump
--- @return string? words   what there is to tell where none is surely it
local function reconcile(call, record, texts)
  local side, begun = call.client, moment.rfc3339(record.at)
  if not side.tasks.list or not begun then return nil end
  local ids, latest = ids_of(side, texts), begun + (tonumber(call.options.timeout) or 600) + skew
  local found, err = listed(call, function(seen)
    local made = seen.created_at
    return not ids[seen.id] and made and made >= begun - skew and made <= latest and seen.model == call.options.model
  end)
  if not found then return nil, "asking the gateway for its list failed: " .. tostring(err and err.message) end
  if #found == 1 then return task_text.write { id = found[1].id, model = found[1].model, side = side } end
  if #found == 0 then return nil, "the gateway's list shows no such task" end
  local names = {}
  for i, seen in ipairs(found) do names[i] = seen.id end
  return nil, "in the gateway's list it may be any of " .. table.concat(names, ", ")
end

--- What a run finds of a creation: its task, what was kept of it, or nothing.
--- @class multimodal.TaskEntry
--- @field entry multimodal.JournalEntry
--- @field saved {id: string, state: string?, model: string?}?  of a task that was begun
--- @field kept {body: table, event: table}?  the last word on it; where its media are gone the task is looked at again

local function kept_of(entry)
  if not entry.kept then return nil end
  local event, err = entry:restore()
  local body
  if event then body, err = json.decode(event.data, { media = event.media }) end
  return type(body) == "table" and { body = body, event = event } or nil, err
end

--- Begin a creation: before it is sent.
--- @async
--- @param call multimodal.TaskCall
--- @return multimodal.TaskEntry?
--- @return multimodal.Error? err   nothing was sent, and nothing is to be
function M.begin(call)
  local side, options = call.client, call.options
  local entry, err = journal.begin(options, {
    kind = "video", once = true, method = call.method, url = call.url, body = call.body,
    gateway = side.name, model = options.model, vendor = options.vendor,
    reconcile = function(record, texts) return reconcile(call, record, texts) end,
  })
  if not entry then return nil, err end
  local kept, fault = kept_of(entry)
  local found = { entry = entry, kept = kept }
  if entry.task then found.saved, err = task_text.read(entry.task, side) end
  if entry.from_journal and not found.kept and not found.saved then return nil, err or fault end
  return found
end

local function warn(task, words, fault)
  task.warnings[#task.warnings + 1] = ("journal: %s: %s"):format(words, fault.message)
end

--- Send a creation that was begun, and write down what came of it.
--- @async
--- @param entry multimodal.JournalEntry
--- @param send fun(): multimodal.Task?, multimodal.Error?
--- @return multimodal.Task?
--- @return multimodal.Error? err
function M.send(entry, send)
  local task, err = send()
  if not task then
    entry:failed(err)
    return nil, err
  end
  task.entry = entry
  local noted, fault = entry:accepted(task:dump())
  if not noted then warn(task, "the id is not written down, and a later run will not know it", fault) end
  return task
end

--- Write down what became of a task. One without a result is begun anew by a later run.
--- @async
--- @param task multimodal.Task     over
--- @param got? multimodal.TaskAnswer  the last word on it; of one that succeeded
function M.settle(task, got)
  local entry = task.entry
  task.entry = nil
  local noted, fault
  if task.state == "succeeded" then
    noted, fault = entry:done { body = got.event, status = got.answer.status, request_id = task.request_id }
  else
    noted, fault = entry:failed(task.error)
  end
  if not noted then warn(task, "the end is not written down, and a later run will look again", fault) end
end

return M
