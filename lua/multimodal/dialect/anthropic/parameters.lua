--- Options as fields of a Messages request. What is not set is not sent, but for max_tokens, which the wire wants.
--- Names: encode.
local fields = require("multimodal.dialect.fields")
local json = require("multimodal.json")
local native = require("multimodal.dialect.anthropic.native")
local parts = require("multimodal.dialect.anthropic.parts")
local refuse = require("multimodal.dialect.refuse")
local schemas = require("multimodal.dialect.anthropic.schema")

local M = {}

local unsupported, who = refuse.unsupported, parts.who

local usual_max_tokens = 4096 -- where neither the user nor the profile says one
local least_budget = 1024     -- tokens of thinking

--- A request as it grows.
--- @class multimodal.anthropic.Draft
--- @field body table
--- @field options table
--- @field profile multimodal.Profile
--- @field warnings string[]
--- @field thinks boolean?   thinking is asked for

local function warn(draft, form, ...)
  draft.warnings[#draft.warnings + 1] = form:format(...)
end

local function leave_out(draft, name, way)
  return refuse.left_out(draft.options, draft.warnings, name, ("%s has no such option; %s"):format(who(draft.profile), way))
end

local function add_sampling(draft)
  local body, options = draft.body, draft.options
  body.temperature, body.top_p, body.top_k = options.temperature or nil, options.top_p or nil, options.top_k or nil
  local stop = options.stop
  if stop then
    local list = {}
    for i, word in ipairs(type(stop) == "table" and stop or { stop }) do list[i] = word end
    body.stop_sequences = json.array(list)
  end
  local fine, err = true, nil
  if options.seed then fine, err = leave_out(draft, "seed", "leave it out") end
  if fine and options.n and options.n > 1 then
    fine, err = leave_out(draft, "n", "ask several times")
  end
  return fine, err
end

local outputs = { "aspect_ratio", "image_size", "voice", "audio_format" }

--- Text is all that comes out.
local function check_output(draft)
  local options = draft.options
  for _, modality in ipairs(type(options.modalities) == "table" and options.modalities or {}) do
    if modality ~= "text" then
      return unsupported("modalities", ("%s gives text alone, no %s; ask a dialect or a gateway that does"):format(
        who(draft.profile), tostring(modality)))
    end
  end
  for _, name in ipairs(outputs) do
    if options[name] then
      return unsupported(name,
        ("%s gives text alone; leave it out, or ask a gateway that makes pictures and sound"):format(who(draft.profile)))
    end
  end
  return true
end

--- The schema as it goes out, and as a table to look into.
local function given_schema(option)
  local is_ours = type(option) == "table" and option.schema ~= nil
  local wire = is_ours and option.schema or option
  local value = is_ours and option.value or wire
  if type(value) ~= "table" then value = type(wire) == "userdata" and json.decode(tostring(json.encode(wire))) or wire end
  return wire, value
end

--- A schema without what is refused there; a word that is refused is an error, or left out, as `check` says. What comes
--- is checked here against all of it.
--- @param draft multimodal.anthropic.Draft
--- @param option any
--- @param place string   "schema"
--- @param root string    what it describes: "data"
local function fitted_schema(draft, option, place, root)
  local wire, value = given_schema(option)
  local fitted, faults, changes = schemas.fit(value, root)
  if faults[1] then
    local check = draft.options.check
    if check ~= "warn" and check ~= "off" and check ~= false then
      return unsupported(place, ("%s takes no %s; leave it out, or pass check = \"warn\", which asks without it and checks the %s")
        :format(who(draft.profile), table.concat(faults, ", "), root))
    end
    for _, fault in ipairs(check == "warn" and faults or {}) do
      warn(draft, "%s: %s was left out for %s; the %s checked all the same", place, fault, who(draft.profile),
        root == "data" and "reply is" or root .. " are")
    end
  end
  for _, change in ipairs(changes) do warn(draft, "%s: %s", place, change) end
  if not faults[1] and not changes[1] then return wire end
  return fitted
end

--- A tool on the wire; the parameters of a strict one as the server takes them.
local function tool_of(tool, draft, place)
  if tool.type ~= nil and tool["function"] == nil then return tool end
  local inner = tool["function"] or tool
  local schema = inner.parameters
  if schema == nil then
    schema = { type = "object", properties = {} }
    if inner.strict then schema.additionalProperties = false end
  elseif inner.strict then
    local err
    schema, err = fitted_schema(draft, inner.schema or schema, place, "arguments")
    if not schema then return nil, err end
  end
  local made = { name = inner.name, description = inner.description, strict = inner.strict, input_schema = schema }
  return fields.extend(made, tool.extra)
end

local choices = { auto = "auto", none = "none", required = "any" }

local function choice_of(value)
  if type(value) == "table" and value.type ~= nil and value["function"] == nil then return fields.extend({}, value) end
  local name = type(value) == "table" and (value.name or type(value["function"]) == "table" and value["function"].name) or value
  if choices[name] then return { type = choices[name] } end
  return { type = "tool", name = name }
end

local function add_tools(draft)
  local body, options = draft.body, draft.options
  local tools = options.tools
  if tools and tools[1] then
    local list = {}
    for i, tool in ipairs(tools) do
      local err
      list[i], err = tool_of(tool, draft, ("tools[%d]"):format(i))
      if not list[i] then return nil, err end
    end
    body.tools = json.array(list)
  end
  local choice, offered = options.tool_choice, body.tools or options.extra and options.extra.tools
  -- Without tools it is refused, and these say nothing.
  local idle = not offered and (choice == "auto" or choice == "none")
  if choice and not idle then body.tool_choice = choice_of(choice) end
  if options.parallel_tools == false and body.tools then
    body.tool_choice = body.tool_choice or { type = "auto" }
    if body.tool_choice.type ~= "none" then body.tool_choice.disable_parallel_tool_use = true end
  end
  return true
end

--- By a tool that must be called and whose arguments are the answer, for models that know no format.
local function add_answer_tool(draft, schema, description)
  local body = draft.body
  local list = { { name = native.answer_tool, description = description or "Give the answer.", input_schema = schema } }
  for _, tool in ipairs(body.tools or {}) do list[#list + 1] = tool end
  body.tools = json.array(list)
  body.tool_choice = list[2] and { type = "any" } or { type = "tool", name = native.answer_tool }
end

local function add_schema(draft)
  local option = draft.options.schema
  if not option then return true end
  if draft.profile.schema == "tool" then
    local wire = given_schema(option)
    add_answer_tool(draft, wire, type(option) == "table" and option.schema and option.description or nil)
    return true
  end
  local schema, err = fitted_schema(draft, option, "schema", "data")
  if not schema then return nil, err end
  draft.body.output_config = draft.body.output_config or {}
  draft.body.output_config.format = { type = "json_schema", schema = schema }
  return true
end

local efforts = { minimal = "low", low = "low", medium = "medium", high = "high", xhigh = "xhigh", max = "max" }

--- Tokens of thinking for each level: the budget of a model that knows no levels, and room where it does. With the usual
--- max_tokens the most is 32 000.
local budgets = { minimal = 1024, low = 2048, medium = 8192, high = 16384, xhigh = 24576, max = 27904 }

--- Whether a model is known to take budgets and no levels: those before 4.6, "claude-3-7-sonnet-20250219" or
--- "claude-sonnet-4-20250514".
local function takes_budgets(model)
  local name = tostring(model):lower()
  if name:find("claude%-[23]%f[%D]") then return true end
  local major, rest = name:match("claude%-%a+%-(%d+)(.*)$")
  if not major or tonumber(major) ~= 4 then return major ~= nil and tonumber(major) < 4 end
  local minor = rest:match("^[-.](%d%d?)%f[%D]")
  return tonumber(minor or 0) < 6
end

local function add_budget(draft, tokens)
  local body, max = draft.body, draft.options.max_tokens
  if tokens < least_budget then
    return unsupported("reasoning", ("%d tokens; %s wants at least %d, or \"none\""):format(tokens, who(draft.profile), least_budget))
  end
  if not max then
    body.max_tokens = body.max_tokens + tokens
  elseif tokens >= max then
    return unsupported("reasoning", ("%d tokens of reasoning do not fit into max_tokens = %d; raise it above them"):format(tokens, max))
  end
  body.thinking, draft.thinks = { type = "enabled", budget_tokens = tokens }, true
  return true
end

local function add_level(draft, level)
  if not efforts[level] then
    return unsupported("reasoning", ("%q is none of none, minimal, low, medium, high, xhigh, max"):format(tostring(level)))
  end
  if draft.profile.reasoning == "budget" or takes_budgets(draft.options.model) then return add_budget(draft, budgets[level]) end
  if level == "minimal" then warn(draft, "reasoning: %s has no level below low, so low is asked for", who(draft.profile)) end
  draft.body.output_config = draft.body.output_config or {}
  draft.body.output_config.effort = efforts[level]
  -- Thinking counts as output here too: without room for it an answer would end before it begins.
  if not draft.options.max_tokens then draft.body.max_tokens = draft.body.max_tokens + budgets[level] end
  draft.body.thinking, draft.thinks = { type = "adaptive" }, true
  return true
end

local function add_reasoning(draft)
  local value = draft.options.reasoning
  if not value then return true end
  if value == "none" or value == 0 then
    draft.body.thinking = { type = "disabled" }
    return true
  end
  if type(value) == "number" then return add_budget(draft, value) end
  return add_level(draft, value)
end

--- What a model that thinks is known to refuse goes out all the same: which models do is the server's to say.
local function warn_of_sampling(draft)
  local body = draft.body
  for _, name in ipairs(draft.thinks and { "temperature", "top_p", "top_k" } or {}) do
    local value = body[name]
    local fine = name == "temperature" and value == 1 or name == "top_p" and value and value >= 0.95
    if value ~= nil and not fine then
      warn(draft, "%s: %s is known to refuse it while a model reasons; leave it out, or write reasoning = \"none\"", name,
        who(draft.profile))
    end
  end
  return true
end

--- A model that thinks cannot be made to call.
local function check_forced(draft)
  local choice = draft.body.tool_choice
  if not draft.thinks or not choice or choice.type ~= "any" and choice.type ~= "tool" then return true end
  return unsupported(draft.options.schema and draft.profile.schema == "tool" and "schema" or "tool_choice",
    who(draft.profile) .. " cannot make a model call a tool while it reasons; write reasoning = \"none\", or leave the choice to it")
end

local steps = { add_tools, add_sampling, check_output, add_reasoning, warn_of_sampling, add_schema, check_forced }

--- The request body of turns and options. `false` is an option that was taken away.
--- @param messages table
--- @param system string|table|nil
--- @param prompt multimodal.Prompt
--- @param profile multimodal.Profile
--- @param warnings string[]   is appended to
--- @return table? body
--- @return multimodal.Error? err
function M.encode(messages, system, prompt, profile, warnings)
  local options = prompt.options
  local draft = { options = options, profile = profile, warnings = warnings, body = {
    model = options.model or nil, messages = messages, system = system,
    max_tokens = options.max_tokens or profile.default_max_tokens or usual_max_tokens,
    stream = prompt.stream or nil,
  } }
  for _, step in ipairs(steps) do
    local fine, err = step(draft)
    if not fine then return nil, err end
  end
  return fields.extend(draft.body, options.extra or nil)
end

return M
