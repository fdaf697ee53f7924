--- Tasks of Volcengine Ark, BytePlus ModelArk and the gateways before them: /contents/generations/tasks. Pure.
--- Returns a multimodal.TaskDialect.
local content = require("multimodal.dialect.task.ark_content")
local failure = require("multimodal.dialect.task.ark_failure")
local models = require("multimodal.dialect.task.ark_models")
local settings = require("multimodal.dialect.task.ark_settings")

local M = { name = "ark" }

local path = "/contents/generations/tasks"

--- Options that it can say.
M.takes = {
  duration = true, resolution = true, aspect_ratio = true, frames = true, fps = true, seed = true, camera_fixed = true,
  watermark = true, generate_audio = true, draft = true, return_last_frame = true, service_tier = true, callback_url = true,
  params_style = true,
}

M.states = {
  queued = "queued", running = "running", succeeded = "succeeded", failed = "failed", cancelled = "cancelled", expired = "expired",
}

M.first, M.delays, M.jitter = 2.5, { 5, 7.5, 11.25, 15 }, 0.2 -- seconds

--- In what states a task can be cancelled, and its record be removed.
M.cancels = { queued = true }
M.deletes = { succeeded = true, failed = true, expired = true }

--- Seconds that a task may take. The flex tier works when there is room, up to two days unless the request says otherwise.
--- @param task table
--- @return number
function M.timeout(task)
  local asked, seen = task.options or {}, task.raw or {}
  if (seen.service_tier or asked.service_tier) ~= "flex" then return 900 end
  return tonumber(seen.execution_expires_after or asked.extra and asked.extra.execution_expires_after) or 172800
end

local function escape(id)
  return (id:gsub("[^%w._~-]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

local function of_task(method, task)
  return { method = method, path = path .. "/" .. escape(task.id) }
end

--- @param prompt multimodal.TaskPrompt
--- @param options table
--- @param profile table  its `tasks` say params_style
--- @return table? request
--- @return multimodal.Error? err
--- @return string[] warnings
function M.create(prompt, options, profile)
  local warnings = {}
  if prompt.raw then return { method = "POST", path = path, body = prompt.raw }, nil, warnings end
  local items, words, places = content.items(prompt, warnings)
  if not items then return nil, words, warnings end
  local set, err = settings.read(prompt.text, options)
  if not set then return nil, err, warnings end
  local counts
  counts, err = content.check(items, places, set)
  if not counts then return nil, err, warnings end
  models.warn(options.model, set, counts, warnings)
  local body = { model = options.model, content = items }
  local inline = words ~= nil and (options.params_style or profile.tasks.params_style) == "inline"
  settings.fields(options, inline, body)
  if inline then
    local flags = settings.flags(options)
    words.text = words.text == "" and flags:sub(2) or words.text .. flags
  end
  for name, value in pairs(options.extra or {}) do body[name] = value end
  return { method = "POST", path = path, body = body }, nil, warnings
end

--- @param body table
--- @return string? id
function M.created(body)
  return type(body.id) == "string" and body.id ~= "" and body.id or nil
end

function M.inspect(task) return of_task("GET", task) end

function M.cancel(task) return of_task("DELETE", task) end

function M.delete(task) return of_task("DELETE", task) end

--- @param filter {state: string?, model: string?, ids: string[]?, service_tier: string?, page: integer?, limit: integer?}
function M.list(filter)
  return { method = "GET", path = path, query = {
    page_num = filter.page or 1, page_size = filter.limit or 20,
    -- The filter knows no expired tasks; they are picked out here.
    ["filter.status"] = filter.state ~= "expired" and filter.state or nil,
    ["filter.task_ids"] = filter.ids, ["filter.model"] = filter.model, ["filter.service_tier"] = filter.service_tier,
  } }
end

--- The tasks of a list, each as status takes it.
function M.listed(body)
  return type(body.items) == "table" and body.items or {}, body.total
end

local function link(value)
  return type(value) == "string" and value:find("^https?://") and value or nil
end

local life = 86400 -- seconds that a link of a result lives

local function outputs_of(body)
  local found = type(body.content) == "table" and body.content or {}
  local made = tonumber(body.updated_at)
  local expires, list = made and made + life or nil, {}
  local function add(kind, url, mime, role)
    if url then list[#list + 1] = { kind = kind, url = url, mime = mime, role = role, expires_at = expires } end
  end
  add("video", link(found.video_url))
  add("image", link(found.last_frame_url), "image/png", "last_frame")
  add("file", link(found.file_url))
  return list
end

local function error_of(body)
  local told = body.error
  if told == nil then told = body.failure_reason end
  if type(told) == "string" and told ~= "" then return { message = told } end
  if type(told) ~= "table" then return nil end
  return { code = told.code, message = told.message, kind = failure.kind(told.code) == "content_filter" and "content_filter" or nil }
end

--- @param body table
--- @return table task
function M.status(body)
  return {
    id = body.id, model = body.model, state = body.status, outputs = outputs_of(body), error = error_of(body), usage = body.usage,
    created_at = tonumber(body.created_at), updated_at = tonumber(body.updated_at), raw = body,
  }
end

M.failure = failure.read

return M
