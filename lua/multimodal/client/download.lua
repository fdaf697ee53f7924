--- A link saved to a file: what comes is written beside the target, in target.part, and takes its name at the end. A broken
--- download goes on where it stopped, also in another process: target.part.json tells what the part is of.
--- Names: save.
local attempts = require("multimodal.client.attempts")
local core = require("multimodal.core")
local driver = require("multimodal.runtime.driver")
local error_class = require("multimodal.error")
local fetch = require("multimodal.client.fetch")
local jobs = require("multimodal.runtime.jobs")
local json = require("multimodal.json")
local link = require("multimodal.client.link")
local reply_headers = require("multimodal.reply.headers")
local urls = require("multimodal.policy.url")

local M = {}

local in_memory = 1024 * 1024 -- bytes of a saved file that its part holds too
local tick = 0.1 -- seconds between two calls of the hook
local worth = 65536 -- bytes that make an attempt count for nothing against the retries

--- What a part file is of. `validator` is an entity tag or a date: only what has one can go on.
--- @class multimodal.Landing
--- @field part string       path of the file that grows
--- @field note string       path of the record beside it
--- @field size integer      bytes of it
--- @field total integer?    bytes of the whole
--- @field validator string?
--- @field link string       where it came from, without its query

local get = reply_headers.get

local function fault(kind, code, message, more)
  local err = error_class.new({ kind = kind, code = code, message = message }, more)
  return nil, err
end

--- A strong entity tag, else a date: a weak tag says nothing of bytes.
local function validator_of(headers)
  local tag = get(headers, "etag")
  if tag and not tag:find("^W/") then return tag end
  return get(headers, "last-modified")
end

local function size_of(path)
  local file = io.open(path, "rb")
  if not file then return 0 end
  local size = file:seek("end")
  file:close()
  return size
end

local function last_line(path)
  local file, last = io.open(path, "rb"), nil
  if not file then return nil end
  for line in file:lines() do last = line:find("%S") and line or last end
  file:close()
  return last
end

--- Take up what an earlier try left of the same link.
local function take_up(landing)
  local text = last_line(landing.note)
  local saved = text and json.decode(text)
  if type(saved) ~= "table" or saved.link ~= landing.link or type(saved.validator) ~= "string" then return end
  local total = type(saved.total) == "number" and saved.total or nil
  local size = size_of(landing.part)
  if size == 0 or total and size > total then return end
  landing.size, landing.total, landing.validator = size, total, saved.validator
end

--- Begin the file anew, in its place: a script may be killed here, and nobody would know of another file.
local function restart(landing, headers)
  local done, err = core.file_write(landing.part, "", { append = true })
  local file = done and io.open(landing.part, "wb")
  if not file then return nil, err or { kind = "file", code = "EIO", message = ("cannot empty %q"):format(landing.part) } end
  file:close()
  landing.size, landing.total, landing.validator = 0, tonumber(get(headers, "content-length")), validator_of(headers)
  local record = { link = landing.link, total = landing.total, validator = landing.validator }
  done, err = core.file_write(landing.note, assert(json.encode(record)) .. "\n", { append = true })
  return done, err
end

local texts = {
  ["application/json"] = true, ["application/problem+json"] = true, ["application/xml"] = true, ["application/xhtml+xml"] = true,
}

--- Whether a type, or the first bytes, are those of a page that says what went wrong.
local function is_page(mime, head)
  local plain = mime and mime:lower():match("^%s*([^;%s]+)")
  if plain == "image/svg+xml" then return false end
  if plain and (texts[plain] or plain:find("^text/") and plain ~= "text/plain") then return true end
  local first = head:match("^\239?\187?\191?%s*(.-)$"):sub(1, 64):lower()
  return first:find("^<!doctype") ~= nil or first:find("^<html") ~= nil or first:find("^<%?xml") ~= nil or first:find('^{%s*"') ~= nil
end

local function no_medium(part, hop, mime, head)
  return fault("protocol", "type", ("saving %s: expected %s %s, got %s"):format(urls.shown(hop.url), part.kind == "video" and "a" or "an",
    part.kind, mime or "a page"), { body = head:sub(1, 4096) })
end

--- The hook, not too often; false stops.
local function tell(job, state, always)
  local now = job.now()
  if not job.hook or not always and now - job.told < tick then return true end
  job.told = now
  local landing = job.landing
  return job.hook {
    what = "download", state = state, elapsed = now - job.began, done = landing.size, total = landing.total,
  } ~= false
end

