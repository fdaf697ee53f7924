--- The turns of a prompt in the order that the Messages dialect wants: results of tools first, calls of tools last, every call
--- answered at once.
--- Names: encode.
local fields = require("multimodal.dialect.fields")
local ids_of = require("multimodal.dialect.anthropic.ids")
local json = require("multimodal.json")
local media = require("multimodal.media")
local native = require("multimodal.dialect.anthropic.native")
local parts = require("multimodal.dialect.anthropic.parts")
local refuse = require("multimodal.dialect.refuse")
local turns = require("multimodal.dialect.turns")

local M = {}

--- One turn as it goes out.
--- @class multimodal.anthropic.Turn
--- @field role "user"|"assistant"|"system"
--- @field blocks table[]
--- @field place string     of the first message in it
--- @field extra table?     further fields of its messages

local unsupported = refuse.unsupported

--- Whether a part is text without words, which the server refuses.
local function is_empty(part)
  return not media.is(part) and part.type == "text" and type(part.text) == "string" and not part.text:find("%S")
end

--- The parts of a message as blocks, in the order they were written; text without words is left out.
local function blocks_of(item, context)
  local blocks = {}
  for i, part in ipairs(item.message.content) do
    local place = ("%s.content[%d]"):format(item.place, i)
    if not is_empty(part) and not turns.is_foreign(part, item.message, place, "anthropic", context.warnings) then
      local block, err = parts.encode(part, context, place)
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

local writers = {}

function writers.tool(item, context)
  local said = turns.answered(item.message)
  local id = context.ids:result(said)
  if not id then return turns.unasked(item.place, said) end
  local blocks, err = blocks_of(item, context)
  if not blocks then return nil, err end
  local failed = item.message.error or nil
  -- An error without a word is refused.
  return { { type = "tool_result", tool_use_id = id, content = result_content(blocks) or failed and "error", is_error = failed } }
end

function writers.user(item, context)
  local blocks, err = blocks_of(item, context)
  if not blocks then return nil, err end
  for _, block in ipairs(blocks) do
    if block.type == "tool_result" then block.tool_use_id = context.ids:result(tostring(block.tool_use_id)) or block.tool_use_id end
  end
  return blocks
end

function writers.system(item, context)
  local blocks, err = blocks_of(item, context)
  if not blocks then return nil, err end
  for i, block in ipairs(blocks) do
    if block.type ~= "text" then
      return unsupported(("%s.content[%d]"):format(item.place, i),
        parts.who(context.profile) .. " takes text alone as instructions; put it in a message of the user")
    end
  end
  return blocks
end

writers.developer = writers.system

--- Media that an assistant said have no place in its turns.
local function check_said(item, context)
  for i, part in ipairs(item.message.content) do
    if media.is(part) then
      return unsupported(("%s.content[%d]"):format(item.place, i), ("an assistant's %s cannot go back to %s; "
        .. "put it in a message of the user"):format(part.kind, parts.who(context.profile)))
    end
  end
  return true
end

--- Calls that were written by hand as blocks are known to the results after them.
local function note_calls(blocks, context)
  for _, block in ipairs(blocks) do
    if block.type == "tool_use" and type(block.id) == "string" and not context.ids.used[block.id] then context.ids:call(block.id) end
  end
  return blocks
end

function writers.assistant(item, context)
  local fine, err = check_said(item, context)
  if not fine then return nil, err end
  local blocks
  blocks, err = blocks_of(item, context)
  if blocks then blocks, err = native.blocks(item, blocks, turns.calls(item.message), context) end
  return blocks and note_calls(blocks, context), err
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

