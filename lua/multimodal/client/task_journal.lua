--- Tasks under a journal: a creation is written down before it is sent, its task after it, and what came of it at the end.
--- A later run goes on with the task, or has what was kept; it sends no creation twice.
--- Names: begin send settle.
local clocks = require("multimodal.policy.clocks")
local error_class = require("multimodal.error")
local journal = require("multimodal.client.journal")
local json = require("multimodal.json")
local moment = require("multimodal.moment")
local task_call = require("multimodal.client.task_call")
local task_text = require("multimodal.client.task_text")

local M = {}

local page_size, most_pages = 100, 100 -- of the list that a creation without an answer is looked for in
local skew = 120 -- seconds that the clocks here and there may differ

--- A page of the gateway's list: what is new on it, as status gives it; and whether it is the last.
local function page_of(call, number, known)
  local side = call.client
  return task_call.send(side, call.options, side.tasks.list { page = number, limit = page_size }, "poll", function(got)
    local bodies, total = side.tasks.listed(got.body or {})
    local page = { tasks = {} }
    for _, body in ipairs(bodies) do
      local seen = type(body) == "table" and side.tasks.status(body)
      if seen and type(seen.id) == "string" and not known[seen.id] then
        known[seen.id], known.count = true, known.count + 1
        page.tasks[#page.tasks + 1] = seen
      end
    end
    total = tonumber(total)
    page.last = not page.tasks[1] or #bodies < page_size and known.count >= (total or 0)
    return page
  end)
end

--- All tasks of the gateway's list that one may be: as status gives them. Some gateways make shorter pages than they are asked for.
--- @return table[]?
--- @return multimodal.Error? err
local function listed(call, fits)
  local found, known = {}, { count = 0 }
  for number = 1, most_pages do
    local page, err = page_of(call, number, known)
    if not page then return nil, err end
    for _, seen in ipairs(page.tasks) do
      if fits(seen) then found[#found + 1] = seen end
    end
    if page.last then return found end
  end
  return nil, error_class.new { kind = "limit", message = ("it has more than %d pages"):format(most_pages) }
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

--- When a creation's task can have been made.
local function time_of(record, options)
  local begun = moment.rfc3339(record.at)
  local most = clocks.of(options, "timeout") or clocks.defaults.timeout
  return begun and { begun - skew, begun + most + skew }
end

local function is_in(time, made)
  return time ~= nil and made ~= nil and made >= time[1] and made <= time[2]
end

--- Whether a task may as well be of another creation that has no answer.
local function is_disputed(seen, lost, options)
  for _, record in ipairs(lost) do
    if is_in(time_of(record, options), seen.created_at) then return true end
  end
  return false
end

--- What there is to tell of tasks that may be the one.
local function doubt(found)
  if #found == 0 then return "the gateway's list shows no such task" end
  local names = {}
  for i, seen in ipairs(found) do names[i] = seen.id end
  local several = #found > 1 and "in the gateway's list it may be any of " or "other creates have no answer either, and in the"
    .. " gateway's list any of them may be "
  return several .. table.concat(names, ", ")
end

--- Look in the gateway's list for the task of a creation whose answer nobody saw: the one of the same model, begun at that
--- time, that is of no other call and can be of none.
--- @param call multimodal.TaskCall
--- @param record multimodal.JournalRecord
--- @param others multimodal.JournalOthers
--- @return string? dump
--- @return string? words   what there is to tell where none is surely it
local function reconcile(call, record, others)
  local side, options = call.client, call.options
  local time = time_of(record, options)
  if not side.tasks.list or not time then return nil end
  local all, err = listed(call, function(seen) return is_in(time, seen.created_at) and seen.model == options.model end)
  if not all then return nil, "asking the gateway for its list failed: " .. tostring(err and err.message) end
  local texts, lost = others()
  local ids, found = ids_of(side, texts), {}
  for _, seen in ipairs(all) do
    if not ids[seen.id] then found[#found + 1] = seen end
  end
  if #found ~= 1 or is_disputed(found[1], lost, options) then return nil, doubt(found) end
  return task_text.write { id = found[1].id, model = found[1].model, side = side }
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
    reconcile = function(record, others) return reconcile(call, record, others) end,
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
  return entry:during(function()
    local task, err = send()
    if not task then
      entry:failed(err)
      return nil, err
    end
    task.entry = entry
    local noted, fault = entry:accepted(task:dump())
    if not noted then warn(task, "the id is not written down, and a later run will not know it", fault) end
    return task
  end)
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
