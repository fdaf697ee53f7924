--- A client: a gateway, a key, a model and defaults. It makes requests of prompts and sends them.
--- Names: new has.
local compat = require("multimodal.compat")
local account = require("multimodal.client.account")
local address = require("multimodal.client.address")
local count = compat.lazy("multimodal.client.count")
local chat = compat.lazy("multimodal.client.chat")
local download = compat.lazy("multimodal.client.download")
local error_class = require("multimodal.error")
local fallback = require("multimodal.client.fallback")
local headers = require("multimodal.client.headers")
local http = compat.lazy("multimodal.client.http")
local image = compat.lazy("multimodal.client.image")
local key = require("multimodal.client.key")
local link = require("multimodal.client.link")
local options_table = require("multimodal.options")
local video = compat.lazy("multimodal.client.video")
local models = compat.lazy("multimodal.client.models")
local media = require("multimodal.media")
local profiles = require("multimodal.client.profile")
local request = require("multimodal.client.request")
local secret = require("multimodal.client.secret")
local size = compat.lazy("multimodal.client.size")
local transport = require("multimodal.client.transport")
local urls = require("multimodal.policy.url")
local upload = compat.lazy("multimodal.client.upload")

local misuse = error_class.misuse

local M = {}

media.set_fetch(link.get)
media.set_download(function(part, path, options)
  return download.save(part, path, options)
end)

--- @class multimodal.Client
--- @field name string            of the gateway, for errors and replies
--- @field given table            options as they were written, for derived clients
--- @field options table          the effective ones
--- @field profile table          the gateway's data
--- @field dialect multimodal.Dialect
--- @field base {root: string, query: string, host: string}
--- @field key multimodal.Key
--- @field transport multimodal.Transport  what the driver needs beside the request
--- @field driver multimodal.Driver?  of a mock; else the host's
--- @field plans table            headers that do not change from call to call
--- @field task_side multimodal.TaskSide?  made when a task is first asked for
--- @field shelf table            what was fetched of the gateway: its models
--- @field spent multimodal.Spent  by it and the clients derived of it
local Client = { __name = "multimodal.client" }
Client.__index = Client

--- A client, and not what stands after the dot of ai.generate("Hi").
local function check_self(client, name)
  if getmetatable(client) ~= Client then misuse(("a client's methods are called with a colon: ai:%s(...)"):format(name)) end
end

--- "openrouter/google/gemini-2.5-flash": gateway, first slash, model.
local function of_word(word, from)
  local gateway, model = word:match("^([%w_-]+)/(.+)$")
  gateway = gateway or word:match("^[%w_-]+$")
  if not gateway then misuse(('%s: expected "gateway/model", got %q'):format(from, word)) end
  return { gateway = gateway, model = model }
end

local function of_environment()
  local word = os.getenv("MULTIMODAL_CLIENT")
  return word and word ~= "" and of_word(word, "MULTIMODAL_CLIENT") or nil
end

local function dialect_of(name)
  local dialect = name:find("^[%w_]+$") and compat.optional("multimodal.dialect." .. name)
  -- What dialects share stands in the same folder.
  if type(dialect) == "table" and dialect.encode then return dialect end
  misuse(("dialect: %q is unknown; openai, gemini and anthropic are known"):format(name))
end

--- A model's name behind a word of the user's own.
local function resolve_model(options)
  local known = options.aliases and options.model and options.aliases[options.model]
  if known then options.model = known end
  return options
end

--- Options with their keys as secrets. Takes a table of its own.
local function hide(options)
  local value = options.api_key
  if type(value) == "string" or type(value) == "function" then options.api_key = secret.new(value) end
  if options.headers then options.headers = headers.hide(options.headers) end
  if options.query then options.query = headers.hide(options.query) end
  address.hide(options)
  transport.hide(options)
  return options
end

local function build(given)
  options_table.check(given)
  hide(given)
  local profile = profiles.of(given)
  local options = resolve_model(options_table.over(profile.options or {}, given))
  local base = profiles.base_url(profile, options)
  options.api_key = nil
  return setmetatable({
    name = profile.name == "compatible" and base.host or profile.name,
    given = given,
    options = options,
    profile = profile,
    dialect = dialect_of(options.dialect or profile.dialect or "openai"),
    base = base,
    key = key.new(given.api_key, profile.key_variable),
    transport = transport.of(options),
    driver = profile.driver,
    plans = {},
    shelf = {},
    spent = account.new(),
  }, Client)
