--- One choice of a stream as it grows, and the whole body's shape made of it. Nothing is joined before it is asked for.
--- Names: new.
local audio = require("multimodal.dialect.openai.audio")
local content = require("multimodal.dialect.openai.content")
local json = require("multimodal.json")
local lifted = require("multimodal.dialect.lifted")
local pieces = require("multimodal.dialect.pieces")
local tool_calls = require("multimodal.reply.tool_calls")

local M = {}

local push, joined = pieces.push, pieces.joined

local Choice = {}
Choice.__index = Choice

--- @param index integer
--- @param options table     of the stream: concat_names
--- @param warn fun(text: string)
function M.new(index, options, warn)
  return setmetatable({
    index = index, role = "assistant", meta = {}, message = {}, texts = {}, content = pieces.new(),
    images = {}, calls = tool_calls.new(options, warn), warn = warn,
  }, Choice)
end

--- Append to a field of the message that grows as text.
function Choice:append(name, text)
  local buffer = self.texts[name]
  if not buffer then
    buffer = pieces.new()
    self.texts[name] = buffer
  end
  push(buffer, text)
end

--- Append to the content: a string, text with blobs amid, or a blob.
function Choice:append_content(value)
  if type(value) == "string" then
    local buffer = self.content
    local n = buffer.n + 1
    buffer.n, buffer[n] = n, value
    return
  end
  for _, piece in ipairs(lifted.is_mixed(value) and value or { value }) do
    if type(piece) ~= "string" then self.content.blob = piece end
    push(self.content, piece)
  end
end

--- Append a part of the content that is no text.
function Choice:append_part(part)
  self.content.listed = true
  push(self.content, part)
end

--- Append thinking that came as a part of the content.
function Choice:append_thought(text)
  local last = self.content[self.content.n]
  if type(last) ~= "table" or not last.thoughts then
    last = { thoughts = pieces.new() }
    self:append_part(last)
  end
  push(last.thoughts, text)
end

--- Strings that stand side by side as one, the rest as it is.
local function merged(buffer)
  local list, run = {}, {}
  local function close()
    if run[1] then list[#list + 1] = table.concat(run) end
    run = {}
  end
  for i = 1, buffer.n do
    if type(buffer[i]) == "string" then
      run[#run + 1] = buffer[i]
    else
      close()
      list[#list + 1] = buffer[i]
    end
  end
  close()
  return list
end

local function as_part(piece)
  if type(piece) == "table" and piece.thoughts then
    return { type = "thinking", thinking = json.array { { type = "text", text = joined(piece.thoughts) } } }
  end
  return type(piece) == "table" and piece or { type = "text", text = piece }
end

local function content_of(buffer)
  if not buffer.listed and not buffer.blob then
    local text = joined(buffer)
    return text ~= "" and text or nil
  end
  local list = merged(buffer)
  if buffer.listed then
    for i, piece in ipairs(list) do list[i] = as_part(piece) end
    return json.array(list)
  end
  return list[2] == nil and list[1] or lifted.mixed(list, buffer.blob)
end

--- Take an image element unless it came before.
--- @return boolean new
function Choice:append_image(element)
  self.is_new = self.is_new or content.memory()
  if not self.is_new(content.url_of(element)) then return false end
  self.images[#self.images + 1] = element
  return true
end

local function compatible(a, b)
  return a == nil or b == nil or a == json.null or b == json.null or a == b
end

--- Merge one detail into a list: text goes on where the last was text, what is told first stays.
local function merge_detail(list, detail)
  local last = list[#list]
  local goes_on = last and detail.type == "reasoning.text" and last.fields.type == "reasoning.text"
    and compatible(last.fields.index, detail.index) and compatible(last.fields.id, detail.id)
  if not goes_on then
    last = { fields = {}, text = pieces.new() }
    list[#list + 1] = last
  end
  for name, value in pairs(detail) do
    if name == "text" and detail.type == "reasoning.text" and lifted.text(value) then
      push(last.text, lifted.text(value))
    elseif last.fields[name] == nil or last.fields[name] == json.null then
      last.fields[name] = value
    end
  end
end

--- @param name "details"|"exact_details"  as they are for users, or with explicit nulls for the way back
function Choice:append_details(name, details)
  self[name] = self[name] or {}
  for _, detail in ipairs(details) do
    if type(detail) == "table" then merge_detail(self[name], detail) end
  end
end

local function details_of(list)
  if not list then return nil end
  local details = {}
  for i, detail in ipairs(list) do
    local copy = {}
    for name, value in pairs(detail.fields) do copy[name] = value end
    if detail.text.n > 0 then copy.text = joined(detail.text) end
    details[i] = copy
  end
  return json.array(details)
end

local function hash_of(annotation)
  local file = type(annotation) == "table" and annotation.file
  return type(file) == "table" and file.hash or nil
end

--- @param name "annotations"|"exact_annotations"
function Choice:append_annotations(name, list)
  local all = self[name] or {}
  self[name] = all
  for _, annotation in ipairs(list) do
    local hash, twice = hash_of(annotation), false
    for _, other in ipairs(hash and all or {}) do twice = twice or hash_of(other) == hash end
    if not twice then all[#all + 1] = annotation end
  end
end

--- Take a fragment of audio.
--- @return string? bytes
--- @return string? transcript
function Choice:append_audio(fragment)
  self.audio = self.audio or audio.new()
  return audio.append(self.audio, fragment)
end

local function call_of(slot, extra, inner)
  local arguments = slot:arguments()
  local wire = { id = slot.id, type = slot.type or "function" }
  if slot.custom then
    wire.type, wire.custom = "custom", { name = slot.name, input = arguments }
  else
    wire["function"] = { name = slot.name, arguments = arguments }
    for name, value in pairs(inner or {}) do wire["function"][name] = value end
  end
  for name, value in pairs(extra or {}) do wire[name] = value end
  return wire
end

local function add_calls(message, slots, extra, inner)
  local list = {}
  for _, slot in ipairs(slots) do
    local wire = call_of(slot, slot[extra], slot[inner])
    if slot.legacy then message.function_call = wire["function"] else list[#list + 1] = wire end
  end
  if list[1] then message.tool_calls = json.array(list) end
end

local function array_of(list)
  local copy = {}
  for i, value in ipairs(list) do copy[i] = value end
  return json.array(copy)
end

--- The choice in the shape of a whole body.
--- @param over boolean   nothing more comes
--- @return table choice
--- @return table exact   the message's fields that go back, with explicit nulls
function Choice:build(over)
  local choice, message = { index = self.index }, { role = self.role, content = content_of(self.content) }
  for name, value in pairs(self.meta) do choice[name] = value end
  for name, value in pairs(self.message) do message[name] = value end
  for name, buffer in pairs(self.texts) do
    local text = joined(buffer)
    if text ~= "" then message[name] = text end
  end
  if self.images[1] then message.images = array_of(self.images) end
  message.reasoning_details = details_of(self.details)
  message.annotations = self.annotations and array_of(self.annotations)
  message.audio = self.audio and audio.whole(self.audio, over)
  local exact = {
    reasoning_details = details_of(self.exact_details), annotations = self.exact_annotations,
  }
  add_calls(message, self.calls.slots, "extra", "inner")
  if message.tool_calls then add_calls(exact, self.calls.slots, "exact_extra", "exact_inner") end
  choice.message = message
  return choice, exact
end

return M
