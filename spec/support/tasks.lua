--- What the specs of tasks share: a clock that stands still but for what is slept, and a client at a server of ours.
local mm = require("multimodal")
local server = require("support.server")

local M = {}

--- @return table clock, number[] slept
function M.clock()
  local slept, time = {}, 0
  return {
    now = function() return time end,
    sleep = function(seconds)
      slept[#slept + 1] = seconds
      time = time + seconds
    end,
    random = function() return 0.5 end,
  }, slept
end

--- A client of YouRouter that asks a server of ours.
function M.client(s, more)
  local options = {
    gateway = "yourouter", base_url = s.url .. "/v1", api_key = "sk-canary", video_model = "doubao-seedance-1-0-pro-250528",
    clock = M.clock(), private = true,
  }
  for name, value in pairs(more or {}) do options[name] = value end
  return mm.client(options)
end

--- The steps of an answer about a task.
function M.task(id, state, more)
  local body = { id = id, model = "m", status = state }
  for name, value in pairs(more or {}) do body[name] = value end
  return server.json(200, body)
end

--- How many requests of a method a server saw.
function M.count(s, method)
  local n = 0
  for _, request in ipairs(s:requests()) do
    if request.method == method then n = n + 1 end
  end
  return n
end

return M
