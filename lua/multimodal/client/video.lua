--- ai:video, ai:task and ai:tasks: paid work that takes minutes, begun once, looked at until it is over.
--- Names: create task tasks.
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local failures = require("multimodal.dialect.failure")
local media = require("multimodal.media")
local options_table = require("multimodal.options")
local prompts = require("multimodal.prompt.prompt")
local raws = require("multimodal.client.raw")
local resolve = require("multimodal.client.resolve")
local sides = require("multimodal.client.task_side")
local task_call = require("multimodal.client.task_call")
local task_journal = compat.lazy("multimodal.client.task_journal")
local task_text = require("multimodal.client.task_text")
local verbs = require("multimodal.client.task_verbs")

local misuse = error_class.misuse

local M = {}

--- What a task dialect is given as a prompt.
--- @class multimodal.TaskPrompt
--- @field text string                 all texts, an empty line between them
--- @field parts (multimodal.TextPart|multimodal.Media|multimodal.RawPart)[]  media at hand, or links
--- @field places string[]             of the parts, for errors: "messages[1].content[2]"
--- @field raw table?                  the whole body, where the user wrote it

--- How tasks are said at one provider. All functions are pure.
--- @class multimodal.TaskDialect
--- @field create fun(prompt: multimodal.TaskPrompt, options: table, profile: table): table?, multimodal.Error?, string[]?
---   a request {method, path, query?, headers?, body?}; warnings
--- @field created fun(body: table): string?, table?    the id; more that inspect needs, such as {poll_url}
--- @field inspect fun(task: multimodal.Task): table    a request; with `url` where the provider named one, and `path` where
---   that leads elsewhere
--- @field status fun(body: table): table?, multimodal.Error?  {id, model, state (raw), progress, outputs, error, usage, raw}
--- @field states table<string, string>?                raw to neutral
--- @field delays number[]?                             seconds between looks; first, max_delay, jitter, timeout likewise
--- @field takes table<string, boolean>?                the options it can say; others are refused
--- @field cancel fun(task): table?                     with `cancels`: the states in which it can be
--- @field delete fun(task): table?                     with `deletes`: likewise
--- @field list fun(filter: table): table?              with listed(body) -> bodies, total
--- @field download fun(task): table?                   where a result is no link but a request
--- @field failure fun(status, headers, event): multimodal.Error?

--- Options of a chat, that no video has a place for.
local of_chat = {
  "system", "tools", "tool_choice", "parallel_tools", "max_steps", "schema", "max_tokens", "temperature", "top_p", "top_k", "stop",
  "n", "reasoning", "modalities", "image_size", "voice", "audio_format", "on_text", "on_event",
}

local function fail(client, options, err)
  return nil, error_class.new(err, { gateway = client.name, model = options.model, where = error_class.caller() })
end

local function unsupported(name, message)
  return error_class.new { kind = "unsupported", part = name, message = name .. ": " .. message }
end

--- The first option that has no place in such a task.
local function misplaced(side, options, own)
  for _, name in ipairs(of_chat) do
    if own[name] then return unsupported(name, "an option of a chat, not of a video") end
  end
  local takes = side.tasks.takes
  if not takes then return nil end
  for _, name in ipairs(options_table.video) do
    if options[name] ~= nil and not takes[name] then
      return unsupported(name, ("%s has no such setting; take it away (%s = false)"):format(side.name, name))
    end
  end
  return nil
end

--- The options with the model that is asked.
local function with_model(options, own, raw)
  local model = own.model or options.video_model or options.model
  model = options.aliases and options.aliases[model] or model
  if not model and type(raw) == "table" and type(raw.model) == "string" then model = raw.model end
  if not model then misuse("video_model: expected a string, got nil; name one at mm.client or at the call") end
  if model == options.model then return options end
  return options_table.over(options, { model = model })
end

