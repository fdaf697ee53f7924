--- A task: work that a provider does while the script does something else, or is gone. Its verbs are the client's.
--- Names: new.
local M = {}

--- @class multimodal.Task
--- @field id string
--- @field state "queued"|"running"|"succeeded"|"failed"|"cancelled"|"expired"
--- @field progress number?             0 to 1, where the provider tells it
--- @field outputs multimodal.Media[]   parts again: save them, or send them on; the video is the first
--- @field usage multimodal.Usage?
--- @field error multimodal.Error?      why it failed
--- @field raw table?                   the provider's last word
--- @field gateway string
--- @field model string?
--- @field request_id string?           of the last answer about it
--- @field request_ids string[]         of its creation, one an attempt, and of the last look
--- @field warnings string[]
--- @field from_journal boolean         it was begun by an earlier run, and is gone on with
local Task = { __name = "multimodal.task" }
Task.__index = Task

--- States that are an end.
Task.over = { succeeded = true, failed = true, cancelled = true, expired = true }

--- @param fields table   becomes the task
--- @return multimodal.Task
function M.new(fields)
  fields.outputs, fields.request_ids, fields.warnings = fields.outputs or {}, fields.request_ids or {}, fields.warnings or {}
  fields.from_journal = fields.from_journal or false
  return setmetatable(fields, Task)
end

--- Look once.
--- @async
--- @return multimodal.Task? task    itself, as it is now
--- @return multimodal.Error? err
function Task:poll()
  return self.verbs.poll(self)
end

--- Wait until it is over.
--- @async
--- @param options? {on_progress: fun(now: multimodal.Progress): boolean?, timeout: number|false|nil}  on_progress hears of
---   every look; one that returns false stops the waiting
--- @return multimodal.Media? video
--- @return multimodal.Error? err   content_filter, task_failed, task_expired, cancelled; timeout: the task lives on
function Task:wait(options)
  return self.verbs.wait(self, options)
end

--- Its changes, one a turn of the loop, until it is over; task:wait() then tells how.
--- @async
--- @param options? {timeout: number|false|nil}
--- @return fun(): multimodal.Task?
function Task:watch(options)
  return self.verbs.watch(self, options)
end

--- Ask the provider to leave off. It looks first: most can only cancel what has not begun.
--- @async
--- @return multimodal.Task? task
--- @return multimodal.Error? err   bad_request, code not_cancellable
function Task:cancel()
  return self.verbs.cancel(self)
end

--- Remove the provider's record of a task that is over.
--- @async
--- @return multimodal.Task? task
--- @return multimodal.Error? err   bad_request, code not_deletable
function Task:delete()
  return self.verbs.delete(self)
end

--- Text to go on with on another day, by ai:task(text). It holds no key.
--- @return string
function Task:dump()
  return self.verbs.dump(self)
end

function Task:__tostring()
  return ("multimodal.task: %s, %s"):format(self.id, self.state)
end

return M
