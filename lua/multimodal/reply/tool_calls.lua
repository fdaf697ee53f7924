--- Tool calls put together from the fragments of a stream, whatever a gateway leaves out or repeats.
--- Names: new call. The rules are those of wire-openai C.4: by id, then by index, then the last one.
local json = require("multimodal.json")

local M = {}

--- One call as it grows.
--- @class multimodal.ToolSlot
--- @field id string?
--- @field index integer?      as the wire counts
--- @field name string?
--- @field position integer    by first appearance, from 0
--- @field twin boolean?       its id is another's: it is called by one that is made
--- @field object table?       arguments that came as an object
--- @field extra table?        further fields of the call, kept for the way back
--- @field done multimodal.ToolCall?  set once it is handed out

--- One fragment.
--- @class multimodal.ToolFragment
--- @field id string?
--- @field index integer?
--- @field name string?
--- @field arguments string|table|nil

local made = 0

--- An id for a call that came without one: no two are alike in a process, and hardly in two.
local function new_id()
  made = made + 1
  local where = tostring({}):match("0x0*(%x+)") or "0"
  return ("call_%x%s%x"):format(os.time(), where, made)
end

--- A finished call. Arguments are read here, once; blank ones are `{}`, and what is no JSON object stays text.
--- @param id string?
--- @param name string?
--- @param arguments string|table|nil
--- @return multimodal.ToolCall
function M.call(id, name, arguments)
  local call = { id = id or new_id(), name = name or "" }
  if type(arguments) == "table" then
    call.arguments_raw = json.encode(arguments) or "{}"
  else
    local blank = type(arguments) ~= "string" or not arguments:find("%S")
    call.arguments_raw = blank and "{}" or arguments
  end
  if call.arguments_raw:find("^%s*{") then
    local value = json.decode(call.arguments_raw)
    call.arguments = type(value) == "table" and value or nil
  end
  return call
end

local Slot = {}
Slot.__index = Slot

function Slot:append(text)
  self.n = self.n + 1
  self.pieces[self.n] = text
  self.length = self.length + #text
  self.scan = self.scan or json.scan()
  self.scan:feed(text)
end

--- Whether the arguments so far are one whole JSON value.
function Slot:complete()
  return self.object ~= nil or self.scan ~= nil and self.scan:complete()
end

--- The arguments so far.
--- @return string|table
function Slot:arguments()
  if self.object and self.n == 0 then return self.object end
  local text = table.concat(self.pieces, "", 1, self.n)
  if self.n > 1 then self.pieces, self.n = { text }, 1 end
  return text
end

--- The call, as it is handed out: made once, and again only if more came after.
--- @return multimodal.ToolCall
function Slot:call()
  if not self.done then
    local id = not self.twin and self.id or self.made_id or new_id()
    self.made_id = id ~= self.id and id or nil
    self.done = M.call(id, self.name, self:arguments())
  end
  return self.done
end

local Calls = {}
Calls.__index = Calls

--- An assembler of the calls of one message.
--- @param options? {concat_names: boolean?}  for servers that send a name in pieces
--- @param warn? fun(text: string)
function M.new(options, warn)
  return setmetatable({
    slots = {}, by_id = {}, by_index = {}, options = options or {}, warn = warn or function() end,
  }, Calls)
end

local function present(value)
  return type(value) == "string" and value:find("%S") ~= nil and value or nil
end

local function begins(text)
  return type(text) == "table" or type(text) == "string" and text:find("^%s*[{%[]") ~= nil
end

