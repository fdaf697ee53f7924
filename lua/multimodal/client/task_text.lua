--- A task as text, and back. The text comes from outside when it is read: it names no host for a key.
--- Names: write read.
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local sides = require("multimodal.client.task_side")

local M = {}

local mark, version = "task", 1

--- @param task multimodal.Task|{id: string, model: string?, side: multimodal.TaskSide}
--- @return string
function M.write(task)
  return assert(json.encode {
    multimodal = mark, version = version, id = task.id, state = task.state, model = task.model, gateway = task.side.name,
    origin = sides.origin(task.side),
  })
end

local function refuse(code, message)
  return nil, error_class.new { kind = "bad_request", code = code, message = message }
end

local function checked(id, more)
  if type(id) ~= "string" or id == "" or #id > 1024 or id:find("[%c%s]") then
    return refuse("syntax", "task: that is no id, nor the text of task:dump()")
  end
  return { id = id, state = more and more.state, model = more and more.model }
end

local states = { queued = true, running = true, succeeded = true, failed = true, cancelled = true, expired = true }

local function of_dump(saved, side)
  if saved.version ~= version then return refuse("syntax", ("task: version %s is not known here"):format(tostring(saved.version))) end
  if saved.origin ~= sides.origin(side) then
    return refuse("origin", ("task: it is one of %s, and this client's are of %s; go on with it by a client of that gateway"):format(
      tostring(saved.origin):gsub("%c", "?"), sides.origin(side)))
  end
  return checked(saved.id, {
    state = states[saved.state] and saved.state or nil, model = type(saved.model) == "string" and saved.model or nil,
  })
end

--- @param text string
--- @param side multimodal.TaskSide
--- @return {id: string, state: string?, model: string?}?
--- @return multimodal.Error? err
function M.read(text, side)
  if not text:find("^%s*{") then return checked(text) end
  local saved, err = json.decode(text)
  if type(saved) ~= "table" then return refuse("syntax", "task: the text is no task: " .. tostring(err and err.message)) end
  if saved.multimodal == mark then return of_dump(saved, side) end
  -- What a callback says of a task is not signed: of it the id alone counts.
  local seen = side.tasks.status(saved)
  return checked(seen and seen.id)
end

return M
