--- Options as top-level fields of a chat request. What is not set is not sent.
--- Names: encode.
local fields = require("multimodal.dialect.fields")
local json = require("multimodal.json")
local refuse = require("multimodal.dialect.refuse")

local M = {}

local function array(value)
  if type(value) ~= "table" then return json.array { value } end
  local copy = {}
  for i, item in ipairs(value) do copy[i] = item end
  return json.array(copy)
end

local efforts = { none = true, minimal = true, low = true, medium = true, high = true, xhigh = true, max = true }

--- How a gateway is told how much to reason: by the profile's `reasoning`, "effort" unless it says otherwise.
local reasoning = {}

function reasoning.effort(body, value, draft)
  if type(value) == "number" then
    return refuse.left_out(draft.options, draft.warnings, "reasoning",
      ("%s takes no number of tokens; write \"low\", \"medium\" or \"high\""):format(refuse.who(draft.profile)))
  end
  body.reasoning_effort = value
  return true
end

function reasoning.object(body, value)
  if type(value) == "number" then body.reasoning = { max_tokens = value } else body.reasoning = { effort = value } end
  return true
end

function reasoning.thinking(body, value)
  body.thinking = { type = value == "none" and "disabled" or "enabled" }
  return true
end

local function add_reasoning(body, value, draft)
  local how = draft.profile.reasoning
  if how == false then
    return refuse.left_out(draft.options, draft.warnings, "reasoning",
      ("%s cannot be told how much to reason; leave it out, or send its own field by extra"):format(refuse.who(draft.profile)))
  end
  if type(value) == "string" and not efforts[value] then
    return refuse.unsupported("reasoning", ("%q is none of none, minimal, low, medium, high, xhigh, max"):format(value))
  end
  return reasoning[how or "effort"](body, value, draft)
end

local function add_tool(tools, tool)
  if tool.type ~= nil then
    tools[#tools + 1] = tool
    return
  end
  tools[#tools + 1] = fields.extend({
    type = "function",
    ["function"] = { name = tool.name, description = tool.description, parameters = tool.parameters, strict = tool.strict },
  }, tool.extra)
end

local modes = { auto = true, none = true, required = true }

local function choice_of(value)
  local name = type(value) == "table" and value.type == nil and value.name or value
  if type(name) ~= "string" or modes[name] then return name end
  return { type = "function", ["function"] = { name = name } }
end

--- Gateways that know one choice are told none: it is what they do.
local function add_choice(body, choice, profile)
  if profile.tool_choice == "auto" and choice ~= "auto" then
    return refuse.unsupported("tool_choice", ("%s knows \"auto\" alone; leave it out, and for \"none\" the tools as well"):format(
      refuse.who(profile)))
  end
  body.tool_choice = choice_of(choice)
  return true
end

local function add_tools(body, options)
  if options.tools and options.tools[1] then
    body.tools = json.array {}
    for _, tool in ipairs(options.tools) do add_tool(body.tools, tool) end
  end
  body.parallel_tool_calls = options.parallel_tools
end

--- A schema: multimodal.Schema, JSON Schema as a table or as core.raw, or a table {name, schema, strict} that holds one.
local function format_of(schema)
  local given = type(schema) == "table" and schema.schema and schema or { schema = schema }
  local name = given.name or type(given.schema) == "table" and given.schema.title or nil
  name = type(name) == "string" and name:gsub("[^%w_-]", "_"):sub(1, 64) or "reply"
  return {
    type = "json_schema",
    json_schema = { name = name, description = given.description, strict = given.strict, schema = given.schema },
  }
end

--- Put words before all that is said: into the instructions, where there are any.
local function instruct(body, words)
  local list, first = {}, body.messages[1]
  local says = first and (first.role == "system" or first.role == "developer") and type(first.content) == "string"
  list[1] = says and fields.extend(fields.extend({}, first), { content = first.content .. "\n\n" .. words })
    or { role = "system", content = words }
  for i = says and 2 or 1, #body.messages do list[#list + 1] = body.messages[i] end
  body.messages = json.array(list)
end

--- Where no schema is known JSON is asked for as the answer, and the schema is told in words.
local function add_schema(body, schema, profile)
  body.response_format = format_of(schema)
  if profile.schema ~= "json_object" then return end
  local text = json.encode(body.response_format.json_schema.schema)
  body.response_format = { type = "json_object" }
  instruct(body, "Answer with one JSON value and nothing else. It must fit this JSON Schema:\n" .. text)
end

local function add_output(body, options, profile)
  if options.modalities then body.modalities = array(options.modalities) end
  if options.aspect_ratio or options.image_size then
    body.image_config = { aspect_ratio = options.aspect_ratio, image_size = options.image_size }
  end
  if options.voice or options.audio_format then
    body.audio = { voice = options.voice, format = options.audio_format }
  end
  if options.schema then add_schema(body, options.schema, profile) end
end

local refusable = { "top_k", "n", "seed", "stop", "modalities", "aspect_ratio", "image_size", "voice", "audio_format", "schema", "tools" }

--- The request body of messages and options. `false` is an option that was taken away.
--- @param messages table
--- @param prompt multimodal.Prompt
--- @param profile multimodal.Profile
--- @param warnings string[]   is appended to
--- @return table? body
--- @return multimodal.Error? err
function M.encode(messages, prompt, profile, warnings)
  local options, err = refuse.accepted(prompt.options, refusable, profile, warnings)
  if not options then return nil, err end
  local stop, fine = options.stop, true
  local body = {
    messages = messages, model = options.model or nil, temperature = options.temperature or nil,
    top_p = options.top_p or nil, top_k = options.top_k or nil, seed = options.seed or nil, n = options.n or nil,
    stop = stop and (type(stop) == "table" or profile.stop == "list") and array(stop) or stop or nil,
  }
  if options.max_tokens then body[profile.max_tokens_field or "max_tokens"] = options.max_tokens end
  if options.reasoning then
    fine, err = add_reasoning(body, options.reasoning, { options = options, profile = profile, warnings = warnings })
  end
  if not fine then return nil, err end
  add_tools(body, options)
  if options.tool_choice then fine, err = add_choice(body, options.tool_choice, profile) end
  if not fine then return nil, err end
  add_output(body, options, profile)
  if prompt.stream then
    body.stream = true
    if profile.stream_options then body.stream_options = { include_usage = true } end
  end
  return options.extra and fields.extend(body, options.extra) or body
end

return M