function Calls:open(fragment)
  local slot = setmetatable({ position = #self.slots, pieces = {}, n = 0, length = 0 }, Slot)
  self.slots[#self.slots + 1] = slot
  slot.index = fragment.index
  if fragment.index then self.by_index[fragment.index] = slot end
  return slot
end

--- Slots under an id; more than one where a gateway gives parallel calls the same.
function Calls:name_slot(slot, id)
  slot.id = id
  local list = self.by_id[id] or {}
  self.by_id[id] = list
  list[#list + 1] = slot
  slot.twin = #list > 1
end

--- A whole copy sent once more after the fragments.
local function is_copy(slot, text, id)
  return id ~= nil and type(text) == "string" and #text == slot.length and slot.n > 0 and slot:complete() and slot:arguments() == text
end

--- Another call under an id that is known: its own new index, a name, and arguments that begin afresh.
local function is_twin(calls, slot, fragment)
  local index, text = fragment.index, fragment.arguments
  if is_copy(slot, text, fragment.id) then return false end
  return index ~= nil and slot.index ~= nil and index ~= slot.index and not calls.by_index[index]
    and fragment.name ~= nil and (text == nil or text == "" or begins(text))
end

function Calls:by_known_id(list, fragment)
  local slot = list[#list]
  for _, candidate in ipairs(list) do
    if fragment.index and candidate.index == fragment.index then slot = candidate end
  end
  if is_twin(self, slot, fragment) then
    slot = self:open(fragment)
    self:name_slot(slot, fragment.id)
  end
  return slot
end

function Calls:by_new_id(fragment)
  local slot
  if fragment.index then
    slot = self.by_index[fragment.index]
  elseif not fragment.name then
    slot = self.slots[#self.slots]
  end
  if not slot or slot.id then slot = self:open(fragment) end
  self:name_slot(slot, fragment.id)
  return slot
end

--- The only call whose arguments are not whole yet, or nil.
function Calls:only_open()
  local found
  for i = #self.slots, 1, -1 do
    if not self.slots[i]:complete() then
      if found then return nil end
      found = self.slots[i]
    end
  end
  return found
end

--- A fragment with a name after a whole call: the next one under the same index.
local function starts_another(slot, fragment)
  local text = fragment.arguments
  if not fragment.name or not slot.name or not slot:complete() then return false end
  return begins(text) or fragment.name ~= slot.name and (text == nil or text == "")
end

function Calls:by_known_index(fragment)
  local slot = self.by_index[fragment.index]
  if slot then
    return starts_another(slot, fragment) and self:open(fragment) or slot
  end
  if not fragment.name then
    slot = self:only_open()
    if slot then
      self.by_index[fragment.index] = slot
      return slot
    end
  end
  return self:open(fragment)
end

function Calls:by_nothing(fragment)
  local last = self.slots[#self.slots]
  if not fragment.name then return last end
  if last and not last.name then return last end
  local goes_on = last and last.name == fragment.name and not last:complete() and not begins(fragment.arguments)
  return goes_on and last or self:open(fragment)
end

function Calls:find(fragment)
  if fragment.id then
    local list = self.by_id[fragment.id]
    if list then return self:by_known_id(list, fragment) end
    return self:by_new_id(fragment)
  end
  if fragment.index then return self:by_known_index(fragment) end
  return self:by_nothing(fragment)
end

function Calls:take_name(slot, name)
  if not name or slot.name == name then return end
  if not slot.name then
    slot.name = name
  elseif self.options.concat_names then
    slot.name = slot.name .. name
  else
    self.warn(("tool call %d: the name %q after %q was ignored"):format(slot.position + 1, name, slot.name))
  end
end

local function take_arguments(slot, value, id)
  if type(value) == "table" then
    if slot.n > 0 or slot.object then return nil end
    slot.object, slot.done = value, nil
    return json.encode(value)
  end
  if type(value) ~= "string" or value == "" or is_copy(slot, value, id) then return nil end
  if slot.object then return nil end
  slot:append(value)
  slot.done = nil
  return value
end

--- Take one fragment. What is blank or of another type counts as missing.
--- @param id any
--- @param index any
--- @param name any
--- @param arguments string|table|nil
--- @return multimodal.ToolSlot? slot   the call it belongs to; nil when it belongs to none and was dropped
--- @return string? added               what its arguments grew by
function Calls:add(id, index, name, arguments)
  local fragment = { id = present(id), index = tonumber(index), name = present(name), arguments = arguments }
  local slot = self:find(fragment)
  if not slot then
    self.warn("a piece of a tool call that belongs to none was dropped")
    return nil
  end
  self:take_name(slot, fragment.name)
  return slot, take_arguments(slot, fragment.arguments, fragment.id)
end

return M
