--- What an assistant said as blocks: what must go back as it came goes back so, what another dialect left is dropped.
--- Names: of blocks answer_tool.
local error_class = require("multimodal.error")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")

local M = {}

--- The tool whose call is the answer itself, where a schema is asked for by a forced tool.
M.answer_tool = "answer_with_data"

local plain_fields = {
  text = { type = true, text = true },
  tool_use = { type = true, id = true, name = true, input = true },
}

--- Whether a block says no more than text or a call of ours does. A field that is null says nothing.
local function is_plain(block)
  local known = plain_fields[block.type]
  if not known then return false end
  for name, value in pairs(block) do
    if not known[name] and value ~= json.null then return false end
  end
  return true
end

--- Whether a message of these blocks is told without loss by its parts and its calls.
local function is_told(blocks)
  local plain = true
  for _, block in ipairs(blocks) do
    if type(block) == "table" and block.name == M.answer_tool then return true end
    plain = plain and type(block) == "table" and is_plain(block)
  end
  return plain
end

--- What must go back as it came, nil where nothing must: thinking with its signature, blocks of tools that run at the
--- provider, citations, and whatever nobody here knows. Then all blocks are kept, since their order counts.
--- @param blocks table[]  with explicit nulls and exact numbers
--- @return table?
function M.of(blocks)
  if is_told(blocks) then return nil end
  local all = {}
  for _, block in ipairs(blocks) do
    if type(block) == "table" then
      local copy = {}
      for name, value in pairs(block) do
        if value ~= json.null then copy[name] = value end
      end
      all[#all + 1] = copy
    end
  end
  return { content = json.array(all) }
end

--- The name and the arguments of a call, also in the form of OpenAI's chat.
local function read_call(call)
  local inner = type(call["function"]) == "table" and call["function"] or call
  local arguments = inner.arguments_raw
  if arguments == nil then arguments = inner.arguments end
  return inner.name, arguments
end

--- The arguments of a call as an object.
local function input_of(arguments, place, name)
  if type(arguments) == "table" then return arguments end
  local text = type(arguments) == "string" and arguments or ""
  if not text:find("%S") then return {} end
  local value = json.decode(text, { null = true, exact = true })
  if type(value) == "table" and (text:find("^%s*{")) then return value end
  return nil, error_class.new {
    kind = "bad_request", code = "tool_arguments", part = place,
    message = ("%s: the arguments of the call of %s are no JSON object, which Anthropic's dialect wants; leave the call out"):format(
      place, tostring(name)),
  }
end

local function add_calls(blocks, calls, context)
  for _, call in ipairs(type(calls) == "table" and calls or {}) do
    local name, arguments = read_call(call)
    local input, err = input_of(arguments, ("messages[%d]"):format(context.index), name)
    if not input then return nil, err end
    blocks[#blocks + 1] = { type = "tool_use", id = context.ids:call(tostring(call.id or "")), name = name, input = input }
  end
  return blocks
end

local function text_in(blocks)
  local texts = {}
  for _, block in ipairs(blocks) do
    if block.type == "text" then texts[#texts + 1] = lifted.text(block.text) or "" end
  end
  return table.concat(texts)
end

--- Whether blocks that were kept say what the message says: it may have been changed since.
local function says_the_same(kept, blocks, calls)
  if text_in(kept) ~= text_in(blocks) then return false end
  local at = 0
  for _, block in ipairs(kept) do
    if block.type == "tool_use" then
      at = at + 1
      if not calls or not calls[at] or calls[at].id ~= block.id then return false end
    end
  end
  return not (calls and calls[at + 1])
end

local thinks = { thinking = true, redacted_thinking = true }

--- The thinking at the beginning of what was kept.
local function thinking_in(kept)
  local blocks = {}
  for _, block in ipairs(kept) do
    if not thinks[block.type] then break end
    blocks[#blocks + 1] = block
  end
  return blocks
end

--- Kept blocks for another request. Empty text, which came so, is refused when it goes back.
local function copied(kept, context)
  local blocks = {}
  for _, block in ipairs(kept) do
    if not (block.type == "text" and block.text == "") then
      local copy = {}
      for name, value in pairs(block) do copy[name] = value end
      if copy.type == "tool_use" then copy.id = context.ids:call(tostring(copy.id or "")) end
      blocks[#blocks + 1] = copy
    end
  end
  return blocks
end

local function is_list(value)
  return type(value) == "table" and type(value[1]) == "table"
end

local function warn_of_foreign(message, context)
  if message.native == nil or message.dialect == "anthropic" then return end
  context.warnings[#context.warnings + 1] = ("messages[%d]: what only the dialect %s reads (reasoning and the like) was left out"):format(
    context.index, tostring(message.dialect))
end

--- The blocks of an assistant's message.
--- @param message multimodal.Message
--- @param said table[]     its parts as blocks
--- @param calls table[]?   ours, or as OpenAI's chat writes them
--- @param context multimodal.anthropic.Context
--- @return table[]? blocks
--- @return multimodal.Error? err  arguments that are no object
function M.blocks(message, said, calls, context)
  warn_of_foreign(message, context)
  local kept = message.dialect == "anthropic" and type(message.native) == "table" and message.native.content
  if not is_list(kept) then return add_calls(said, calls, context) end
  if says_the_same(kept, said, calls) then return copied(kept, context) end
  local blocks = thinking_in(kept)
  for _, block in ipairs(said) do blocks[#blocks + 1] = block end
  return add_calls(blocks, calls, context)
end

return M
