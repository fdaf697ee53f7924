--- What a task can do: look, wait, watch, cancel, delete, dump.
--- Names: begun known seen.
local access = require("multimodal.client.access")
local account = require("multimodal.client.account")
local address = require("multimodal.client.address")
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local lifted = require("multimodal.dialect.lifted")
local media = require("multimodal.media")
local options_table = require("multimodal.options")
local polling = require("multimodal.client.polling")
local reply_headers = require("multimodal.reply.headers")
local task_call = require("multimodal.client.task_call")
local task_journal = compat.lazy("multimodal.client.task_journal")
local task_text = require("multimodal.client.task_text")
local secret = require("multimodal.client.secret")
local tasks = require("multimodal.reply.task")
local transport = require("multimodal.client.transport")
local usage = require("multimodal.reply.usage")

local M = {}

local verbs = {}

local neutral = { queued = true, running = true, succeeded = true, failed = true, cancelled = true, expired = true }

local function state_of(dialect, raw)
  local state = dialect.states and dialect.states[raw] or raw
  return neutral[state] and state or "running"
end

local function fault(task, fields)
  return error_class.new(fields, {
    task_id = task.id, gateway = task.gateway, model = task.model, request_id = task.request_id, request_ids = task.request_ids,
    where = error_class.caller(),
  })
end

local messages = {
  failed = "the task failed", cancelled = "the task was cancelled", expired = "the task did not end in its time",
}
local kinds = { failed = "task_failed", cancelled = "cancelled", expired = "task_expired" }

--- The error of a task that ended without a result.
local function error_of(task, told)
  if not kinds[task.state] then return nil end
  told = told or {}
  local message = type(told.message) == "string" and told.message ~= "" and told.message or messages[task.state]
  local kind = task.state == "failed" and error_class.kinds[told.kind] and told.kind or kinds[task.state]
  return fault(task, { kind = kind, code = told.code, message = message, retryable = false })
end

local function rules_of(task)
  task.rules = task.rules or access.of(task.side, task.options)
  return task.rules
end

--- A fresh link of an output: what it is of was seen to be done, so one more look tells.
local function renewal(task, i)
  return function()
    local seen, err = verbs.look(task)
    if not seen then return nil, err end
    local part = task.outputs[i]
    if part and part.url then return part.url end
    return nil, task.error or fault(task, { kind = "no_output", message = ("the task is %s, without that output"):format(task.state) })
  end
end

local function output_of(task, found, i)
  if lifted.is_blob(found.blob) then
    local part = media.from_blob(found.kind, found.blob, { mime = found.mime })
    part.role = found.role
    return part
  end
  local part = media.from_url(found.kind, found.url, { mime = found.mime })
  part.expires_at, part.role, part.refresh = found.expires_at, found.role, renewal(task, i)
  return access.equip(part, rules_of(task), task.warnings)
end

--- The output that was there before, with its link as it is now; nil where it is another one.
local function same(task, found, i)
  local old = task.outputs[i]
  if not old or not old.url or old.kind ~= found.kind or old.role ~= found.role then return nil end
  if old.url ~= found.url and not task.done then return nil end
  old.url, old.expires_at = found.url, found.expires_at
  return old
end

--- The outputs as parts; those that are the same stay the same objects. Of a task that is done only links change.
local function outputs_of(task, found)
  local list = {}
  for i, one in ipairs(found or {}) do list[i] = same(task, one, i) or output_of(task, one, i) end
  if list[1] or task.state ~= "succeeded" or not task.side.tasks.download then return list end
  local wire = task.side.tasks.download(task)
  if wire then
    local url, target = address.of(task.side, wire.path, wire.query, {})
    local one = { kind = "video", url = secret.reveal(target) or url }
    list[1] = same(task, one, 1) or output_of(task, one, 1)
  end
  return list
end