local function stopped()
  return fault("cancelled", "hook", "a hook returned false")
end

--- Write what comes to the part file.
local function receive(job, exchange, hop, mime)
  local landing, part = job.landing, job.part
  local expects = part.kind ~= "file"
  while true do
    local event, err = exchange:next()
    if not event then
      if err then return nil, err end
      break
    end
    if landing.size == 0 and expects and is_page(mime, event.data) then return no_medium(part, hop, mime, event.data) end
    local most = landing.total or fetch.max_bytes
    if landing.size + #event.data > most then
      return fault("protocol", "length", ("saving %s: more than the %d bytes that were told"):format(urls.shown(hop.url), most))
    end
    local done, why = core.file_write(landing.part, event.data, { append = true })
    if not done then return nil, why end
    landing.size = landing.size + #event.data
    if not tell(job, "running") then return stopped() end
  end
  if landing.size == 0 then return fault("protocol", "empty", urls.shown(hop.url) .. " has no bytes") end
  if landing.total and landing.size < landing.total then
    return fault("truncated", "length", ("saving %s: %d of %d bytes came"):format(urls.shown(hop.url), landing.size, landing.total))
  end
  return true
end

--- Whether a 206 goes on where the part file ends, of the same bytes.
local function continues(landing, headers)
  local first, _, total = (get(headers, "content-range") or ""):match("^%s*bytes%s+(%d+)%-(%d+)/([%d*]+)")
  if tonumber(first) ~= landing.size then return false end
  local whole = tonumber(total)
  if landing.total and whole and whole ~= landing.total then return false end
  local same = validator_of(headers)
  if same and same ~= landing.validator and get(headers, "last-modified") ~= landing.validator then return false end
  landing.total = landing.total or whole
  return true
end

--- Make sense of the head, and take what follows.
local function take(job, exchange, status, headers, hop)
  local landing = job.landing
  local mime = get(headers, "content-type")
  job.mime = status < 300 and mime or job.mime
  if status == 206 and landing.size > 0 and continues(landing, headers) then return receive(job, exchange, hop, mime) end
  if status == 416 and landing.size > 0 and landing.size == landing.total then return true end
  if status == 206 or status == 416 then
    landing.size, landing.validator = 0, nil -- from the beginning, at the next attempt
    return fault("network", "range", ("saving %s: the part that is here does not fit the link any more"):format(urls.shown(hop.url)))
  end
  if status < 200 or status > 299 then
    if link.is_dead(status) then job.died = true end
    return fetch.refused(hop, status, headers)
  end
  if job.part.kind ~= "file" and is_page(mime, "") then
    local event = exchange:next()
    return no_medium(job.part, hop, mime, event and event.data or "")
  end
  local total = tonumber(get(headers, "content-length"))
  if total and total > fetch.max_bytes then
    return fault("too_large", "too_large", ("saving %s: more than %d bytes"):format(urls.shown(hop.url), fetch.max_bytes))
  end
  local done, err = restart(landing, headers)
  if not done then return nil, err end
  return receive(job, exchange, hop, mime)
end

