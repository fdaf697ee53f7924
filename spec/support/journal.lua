--- What the specs of journals share: a folder for one, scripts with a client over it, and answers.
--- Names: shell answer new_run stage.
local child = require("support.child")
local server = require("support.server")

local M = {}

--- @return string said
function M.shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

--- The steps of a whole reply.
function M.answer(text, more)
  local message = { role = "assistant", content = text }
  for name, value in pairs(more or {}) do message[name] = value end
  return server.json(200, { id = "c-" .. text, model = "m", object = "chat.completion",
    choices = { { index = 0, finish_reason = more and more.tool_calls and "tool_calls" or "stop", message = message } },
    usage = { prompt_tokens = 1, completion_tokens = 2, total_tokens = 3 } }, { headers = { ["X-Request-Id"] = "req-" .. text } })
end

--- A new run in this process.
M.new_run = require("multimodal.client.journal").leave

local preamble = child.pid .. [[
  local mm = require "multimodal"
  local ai = mm.client { base_url = %q, api_key = "sk-canary-key", model = "m", journal = %q, retries = 0 }
]]

--- @class multimodal.JournalStage
--- @field folder string
local Stage = {}
Stage.__index = Stage

--- A folder that is not there yet, for a journal of scripts that ask a server of ours.
function M.stage(s)
  local folder = os.tmpname()
  os.remove(folder)
  return setmetatable({ server = s, folder = folder }, Stage)
end

function Stage:path(name) return self.folder .. "/" .. name end

--- A script with a client of its own over the journal.
function Stage:script(code, ...)
  return preamble:format(self.server.url .. "/v1", self.folder) .. (select("#", ...) > 0 and code:format(...) or code)
end

--- Run such a script; what it says.
function Stage:run(code, environment)
  return (child.run(self:script(code), environment):gsub("^pid %d+\n?", ""))
end

function Stage:close()
  M.new_run()
  M.shell("rm -rf '" .. self.folder .. "'")
end

return M
