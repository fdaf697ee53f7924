--- A request before it is sent: what goes out, to look at, to paste into a shell, or to send.
--- Names: new.
local address = require("multimodal.client.address")
local attempts = require("multimodal.client.attempts")
local check = require("multimodal.client.check")
local compat = require("multimodal.compat")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local headers = require("multimodal.client.headers")
local jobs = require("multimodal.runtime.jobs")
local json = require("multimodal.json")
local replay = compat.lazy("multimodal.client.journal.replay")
local options_table = require("multimodal.options")
local prompts = require("multimodal.prompt.prompt")
local raws = require("multimodal.client.raw")
local resolve = require("multimodal.client.resolve")
local schemas = compat.lazy("multimodal.prompt.schema")
local steps = compat.lazy("multimodal.client.steps")
local stream = require("multimodal.reply.stream")
local tools = compat.lazy("multimodal.prompt.tools")
local transport = require("multimodal.client.transport")
local uploads = compat.lazy("multimodal.client.upload")
local urls = require("multimodal.policy.url")

local M = {}

--- @class multimodal.Request
--- @field method string
--- @field url string       keys in its query by the names of variables
--- @field target multimodal.Secret|false  the URL where it differs from that
--- @field headers table<string, string>  credentials by the name of a variable
--- @field warnings string[]
--- @field client multimodal.Client
--- @field options table
--- @field body userdata
--- @field streams boolean   the answer is streamed
--- @field operation string?  as records name it; "chat" unless named
--- @field kind string?      of paid call, for a journal; "generate" unless named
--- @field opens boolean     send() gives the stream itself
--- @field messages multimodal.Message[]  what is said, media at hand; empty where the request is raw
--- @field tools table<string, table>|false  by name
--- @field decoder table|false   options of the decoder, where they are not the dialect's
local Request = { __name = "multimodal.request" }
local methods = {}

function Request:__index(name)
  if name == "headers" then return headers.shown(self.plan, self.client.key) end
  return methods[name]
end

--- Fields that a call does not change are planned once for a client.
local function plan_of(client, options, dialect_headers, streams)
  local usual = options == client.options and (dialect_headers == nil or next(dialect_headers) == nil)
  local name = streams and "stream" or "whole"
  if usual and client.plans[name] then return client.plans[name] end
  local plan = headers.plan(client, options, dialect_headers, streams)
  if usual then client.plans[name] = plan end
  return plan
end

--- Where in the prompt an encoding failed, from the path in the message.
local function part_of(message)
  local part = message:match("messages%[%d+%]%.content%[%d+%]")
  if part then return part end
  local whole = message:match("messages%[%d+%]%.content")
  return whole and whole .. "[1]" or message:match("messages%[%d+%]")
end

local function body_of(value)
  local body, err = core.body(value)
  if body then return body end
  err = error_class.new(err)
  if err.code ~= "utf8" and err.code ~= "too_large" then error_class.misuse(err.message) end
  err.kind = err.code == "utf8" and "bad_request" or "too_large"
  err.part = part_of(err.message)
  if err.part then err.message = err.message:gsub("^messages%[%d+%]%.content:", err.part .. ":") end
  if err.code == "utf8" then err.message = err.message .. "; convert the text to UTF-8, or send the bytes as mm.file { bytes = }" end
  return nil, err
end

local function extend(list, more)
  for i = 1, more and #more or 0 do list[#list + 1] = more[i] end
end

local function fail(client, options, err)
  return nil, error_class.new(err, { gateway = client.name, model = options.model, where = error_class.caller() })
end

--- A raw request with what belongs into it, and the options with the model that it names.
local function said_raw(client, options, written)
  local value, err = raws.value(written.raw, options, written.options)
  if not value then return nil, err end
  if value.model == nil and options.model == nil and client.profile.model_required then
    error_class.misuse("model: expected a string, got nil; the request names none, nor does the client")
  end
  if type(value.model) == "string" then options = options_table.over(options, { model = value.model }) end
  return { messages = {}, raw = value, options = options, stream = false }