--- The ids of the creation, and of the last look.
local function note_ids(task, ids)
  for i = #task.request_ids, task.created_ids + 1, -1 do task.request_ids[i] = nil end
  for _, id in ipairs(ids) do task.request_ids[#task.request_ids + 1] = id end
  task.request_id = ids[#ids] or task.request_id
end

--- Take in what a look has shown.
local function take(task, seen)
  task.state, task.raw, task.fresh = state_of(task.side.tasks, seen.state), seen.raw, false
  task.progress = type(seen.progress) == "number" and seen.progress or nil
  task.model = task.model or seen.model
  task.usage = usage.read(seen.usage)
  task.poll_url = seen.poll_url or task.poll_url
  task.created_at, task.updated_at = seen.created_at, seen.updated_at
  task.outputs = outputs_of(task, seen.outputs)
  task.done = task.state == "succeeded"
  task.error = error_of(task, seen.error)
  return task
end

--- Count what a task of this client has cost, once.
local function settled(task)
  if task.unsettled and task.over[task.state] then
    task.unsettled = false
    account.settle(task.side, task.options, task.usage, "")
  end
  return task
end

local function no_look(answer)
  return nil, answer:fail { kind = "protocol", code = "empty", message = "the answer says nothing of the task" }
end

--- One look; `own` are options of it alone.
function verbs.look(task, own)
  local side = task.side
  return task_call.send(side, task.options, side.tasks.inspect(task), "poll", function(got)
    if not got.body then return no_look(got.answer) end
    local seen, err = side.tasks.status(got.body)
    if not seen then return nil, got.answer:fail(err) end
    note_ids(task, got.answer:request_ids(reply_headers.request_id(got.answer.headers, got.body)))
    settled(take(task, seen))
    if task.entry and task.over[task.state] then task_journal.settle(task, got) end
    return task
  end, own)
end

function verbs.poll(task)
  return verbs.look(task)
end

--- What came of a task that is over.
local function outcome(task)
  if task.error then return nil, task.error end
  for _, part in ipairs(task.outputs) do
    if part.kind == "video" then return part end
  end
  if task.outputs[1] then return task.outputs[1] end
  return nil, fault(task, { kind = "no_output", message = "the task succeeded, and has no video" })
end

local function is_over(task)
  return task.raw ~= nil and task.over[task.state]
end

--- @type table<string, multimodal.OptionType>
local waiting = {
  on_progress = { says = "a function", test = function(value) return type(value) == "function" end },
  timeout = options_table.known.timeout,
}

--- Tell the hook how the task is; false stops the waiting.
local function goes_on(task, poll, hook, over)
  if not hook then return true end
  local done = task.progress
  return hook { what = "task", state = task.state, elapsed = poll:elapsed(), done = done, total = done and 1 or nil, over = over } ~= false
end

function verbs.wait(task, options)
  options = options or {}
  options_table.check(options, waiting, "wait: ")
  if is_over(task) then return outcome(task) end
  local poll, hook = polling.new(task, options), options.on_progress or nil
  while true do
    local verdict, err = poll:step()
    if verdict == "failed" then
      goes_on(task, poll, hook, true)
      return nil, err
    end
    if verdict ~= "lost" and not goes_on(task, poll, hook) and verdict ~= "done" then
      return nil, fault(task, { kind = "cancelled", message = "on_progress stopped the waiting; the task lives on" })
    end
    if verdict == "done" then return outcome(task) end
  end
end

function verbs.watch(task, options)
  options = options or {}
  options_table.check(options, { timeout = waiting.timeout }, "watch: ")
  local poll, over, state, progress = nil, is_over(task), nil, nil
  return function()
    if over then return nil end
    poll = poll or polling.new(task, options)
    while true do
      local verdict = poll:step()
      over = verdict == "done" or verdict == "failed"
      if verdict == "failed" then return nil end
      if verdict ~= "lost" and (task.state ~= state or task.progress ~= progress) then
        state, progress = task.state, task.progress
        return task
      end
      if over then return nil end
    end
  end
end

local function refused(task, code, message)
  return nil, fault(task, { kind = "bad_request", code = code, message = message })
end

--- What a DELETE may answer for a task in the wrong state.
local of_state = { [400] = true, [405] = true, [409] = true, [422] = true }

--- Look, and ask only in a state where that is allowed: a request to cancel may as well remove.
local function ask(task, verb, allowed, code, advice)
  local dialect = task.side.tasks
  if not dialect[verb] then
    return nil, fault(task, { kind = "unsupported", message = ("%s cannot %s a task"):format(task.gateway, verb) })
  end
  local seen, err = verbs.look(task)
  if not seen then return nil, err end
  if verb == "cancel" and task.state == "cancelled" then return task end
  if not (dialect[allowed] or {})[task.state] then return refused(task, code, ("the task is %s; %s"):format(task.state, advice)) end
  local wire = dialect[verb](task)
  local done
  done, err = task_call.send(task.side, task.options, wire, "delete", function() return true end)
  if done then return task end
  if of_state[err.status] then err.kind, err.code, err.retryable = "bad_request", code, false end
  return nil, err
end

function verbs.cancel(task)
  local done, err = ask(task, "cancel", "cancels", "not_cancellable", "it can no longer be cancelled")
  if not done then return nil, err end
  task.state = "cancelled"
  task.error = error_of(task)
  if task.entry then task_journal.settle(task) end
  return task
end

function verbs.delete(task)
  return ask(task, "delete", "deletes", "not_deletable", "its record can be removed when it has ended")
end

verbs.dump = task_text.write

local function task_of(side, options, fields)
  fields.side, fields.options, fields.verbs = side, options, verbs
  fields.gateway, fields.created_ids = side.name, fields.created_ids or 0
  fields.model = fields.model or options.model
  local task = tasks.new(fields)
  transport.warn(task.warnings, options, side.base.root)
  return task
end

--- A task that was just created.
--- @param side multimodal.TaskSide
--- @param options table
--- @param got table        {id, more, answer, body}
--- @param warnings string[]
--- @return multimodal.Task
function M.begun(side, options, got, warnings)
  local more, answer = got.more or {}, got.answer
  local ids = answer:request_ids(reply_headers.request_id(answer.headers, got.body))
  return task_of(side, options, {
    id = got.id, state = more.state and state_of(side.tasks, more.state) or "queued", poll_url = more.poll_url,
    fresh = true, unsettled = true,
    request_id = ids[#ids], request_ids = ids, created_ids = #ids, warnings = warnings, attempts = answer.attempts or 1,
  })
end

--- A task by what is known of it.
--- @param side multimodal.TaskSide
--- @param options table
--- @param saved {id: string, state: string?, model: string?}
--- @return multimodal.Task
function M.known(side, options, saved)
  return task_of(side, options, { id = saved.id, state = saved.state or "queued", model = saved.model })
end

--- A task as a list, or a journal, tells of it.
--- @param side multimodal.TaskSide
--- @param options table
--- @param seen table     as the dialect's status gives it
--- @param request_id string?
--- @return multimodal.Task
function M.seen(side, options, seen, request_id)
  return take(task_of(side, options, { id = seen.id, state = "queued", model = seen.model, request_id = request_id }), seen)
end

return M
