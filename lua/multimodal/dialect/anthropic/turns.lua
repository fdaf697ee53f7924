--- The messages of a prompt as turns of user and assistant by turns, in the order that the Messages dialect wants:
--- results of tools first, calls of tools last, every call answered at once.
--- Names: encode.
local error_class = require("multimodal.error")
local ids_of = require("multimodal.dialect.anthropic.ids")
local json = require("multimodal.json")
local media = require("multimodal.media")
local native = require("multimodal.dialect.anthropic.native")
local parts = require("multimodal.dialect.anthropic.parts")

local M = {}

--- One turn as it grows.
--- @class multimodal.anthropic.Turn
--- @field role "user"|"assistant"|"system"
--- @field blocks table[]
--- @field place string     of the first message in it
--- @field extra table?     further fields of its messages

local unsupported = parts.unsupported

local function refuse(place, code, message)
  return nil, error_class.new { kind = "bad_request", code = code, part = place, message = place .. ": " .. message }
end

local function is_empty(part)
  return not media.is(part) and part.type == "text" and part.text == ""
end

--- The parts of a message as blocks, in the order they were written; empty text is left out.
local function blocks_of(message, context)
  local blocks = {}
  for i, part in ipairs(message.content) do
    if not is_empty(part) then
      local block, err = parts.encode(part, context, ("messages[%d].content[%d]"):format(context.index, i))
      if not block then return nil, err end
      blocks[#blocks + 1] = block
    end
  end
  return blocks
end

--- What a tool said: a string where it is one text, else blocks; nil where it is nothing.
local function result_content(blocks)
  local only = blocks[1]
  if not only then return nil end
  if not blocks[2] and only.type == "text" and only.cache_control == nil and only.citations == nil then return only.text end
  return json.array(blocks)
end

local function field(message, name)
  local value = message[name]
  if value == nil and message.extra then value = message.extra[name] end
  return value
end

local writers = {}

function writers.tool(message, context)
  local said, place = tostring(field(message, "tool_call_id") or ""), ("messages[%d]"):format(context.index)
  local id = context.ids:result(said)
  if not id then
    return refuse(place, "unknown_tool_result",
      ("a result of the call %q, which the turn before it does not make; leave it out"):format(said))
  end
  local blocks, err = blocks_of(message, context)
  if not blocks then return nil, err end
  return { { type = "tool_result", tool_use_id = id, content = result_content(blocks), is_error = message.error or nil } }
end

function writers.user(message, context)
  local blocks, err = blocks_of(message, context)
  if not blocks then return nil, err end
  for _, block in ipairs(blocks) do
    if block.type == "tool_result" then block.tool_use_id = context.ids:result(tostring(block.tool_use_id)) or block.tool_use_id end
  end
  if not blocks[1] then
    return refuse(("messages[%d]"):format(context.index), "empty", "nothing is said in it; leave it out, or write something")
  end
  return blocks
end

function writers.system(message, context)
  local blocks, err = blocks_of(message, context)
  if not blocks then return nil, err end
  for i, block in ipairs(blocks) do
    if block.type ~= "text" then
      return unsupported(("messages[%d].content[%d]"):format(context.index, i),
        parts.who(context.profile) .. " takes text alone as instructions; put it in a message of the user")
    end
  end
  return blocks
end

--- Media that an assistant said have no place in its turns.
local function check_said(message, context)
  for i, part in ipairs(message.content) do
    local kind = media.is(part) and part.kind
    if kind then
      return unsupported(("messages[%d].content[%d]"):format(context.index, i), ("an assistant's %s cannot go back to %s; "
        .. "put it in a message of the user"):format(kind, parts.who(context.profile)))
    end
  end
  return true
end

function writers.assistant(message, context)
  local fine, err = check_said(message, context)
  if not fine then return nil, err end
  local blocks
  blocks, err = blocks_of(message, context)
  if not blocks then return nil, err end
  return native.blocks(message, blocks, field(message, "tool_calls"), context)
end

--- Fields of a message that say what the turns say otherwise.
local own = { tool_calls = true, tool_call_id = true, refusal = true, audio = true, reasoning_content = true, reasoning = true,
  reasoning_details = true, annotations = true }

local function take_extra(turn, message)
  for name, value in pairs(message.extra or {}) do
    if not own[name] then
      turn.extra = turn.extra or {}
      turn.extra[name] = value
    end
  end
end

local roles = { system = "system", developer = "system", user = "user", tool = "user", assistant = "assistant" }

local function add(turns, role, blocks, message, place)
  local turn = turns[#turns]
  if not turn or turn.role ~= role then
    turn = { role = role, blocks = {}, place = place }
    turns[#turns + 1] = turn
  end
  for _, block in ipairs(blocks) do turn.blocks[#turn.blocks + 1] = block end
  take_extra(turn, message)
end

--- Put the blocks of a type before all others, or behind them; else they keep their order.
local function sorted(blocks, kind, first)
  local some, others = {}, {}
  for _, block in ipairs(blocks) do
    local list = block.type == kind and some or others
    list[#list + 1] = block
  end
  local all = first and some or others
  for _, block in ipairs(first and others or some) do all[#all + 1] = block end
  return all
end

local function warn_of_name(message, context)
  if not message.name then return end
  context.warnings[#context.warnings + 1] =
    ("messages[%d]: name has no place in Anthropic's dialect and was left out"):format(context.index)
end

--- Calls that were written by hand as blocks are known to the results after them.
local function note_calls(blocks, context)
  for _, block in ipairs(blocks) do
    if block.type == "tool_use" and type(block.id) == "string" and not context.ids.used[block.id] then context.ids:call(block.id) end
  end
end

--- One message into the turns; nothing of an assistant that said nothing.
local function take(turns, message, context)
  local role = roles[message.role]
  local place = ("messages[%d]"):format(context.index)
  if not role then return unsupported(place, ("the role %q is none of system, user, assistant and tool"):format(message.role)) end
  local last = turns[#turns]
  if role == "assistant" and not (last and last.role == role) then context.ids:turn() end
  if role == "system" and last and last.role ~= role and not context.profile.mid_system then
    return unsupported(place, parts.who(context.profile) .. " takes instructions before all that is said; put them there, "
      .. "or in a message of the user")
  end
  local blocks, err = writers[message.role == "developer" and "system" or message.role](message, context)
  if not blocks then return nil, err end
  warn_of_name(message, context)
  if role == "assistant" then note_calls(blocks, context) end
  if blocks[1] then add(turns, role, blocks, message, place) end
  return true
end

--- Every call is answered in the turn behind it, and nothing else is answered.
local function check_results(turn, following)
  local calls, order = {}, {}
  for _, block in ipairs(turn and turn.role == "assistant" and turn.blocks or {}) do
    if block.type == "tool_use" then
      calls[block.id or ""], order[#order + 1] = true, block
    end
  end
  local answered = {}
  for _, block in ipairs(following and following.role == "user" and following.blocks or {}) do
    if block.type == "tool_result" then
      local id = block.tool_use_id or ""
      if not calls[id] then
        return refuse(following.place, "unknown_tool_result", ("a result of the call %q, which the turn before it does not make; "
          .. "leave it out"):format(tostring(id)))
      end
      answered[id] = true
    end
  end
  for _, block in ipairs(order) do
    if not answered[block.id or ""] then
      return refuse(turn.place, "missing_tool_result",
        ("the call %s of %s has no result in the turn after it; add mm.tool_result(call, value)")
        :format(tostring(block.id), tostring(block.name)))
    end
  end
  return true
end

--- An answer that is begun for the model must not end in white space.
local function check_prefill(turn)
  local last = turn.blocks[#turn.blocks]
  if turn.role == "assistant" and last.type == "text" and last.text:find("%s$") then
    return refuse(turn.place, "prefill", "an answer that is begun for the model must not end in white space; cut it off")
  end
  return true
end

local function check_turns(turns, said, context)
  if not turns[1] or turns[1].role == "system" and not turns[2] then
    return unsupported("messages", ("%s wants a message of the user, not instructions alone"):format(parts.who(context.profile)))
  end
  if said.role ~= "user" then
    return unsupported(said.place, ("%s wants a message of the user first; put one before it"):format(parts.who(context.profile)))
  end
  for i = 0, #turns do
    local fine, err = check_results(turns[i], turns[i + 1])
    if not fine then return nil, err end
  end
  return check_prefill(turns[#turns])
end

--- Instructions as one string, or as blocks where these carry marks.
local function system_of(turn)
  local only = turn.blocks[1]
  if turn.blocks[2] or next(only, next(only, next(only))) ~= nil then return json.array(turn.blocks) end
  return only.text
end

local function wire_of(turn)
  return parts.extend({ role = turn.role, content = json.array(turn.blocks) }, turn.extra)
end

--- @param messages multimodal.Message[]
--- @param context multimodal.anthropic.Context
--- @return table? turns            as they go out
--- @return multimodal.Error|string|table|nil system  why not; or the instructions, nil where there are none
function M.encode(messages, context)
  local turns = {}
  context.ids = ids_of.new()
  for i = 1, #messages do
    context.index = i
    local fine, err = take(turns, messages[i], context)
    if not fine then return nil, err end
  end
  for _, turn in ipairs(turns) do
    if turn.role == "user" then turn.blocks = sorted(turn.blocks, "tool_result", true) end
    if turn.role == "assistant" then turn.blocks = sorted(turn.blocks, "tool_use", false) end
  end
  local leading = turns[1] and turns[1].role == "system"
  local fine, err = check_turns(turns, turns[leading and 2 or 1], context)
  if not fine then return nil, err end
  local wires = {}
  for i = leading and 2 or 1, #turns do wires[#wires + 1] = wire_of(turns[i]) end
  return json.array(wires), leading and system_of(turns[1]) or nil
end

return M