end

--- A call without its result is refused by every gateway, and badly told by most.
local function check_results(list, dialect)
  local index, id, name = tools.unanswered(list, dialect.by_turns)
  if not index then return list end
  return nil, error_class.new {
    kind = "bad_request", code = "missing_tool_result", part = ("messages[%d]"):format(index),
    message = ("the call %s of %s has no result after it; add mm.tool_result(call, value)"):format(id, name),
  }
end

--- Messages with their media at hand; what is too large for a request is uploaded where that is wanted.
local function resolved(client, list, options, warnings)
  local found, err = check_results(list, client.dialect)
  if not found then return nil, err end
  found, err = resolve.messages(list, options, warnings, client)
  if not found or options.upload ~= "auto" then return found, err end
  local copy = {}
  extend(copy, found)
  return uploads.replace(client, copy, options)
end

--- What is said, with media at hand: messages, or a request that was written by hand.
local function said_of(client, options, written, warnings)
  if written.raw then return said_raw(client, options, written) end
  local list, err = resolved(client, prompts.with_system(written.messages, options.system), options, warnings)
  if not list then return nil, err end
  local fine
  fine, err = check.run(client, options, list, warnings)
  if not fine then return nil, err end
  return { messages = list, options = options, stream = false }
end

--- Options of ai:video that say nothing in a chat.
local of_video = {}
for _, name in ipairs(options_table.video) do of_video[name] = name ~= "aspect_ratio" and name ~= "seed" end

local function refuse_video(options)
  for name, value in pairs(options) do
    if of_video[name] and value then
      error_class.misuse(name .. ": an option of ai:video, not of a chat; a field of the body goes into extra = { ... }")
    end
  end
end

local function written_of(prompt, more)
  local written = raws.is(prompt) and { raw = prompt, options = raws.written(prompt, more) } or prompts.new(prompt, more)
  if written.options then refuse_video(written.options) end
  return written
end

