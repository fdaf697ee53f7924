--- Tools and how they are chosen, as Gemini writes them.
--- Names: add.
local contexts = require("multimodal.dialect.gemini.context")
local fields = require("multimodal.dialect.fields")
local json = require("multimodal.json")
local schemas = require("multimodal.dialect.gemini.schema")

local M = {}

--- One function; its parameters in the form that the host reads.
local function declaration(tool, context, place)
  local made = { name = tool.name, description = tool.description }
  if tool.parameters == nil then return made end
  if context.profile.schema ~= "openapi" then
    made.parametersJsonSchema = tool.parameters
    return made
  end
  local err
  made.parameters, err = schemas.convert(tool.parameters, place)
  if not made.parameters then return nil, err end
  -- Older models refuse an object without properties.
  if made.parameters.properties and next(made.parameters.properties) == nil then made.parameters = nil end
  return made
end

local function camel(name)
  return (name:gsub("_(%l)", string.upper))
end

--- A tool of the server's, which is written { type = "google_search", ... }.
local function of_server(tool)
  local rest = {}
  for name, value in pairs(tool) do
    if name ~= "type" then rest[name] = value end
  end
  if tool.type == "gemini" then return rest end
  return { [camel(tool.type)] = rest }
end

--- Servers' tools as they are, and all functions as one tool.
local function add_tools(body, context)
  local functions, wires = {}, {}
  for i, tool in ipairs(context.options.tools) do
    local inner = tool.type == "function" and type(tool["function"]) == "table" and tool["function"] or nil
    if inner or tool.type == nil then
      local place = ("tools[%d]"):format(i)
      local made, err = declaration(inner or tool, context, place)
      if not made then return nil, err end
      functions[#functions + 1] = fields.merge(made, contexts.extra_of(context, place, tool.extra))
    else
      wires[#wires + 1] = of_server(tool)
    end
  end
  if functions[1] then table.insert(wires, 1, { functionDeclarations = json.array(functions) }) end
  body.tools = json.array(wires)
  return true
end

local modes = { auto = "AUTO", none = "NONE", required = "ANY" }

local function config_of(choice)
  if type(choice) == "table" then
    local inner = type(choice["function"]) == "table" and choice["function"] or choice
    if type(inner.name) ~= "string" then return choice.functionCallingConfig or choice end
    choice = inner.name
  end
  if modes[choice] then return { mode = modes[choice] } end
  return { mode = "ANY", allowedFunctionNames = json.array { choice } }
end

--- @param body table
--- @param context multimodal.gemini.Context
--- @return boolean? fine
--- @return multimodal.Error? err
function M.add(body, context)
  local options = context.options
  local fine, err = true, nil
  if options.tools and options.tools[1] then fine, err = add_tools(body, context) end
  if not fine then return nil, err end
  if options.tool_choice then
    body.toolConfig = fields.merge({}, { functionCallingConfig = config_of(options.tool_choice) })
  end
  if options.parallel_tools == false then
    return contexts.cannot(context, "parallel_tools", "Gemini cannot be told to call one tool at a time; leave it out")
  end
  return true
end

return M
