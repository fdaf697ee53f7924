--- A reply that still comes: an iterator, a promise and a snapshot in one object.
--- Names: open.
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local growing = compat.lazy("multimodal.reply.growing")

local M = {}

--- @class multimodal.Stream
--- @field partial multimodal.Reply     what has come so far
--- @field request_id string?
--- @field warnings string[]
--- @field fallbacks multimodal.Error[]?  of the clients that were asked before
--- @field on_end fun(reply: multimodal.Reply)?  called once it has ended well
local Stream = { __name = "multimodal.stream" }
local methods = {}

--- @class multimodal.StreamSource     what a stream is opened on: multimodal.Response
--- @field exchange multimodal.Exchange
--- @field dialect multimodal.Dialect
--- @field begin fun(self): table       a state of the dialect
--- @field reply fun(self, neutral: multimodal.Neutral, outcome: string?): multimodal.Reply
--- @field fail fun(self, err: table): multimodal.Error
--- @field request_id fun(self): string?
--- @field cut fun(self, err: table): multimodal.Error
--- @field outcome fun(err: multimodal.Error): string
--- @field report fun(err: multimodal.Error)   a failure that nobody asked about
--- @field check (fun(self, reply: multimodal.Reply): multimodal.Error?)?  reads the data of the last reply
--- @field keep (fun(self, reply: multimodal.Reply, event: nil, state: table))?  sees each complete reply
--- @field lose (fun(self, err: multimodal.Error))?    an answer failed
--- @field schema multimodal.Schema?   what that data must fit
--- @field steps multimodal.StreamSteps?  the tool loop that goes on after a reply
--- @field adopt (fun(self, events: table[]))?  sees each event before it is handed out
--- @field on_text (fun(text: string): any)?
--- @field on_event (fun(event: table): any)?
--- @field noted_text (fun(self))?      the first text is here

--- @class multimodal.StreamSteps
--- @field wants fun(self, reply: multimodal.Reply): boolean   its tools are to be run
--- @field run fun(self, reply: multimodal.Reply): table[]     events
--- @field open fun(self): multimodal.StreamSource?, multimodal.Error?
--- @field finish fun(self, reply: multimodal.Reply): multimodal.Reply
--- @field so_far fun(self, outcome: string?): multimodal.Reply

-- `turn` says where a tool loop stands between two answers: "run" (the tools of `made`), "running", "open" (the next
-- answer); false while an answer comes, and at the end.

local function no_text()
  return nil
end

--- The answer has come to its end: nothing of it is asked for any more.
local function mark_over(self)
  self.over, self.next_text = true, no_text
end

local function close_exchange(self)
  mark_over(self)
  self.exchange:close()
end

local function is_open(self)
  return not self.over or self.turn ~= false
end

--- next_text of an exchange, which tells the source of the first text and then makes way.
local function noting(self, source, next_text)
  return function(exchange)
    local text, why = next_text(exchange)
    if text then
      self.next_text, self.silent = next_text, false
      source:noted_text()
    end
    return text, why
  end
end

--- Read from an answer.
local function begin(self, source)
  self.source, self.exchange, self.dialect = source, source.exchange, source.dialect
  self.next_text, self.text_delta, self.state = source.exchange.next_text, source.dialect.text_delta, source:begin()
  self.silent = source.noted_text ~= nil
  if self.silent then self.next_text = noting(self, source, self.next_text) end
  self.over, self.turn, self.made = false, false, nil
end

--- The reply as far as it has come.
local function partial_of(self, outcome)
  local source = self.source
  if self.turn == "open" then return source.steps:so_far(outcome) end
  local made = source:reply(self.dialect.partial(self.state), outcome)
  return source.steps and source.steps:finish(made) or made
end

--- End with a failure. It is reported when the stream is collected and reply() was never called.
local function fail(self, err, asked)
  local source = self.source
  err = error_class.new(err)
  err.partial = err.partial or partial_of(self, source.outcome(err))
  close_exchange(self)
  self.turn = false
  self.failure = source:fail(err)
  if source.lose then source:lose(self.failure) end
  if asked then
    self.queue = false
    return
  end
  local unasked = { self.failure }
  self.unasked = unasked
  self.guard = compat.finalizer(function()
    if unasked[1] then source.report(unasked[1]) end
  end)
end

--- End well, if the data are what was asked for.
local function conclude(self, made)
  local source = self.source
  if source.steps then source.steps:finish(made) end
  made.fallbacks = self.fallbacks
  local unfit = source.schema and source:check(made)
  if unfit then return fail(self, unfit) end
  if source.keep then source:keep(made, nil, self.state) end
  self.result, self.last = made, { type = "done", reply = made }
  if self.on_end then self.on_end(made) end