--- A turn as it goes out.
--- @param turn multimodal.Turn
--- @return multimodal.anthropic.Turn?
--- @return multimodal.Error? err
local function write(turn, context)
  local made = { role = turn.role, blocks = {}, place = turn[1].place }
  if turn.role == "assistant" then context.ids:turn() end
  for _, item in ipairs(turn) do
    local blocks
    local fine, err = refuse.unspoken_message(item.message, item.place, "anthropic")
    if fine then blocks, err = writers[item.message.role](item, context) end
    if not blocks then return nil, err end
    turns.name_left(item, "Anthropic's dialect", context.warnings)
    for _, block in ipairs(blocks) do made.blocks[#made.blocks + 1] = block end
    take_extra(made, item.message)
  end
  if turn.role == "user" then made.blocks = sorted(made.blocks, "tool_result", true) end
  if turn.role == "assistant" then made.blocks = sorted(made.blocks, "tool_use", false) end
  return made
end

--- Every call is answered in the turn behind it, and nothing else is answered. Seen in what goes out, since calls and results
--- may have been written by hand.
local function check_results(turn, following)
  local calls, order, answered = {}, {}, {}
  for _, block in ipairs(turn and turn.role == "assistant" and turn.blocks or {}) do
    if block.type == "tool_use" then
      calls[block.id or ""], order[#order + 1] = true, block
    end
  end
  for _, block in ipairs(following and following.role == "user" and following.blocks or {}) do
    if block.type == "tool_result" then
      local id = block.tool_use_id or ""
      if not calls[id] then return turns.unasked(following.place, tostring(id)) end
      answered[id] = true
    end
  end
  for _, block in ipairs(order) do
    if not answered[block.id or ""] then return turns.unanswered(turn.place, tostring(block.id), block.name) end
  end
  return true
end

--- An answer that is begun for the model must not end in white space.
local function check_prefill(turn)
  local last = turn.blocks[#turn.blocks]
  if turn.role == "assistant" and last.type == "text" and last.text:find("%s$") then
    return refuse.bad(turn.place, "prefill", "an answer that is begun for the model must not end in white space; cut it off")
  end
  return true
end

local function check(made, context)
  local first = made[1]
  if not first or first.role ~= "user" then
    return unsupported(first and first.place or "messages",
      ("%s wants a message of the user first; put one before it"):format(parts.who(context.profile)))
  end
  for i = 0, #made do
    local fine, err = check_results(made[i], made[i + 1])
    if not fine then return nil, err end
  end
  return check_prefill(made[#made])
end

--- Instructions as one string, or as blocks where these carry marks; nil where there are none.
local function system_of(items, context)
  local blocks = {}
  for _, item in ipairs(items) do
    local said, err = writers.system(item, context)
    if not said then return nil, err end
    for _, block in ipairs(said) do blocks[#blocks + 1] = block end
  end
  local only = blocks[1]
  if only and (blocks[2] or next(only, next(only, next(only))) ~= nil) then return json.array(blocks) end
  return only and only.text
end

local function wires_of(made)
  local wires = {}
  for i, turn in ipairs(made) do wires[i] = fields.extend({ role = turn.role, content = json.array(turn.blocks) }, turn.extra) end
  return json.array(wires)
end

--- @param messages multimodal.Message[]
--- @param context multimodal.anthropic.Context
--- @return table? turns            as they go out
--- @return multimodal.Error|string|table|nil system  why not; or the instructions, nil where there are none
function M.encode(messages, context)
  local profile, made = context.profile, {}
  context.ids = ids_of.new()
  local list, err = turns.of(messages, {
    dialect = "anthropic", who = parts.who(profile), prefill = true, blank = true,
    mid_system = profile.mid_system, warnings = context.warnings,
  })
  if not list then return nil, err end
  local system
  system, err = system_of(list.system, context)
  if err then return nil, err end
  for _, turn in ipairs(list) do
    local one
    one, err = write(turn, context)
    if not one then return nil, err end
    -- The server joins turns of one role, so that what says nothing can be left out.
    if one.blocks[1] then made[#made + 1] = one end
  end
  local fine
  fine, err = check(made, context)
  if not fine then return nil, err end
  return wires_of(made), system
end

return M
