--- An answer whose head is here: refused, read whole, or handed to a stream; replies and errors get their context.
--- Names: new outcome.
local access = require("multimodal.client.access")
local account = require("multimodal.client.account")
local address = require("multimodal.client.address")
local check = require("multimodal.client.check")
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local request_headers = require("multimodal.client.headers")
local journal = compat.lazy("multimodal.client.journal")
local media = require("multimodal.media")
local observe = require("multimodal.client.observe")
local reply_headers = require("multimodal.reply.headers")
local reply = require("multimodal.reply.reply")
local jobs = require("multimodal.runtime.jobs")
local messages = require("multimodal.prompt.messages")
local stream = require("multimodal.reply.stream")
local tls_page = compat.lazy("multimodal.policy.tls_page")

local M = {}

--- @class multimodal.Response
--- @field request multimodal.Request
--- @field dialect multimodal.Dialect
--- @field exchange multimodal.Exchange
--- @field status integer
--- @field headers table        by lower-case name
--- @field url string           the last one, after redirects
--- @field steps multimodal.Steps?    the tool loop that a stream goes on with
--- @field schema multimodal.Schema?  what the reply's data must fit
--- @field attempts integer?  requests made for it; 1 where absent
--- @field earlier_ids string[]?  of the attempts that failed
--- @field place multimodal.Place?  among those in flight, left when the exchange is closed
--- @field first_text number?  seconds from the start of the exchange
--- @field opened boolean?     its failures are no attempt's any more
--- @field entry multimodal.JournalEntry?  of a journal that the reply is to be kept in
--- @field from_journal boolean?           it was kept there by an earlier run
local Response = {}
Response.__index = Response

--- @param request multimodal.Request
--- @param exchange multimodal.Exchange
--- @param status integer
--- @param headers table
--- @param url string
--- @return multimodal.Response
function M.new(request, exchange, status, headers, url)
  return setmetatable({
    request = request,
    dialect = request.client.dialect,
    exchange = exchange,
    status = status,
    headers = headers,
    url = url,
    on_text = request.options.on_text,
    on_event = request.options.on_event,
    schema = request.options.schema,
  }, Response)
end

--- Seconds since the exchange began, but for those in line before.
local function timing_of(self)
  local timing = self.exchange:timing()
  timing.first_text = self.first_text
  if self.place then timing.queued = (timing.queued or 0) + self.place.waited end
  return timing
end

local function close(self)
  self.exchange:close()
  self.timing = timing_of(self)
end

--- The first text of a stream is here.
function Response:noted_text()
  self.first_text = self.exchange:timing().total
end

--- Count what an answer cost, once; what a journal kept costs nothing.
local function settle(self, made)
  if self.settled or self.from_journal then return end
  self.settled = true
  account.settle(self.request.client, self.request.options, made.usage, made.text)
  if self.place then self.place:settle(made.usage) end
  if made.outcome == "complete" then observe.response(self.request, made, self.exchange) end
end

--- Tell the hook of an answer that is no reply, once it is read.
function Response:observed()
  observe.response(self.request, {
    status = self.status, request_id = self:request_id(), attempts = self.attempts, timing = timing_of(self),
  }, self.exchange)
end

--- @return string?
function Response:request_id()
  return reply_headers.request_id(self.headers)
end

--- A state of the dialect for reading a stream.
function Response:begin()
  return self.dialect.begin(self.request.options)
end

--- @return boolean
function Response:accepted()
  return self.status >= 200 and self.status < 300
end

--- Give a medium what it needs beside its bytes: the rules of its link; the format of sound without a head.
local function equip(self, part)
  if not media.is(part) then return end
  if part.kind == "audio" and not part:mime() then part.options.format = part.options.format or self.request.options.audio_format end
  if not part.url or part.blob or part.access then return end
  self.access = self.access or access.of(self.request.client, self.request.options)
  access.equip(part, self.access, self.request.warnings)
end

--- The pictures of a stream may be saved before its end.
--- @param events table[]
function Response:adopt(events)
  for i = 1, #events do
    local event = events[i]
    if event.type == "image" then equip(self, event.part) end
  end
end