end

local function copy_over(base, own)
  local all = {}
  for name, value in pairs(base) do all[name] = value end
  for name, value in pairs(own) do all[name] = value end
  return all
end

--- Make a client. Without a gateway or a base_url, MULTIMODAL_CLIENT names them.
--- @param spec string|table|nil  "gateway/model", or options
--- @return multimodal.Client
function M.new(spec)
  if type(spec) == "string" then return build(of_word(spec, "client")) end
  if spec ~= nil and type(spec) ~= "table" then misuse("client: expected a table or a word, got " .. type(spec)) end
  spec = spec or {}
  if spec.gateway or spec.base_url then return build(copy_over(spec, {})) end
  return build(copy_over(of_environment() or {}, spec))
end

--- A client with other defaults over the same connections; false takes one away. Another gateway does not inherit
--- this one's address, key, model and secret headers.
--- @param changes table
--- @return multimodal.Client
function Client:with(changes)
  check_self(self, "with")
  if type(changes) ~= "table" then misuse("with: expected a table, got " .. type(changes)) end
  options_table.check(changes)
  local given = self.given
  if changes.gateway and changes.gateway ~= given.gateway then
    given = copy_over(given, {})
    for _, name in ipairs { "base_url", "endpoint", "project", "location", "api_key", "model", "dialect" } do given[name] = nil end
    given.headers, given.query = headers.public(given.headers), headers.public(given.query)
  end
  local merged = copy_over(given, changes)
  for name, value in pairs(changes) do
    if options_table.known[name].merges and value and given[name] then
      merged[name] = options_table.merge(name, given[name], value)
    end
  end
  local made = build(merged)
  if not changes.gateway and made.base.root == self.base.root then made.shelf = self.shelf end
  made.spent = self.spent
  return made
end

--- The client and the effective options of a call: itself, unless the call names another gateway, key or the like.
--- @param own table?  checked
--- @param raw boolean? the prompt may name the model itself
--- @return multimodal.Client
--- @return table options
function Client:for_call(own, raw)
  local client, options = self, self.options
  if own then
    for name in pairs(own) do
      if options_table.known[name].derives then
        client = self:with(own)
        break
      end
    end
    options = client == self and resolve_model(options_table.over(options, hide(own))) or client.options
  end
  if client.profile.model_required and not options.model and not raw then
    misuse("model: expected a string, got nil; name one at mm.client or at the call")
  end
  return client, options
end

--- Scheme, host and port of its gateway.
--- @return string
function Client:origin()
  local parts = assert(urls.split(self.base.root))
  return urls.origin(parts)
end

--- The request that a prompt makes, to look at or to send later.
--- @async
--- @param prompt string|table
--- @param options? table  win over the prompt's
--- @return multimodal.Request?
--- @return multimodal.Error? err
function Client:request(prompt, options)
  check_self(self, "request")
  return request.new(self, prompt, options, false)
end

local function sent(client, prompt, options, opens)
  local made, err = request.new(client, prompt, options, opens)
  if not made then return nil, err end
  return made:send()
end

local function generate(client, prompt, options)
  return sent(client, prompt, options, false)
end

local function open_stream(client, prompt, options)
  return sent(client, prompt, options, true)
end

--- Send a prompt and wait for the whole reply. Inside a job it yields; elsewhere it blocks. With on_text or on_event
--- the reply is streamed to them; one that returns false stops it.
--- @async
--- @param prompt string|table
--- @param options? table
--- @return multimodal.Reply?
--- @return multimodal.Error? err   network, HTTP, provider and decode failures; never raised
function Client:generate(prompt, options)
  check_self(self, "generate")
  return fallback.run(self, generate, prompt, options)
end

--- Send a prompt and stream the reply. Opens with its first content: what is refused is nil, err here.
--- @async
--- @param prompt string|table
--- @param options? table
--- @return multimodal.Stream?
--- @return multimodal.Error? err
function Client:stream(prompt, options)
  check_self(self, "stream")
  return fallback.run(self, open_stream, prompt, options)
end

