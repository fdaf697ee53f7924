--- Google's resumable upload: a session is begun, bytes go up in pieces, and a piece that was lost goes on from where the server is.
--- Names: send.
local ask = require("multimodal.client.upload.ask")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local http = require("multimodal.client.http")
local jobs = require("multimodal.runtime.jobs")
local media = require("multimodal.media")
local moment = require("multimodal.moment")
local options_table = require("multimodal.options")
local urls = require("multimodal.policy.url")

local M = {}

local piece = 8 * 1024 * 1024 -- bytes of one request, a multiple of 256 KiB
local most_polls, usual_wait = 300, 2 -- looks at a file that is being processed, and seconds between them

local function broken(message)
  return nil, error_class.new { kind = "protocol", code = "upload", message = message }
end

--- Headers of the session's own URL, which holds its credential: the key goes along on the client's own origin alone.
local function session_headers(client, url, more)
  local own, there = urls.split(client.base.root), urls.split(url)
  local head = { ["Content-Type"] = false }
  if urls.origin(own) ~= urls.origin(there) then head["x-goog-api-key"], head.Authorization = false, false end
  for name, value in pairs(more) do head[name] = value end
  return head
end

local function begin(client, part, options)
  local url = client.base.root:gsub("^(%a+://[^/]+)", "%1/upload", 1) .. "/files"
  local head = {
    ["X-Goog-Upload-Protocol"] = "resumable", ["X-Goog-Upload-Command"] = "start",
    ["X-Goog-Upload-Header-Content-Length"] = ("%.0f"):format(part.blob:size()),
    ["X-Goog-Upload-Header-Content-Type"] = part:mime(),
  }
  local name = part.options.filename or part.path and part.path:match("[^/\\]+$") or part.kind
  local answer, err = ask.send(client, options, {
    url = url, head = head, body = core.body { file = { displayName = name } }, operation = "poll",
  })
  if not answer then return nil, err end
  local session = answer.headers["x-goog-upload-url"]
  local there, why = urls.split(type(session) == "string" and session or "")
  if not there then return broken("the upload began without a URL to go on with: " .. tostring(why)) end
  if there.scheme ~= "https" and client.base.root:find("^https:") then return broken "the upload's URL is not https" end
  return session
end

--- How many bytes the server has.
local function query(client, session, options)
  local head = session_headers(client, session, { ["X-Goog-Upload-Command"] = "query" })
  local answer, err = ask.send(client, options, { url = session, head = head, operation = "poll" })
  if not answer then return nil, err end
  return tonumber(answer.headers["x-goog-upload-size-received"]) or 0, answer
end

local lost = { network = true, timeout = true, server = true, overloaded = true, truncated = true, rate_limit = true }

--- The file that an answer tells of.
local function file_in(answer)
  return type(answer.value.file) == "table" and answer.value.file or answer.value
end

--- Send one piece; where it was lost, learn where the server is.
local function send_piece(client, session, blob, offset, options)
  local size = blob:size()
  local n = math.min(piece, size - offset)
  local last = offset + n >= size
  local head = session_headers(client, session, {
    ["X-Goog-Upload-Command"] = last and "upload, finalize" or "upload", ["X-Goog-Upload-Offset"] = ("%.0f"):format(offset),
  })
  local once = options_table.over(options, { retries = 0 })
  local answer, err = ask.send(client, once, {
    url = session, head = head, body = core.body_raw { { blob, offset, n } }, operation = "create",
  })
  if answer then return offset + n, last and answer or nil end
  if not lost[err.kind] then return nil, err end
  local there, told = query(client, session, options)
  if not there then return nil, err end
  if told.headers["x-goog-upload-status"] == "final" then
    if file_in(told).name ~= nil then return size, told end
    -- All bytes are there, and the answer that named the file is lost.
    err.maybe_accepted = true
    return nil, err
  end
  return there, nil, err
end

--- Send all bytes.
local function send_all(client, session, part, options, tell)
  local blob, offset, failures = part.blob, 0, 0
  while true do
    local there, answer, failure = send_piece(client, session, blob, offset, options)
    if not there then return nil, answer end
    failures = failure and there <= offset and failures + 1 or 0
    if failures > (options.retries or 2) then return nil, failure end
    offset = there
    local fine, stopped = tell("running", offset)
    if not fine then return nil, stopped end
    if answer then return file_in(answer) end
  end
end

local function failed(file)
  local why = type(file.error) == "table" and file.error.message or "the server does not say why"
  return nil, error_class.new { kind = "bad_request", code = "upload", message = "the uploaded file cannot be used: " .. tostring(why) }
end

--- Wait until a file can be used.
local function wait(client, file, part, options, tell)
  local sleep = options.clock and options.clock.sleep or jobs.sleep
  for _ = 1, most_polls do
    if type(file.name) ~= "string" or type(file.uri) ~= "string" then return broken "the upload ended without a file" end
    if file.state == "FAILED" then return failed(file) end
    if file.state ~= "PROCESSING" then return file end
    local fine, stopped = tell("processing", part.blob:size())
    if not fine then return nil, stopped end
    sleep(usual_wait)
    local err
    file, err = http.get(client, "/" .. file.name)
    if not file then return nil, err end
    if type(file) ~= "table" then return broken "the file's state is no object" end
  end
  return nil, error_class.new { kind = "timeout", code = "total", message = "the uploaded file was not ready in time" }
end

--- @async
--- @param client multimodal.Client
--- @param part multimodal.Media   its bytes at hand
--- @param options table
--- @param tell fun(state: string, done: integer): boolean?, multimodal.Error?
--- @return multimodal.Media?
--- @return multimodal.Error? err  maybe_accepted where the file is there though no answer names it
function M.send(client, part, options, tell)
  local session, err = begin(client, part, options)
  if not session then return nil, err end
  local file
  file, err = send_all(client, session, part, options, tell)
  if file then file, err = wait(client, file, part, options, tell) end
  if not file then return nil, err end
  local made = media.from_url(part.kind, file.uri, { mime = type(file.mimeType) == "string" and file.mimeType or part:mime() })
  made.id, made.expires_at = file.name, type(file.expirationTime) == "string" and moment.rfc3339(file.expirationTime) or nil
  return made
end

return M
