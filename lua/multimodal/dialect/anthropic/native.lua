--- What an assistant said as blocks: what must go back as it came goes back so, what another dialect left is dropped.
--- Names: of blocks answer_tool.
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local turns = require("multimodal.dialect.turns")

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
    if lifted.is_object(block) then
      if block.name == M.answer_tool then return true end
      plain = plain and is_plain(block)
    end
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
    if lifted.is_object(block) and type(block.type) == "string" then
      local copy = {}
      for name, value in pairs(block) do
        if value ~= json.null then copy[name] = value end
      end
      all[#all + 1] = copy
    end
  end
  return { content = json.array(all) }
end

local function add_calls(blocks, calls, place, context)
  for _, call in ipairs(calls) do
    local text, input = turns.arguments(call, place, "Anthropic's dialect")
    if not text then return nil, input end
    blocks[#blocks + 1] = { type = "tool_use", id = context.ids:call(tostring(call.id or "")), name = call.name, input = input }
  end
  return blocks
end

--- Whether a block is text without words, which comes so and is refused when it goes back.
local function is_blank(block)
  return block.type == "text" and not (lifted.text(block.text) or ""):find("%S")
end

local function text_in(blocks)
  local texts = {}
  for _, block in ipairs(blocks) do
    if block.type == "text" and not is_blank(block) then texts[#texts + 1] = lifted.text(block.text) end
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
      if not calls[at] or calls[at].id ~= block.id then return false end
    end
  end
  return calls[at + 1] == nil
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

--- Kept blocks for another request.
local function copied(kept, context)
  local blocks = {}
  for _, block in ipairs(kept) do
    if not is_blank(block) then
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

--- The blocks of an assistant's message.
--- @param item multimodal.TurnItem
--- @param said table[]     its parts as blocks
--- @param calls multimodal.ToolCall[]
--- @param context multimodal.anthropic.Context
--- @return table[]? blocks
--- @return multimodal.Error? err  arguments that are no object
function M.blocks(item, said, calls, context)
  local message, place = item.message, item.place
  turns.foreign_left(message, place, "anthropic", context.warnings)
  local kept = message.dialect == "anthropic" and type(message.native) == "table" and message.native.content
  if not is_list(kept) then return add_calls(said, calls, place, context) end
  if says_the_same(kept, said, calls) then return copied(kept, context) end
  local blocks = thinking_in(kept)
  for _, block in ipairs(said) do blocks[#blocks + 1] = block end
  return add_calls(blocks, calls, place, context)
end

return M
