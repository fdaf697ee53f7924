--- Messages as turns, for dialects in which the user and the model speak by turns: instructions go before all else, and
--- what one side says in a row is one turn.
--- Names: of calls results unsupported.
local error_class = require("multimodal.error")
local media = require("multimodal.media")
local tool_calls = require("multimodal.reply.tool_calls")

local M = {}

--- One message in its turn.
--- @class multimodal.TurnItem
--- @field message multimodal.Message
--- @field place string               "messages[2]"

--- @class multimodal.Turn
--- @field role "user"|"assistant"    answers of tools are the user's
--- @field [integer] multimodal.TurnItem

--- @param place string    what cannot be said, "messages[1].content[2]" or the name of an option
--- @param message string  why, and the way out
--- @return nil
--- @return multimodal.Error
function M.unsupported(place, message)
  return nil, error_class.new { kind = "unsupported", part = place, message = place .. ": " .. message }
end

local function bad(place, code, message)
  return nil, error_class.new { kind = "bad_request", code = code, part = place, message = place .. ": " .. message }
end

local sides = { user = "user", tool = "user", assistant = "assistant", system = "system", developer = "system" }

local function extra_of(message, name)
  return type(message.extra) == "table" and message.extra[name] or nil
end

local function call_of(wire)
  local inner = type(wire) == "table" and type(wire["function"]) == "table" and wire["function"] or {}
  return tool_calls.call(type(wire) == "table" and wire.id or nil, inner.name, inner.arguments)
end

--- The calls of an assistant's message, also where it was written in OpenAI's form.
--- @param message multimodal.Message
--- @return multimodal.ToolCall[]
function M.calls(message)
  if message.tool_calls then return message.tool_calls end
  local calls = {}
  for i, wire in ipairs(type(extra_of(message, "tool_calls")) == "table" and message.extra.tool_calls or {}) do
    calls[i] = call_of(wire)
  end
  return calls
end

local function says_nothing(message)
  for _, part in ipairs(message.content) do
    if media.is(part) or part.type ~= "text" or part.text ~= "" then return false end
  end
  return message.role ~= "tool" and message.native == nil and M.calls(message)[1] == nil and extra_of(message, "parts") == nil
end

--- Append a message to the turn it belongs to.
local function add(turns, role, item)
  local turn = turns[#turns]
  if not turn or turn.role ~= role then
    turn = { role = role }
    turns[#turns + 1] = turn
  end
  turn[#turn + 1] = item
end

local function check_user(turns)
  for _, turn in ipairs(turns) do
    local silent = turn.role == "user"
    for _, item in ipairs(turn) do silent = silent and says_nothing(item.message) end
    if silent then return bad(turn[1].place, "empty", "there is nothing in it but empty text; write something, or leave it out") end
  end
  return true
end

local function check_ends(turns, dialect)
  local last = turns[#turns]
  if not last then
    return M.unsupported("messages", dialect .. " wants a message of the user beside the instructions; add mm.user { ... }")
  end
  if last.role == "assistant" and not last.may_end then
    return M.unsupported(last[#last].place,
      dialect .. " does not go on with what an assistant began; put what it shall continue into a message of the user")
  end
  return check_user(turns)
end

--- Sort messages into instructions and turns.
--- @param messages multimodal.Message[]
--- @param dialect string     its name for people, "Gemini"
--- @param prefill? boolean   the last turn may be the assistant's
--- @return {system: multimodal.TurnItem[], [integer]: multimodal.Turn}?
--- @return multimodal.Error? err
function M.of(messages, dialect, prefill)
  local turns = { system = {} }
  for i, message in ipairs(messages) do
    local side, item = sides[message.role], { message = message, place = ("messages[%d]"):format(i) }
    if not side then
      return M.unsupported(item.place, ("%s has no role %q; write mm.user or mm.assistant"):format(dialect, message.role))
    elseif side ~= "system" then
      -- An assistant that said nothing had no turn.
      if side == "user" or not says_nothing(message) then add(turns, side, item) end
    elseif turns[1] then
      return M.unsupported(item.place,
        dialect .. " takes instructions before all else only; put them into system =, or say it in a message of the user")
    else
      turns.system[#turns.system + 1] = item
    end
  end
  if prefill and turns[1] then turns[#turns].may_end = true end
  local fine, err = check_ends(turns, dialect)
  return fine and turns, err
end

local function id_of(message)
  return message.tool_call_id or extra_of(message, "tool_call_id")
end

--- The answers of tools in a turn, each with its call, in the order of the calls; and what else the turn says.
--- @param turn multimodal.Turn
--- @param calls multimodal.ToolCall[]  of the turn before
--- @return {call: multimodal.ToolCall, item: multimodal.TurnItem}[]? results
--- @return multimodal.TurnItem[]|multimodal.Error rest
function M.results(turn, calls)
  local by_id, results, rest = {}, {}, {}
  for _, item in ipairs(turn) do
    local id = item.message.role == "tool" and tostring(id_of(item.message))
    if id and by_id[id] then return bad(item.place, "tool_result", ("a second result of the call %s"):format(id)) end
    if id then by_id[id] = item else rest[#rest + 1] = item end
  end
  for _, call in ipairs(calls) do
    local item = by_id[call.id]
    if not item then
      return bad(turn[1].place, "missing_tool_result",
        ("the call %s of %s has no result; add mm.tool_result(call, value)"):format(call.id, call.name))
    end
    results[#results + 1], by_id[call.id] = { call = call, item = item }, nil
  end
  local id, stray = next(by_id)
  if id then return bad(stray.place, "tool_result", ("no call %s stands before it"):format(id)) end
  return results, rest
end

return M