--- What was said, as one list of parts.
local function gathered(list)
  local prompt, texts = { parts = {}, places = {} }, {}
  for i, message in ipairs(list) do
    if message.role ~= "user" then
      return nil, error_class.new {
        kind = "unsupported", part = ("messages[%d]"):format(i), message = "a video is made of what the user says, not of a conversation",
      }
    end
    for j, part in ipairs(message.content) do
      local n = #prompt.parts + 1
      prompt.parts[n], prompt.places[n] = part, ("messages[%d].content[%d]"):format(i, j)
      if not media.is(part) and part.type == "text" and type(part.text) == "string" then texts[#texts + 1] = part.text end
    end
  end
  prompt.text = table.concat(texts, "\n\n")
  return prompt
end

local function said_of(written, options, warnings)
  if written.raw then
    local value, err = raws.value(written.raw, options, written.options)
    if not value then return nil, err end
    if value.model == nil then value.model = options.model end
    return { text = "", parts = {}, places = {}, raw = value }
  end
  local list, err = resolve.messages(written.messages, options, warnings)
  if not list then return nil, err end
  return gathered(list)
end

--- The id in the answer to a creation. One without it may have begun the work all the same.
local function begun(side, got)
  local id, more
  if got.body then id, more = side.tasks.created(got.body) end
  if id then return { id = id, more = more, answer = got.answer, body = got.body } end
  local told = got.body and failures.in_body(got.body, got.event)
  if told then return nil, got.answer:fail(told) end
  return nil, got.answer:fail {
    kind = "protocol", code = "no_id", maybe_accepted = true, message = "the answer names no task",
    body = got.event and got.event.data:sub(1, 4096) or nil,
  }
end

local function send(call, options, warnings)
  local got, err = task_call.run(call, function(answer) return begun(call.client, answer) end)
  if not got then return nil, err end
  return verbs.begun(call.client, options, got, warnings)
end

--- The task that an earlier run left.
local function earlier(side, options, found)
  local entry = found.entry
  local seen = found.kept and side.tasks.status(found.kept.body)
  local task
  if seen then
    seen.id = seen.id or found.saved and found.saved.id
    task = verbs.seen(side, options, seen, entry.kept.request_id)
  else
    task = verbs.known(side, options, found.saved)
    task.entry = entry
  end
  task.from_journal = true
  return task
end

--- Begin a task once, however often the script is run.
local function journaled(call, options, warnings)
  local found, err = task_journal.begin(call)
  if not found then return fail(call.client, options, err) end
  if not found.entry.from_journal then
    return task_journal.send(found.entry, function() return send(call, options, warnings) end)
  end
  local task = earlier(call.client, options, found)
  for _, warning in ipairs(warnings) do task.warnings[#task.warnings + 1] = warning end
  return task
end

--- Begin a task. The request is sent again only where it was surely refused.
--- @async
--- @param client multimodal.Client
--- @param prompt string|table|multimodal.Raw
--- @param more? table
--- @return multimodal.Task?
--- @return multimodal.Error? err   with maybe_accepted where the work may have begun
function M.create(client, prompt, more)
  local written = raws.is(prompt) and { raw = prompt, options = raws.written(prompt, more) } or prompts.new(prompt, more)
  local own = written.options or {}
  local options
  client, options = client:for_call(written.options, true)
  local side, err = sides.of(client)
  if not side then return nil, err end
  options = with_model(options, own, written.raw and written.raw.value)
  err = misplaced(side, options, own)
  if err then return fail(client, options, err) end
  local warnings = {}
  local said
  said, err = said_of(written, options, warnings)
  if not said then return fail(client, options, err) end
  local wire, fault, notes = side.tasks.create(said, options, side.profile)
  if not wire then return fail(client, options, fault) end
  for _, note in ipairs(notes or {}) do warnings[#warnings + 1] = note end
  local call
  call, err = task_call.new(side, options, wire, "create")
  if not call then return nil, err end
  if options.journal then return journaled(call, options, warnings) end
  return send(call, options, warnings)
end

--- A task by its id, or by the text of task:dump(), or by what a provider's callback says; nothing is asked.
--- @param client multimodal.Client
--- @param written string
--- @param more? table  options
--- @return multimodal.Task?
--- @return multimodal.Error? err   the text is no task, or one of another gateway
function M.task(client, written, more)
  if type(written) ~= "string" or written == "" then misuse("task: expected an id or the text of task:dump(), got " .. type(written)) end
  if more then options_table.check(more) end
  local options
  client, options = client:for_call(more, true)
  local side, err = sides.of(client)
  if not side then return nil, err end
  local saved
  saved, err = task_text.read(written, side)
  if not saved then return fail(client, options, err) end
  if saved.model and saved.model ~= options.model then options = options_table.over(options, { model = saved.model }) end
  return verbs.known(side, options, saved)
end

local function is(kind, says)
  return { says = says, test = function(value) return type(value) == kind end }
end

local states = { queued = true, running = true, succeeded = true, failed = true, cancelled = true, expired = true }

--- @type table<string, multimodal.OptionType>
local filters = {
  state = {
    says = "queued, running, succeeded, failed, cancelled or expired",
    test = function(value) return states[value] == true end,
  },
  model = is("string", "a string"), service_tier = is("string", "a string"), ids = is("table", "a list of ids"),
  page = is("number", "a page, from 1"), limit = is("number", "how many in a page"),
}

--- The tasks that the provider knows of.
--- @async
--- @param client multimodal.Client
--- @param filter? {state: string?, model: string?, ids: string[]?, service_tier: string?, page: integer?, limit: integer?}
--- @return multimodal.Task[]?      `total` beside them, where it is told
--- @return multimodal.Error? err
function M.tasks(client, filter)
  filter = filter or {}
  options_table.check(filter, filters, "tasks: ")
  local side, err = sides.of(client)
  if not side then return nil, err end
  local wire = side.tasks.list and side.tasks.list(filter)
  if not wire then
    return fail(client, client.options, { kind = "unsupported", message = client.name .. " has no list of tasks; keep task:dump()" })
  end
  return task_call.send(side, client.options, wire, "poll", function(got)
    local bodies, total = side.tasks.listed(got.body or {})
    local list = { total = total }
    for _, body in ipairs(bodies) do
      local seen = type(body) == "table" and side.tasks.status(body)
      if seen and type(seen.id) == "string" then
        local task = verbs.seen(side, client.options, seen, got.answer:request_id())
        if not filter.state or task.state == filter.state then list[#list + 1] = task end
      end
    end
    return list
  end)
end

return M
