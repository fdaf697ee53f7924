--- Google's resumable upload: a session is begun, bytes go up in pieces, and a piece that was lost goes on from where the server is.
--- Names: send.
local attempts = require("multimodal.client.attempts")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local headers = require("multimodal.client.headers")
local http = require("multimodal.client.http")
local jobs = require("multimodal.runtime.jobs")
local json = require("multimodal.json")
local media = require("multimodal.media")
local options_table = require("multimodal.options")
local urls = require("multimodal.policy.url")

local M = {}

local piece = 8 * 1024 * 1024 -- bytes of one request, a multiple of 256 KiB
local most_polls, usual_wait = 300, 2 -- looks at a file that is being processed, and seconds between them

local function broken(message)
  return nil, error_class.new { kind = "protocol", code = "upload", message = message }
end

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
  return { headers = answer.headers, value = type(value) == "table" and value or {} }
end

--- One request of the upload; `operation` says whether it may be repeated as it is.
local function ask(client, options, url, head, body, operation)
  local plain = options_table.over(options, { trailing_slash = false, model = false, on_text = false, on_event = false, on_upload = false })
  return attempts.run(setmetatable({
    method = "POST", url = url, plan = headers.plan(client, plain, head, false), body = body, client = client, options = plain,
    warnings = {}, streams = false, operation = "upload", decoder = { format = "bytes" },
  }, Call), operation, read)
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
  local answer, err = ask(client, options, url, head, core.body { file = { displayName = name } }, "poll")
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
  local answer, err = ask(client, options, session, head, nil, "poll")
  if not answer then return nil, err end
  return tonumber(answer.headers["x-goog-upload-size-received"]) or 0, answer
end

local lost = { network = true, timeout = true, server = true, overloaded = true, truncated = true, rate_limit = true }

--- Send one piece; where it was lost, learn where the server is.
local function send_piece(client, session, blob, offset, options)
  local size = blob:size()
  local n = math.min(piece, size - offset)
  local last = offset + n >= size
  local head = session_headers(client, session, {
    ["X-Goog-Upload-Command"] = last and "upload, finalize" or "upload", ["X-Goog-Upload-Offset"] = ("%.0f"):format(offset),
  })
  local once = options_table.over(options, { retries = 0 })
  local answer, err = ask(client, once, session, head, core.body_raw { { blob, offset, n } }, "create")
  if answer then return offset + n, last and answer or nil end
  if not lost[err.kind] then return nil, err end
  local there, told = query(client, session, options)
  if not there then return nil, err end
  if told.headers["x-goog-upload-status"] == "final" then return size, told end
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
    local fine, stopped = tell { what = "upload", state = "uploading", done = offset, total = blob:size() }
    if not fine then return nil, stopped end
    if answer then return answer.value.file or answer.value end
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
    local fine, stopped = tell { what = "upload", state = "processing", done = part.blob:size(), total = part.blob:size() }
    if not fine then return nil, stopped end
    sleep(usual_wait)
    local err
    file, err = http.get(client, "/" .. file.name)
    if not file then return nil, err end
    if type(file) ~= "table" then return broken "the file's state is no object" end
  end
  return nil, error_class.new { kind = "timeout", code = "total", message = "the uploaded file was not ready in time" }
end

--- Seconds since 1970 of an RFC 3339 time in UTC.
local function time_of(text)
  local y, mo, d, h, mi, s = tostring(text):match("^(%d+)%-(%d+)%-(%d+)T(%d+):(%d+):(%d+)")
  if not y then return nil end
  y, mo, d = tonumber(y), tonumber(mo), tonumber(d)
  if mo <= 2 then y, mo = y - 1, mo + 12 end
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400) + math.floor((153 * (mo - 3) + 2) / 5) + d - 719469
  return days * 86400 + tonumber(h) * 3600 + tonumber(mi) * 60 + tonumber(s)
end

--- @async
--- @param client multimodal.Client
--- @param part multimodal.Media   its bytes at hand
--- @param options table
--- @param tell fun(progress: table): boolean?, multimodal.Error?
--- @return multimodal.Media?
--- @return multimodal.Error? err
function M.send(client, part, options, tell)
  local session, err = begin(client, part, options)
  if not session then return nil, err end
  local file
  file, err = send_all(client, session, part, options, tell)
  if file then file, err = wait(client, file, part, options, tell) end
  if not file then return nil, err end
  local made = media.from_url(part.kind, file.uri, { mime = type(file.mimeType) == "string" and file.mimeType or part:mime() })
  made.id, made.expires_at = file.name, time_of(file.expirationTime)
  return made
end

return M