--- The ids of all attempts that told one.
--- @param own? string  of the last one, where it does not stand in the headers
--- @return string[]
function Response:request_ids(own)
  local ids = {}
  for i, id in ipairs(self.earlier_ids or {}) do ids[i] = id end
  ids[#ids + 1] = own or self:request_id()
  return ids
end

--- The reply of what a dialect read.
--- @param neutral multimodal.Neutral
--- @param outcome "complete"|"truncated"|"stalled"|"cancelled"|"failed"|nil  nil while it still comes
--- @return multimodal.Reply
function Response:reply(neutral, outcome)
  local client = self.request.client
  local choices = neutral.choices
  for i = 1, #choices do
    local choice = choices[i]
    local parts = choice.parts
    for j = 1, #parts do equip(self, parts[j]) end
    messages.adopt(choice.message)
  end
  local made = reply.new(neutral, {
    outcome = outcome,
    gateway = client.name,
    model = self.request.options.model,
    status = self.status,
    headers = self.headers,
    url = self.url,
    attempts = self.attempts or 1,
    request_ids = self.earlier_ids and self:request_ids(reply_headers.request_id(self.headers, neutral.raw)),
    warnings = self.request.warnings,
    from_journal = self.from_journal,
    timing = self.timing or timing_of(self),
  })
  if outcome then settle(self, made) end
  return made
end

local unfinished = {
  length = "the reply ended at its limit of tokens; raise max_tokens",
  content_filter = "the reply was cut by a content filter",
}

--- Read the data of a reply where a schema was asked for. Calls of tools come before data, and so does a pause.
--- @param made multimodal.Reply    gets its `data`
--- @return multimodal.Error? err   kind schema: it has none that fits; err.partial is the reply
function Response:check(made)
  if not self.schema or made.tool_calls[1] or made.finish_reason == "pause" then return nil end
  local fits, value = self.schema:read(made.text, "data")
  if fits then
    made.data = value
    return nil
  end
  local err = value
  if made.refusal and made.text == "" then
    err.code, err.message = "refusal", "data: the model refused: " .. made.refusal
  elseif unfinished[made.finish_reason] then
    err.code, err.message = made.finish_reason, "data: " .. unfinished[made.finish_reason]
  end
  err.partial = made
  return err
end

--- What the server said, without the credentials that it was sent: some repeat them.
local function scrub(request, err)
  for _, name in ipairs { "message", "body" } do
    local said = err[name]
    if said then err[name] = address.scrubbed(request, request_headers.scrubbed(request.plan, said)) end
  end
end

--- An error with what is known of the request.
--- @param err multimodal.Error|table
--- @return multimodal.Error
function Response:fail(err)
  local request = self.request
  scrub(request, err)
  if request.opens ~= nil then check.advise(err, request.client, request.options) end
  local id = err.request_id or self:request_id()
  local failed = error_class.new(err, {
    gateway = request.client.name,
    model = request.options.model,
    status = self.status,
    request_id = id,
    request_ids = self:request_ids(id),
    attempts = self.attempts or 1,
    where = error_class.caller(),
  })
  if self.opened then observe.failure(request, self.attempts or 1, failed) end
  return failed
end

--- The failure of a body that ended before its time: a lost connection is a cut, whatever the socket said.
--- @param err multimodal.Error|table
--- @return multimodal.Error
function Response:cut(err)
  err = error_class.new(err)
  if err.kind ~= "network" then return err end
  return error_class.new { kind = "truncated", code = err.code, message = "the reply was cut off: " .. err.message }
end

--- The error of an answer that is not 2xx. Reads its body.
--- @async
--- @return multimodal.Error
function Response:refused()
  local event = self.exchange:next() or { type = "error", data = "", media = {} }
  close(self)
  local err = self.dialect.failure(self.status, self.headers, event)
  if self.status < 400 and not (err.told and err.told.parsed) then
    err.kind, err.code, err.retryable = "protocol", "redirect", false
    err.message = ("HTTP %d: neither an answer nor a redirect to follow; check base_url"):format(self.status)
  end
  return self:fail(tls_page.told(err, self.url))
end

--- A complete reply is kept where a journal was asked for.
--- @async
--- @param made multimodal.Reply
--- @param event table?  the body as it came
--- @param state table?  of the dialect, where it came as a stream
function Response:keep(made, event, state)
  if not self.entry then return end
  local exact = state and self.dialect.exact
  journal.keep(self.entry, made, event, exact and exact(state) or nil)
end

--- What was begun has failed.
--- @param err multimodal.Error
function Response:lose(err)
  if self.entry then self.entry:left(err) end
end

local function partial_of(self, err, outcome)
  err.partial = self:reply(self.dialect.partial(self:begin()), outcome)
  return nil, self:fail(err)
end

--- What an error says of how the reply ended.
--- @param err multimodal.Error
--- @return string
function M.outcome(err)
  if err.kind == "timeout" and err.code == "idle" then return "stalled" end
  if err.kind == "truncated" or err.kind == "cancelled" then return err.kind == "truncated" and "truncated" or "cancelled" end
  return "failed"
end

local function is_stream(headers)
  local kind = headers["content-type"]
  if kind == "application/json" then return false end
  return type(kind) == "string" and kind:lower():find("text/event-stream", 1, true) ~= nil
end

--- Read the whole body as one reply.
--- @async
--- @return multimodal.Reply?
--- @return multimodal.Error? err
function Response:whole()
  -- Some gateways stream whether asked or not.
  if is_stream(self.headers) then
    local opened, refused = stream.open(self)
    if not opened then return nil, refused end
    return opened:reply()
  end
  local event, err = self.exchange:next()
  local rest
  if event then rest, err = self.exchange:next() end
  close(self)
  if err then
    err = self:cut(err)
    return partial_of(self, err, M.outcome(err))
  end
  if not event then return nil, self:fail { kind = "protocol", code = "empty", message = "the reply has no body" } end
  if rest then return nil, self:fail { kind = "protocol", code = "syntax", message = "the reply is more than one JSON value" } end
  if event.type == "error" then return nil, self:fail(self.dialect.failure(self.status, self.headers, event)) end
  local neutral, fault = self.dialect.decode(event)
  if not neutral then return nil, self:fail(fault) end
  local made = self:reply(neutral, "complete")
  local unfit = self:check(made)
  if unfit then return nil, self:fail(unfit) end
  self:keep(made, event)
  return made
end

Response.outcome = M.outcome

--- Tell of a failure that nobody asked about.
--- @param err multimodal.Error
function Response.report(err)
  jobs.hooks.on_error(err)
end

return M