--- Begin a conversation, or take one up again from the text that chat:dump() gave.
--- @param given table|string|nil  options: system, messages, model and any other; or the text of a dump
--- @param options? table          win over those of a dump
--- @return multimodal.Chat?
--- @return multimodal.Error? err  the text is no conversation
function Client:chat(given, options)
  check_self(self, "chat")
  return chat.new(self, given, options)
end

--- Ask for a picture, as the gateway wants it asked; image_model is asked where that is named.
--- @async
--- @param prompt string|table
--- @param options? table  aspect_ratio, image_size and any other
--- @return multimodal.Reply?       has at least one picture
--- @return multimodal.Error? err   kind no_output where none came; err.partial is the reply
function Client:image(prompt, options)
  check_self(self, "image")
  return fallback.run(self, image.send, prompt, options)
end

--- Begin a video: a task that outlives the script. video_model is asked where that is named.
--- @async
--- @param prompt string|table  text, and pictures with a role: first_frame, last_frame, reference_image
--- @param options? table       duration, resolution, aspect_ratio and any other
--- @return multimodal.Task?
--- @return multimodal.Error? err  maybe_accepted: the work may have begun, and the request was not sent again
function Client:video(prompt, options)
  check_self(self, "video")
  return video.create(self, prompt, options)
end

--- A task again, by its id or the text of task:dump(); nothing is asked yet.
--- @param written string
--- @param options? table
--- @return multimodal.Task?
--- @return multimodal.Error? err  the text is no task, or one of another gateway
function Client:task(written, options)
  check_self(self, "task")
  return video.task(self, written, options)
end

--- The tasks that the provider knows of.
--- @async
--- @param filter? {state: string?, model: string?, ids: string[]?, service_tier: string?, page: integer?, limit: integer?}
--- @return multimodal.Task[]?
--- @return multimodal.Error? err
function Client:tasks(filter)
  check_self(self, "tasks")
  return video.tasks(self, filter)
end

--- Ask any other endpoint: ai:http { "POST", "/embeddings", json = { ... } }.
--- @async
--- @param call table   {method?, path, json=, body=, headers=, query=, and clocks}
--- @return multimodal.HttpAnswer?  {status, headers, json, body}
--- @return multimodal.Error? err
function Client:http(call)
  check_self(self, "http")
  return http.send(self, call)
end

--- The models of the gateway that take and give what the filter says; fetched once and kept for the client.
--- @async
--- @param filter? {output: string|string[]|nil, input: string|string[]|nil, search: string?, refresh: boolean?}
--- @return multimodal.Model[]?
--- @return multimodal.Error? err
function Client:models(filter)
  check_self(self, "models")
  return models.list(self, filter)
end

--- What the gateway wrote down of one generation: OpenRouter's lookup.
--- @async
--- @param reply multimodal.Reply|string  or its id
--- @return multimodal.Generation?
--- @return multimodal.Error? err
function Client:generation(reply)
  check_self(self, "generation")
  return models.generation(self, reply)
end

--- How large a prompt is, part by part and on the wire; nothing is sent.
--- @async
--- @param prompt string|table
--- @param options? table
--- @return multimodal.Estimate?
--- @return multimodal.Error? err
function Client:estimate(prompt, options)
  check_self(self, "estimate")
  local made, err = request.new(self, prompt, options, false)
  if not made then return nil, err end
  return size.estimate(made)
end

--- How many tokens a prompt is, as the gateway counts them.
--- @async
--- @param prompt string|table
--- @param options? table
--- @return integer? tokens
--- @return multimodal.Error? err   unsupported where the dialect has no such question
function Client:count(prompt, options)
  check_self(self, "count")
  return count.send(self, prompt, options)
end

--- Upload a part once; it is used in prompts by its link, and remembered by its bytes until it expires.
--- @async
--- @param part multimodal.Media|string|table
--- @param options? table  on_upload = function(progress) and any other
--- @return multimodal.Media?
--- @return multimodal.Error? err
function Client:upload(part, options)
  check_self(self, "upload")
  return upload.send(self, part, options)
end

--- Whether clients have a method of this name.
--- @param name any
--- @return boolean
function M.has(name)
  return type(name) == "string" and not name:find("^__") and Client[name] ~= nil
end

function Client:__tostring()
  return "multimodal.client: " .. self.name .. (self.options.model and " " .. self.options.model or "")
end

return M
