--- Messages as turns, for dialects in which the user and the model speak by turns: instructions go before all else, and
--- what one side says in a row is one turn.
--- Names: of calls arguments answered results unasked unanswered begun name_left foreign_left is_foreign.
local json = require("multimodal.json")
local media = require("multimodal.media")
local refuse = require("multimodal.dialect.refuse")
local tool_calls = require("multimodal.reply.tool_calls")

local M = {}

local bad, unsupported = refuse.bad, refuse.unsupported

--- One message in its turn.
--- @class multimodal.TurnItem
--- @field message multimodal.Message
--- @field place string               "messages[2]"
--- @field index integer              2

--- @class multimodal.Turn
--- @field role "user"|"assistant"|"system"  answers of tools are the user's; system amid a conversation alone
--- @field [integer] multimodal.TurnItem

--- What a dialect allows.
--- @class multimodal.TurnRules
--- @field dialect string       its name in messages, "gemini"
--- @field who string           and for people, "Gemini"
--- @field prefill boolean?     the last turn may be the assistant's
--- @field blank boolean?       text of white space alone says nothing
--- @field mid_system boolean?  instructions may stand amid a conversation
--- @field warnings string[]    is appended to
--- @field check string|boolean|nil  of the options: whether what is doubtful goes out

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

--- The arguments of a call, which have to be an object.
--- @param call multimodal.ToolCall
--- @param place string
--- @param who string     the dialect, for people
--- @return string? text
--- @return table|multimodal.Error value  exact, with explicit nulls
function M.arguments(call, place, who)
  local text = call.arguments_raw
  if not text or not text:find("%S") then text = "{}" end
  local value = text:find("^%s*{") and json.decode(text, { null = true, exact = true })
  if type(value) == "table" then return text, value end
  return bad(place, "tool_arguments", ("the arguments of the call %s (%s) are no JSON object; %s takes nothing else, so leave the call out")
    :format(tostring(call.id), tostring(call.name), who))
end

--- Whether a message has no words, no calls, and nothing that goes back to this dialect.
local function says_nothing(message, rules)
  local words = rules.blank and "%S" or "."
  for _, part in ipairs(message.content) do
    if media.is(part) or part.type ~= "text" or type(part.text) ~= "string" or part.text:find(words) then return false end
  end
  local kept = message.native ~= nil and message.dialect == rules.dialect
  return message.role ~= "tool" and not kept and M.calls(message)[1] == nil and extra_of(message, "parts") == nil
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

local function check_user(turns, rules)
  for _, turn in ipairs(turns) do
    local silent = turn.role == "user"
    for _, item in ipairs(turn) do silent = silent and says_nothing(item.message, rules) end
    if silent then return bad(turn[1].place, "empty", "there is nothing in it but empty text; write something, or leave it out") end
  end
  return true
end

