--- Anthropic's Files API: one multipart request, after which a file is known by its id until it expires.
--- Names: send.
local address = require("multimodal.client.address")
local ask = require("multimodal.client.upload.ask")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local media = require("multimodal.media")
local moment = require("multimodal.moment")
local options_table = require("multimodal.options")
local reply_headers = require("multimodal.reply.headers")

local M = {}

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
--- @param tell fun(state: string, done: integer): boolean?, multimodal.Error?
--- @return multimodal.Media?
--- @return multimodal.Error? err  maybe_accepted where the file may be there though no answer came
function M.send(client, part, options, tell)
  local total = part.blob:size()
  local fine, stopped = tell("running", 0)
  if not fine then return nil, stopped end
  local mark = boundary()
  local body, fault = body_of(part, mark)
  if not body then return nil, error_class.new(fault) end
  local url, target = address.of(client, "/files", nil, options_table.over(options, { trailing_slash = false }))
  local answer
  answer, fault = ask.send(client, options, {
    url = url, target = target, body = body, operation = "create",
    head = { ["Content-Type"] = "multipart/form-data; boundary=" .. mark, ["anthropic-beta"] = "files-api-2025-04-14" },
    on_upload = function(progress) return tell("running", math.min(progress.done, total)) or false end,
  })
  if not answer then return nil, fault end
  local file = answer.value
  if type(file.id) ~= "string" then
    return nil, error_class.new {
      kind = "protocol", code = "upload", message = "the upload ended without the id of a file",
      request_id = reply_headers.request_id(answer.headers),
    }
  end
  local made = media.new(part.kind, { file_id = file.id })
  made.expires_at = type(file.expires_at) == "string" and moment.rfc3339(file.expires_at) or nil
  return made
end

return M
