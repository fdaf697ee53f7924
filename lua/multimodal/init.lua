--- The public names of multimodal.
local client = require("multimodal.client")
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local host = require("multimodal.host")
local jobs = require("multimodal.runtime.jobs")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local mock = compat.lazy("multimodal.client.mock")
local options = require("multimodal.options")
local progress = compat.lazy("multimodal.client.progress")
local raw = require("multimodal.client.raw")
local relay = compat.lazy("multimodal.reply.relay")
local schemas = compat.lazy("multimodal.prompt.schema")
local secret = require("multimodal.client.secret")
local tools = compat.lazy("multimodal.prompt.tools")

--- @class multimodal
local M = {}

--- A gateway, a key, a model and defaults: options, a word "gateway/model", or nothing for MULTIMODAL_CLIENT.
M.client = client.new

--- A gateway without sockets, for tests.
--- @param answers multimodal.MockAnswer[]
--- @return multimodal.Mock
function M.mock(answers)
  return mock.new(answers)
end

--- A text part; its second argument are further fields of the part on the wire.
M.text = messages.text

--- An image: a path, an http(s), s3 or gs URL, a data URL, a blob, a part; or a table whose first field is one of
--- these, or that names it: { path = } { url = } { data_url = } { base64 = } { bytes =, mime = } { blob = }.
--- @param source string|table|userdata|multimodal.Media
--- @param more? table   options: detail, mime, filename, role, extra
--- @return multimodal.Media
function M.image(source, more)
  return media.new("image", source, more)
end

--- Audio, from the sources of `image`.
--- @param source string|table|userdata|multimodal.Media
--- @param more? table
--- @return multimodal.Media
function M.audio(source, more)
  return media.new("audio", source, more)
end

--- A video, from the sources of `image`.
--- @param source string|table|userdata|multimodal.Media
--- @param more? table
--- @return multimodal.Media
function M.video(source, more)
  return media.new("video", source, more)
end

--- A document, from the sources of `image`.
--- @param source string|table|userdata|multimodal.Media
--- @param more? table
--- @return multimodal.Media
function M.file(source, more)
  return media.new("file", source, more)
end

--- Image, audio, video or file, whichever the type of the source says.
M.attach = media.attach

--- A message of the user: a string, a part, or a list of them; name and extra beside.
--- @param said string|table
--- @return multimodal.Message
function M.user(said)
  return messages.new("user", said)
end

--- A message of the model.
--- @param said string|table
--- @return multimodal.Message
function M.assistant(said)
  return messages.new("assistant", said)
end

--- Instructions.
--- @param said string|table
--- @return multimodal.Message
function M.system(said)
  return messages.new("system", said)
end

--- A tool: { name, description, parameters, run = function(arguments, call) -> result | nil, message }.
--- @param spec {name: string, description: string?, parameters: table|string|nil, run: multimodal.ToolRun?, strict: boolean?}
--- @return multimodal.Tool
function M.tool(spec)
  return tools.new(spec)
end

--- The message that answers a call of reply.tool_calls, for loops made by hand.
--- @param call multimodal.ToolCall|string  a call of reply.tool_calls, or its id
--- @param value any                        as a tool's run returns it
--- @param more? {error: boolean?}          error: the value tells what failed
--- @return multimodal.Message
function M.tool_result(call, value, more)
  return tools.result(call, value, more)
end

--- What a structured reply must look like, in a short form: mm.schema { name = "string", tags = { "string" } }.
--- @param form string|table
--- @param more? {name: string?, description: string?, strict: boolean?}  strict asks the gateway to hold to it
--- @return multimodal.Schema
function M.schema(form, more)
  return schemas.new(form, more)
end

--- A request that goes out as equal JSON: a table or JSON text.
M.raw = raw.new

--- Likewise of a file of JSON, read when it is sent.
M.load = raw.load

--- A key or header value that prints as "secret".
M.secret = secret.new

--- An event of a stream, a piece of text or an error as a server-sent event for a browser.
--- @param event table|string|multimodal.Error
--- @return string
function M.sse(event)
  return relay.sse(event)
end

--- A hook that shows how far a thing is: a line that rewrites itself on a terminal, now and then a line elsewhere.
--- @param more? {out: file*?, terminal: boolean?, every: number?}
--- @return fun(now: multimodal.Progress)
function M.progress(more)
  return progress.new(more)
end

--- Raise a returned error as text, for hosts that print no error tables; else pass everything on.
M.check = error_class.check

for _, name in ipairs { "run", "spawn", "group", "all", "map", "each", "race", "timeout", "sleep", "wrap", "blocking", "step" } do
  M[name] = jobs[name]
end

--- Event loops of others that move jobs on: mm.host.luv(uv, {schedule =}), mm.host.cqueues(controller).
M.host = host

--- A failure that nobody asked about; set it to hear of them elsewhere than on stderr.
--- @param err multimodal.Error|any
--- @param job any
function M.on_error(err, job)
  io.stderr:write("multimodal: ", tostring(err), "\n")
end

-- Looked up each time, so that a script may set mm.on_error.
jobs.hooks.on_error = function(err, job)
  return M.on_error(err, job)
end

local function unknown(_, name)
  if client.has(name) then
    error_class.misuse(("mm.%s: a client does this: local ai = mm.client { ... }, then ai:%s(...)"):format(name, name))
  end
  local near = type(name) == "string" and options.nearest(name, M)
  error_class.misuse(("mm.%s: %s"):format(tostring(name), near and ("did you mean mm.%s?"):format(near) or "no such name"))
end

return setmetatable(M, { __index = unknown })
