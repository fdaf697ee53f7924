--- Ark's tasks, spoken by the simulator: created, looked at, listed, cancelled, removed, and a clip to fetch. Each look takes
--- a task one step on. The creation's header `X-Simulate: task=...` chooses a life, or an answer that goes wrong:
---   failed filtered expired cancelled   how it ends, in place of succeeded
---   quick    it succeeds at the first look  slow    it stays running
---   rough    404, queued, running, 429, warming_up, succeeded
---   lost     it begins, and the connection is cut    broken  it begins, and the answer is 502
---   busy     the first such request is refused with 429
---   stale    the first link of its clip is dead; a further look brings another
---   torn     the connection breaks in the middle of the clip, once
--- Names: routes unknown.
local clip = require("multimodal.simulator.clip")
local core = require("multimodal.core")
local received = require("multimodal.simulator.received")
local square = require("multimodal.simulator.square")

local M = {}

local usual = { "queued", "running", "succeeded" }

local lives = {
  succeeded = usual, lost = usual, broken = usual, busy = usual, stale = usual, torn = usual,
  failed = { "queued", "running", "failed" },
  filtered = { "queued", "running", "filtered" },
  expired = { "queued", "expired" },
  cancelled = { "queued", "cancelled" },
  quick = { "succeeded" },
  slow = { "queued", "running" },
  rough = { "missing", "queued", "running", "limited", "warming_up", "succeeded" },
}

local words = {}
for life in pairs(lives) do words[#words + 1] = life end
table.sort(words)

--- What is wrong with a word for a life; nil where nothing is.
--- @param life string
--- @return string?
function M.unknown(life)
  return not lives[life] and ("task: %q is none of %s"):format(life, table.concat(words, ", ")) or nil
end

local faults = {
  failed = { code = "InternalServiceError", message = "The task failed, as asked." },
  filtered = { code = "OutputVideoSensitiveContentDetected", message = "The video was filtered, as asked." },
}

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

--- What came, in words, and in what roles. The media themselves are let go of.
local function taken(value)
  local said, roles = received.words(received.parts { { role = "user", content = value.content } }), {}
  for _, item in ipairs(value.content) do
    if type(item) == "table" and type(item.role) == "string" then roles[#roles + 1] = item.role end
  end
  value.content = nil
  return said .. (roles[1] and " Roles: " .. table.concat(roles, ", ") .. "." or "")
end

local function begin(value, life)
  local now = os.time()
  local task = {
    id = ("cgt-sim-%06d"):format(#order + 1), model = value.model, asked = value, life = lives[life], step = 0, looks = 0,
    created = now, updated = now, stale = life == "stale", torn = life == "torn", received = taken(value),
  }
  tasks[task.id], order[#order + 1] = task, task.id
  return task
end

--- The state that a task is in, as the provider says it.
local function state_of(task)
  local state = task.life[math.max(task.step, 1)]
  return state == "filtered" and "failed" or (state == "missing" or state == "limited") and "queued" or state
end

--- What a task repeats of what was asked for.
local repeated = { "seed", "resolution", "ratio", "duration", "frames", "generate_audio", "draft", "execution_expires_after" }

local function results(request, task)
  local base = ("http://%s/clips/%s"):format(request.headers.host or "127.0.0.1", task.id)
  local signature = "?signature=simulated-" .. task.looks
  return {
    video_url = base .. ".mp4" .. signature, last_frame_url = task.asked.return_last_frame and base .. ".png" .. signature or nil,
  }
end

local function shown(request, task)
  local state, step = state_of(task), task.life[math.max(task.step, 1)]
  local body = {
    id = task.id, model = task.model, status = state, error = faults[step], created_at = task.created, updated_at = task.updated,
    service_tier = task.asked.service_tier or "default", framespersecond = 24,
  }
  for _, name in ipairs(repeated) do body[name] = task.asked[name] end
  if state == "succeeded" then
    body.content, body.usage = results(request, task), { completion_tokens = 108900, total_tokens = 108900 }
    body.revised_prompt = task.received
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
  if M.unknown(life) then return refuse(request, answer, 400, "InvalidParameter", M.unknown(life)) end
  local said = type(value.content[1].text) == "string" and value.content[1].text or ""
  if life == "busy" and not refused[said] then
    refused[said] = true
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
  local last = #task.life
  if task.step < last then task.step, task.updated = task.step + 1, os.time() end
  local step = task.life[task.step]
  if task.step == last then task.looks = task.looks + 1 end
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

--- One page of those that fit, the youngest first.
local function list(request, answer)
  local filter, fitting, items = wanted(request.query), {}, core.array {}
  local function fits(name, value)
    return not filter["filter." .. name] or filter["filter." .. name][value] == true
  end
  local function number(name, usually) return tonumber((next(filter[name] or {}))) or usually end
  for i = #order, 1, -1 do
    local task = tasks[order[i]]
    if task and fits("status", state_of(task)) and fits("task_ids", task.id) and fits("model", task.model)
      and fits("service_tier", task.asked.service_tier or "default") then
      fitting[#fitting + 1] = task
    end
  end
  local size = number("page_size", 20)
  local first = (number("page_num", 1) - 1) * size
  for i = first + 1, math.min(first + size, #fitting) do items[#items + 1] = shown(request, fitting[i]) end
  say(request, answer, 200, { total = #fitting, items = items })
end

local media = { mp4 = { "video/mp4", clip }, png = { "image/png", square } }

--- Bytes from where the client goes on; of a torn one only some, once.
local function send_bytes(request, answer, task, mime, bytes)
  local from = tonumber((request.headers.range or ""):match("^bytes=(%d+)%-$"))
  local rest = from and from < #bytes and bytes:sub(from + 1)
  local headers = { ["Content-Type"] = mime, ["X-Request-Id"] = request.id, ETag = ('"%s"'):format(task.id), ["Accept-Ranges"] = "bytes" }
  if rest then headers["Content-Range"] = ("bytes %d-%d/%d"):format(from, #bytes - 1, #bytes) end
  rest = rest or bytes
  if not task.torn then return answer:whole(rest ~= bytes and 206 or 200, headers, rest) end
  task.torn = false
  answer:head(200, headers, #rest)
  answer:send(rest:sub(1, math.floor(#rest / 2)))
  answer:cut()
end

local function fetch(request, answer)
  local id, ending = request.path:match("/clips/([^/]+)%.(%w+)$")
  local task = tasks[id]
  if not task or not media[ending] or state_of(task) ~= "succeeded" then
    return refuse(request, answer, 404, "NotFound", "There is no such clip.")
  end
  if task.stale and request.query == "signature=simulated-1" then
    return refuse(request, answer, 403, "AccessDenied", "This link has died, as asked.")
  end
  send_bytes(request, answer, task, media[ending][1], media[ending][2])
end

M.routes = {
  { method = "POST", path = "/contents/generations/tasks/?$", run = create },
  { method = "GET", path = "/contents/generations/tasks/?$", run = list },
  { method = "GET", path = "/contents/generations/tasks/[^/]+$", run = look },
  { method = "DELETE", path = "/contents/generations/tasks/[^/]+$", run = remove },
  { method = "GET", path = "/clips/[^/]+%.%w+$", run = fetch, open = true },
}

return M