--- Tools and schema as the dialect takes them, in a copy of the options; the tools by name.
local function with_tools(options, warnings)
  if not options.tools and not options.schema then return options end
  local copy, by_name = options_table.over(options, {}), nil
  if options.tools then
    copy.tools, by_name = tools.of(options.tools)
    tools.check_choice(options.tool_choice, by_name)
  end
  if options.schema then
    copy.schema = schemas.of(options.schema)
    for _, keyword in ipairs(copy.schema.unchecked) do
      warnings[#warnings + 1] = ("schema: %s is sent, and not checked in the reply"):format(keyword)
    end
  end
  return copy, by_name
end

--- The request of what is said.
local function build(client, said, warnings, opens)
  local options, by_name = said.options, nil
  local streams = not said.verb and (opens or (options.on_text or options.on_event) ~= nil)
  if not said.raw then said.options, by_name = with_tools(options, warnings) end
  said.stream = streams
  local wire, fault, notes = client.dialect[said.verb or "encode"](said, client.profile)
  if not wire then return fail(client, options, fault) end
  extend(warnings, notes)
  local url, target = address.of(client, wire.path, wire.query, options)
  transport.warn(warnings, options, url)
  local body, err = body_of(wire.body)
  if not body then return fail(client, options, err) end
  return setmetatable({
    method = wire.method,
    url = url,
    target = target or false,
    plan = plan_of(client, options, wire.headers, streams),
    body = body,
    client = client,
    options = said.options,
    warnings = warnings,
    streams = streams,
    opens = opens,
    messages = said.messages,
    tools = by_name or false,
    decoder = false,
  }, Request)
end

--- Build the request for a prompt. Files are opened and links fetched here, nothing is sent.
--- @async
--- @param client multimodal.Client
--- @param prompt string|table
--- @param more? table       options that win over the prompt's
--- @param opens boolean     send() gives a stream
--- @param verb? "count"      what the dialect is to ask, where it is no reply
--- @return multimodal.Request?
--- @return multimodal.Error? err
function M.new(client, prompt, more, opens, verb)
  local written = written_of(prompt, more)
  local options
  client, options = client:for_call(written.options, written.raw ~= nil)
  local warnings = {}
  local said, err = said_of(client, options, written, warnings)
  if not said then return fail(client, options, err) end
  said.verb = verb
  return build(client, said, warnings, opens)
end

--- The request that follows in a tool loop: the same with more said. A tool that had to be called was called; were it
--- asked for again, the loop would not end.
--- @async
--- @param more multimodal.Message[]
--- @return multimodal.Request?
--- @return multimodal.Error? err
function methods:following(more)
  local list, warnings, options = {}, {}, self.options
  extend(list, self.messages)
  extend(list, more)
  if options.tool_choice ~= "none" then options = options_table.over(options, { tool_choice = false }) end
  local messages, err = resolved(self.client, list, options, warnings)
  if not messages then return fail(self.client, options, err) end
  return build(self.client, { messages = messages, options = options, stream = false }, warnings, self.opens)
end

--- The body as a Lua table, media written out.
--- @return table
function methods:json()
  return assert(json.decode(tostring(self.body), { null = true }))
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- The most of a body that a command line shows.
local shown_body = 128 * 1024

--- The request as a curl command; a key stands there as the name of its variable.
--- @return string
function methods:curl()
  local url = quoted(self.url)
  if self.target then url = url:gsub("=(%$[%u%d_]+)", "='\"%1\"'"):gsub("''$", "") end
  local lines = { "curl -X " .. self.method .. " " .. url }
  local shown = self.headers
  for _, header in ipairs(self.plan) do
    local line = header.name .. ": " .. shown[header.name]
    -- Only what is shown in place of a credential is for the shell to fill in.
    local stands_in = shown[header.name] ~= header.value
    lines[#lines + 1] = "-H " .. (stands_in and '"' .. line .. '"' or quoted(line))
  end
  local length = self.body:length()
  if length <= shown_body then
    lines[#lines + 1] = "--data-binary " .. quoted(tostring(self.body))
  else
    lines[#lines + 1] = ("--data-binary @body.json  # %d bytes"):format(length)
  end
  return table.concat(lines, " \\\n  ")
end

--- A prompt may be asked twice: what it begins ends with its answer.
local function try(self, made_of)
  local value, err
  if self.options.journal then value, err = replay.send(self, made_of) else value, err = attempts.run(self, "chat", made_of) end
  if value == nil then return fail(self.client, self.options, err) end
  return value
end

local function opened(answer)
  answer.opened = true
  return answer
end

local function read(answer)
  return answer:whole()
end

--- Send it and wait for the head of an answer that is no refusal.
--- @async
--- @return multimodal.Response?
--- @return multimodal.Error? err
function methods:open()
  return try(self, opened)
end

--- Send it and wait for the whole reply, tools not run.
--- @async
--- @return multimodal.Reply?
--- @return multimodal.Error? err
function methods:whole()
  return try(self, read)
end

--- Send it and wait for the whole reply, or for the first content of a stream where it was made for one. Tools that
--- can be run are run, and the reply is the last one.
--- @async
--- @return multimodal.Reply|multimodal.Stream|nil
--- @return multimodal.Error? err
function methods:send()
  local loop = self.tools and steps.new(self)
  if not self.streams then
    if loop then return loop:whole() end
    return self:whole()
  end
  local stream_of, err = try(self, function(answer)
    answer.steps = loop
    local begun, fault = stream.open(answer)
    answer.opened = begun ~= nil
    return begun, fault
  end)
  if not stream_of then return nil, err end
  if self.opens then return jobs.own(stream_of) end
  return jobs.guard(stream_of.close, stream_of.reply, stream_of)
end

function Request:__tostring()
  return ("multimodal.request: %s %s"):format(self.method, urls.shown(self.url))
end

return M