--- One attempt.
local function attempt(job, under)
  local landing, url = job.landing, job.part.url
  if landing.total and landing.size == landing.total then return true end
  local lines, err = fetch.headers(url, job.access)
  if not lines then return nil, err, true end
  local asked = {}
  for i, line in ipairs(lines) do asked[i] = line end
  if landing.size > 0 and landing.validator then
    asked[#asked + 1] = ("Range: bytes=%d-"):format(landing.size)
    asked[#asked + 1] = "If-Range: " .. landing.validator
  end
  local exchange, status, headers, hop = fetch.open(
    { method = "GET", url = url, headers = asked, hops = 0, abroad = not fetch.is_home(url, job.access) }, job.access, under, "pieces")
  if not exchange then return nil, status, headers end
  local before = landing.size
  local done
  done, err = take(job, exchange, status, headers, hop)
  exchange:close()
  -- A download that moves on is not given up for the number of its breaks.
  if not done and landing.size - before >= worth then under.count = 0 end
  return done, err
end

--- Ask for a fresh link, once; nil where there is none.
local function renew(job)
  if job.asked then return nil end
  job.asked, job.died = true, false
  local fresh, err = link.renew(job.part)
  job.renewed = fresh
  job.landing.link = urls.shown(job.part.url)
  return fresh, err
end

local function fetch_all(job)
  local fresh, why
  if link.has_died(job.part) then fresh, why = renew(job) end
  while true do
    local done, err = attempts.reading(job.access, function(under) return attempt(job, under) end)
    if done or not job.died then return done, err end
    if not why then fresh, why = renew(job) end
    if why then return nil, why end
    if not fresh then
      err.message = err.message .. (job.renewed and "; the link is a fresh one" or "; the link may have died: ask for a new one")
      return nil, err
    end
  end
end

--- What stands at the target: "free", "file", or "other" for a device or a pipe.
local function standing(path)
  local blob, err = core.blob_file(path)
  if blob then return "file" end
  if err.code == "ENOENT" then return "free" end
  if err.code == "EINVAL" and not err.message:find("is empty", 1, true) then return "other" end
  return "file", err.code == "EISDIR" and err or nil
end

--- Name the part file: its own is too long where the target's is nearly so.
local function landing_of(part, path)
  local folder, name = path:match("^(.*/)([^/]*)$")
  local base = (folder or "") .. (name or path):sub(1, 200) .. ".part"
  return { part = base, note = base .. ".json", size = 0, link = urls.shown(part.url) }
end

--- What was fetched stays for the next try where that can go on with it.
local function leave(landing)
  if landing.validator and landing.size > 0 then return end
  os.remove(landing.part)
  os.remove(landing.note)
end

--- The file as a blob; a small one in memory, so that nobody needs the file.
local function blob_of(path, mime)
  mime = mime and mime:lower():match("^%s*([%w.+-]+/[%w.+-]+)")
  local blob, err = core.blob_file(path, mime ~= "application/octet-stream" and mime or nil)
  if not blob or blob:size() > in_memory then return blob, err end
  return core.blob(assert(blob:bytes()), blob:mime())
end

--- Tell of the end that it came to.
local function tell_failure(job, err)
  if not job.hook then return end
  local state = err.kind == "cancelled" and "cancelled" or "failed"
  job.hook {
    what = "download", state = state, elapsed = job.now() - job.began, done = job.landing.size, total = job.landing.total,
  }
end

local function land(job, path, options)
  local landing = job.landing
  local done, err = fetch_all(job)
  if done then done, err = core.file_move(landing.part, path, { sync = true, exclusive = not options.overwrite or nil }) end
  if not done then
    tell_failure(job, err)
    return nil, err
  end
  landing.total, landing.validator = landing.size, nil
  tell(job, "succeeded", true)
  return blob_of(path, job.mime)
end

--- What is there already is left alone, or an error.
local function taken(path, options)
  if options.exists == "skip" then return true end
  return fault("file", "EEXIST", ('cannot write "%s": file exists; pass { overwrite = true } or { exists = "skip" }'):format(path))
end

--- The right to write a part file, given back when the job that has it is cancelled, too.
local function hold(landing)
  local lock, held = core.file_lock(landing.note)
  if not lock then return nil, held end
  return jobs.own { close = function()
    if not lock then return end
    leave(landing)
    lock:close()
    lock = nil
  end }
end

--- Save with the right to.
local function saved(part, landing, path, options)
  local now = driver.current().now
  take_up(landing)
  local job = {
    part = part, landing = landing, access = part.access or {}, hook = options.on_progress, now = now, began = now(), told = -1,
  }
  if tell(job, "running", true) then return land(job, path, options) end
  return stopped()
end

local function locked(part, path, options)
  local landing = landing_of(part, path)
  local right, held = hold(landing)
  if not right then
    if held ~= "held" then return nil, held end
    return fault("file", "held", ("%q is being saved by another process, or another job"):format(path))
  end
  -- Another may have ended its save between our look and our lock.
  if not options.overwrite and standing(path) == "file" then
    right:close()
    return taken(path, options)
  end
  local blob, err = jobs.guard(right.close, saved, part, landing, path, options)
  right:close()
  return blob, err
end

--- Save a part that is a link.
--- @async
--- @param part multimodal.Media
--- @param path string
--- @param options {overwrite: boolean?, exists: "skip"|"error"|nil, on_progress: (fun(now: multimodal.Progress): any)?}
--- @return userdata|boolean|nil saved  the file as a blob; true where it was there before and is left alone
--- @return multimodal.Error? err
function M.save(part, path, options)
  local found, err = standing(path)
  if err then return nil, error_class.new(err) end
  if found == "other" then
    local blob, why = link.get(part)
    if not blob then return nil, why end
    return blob:save(path, { overwrite = true })
  end
  if found == "file" and not options.overwrite then return taken(path, options) end
  local blob, why = locked(part, path, options)
  if not blob then return nil, error_class.new(why) end
  return blob
end

return M