--- An assistant's message at the end, which the model would have to go on with: `check` says whether it goes out.
--- @param place string
--- @param who string
--- @param check string|boolean|nil
--- @param warnings string[]
--- @return boolean? fine
--- @return multimodal.Error? err
function M.begun(place, who, check, warnings)
  if check == "off" or check == false then return true end
  local message = who .. " is not known to go on with what an assistant began; put what it shall continue into a message of the user"
  if check ~= "warn" then return unsupported(place, message .. ', or pass check = "warn", which sends it as it is') end
  warnings[#warnings + 1] = place .. ": " .. message
  return true
end

local function check_ends(turns, rules)
  local last = turns[#turns]
  if not last then
    return unsupported("messages", rules.who .. " wants a message of the user beside the instructions; add mm.user { ... }")
  end
  local fine, err = true, nil
  if last.role == "assistant" and not rules.prefill then fine, err = M.begun(last[#last].place, rules.who, rules.check, rules.warnings) end
  if not fine then return nil, err end
  return check_user(turns, rules)
end

--- Put one message where it belongs.
local function sort(turns, item, rules)
  local side, amid = sides[item.message.role], turns[1] ~= nil
  if not side then
    return unsupported(item.place, ("%s has no role %q; write mm.user or mm.assistant"):format(rules.who, item.message.role))
  end
  if side == "system" and amid and not rules.mid_system then
    return unsupported(item.place,
      rules.who .. " takes instructions before all else only; put them into system =, or say it in a message of the user")
  end
  if side == "system" and not amid then
    turns.system[#turns.system + 1] = item
  elseif side == "user" or not says_nothing(item.message, rules) then
    add(turns, side, item)
  else
    -- An assistant that said nothing had no turn.
    M.foreign_left(item.message, item.place, rules.dialect, rules.warnings)
  end
  return true
end

--- Sort messages into instructions and turns.
--- @param messages multimodal.Message[]
--- @param rules multimodal.TurnRules
--- @return {system: multimodal.TurnItem[], [integer]: multimodal.Turn}?
--- @return multimodal.Error? err
function M.of(messages, rules)
  local turns = { system = {} }
  for i, message in ipairs(messages) do
    local sorted, err = sort(turns, { message = message, place = ("messages[%d]"):format(i), index = i }, rules)
    if not sorted then return nil, err end
  end
  local fine, err = check_ends(turns, rules)
  return fine and turns, err
end

--- The id of the call that a message answers.
--- @param message multimodal.Message
--- @return string
function M.answered(message)
  return tostring(message.tool_call_id or extra_of(message, "tool_call_id") or "")
end

--- @param place string
--- @param id string
--- @return nil
--- @return multimodal.Error
function M.unasked(place, id)
  return bad(place, "unknown_tool_result", ("a result of the call %q, which the turn before it does not make; leave it out"):format(id))
end

--- @param place string
--- @param id string
--- @param name string?
--- @return nil
--- @return multimodal.Error
function M.unanswered(place, id, name)
  return bad(place, "missing_tool_result",
    ("the call %s of %s has no result in the turn after it; add mm.tool_result(call, value)"):format(id, tostring(name)))
end

--- The answers of tools in a turn, each with its call, in the order of the calls; and what else the turn says.
--- @param turn multimodal.Turn
--- @param calls multimodal.ToolCall[]  of the turn before
--- @return {call: multimodal.ToolCall, item: multimodal.TurnItem}[]? results
--- @return multimodal.TurnItem[]|multimodal.Error rest
function M.results(turn, calls)
  local by_id, results, rest = {}, {}, {}
  for _, item in ipairs(turn) do
    local id = item.message.role == "tool" and M.answered(item.message)
    if id and by_id[id] then return bad(item.place, "unknown_tool_result", ("a second result of the call %s"):format(id)) end
    if id then by_id[id] = item else rest[#rest + 1] = item end
  end
  for _, call in ipairs(calls) do
    local item = by_id[call.id]
    if not item then return M.unanswered(turn[1].place, call.id, call.name) end
    results[#results + 1], by_id[call.id] = { call = call, item = item }, nil
  end
  local id, stray = next(by_id)
  if id then return M.unasked(stray.place, id) end
  return results, rest
end

--- Say that the name of a message has no place here.
--- @param item multimodal.TurnItem
--- @param who string
--- @param warnings string[]
function M.name_left(item, who, warnings)
  if not item.message.name then return end
  warnings[#warnings + 1] = ("%s: name has no place in %s and was left out"):format(item.place, who)
end

--- What only another dialect reads of a message (its reasoning, its signatures) is left out, and said.
--- @param message multimodal.Message
--- @param place string
--- @param dialect string
--- @param warnings string[]
function M.foreign_left(message, place, dialect, warnings)
  if message.native == nil or message.dialect == dialect then return end
  warnings[#warnings + 1] = ("%s: what only the %s dialect reads of it (its reasoning and the like) was left out"):format(
    place, tostring(message.dialect))
end

--- Whether a part of an assistant's message is one that only another dialect reads: it is left out, and said.
--- @param part table
--- @param message multimodal.Message
--- @param place string   of the part
--- @param dialect string
--- @param warnings string[]
--- @return boolean
function M.is_foreign(part, message, place, dialect, warnings)
  if message.dialect == nil or message.dialect == dialect or media.is(part) or part.type == "text" then return false end
  warnings[#warnings + 1] = ("%s: a part that only the %s dialect reads was left out"):format(place, message.dialect)
  return true
end

return M
