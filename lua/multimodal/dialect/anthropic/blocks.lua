--- The blocks of a streamed message as they grow. Nothing is joined before it is asked for.
--- Names: new.
local decode = require("multimodal.dialect.anthropic.decode")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local native = require("multimodal.dialect.anthropic.native")
local pieces = require("multimodal.dialect.pieces")
local tool_calls = require("multimodal.reply.tool_calls")

local M = {}

--- @class multimodal.anthropic.Block
--- @field wire table        as it began, without nulls
--- @field exact table       likewise, with nulls and exact numbers
--- @field text table        pieces of its text or of its input, and `n`
--- @field thinking table    pieces of its thinking, and `n`
--- @field position integer? among the calls, from 0
--- @field ended boolean?
local Block = {}
Block.__index = Block

--- @param wire table
--- @param exact table
--- @return multimodal.anthropic.Block
function M.new(wire, exact)
  return setmetatable({ wire = wire, exact = exact, text = pieces.new(), thinking = pieces.new() }, Block)
end

--- Whether it is a call of ours, or of the provider, that grows by its input.
--- @return boolean
function Block:has_input()
  return self.wire.input ~= nil or self.wire.type == "tool_use" or self.wire.type == "server_tool_use"
end

--- Whether it is the call of a tool that stands for the answer itself.
--- @return boolean
function Block:is_answer()
  return self.wire.type == "tool_use" and self.wire.name == native.answer_tool
end

--- Whether it is a call that is handed out.
--- @return boolean
function Block:is_call()
  return self.wire.type == "tool_use" and self.wire.name ~= native.answer_tool
end

--- @param name "text"|"thinking"
--- @param piece string
function Block:append(name, piece)
  pieces.push(self[name], piece)
  self.done = nil
end

--- Take a citation, both as it is for users and with its nulls.
function Block:cite(citation, exact)
  self.citations, self.exact_citations = self.citations or {}, self.exact_citations or {}
  self.citations[#self.citations + 1] = citation
  self.exact_citations[#self.exact_citations + 1] = exact
end

--- A signature comes once and stands for itself.
function Block:sign(signature)
  self.signature = signature
end

--- The input as far as it came: what the pieces say, or else what it began with.
local function input_of(block, exact)
  local text = pieces.joined(block.text)
  if not text:find("%S") then return exact and block.exact.input or block.wire.input end
  local value = text:find("^%s*{") and json.decode(text, exact and { null = true, exact = true } or nil)
  return type(value) == "table" and value or text
end

local function with(began, name, text)
  if text == "" then return began[name] end
  return (lifted.text(began[name]) or "") .. text
end

local function copy_of(block, began, exact)
  local copy = {}
  for name, value in pairs(began) do copy[name] = value end
  if block:has_input() then
    copy.input = input_of(block, exact)
    if copy.input == nil then copy.input = {} end
  elseif block.text.n > 0 then
    copy.text = with(began, "text", pieces.joined(block.text))
  end
  if block.thinking.n > 0 then copy.thinking = with(began, "thinking", pieces.joined(block.thinking)) end
  if block.signature ~= nil then copy.signature = block.signature end
  local cited = exact and block.exact_citations or block.citations
  if cited then
    local all = {}
    for _, citation in ipairs(lifted.list(began.citations)) do all[#all + 1] = citation end
    for _, citation in ipairs(cited) do all[#all + 1] = citation end
    copy.citations = json.array(all)
  end
  return copy
end

--- The block in the shape of a whole message.
--- @return table wire
--- @return table exact  the same with explicit nulls and exact numbers
function Block:build()
  return copy_of(self, self.wire, false), copy_of(self, self.exact, true)
end

--- The call, as it is handed out: made once, and again only if more came after.
--- @return multimodal.ToolCall
function Block:call()
  if not self.done then
    local made = tool_calls.call(self.made_id or lifted.present(self.wire.id), lifted.present(self.wire.name),
      decode.input_text(input_of(self, true)))
    self.made_id, self.done = made.id, made
  end
  return self.done
end

--- The text of what it began with, for the first event.
--- @return string?
function Block:beginning()
  local input = self.exact.input
  if type(input) == "table" and next(input) ~= nil then return json.encode(input) end
  return nil
end

return M