end

--- An answer ended well. After its end mark nobody waits for the end of the body. Tools are run when somebody comes for
--- what follows.
local function succeed(self, neutral)
  local source = self.source
  mark_over(self)
  self.exchange:leave()
  local made = source:reply(neutral, "complete")
  if source.steps and source.steps:wants(made) then
    if source.keep then source:keep(made, nil, self.state) end
    self.turn, self.made = "run", made
    return
  end
  conclude(self, made)
end

--- What follows a reply whose tools are run here: their results, then the next answer.
local function go_on(self)
  local steps = self.source.steps
  if self.turn == "run" then
    self.turn = "running"
    local events = steps:run(self.made)
    self.queue, self.at, self.turn = events, 1, "open"
    return
  end
  if self.turn == "running" then
    return fail(self, { kind = "cancelled", code = "tools", message = "the wait for the tools was broken off" })
  end
  local source, err = steps:open()
  if not source then return fail(self, err) end
  source.steps = steps
  begin(self, source)
end

--- The body ended, with an error or without: complete if the dialect has seen its end.
local function finish(self, err)
  local cut = err and self.source:cut(err)
  if cut and cut.kind ~= "truncated" and cut.kind ~= "timeout" then return fail(self, cut) end
  local neutral, unfinished = self.dialect.finish(self.state)
  if neutral then return succeed(self, neutral) end
  fail(self, cut or unfinished)
end

--- Tell the source of the first text among some events.
local function note_text(self, deltas)
  for i = 1, #deltas do
    if deltas[i].type == "text" then
      self.silent, self.next_text = false, self.exchange.next_text
      return self.source:noted_text()
    end
  end
end

local function receive(self)
  local event, err = self.exchange:next()
  if not event then return finish(self, err) end
  if event.type == "error" then
    return fail(self, self.dialect.failure(self.source.status, self.source.headers, event))
  end
  local deltas, fault = self.dialect.delta(self.state, event)
  if not deltas then return fail(self, fault) end
  if self.source.adopt then self.source:adopt(deltas) end
  if self.silent then note_text(self, deltas) end
  self.queue, self.at = deltas, 1
  if self.dialect.ended(self.state) then finish(self) end
end

--- The next of what was received and waits: events, no strings.
local function unqueue(self)
  local event = self.queue[self.at]
  self.at = self.at + 1
  if event == nil then self.queue = false end
  return event
end

--- What came instead of text: an event, or the end.
local function take_other(self, why)
  if why == "event" then receive(self) else finish(self, why) end
end

--- The next thing that came: text as a string and true, anything else as an event; nil when nothing more comes.
local function pull(self)
  while true do
    if self.queue then
      local event = unqueue(self)
      if event ~= nil then return event end
    elseif self.turn then
      go_on(self)
    elseif self.over then
      local event = self.last
      self.last = nil
      return event
    else
      local text, why = self.next_text(self.exchange)
      if not text then
        take_other(self, why)
      else
        text = self.text_delta(self.state, text)
        if text ~= "" then return text, true end
      end
    end
  end
end

local function event_of(thing)
  if type(thing) == "string" then return { type = "text", delta = thing } end
  return thing
end

local function text_of(thing)
  if type(thing) == "string" then return thing end
  return thing.type == "text" and thing.delta or nil
end

--- Let the hooks see what came; one that returns false stops the stream.
local function show(self, thing)
  local source, text = self.source, text_of(thing)
  local stopped = text and source.on_text and source.on_text(text) == false
  stopped = stopped or source.on_event and source.on_event(event_of(thing)) == false
  if stopped and is_open(self) then
    fail(self, { kind = "cancelled", code = "hook", message = "a hook returned false" }, true)
  end
  return not stopped
end

--- pull, seen by the hooks.
local function take(self)
  if not self.hooked then return pull(self) end
  local thing, is_text = pull(self)
  if thing ~= nil and show(self, thing) then return thing, is_text end
  return nil
end

local function next_event(self)
  local thing = take(self)
  return thing ~= nil and event_of(thing) or nil
end

local function next_seen_text(self)
  while true do
    local thing, is_text = take(self)
    if is_text or thing == nil then return thing end
    if thing.type == "text" then return thing.delta end
  end
end

-- Most of a stream is text with nothing before it in the queue, and no hooks to see it, so that way is short. What is no
-- text is still there when pull asks again.
local function next_text(self)
  while true do
    local text = not self.queue and self.next_text(self.exchange)
    if text then
      text = self.text_delta(self.state, text)
      if text ~= "" then return text end
    else
      local thing, is_text = pull(self)
      if is_text or thing == nil then return thing end
      if thing.type == "text" then return thing.delta end
    end
  end
