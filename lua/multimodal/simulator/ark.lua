--- Ark's tasks, spoken by the simulator: created, looked at, listed, cancelled, removed, and a clip to fetch. Each look takes
--- a task one step on. The creation's header `X-Simulate: task=...` chooses a life, or an answer that goes wrong:
---   failed filtered expired cancelled   how it ends, in place of succeeded
---   slow     it stays running           rough   404, queued, running, 429, warming_up, succeeded
---   lost     it begins, and the connection is cut    broken  it begins, and the answer is 502
---   busy     the first such request is refused with 429
--- Returns routes.
local clip = require("multimodal.simulator.clip")
local core = require("multimodal.core")

local M = {}

local lives = {
  succeeded = { "queued", "running", "succeeded" },
  failed = { "queued", "running", "failed" },
  filtered = { "queued", "running", "filtered" },
  expired = { "queued", "expired" },
  cancelled = { "queued", "cancelled" },
  slow = { "queued", "running" },
  rough = { "missing", "queued", "running", "limited", "warming_up", "succeeded" },
}

local faults = {
  failed = { code = "InternalServiceError", message = "The task failed, as asked." },
  filtered = { code = "OutputVideoSensitiveContentDetected", message = "The video was filtered, as asked." },
}

local created = 1700000000

local tasks, order, refused = {}, {}, {}

local function say(request, answer, status, value, headers)
  local all = { ["Content-Type"] = "application/json", ["X-Request-Id"] = request.id }
  for name, text in pairs(headers or {}) do all[name] = text end
  answer:whole(status, all, tostring(assert(core.body(value))))
end

local function refuse(request, answer, status, code, message, headers)
  say(request, answer, status, { error = { code = code, message = message, type = "Refused" } }, headers)
end

local function id_in(path)
  return path:match("/tasks/([^/]+)$")
end

local function begin(value, life)
  local task = {
    id = ("cgt-sim-%06d"):format(#order + 1), model = value.model, asked = value, life = lives[life] or lives.succeeded, step = 0,
  }
  tasks[task.id], order[#order + 1] = task, task.id
  return task
end

--- The state that a task is in, as the provider says it.
local function state_of(task)
  local state = task.life[math.max(task.step, 1)]
  return state == "filtered" and "failed" or (state == "missing" or state == "limited") and "queued" or state
end

local function shown(request, task)
  local state, step = state_of(task), task.life[math.max(task.step, 1)]
  local root = "http://" .. (request.headers.host or "127.0.0.1")
  local body = {
    id = task.id, model = task.model, status = state, error = faults[step], created_at = created, updated_at = created + task.step,
    service_tier = task.asked.service_tier or "default",
  }
  if state == "succeeded" then
    body.content = { video_url = ("%s/clips/%s.mp4?signature=simulated"):format(root, task.id) }
    body.usage = { completion_tokens = 108900, total_tokens = 108900 }
  end
  return body
end

local function create(request, answer)
  local value, err = request:json()
  if not value then return refuse(request, answer, 400, "InvalidParameter", "The body is not JSON: " .. tostring(err)) end
  if type(value.model) ~= "string" then return refuse(request, answer, 400, "MissingParameter", "model is missing.") end
  if type(value.content) ~= "table" or not value.content[1] then
    return refuse(request, answer, 400, "MissingParameter", "content is missing.")
  end
  local life = tostring(request.behaviour.task or "succeeded")
  local words = type(value.content[1].text) == "string" and value.content[1].text or ""
  if life == "busy" and not refused[words] then
    refused[words] = true
    return refuse(request, answer, 429, "ServerOverloaded", "Busy, as asked.", { ["Retry-After"] = "0" })
  end
  local task = begin(value, life)
  if life == "lost" then return answer:cut() end
  if life == "broken" then return refuse(request, answer, 502, "InternalServiceError", "Broken, as asked.") end
  say(request, answer, 200, { id = task.id })
end

local function found(request, answer)
  local task = tasks[id_in(request.path)]
  if not task then refuse(request, answer, 404, "NotFound.Task", "There is no such task.") end
  return task
end

local function look(request, answer)
  local task = found(request, answer)
  if not task then return end
  task.step = math.min(task.step + 1, #task.life)
  local step = task.life[task.step]
  if step == "missing" then return refuse(request, answer, 404, "NotFound.Task", "There is no such task yet.") end
  if step == "limited" then
    return refuse(request, answer, 429, "RateLimitExceeded.EndpointRPMExceeded", "Too many looks.", { ["Retry-After"] = "1" })
  end
  say(request, answer, 200, shown(request, task))
end

--- Ark cancels what is queued and removes what is over by one and the same request.
local function remove(request, answer)
  local task = found(request, answer)
  if not task then return end
  local state = state_of(task)
  if state == "queued" then
    task.life, task.step = { "cancelled" }, 1
  elseif state == "succeeded" or state == "failed" or state == "expired" then
    tasks[task.id] = nil
  else
    return refuse(request, answer, 409, "InvalidAction." .. state, "A task that is " .. state .. " cannot be deleted.")
  end
  say(request, answer, 200, {})
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- What a query asks for: name to the set of its values.
local function wanted(query)
  local all = {}
  for name, value in (query or ""):gmatch("([^&=]+)=([^&]*)") do
    name = unescape(name)
    all[name] = all[name] or {}
    all[name][unescape(value)] = true
  end
  return all
end

local function list(request, answer)
  local filter, items = wanted(request.query), core.array {}
  local function fits(name, value)
    return not filter["filter." .. name] or filter["filter." .. name][value] == true
  end
  for _, id in ipairs(order) do
    local task = tasks[id]
    if task and fits("status", state_of(task)) and fits("task_ids", id) and fits("model", task.model) then
      items[#items + 1] = shown(request, task)
    end
  end
  say(request, answer, 200, { total = #items, items = items })
end

local function fetch(request, answer)
  local task = tasks[request.path:match("/clips/([^/]+)%.mp4$")]
  if not task or state_of(task) ~= "succeeded" then return refuse(request, answer, 404, "NotFound", "There is no such clip.") end
  answer:whole(200, { ["Content-Type"] = "video/mp4", ["X-Request-Id"] = request.id }, clip)
end

M.routes = {
  { method = "POST", path = "/contents/generations/tasks/?$", run = create },
  { method = "GET", path = "/contents/generations/tasks/?$", run = list },
  { method = "GET", path = "/contents/generations/tasks/[^/]+$", run = look },
  { method = "DELETE", path = "/contents/generations/tasks/[^/]+$", run = remove },
  { method = "GET", path = "/clips/[^/]+%.mp4$", run = fetch, open = true },
}

return M
