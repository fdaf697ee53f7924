--- What of an assistant's message must go back to its gateway as it came, and only if it came.
--- Names: message_in exact has_more of.
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")

local M = {}

local list, present = lifted.list, lifted.present

--- The message of a choice, under whatever name it came.
--- @param choice table
--- @return table
function M.message_in(choice)
  local message = choice.message
  if type(message) == "table" then return message end
  message = choice.delta
  if type(message) == "table" then return message end
  return { content = choice.text }
end

--- The message or delta of one choice with explicit nulls.
--- @param event table
--- @param position integer   among the choices
--- @return table
function M.exact(event, position)
  local body = lifted.exact(event)
  local choice = body and list(body.choices)[position]
  return type(choice) == "table" and M.message_in(choice) or {}
end

--- Whether a call has fields beside those that every call has.
--- @param wire table
--- @return boolean
function M.has_more(wire)
  for name in pairs(wire) do
    if name ~= "id" and name ~= "type" and name ~= "function" and name ~= "index" then return true end
  end
  for name in pairs(list(wire["function"])) do
    if name ~= "name" and name ~= "arguments" then return true end
  end
  return false
end

local function any_has_more(wires)
  for _, wire in ipairs(wires) do
    if type(wire) == "table" and M.has_more(wire) then return true end
  end
  return false
end

--- The message of a choice with explicit nulls.
local function exact_of(message, known, position)
  return known.exact and known.exact[position] or known.event and M.exact(known.event, position) or message
end

--- The files among annotations, which go back so that they are not parsed again.
local function files_of(message, known, position)
  local files
  for i, annotation in ipairs(list(message.annotations)) do
    if type(annotation) == "table" and annotation.type == "file" then
      files = files or {}
      files[#files + 1] = list(exact_of(message, known, position).annotations)[i]
    end
  end
  return files and json.array(files)
end

local function is_plain(message)
  return message.reasoning_content == nil and message.reasoning == nil and message.reasoning_details == nil
    and message.refusal == nil and message.tool_calls == nil and message.annotations == nil and message.audio == nil
end

--- What must go back, nil where nothing must.
--- @param message table                      as received, nulls left out
--- @param known multimodal.openai.Known
--- @param position integer                   of its choice in the body
--- @return table?
function M.of(message, known, position)
  if is_plain(message) then return nil end
  local thought, reasoning = present(message.reasoning_content), present(message.reasoning)
  local refusal, details, calls, audio, files = present(message.refusal), nil, nil, nil, nil
  if message.reasoning_details ~= nil and list(message.reasoning_details)[1] ~= nil then
    details = exact_of(message, known, position).reasoning_details
  end
  if message.tool_calls ~= nil and any_has_more(list(message.tool_calls)) then
    calls = exact_of(message, known, position).tool_calls
  end
  if message.annotations ~= nil then files = files_of(message, known, position) end
  if type(message.audio) == "table" and present(message.audio.id) then audio = { id = message.audio.id } end
  if not (thought or reasoning or refusal or details or calls or files or audio) then return nil end
  return {
    reasoning_content = thought, reasoning = reasoning, refusal = refusal, annotations = files,
    reasoning_details = details, tool_calls = calls, audio = audio,
  }
end

return M