end

local function next_image(self)
  while true do
    local thing, is_text = take(self)
    if thing == nil then return nil end
    if not is_text and thing.type == "image" then return thing.part, thing.index end
  end
end

--- `for text in stream.text do` would call the iterator's maker for ever.
local function check(self, name)
  if getmetatable(self) ~= Stream then error_class.misuse(("%s: write stream:%s(), with a colon"):format(name, name)) end
end

--- The pieces of text as they come. One pass: what was taken does not come again. A failure ends the loop, and
--- reply() tells it; a `break` closes the stream (Lua 5.4; elsewhere call close).
--- @async
--- @return fun(stream: multimodal.Stream): string?
--- @return multimodal.Stream
function methods:text()
  check(self, "text")
  return self.hooked and next_seen_text or next_text, self, nil, self
end

--- All events as they come: start, text, reasoning, image, audio, tool_start, tool_delta, tool_end, usage, finish, done.
--- Where tools are run, tool_result and step follow the finish of each step, and the next one starts.
--- @async
--- @return fun(stream: multimodal.Stream): table?
--- @return multimodal.Stream
function methods:events()
  check(self, "events")
  return next_event, self, nil, self
end

--- The pictures as they come, with their index from 0.
--- @async
--- @return fun(stream: multimodal.Stream): multimodal.Media?, integer?
--- @return multimodal.Stream
function methods:images()
  check(self, "images")
  return next_image, self, nil, self
end

--- Start a value anew with each step of a tool loop; the last value is the checked one of the reply.
local function next_data(self)
  while true do
    local thing = take(self)
    if thing == nil then return nil end
    local text = text_of(thing)
    if text then
      self.growing = self.growing or growing.new()
      local value = self.growing:feed(text)
      if value ~= nil then return value end
    elseif thing.type == "step" then
      self.growing = nil
    elseif thing.type == "done" then
      return thing.reply.data
    end
  end
end

--- The data of a structured reply as they grow, each time the text has grown by an eighth: fields and items that have
--- begun are there, and nothing is checked. The last is whole and fits the schema; where it does not, the loop ends
--- before it and reply() tells why.
--- @async
--- @return fun(stream: multimodal.Stream): any
--- @return multimodal.Stream
function methods:data()
  check(self, "data")
  if not self.source.schema then error_class.misuse("data: no schema was asked for; pass schema = mm.schema { ... }") end
  return next_data, self, nil, self
end

--- The whole reply; reads what is left first.
--- @async
--- @return multimodal.Reply?
--- @return multimodal.Error? err   err.partial is what had come
function methods:reply()
  check(self, "reply")
  while not self.result and not self.failure do
    if take(self) == nil then break end
  end
  if self.result then return self.result end
  if self.unasked then self.unasked[1] = nil end
  return nil, self.failure
end

--- Stop: the connection is closed at once. A stream that has ended stays as it ended.
function methods:close()
  if not is_open(self) then return end
  fail(self, { kind = "cancelled", code = "closed", message = "the stream was closed before its end" }, true)
end

function Stream:__index(name)
  if name == "request_id" then return self.source:request_id() end
  if name ~= "partial" then return methods[name] end
  if self.result then return self.result end
  if self.failure then return self.failure.partial end
  return partial_of(self)
end

Stream.__close = methods.close

function Stream:__tostring()
  local state = self.result and "complete" or self.failure and tostring(self.failure.kind) or "open"
  return "multimodal.stream: " .. state
end

local opens_with = { start = true, usage = true, finish = true, done = true }

--- Read on until there is content, so that what is refused late is still refused at opening.
local function hold(self)
  local held = {}
  repeat
    local thing, is_text = pull(self)
    if is_text then thing = event_of(thing) end
    held[#held + 1] = thing
  until thing == nil or not opens_with[thing.type]
  for at = self.at, self.queue and #self.queue or 0 do held[#held + 1] = self.queue[at] end
  self.queue, self.at = held, 1
end

--- Open a stream on an answer whose head is here. Waits for its first content.
--- @async
--- @param source multimodal.StreamSource
--- @return multimodal.Stream?
--- @return multimodal.Error? err
function M.open(source)
  local self = setmetatable({
    queue = false,
    at = 1,
    hooked = (source.on_text or source.on_event) ~= nil,
    warnings = source.request and source.request.warnings or {},
    -- What begin fills in: a table that grows would cost more.
    source = source, exchange = false, dialect = false, next_text = false, text_delta = false, state = false,
    silent = false, over = false, turn = false,
  }, Stream)
  begin(self, source)
  hold(self)
  if not self.failure then return self end
  self.unasked[1] = nil
  return nil, self.failure
end

return M
