--- Anthropic's Files API: one multipart request, after which a file is known by its id until it is deleted.
--- Names: send.
local address = require("multimodal.client.address")
local attempts = require("multimodal.client.attempts")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local headers = require("multimodal.client.headers")
local json = require("multimodal.json")
local media = require("multimodal.media")
local options_table = require("multimodal.options")

local M = {}

local Call = { __name = "multimodal.upload_call" }
Call.__index = Call

function Call:json()
  return {}
end

local function read(answer)
  local event, err = answer.exchange:next()
  answer.exchange:close()
  if err then return nil, answer:fail(answer:cut(err)) end
  answer:observed()
  local blob = event and event.media and event.media[1]
  local value = blob and blob:size() > 0 and json.decode(blob:bytes())
  if type(value) == "table" and type(value.id) == "string" then return value end
  return nil, answer:fail { kind = "protocol", code = "upload", message = "the upload ended without the id of a file" }
end

--- A file's name as it may stand between quotes; a path says nothing to a server.
local function name_of(part)
  local name = part.options.filename or part.path and part.path:match("[^/\\]+$") or part.kind .. "." .. part:extension()
  return (name:gsub('["\\%c]', "_"))
end

local function boundary()
  return "multimodal-" .. core.random(16):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
end

local function body_of(part, mark)
  local head = ('--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: %s\r\n\r\n'):format(
    mark, name_of(part), part:mime())
  return core.body_raw { head, part.blob, ("\r\n--%s--\r\n"):format(mark) }
end

--- @async
--- @param client multimodal.Client
--- @param part multimodal.Media   its bytes at hand
--- @param options table
--- @param tell fun(progress: table): boolean?, multimodal.Error?
--- @return multimodal.Media?
--- @return multimodal.Error? err  maybe_accepted where the file may be there though no answer came
function M.send(client, part, options, tell)
  local total = part.blob:size()
  local fine, stopped = tell { what = "upload", state = "uploading", done = 0, total = total }
  if not fine then return nil, stopped end
  local mark = boundary()
  local body, fault = body_of(part, mark)
  if not body then return nil, error_class.new(fault) end
  local plain = options_table.over(options, { trailing_slash = false, model = false, on_text = false, on_event = false })
  local head = { ["Content-Type"] = "multipart/form-data; boundary=" .. mark, ["anthropic-beta"] = "files-api-2025-04-14" }
  local url, target = address.of(client, "/files", nil, plain)
  local file, err = attempts.run(setmetatable({
    method = "POST", url = url, target = target, plan = headers.plan(client, plain, head, false), body = body,
    client = client, options = plain, warnings = {}, streams = false, operation = "upload", decoder = { format = "bytes" },
  }, Call), "create", read)
  if not file then return nil, err end
  fine, stopped = tell { what = "upload", state = "uploading", done = total, total = total }
  if not fine then return nil, stopped end
  return media.new(part.kind, { file_id = file.id })
end

return M
