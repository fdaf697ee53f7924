--- Surrogate pairs that a proxy tore over two chunks ("\ud83d" ends one string, "\ude00" begins the next) are joined.
--- Names: read mend left, replacement.
local json = require("multimodal.json")

local M = {}

local half = "\237[\160-\191][\128-\191]"
local high_at_end = "\237[\160-\175][\128-\191]$"
local pair = "\237([\160-\175])([\128-\191])\237([\176-\191])([\128-\191])"

--- What stands for half a pair whose other half never comes.
M.replacement = "\239\191\189"

--- Whether the text of a chunk may hold half a pair: only then is there anything to do.
local function torn(data)
  return data:find("\\u", 1, true) ~= nil and data:find("\\u[dD][89a-fA-F]") ~= nil
end

local function join(a, b, c, d)
  local high = (a:byte() - 0xA0) * 64 + b:byte() - 0x80
  local low = (c:byte() - 0xB0) * 64 + d:byte() - 0x80
  local code = 0x10000 + high * 1024 + low
  return string.char(
    0xF0 + math.floor(code / 0x40000), 0x80 + math.floor(code / 0x1000) % 64,
    0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function mend_text(held, place, text)
  if held[place] then
    text, held[place] = held[place] .. text, nil
  end
  if not text:find("\237", 1, true) then return text end
  text = text:gsub(pair, join)
  held[place] = text:match(high_at_end)
  if held[place] then text = text:sub(1, -4) end
  return (text:gsub(half, M.replacement))
end

--- Mend the strings of a chunk that was decoded with halves kept. A high half at the end of a string waits in `held`
--- for the same place of a later chunk.
--- @param held table    place -> the half that waits
--- @param value any
--- @param place? string
--- @return any value    the same table, mended
function M.mend(held, value, place)
  place = place or ""
  if type(value) == "string" then return mend_text(held, place, value) end
  if type(value) ~= "table" then return value end
  for key, item in pairs(value) do
    local name = type(key) == "number" and key - 1 or key
    if type(item) == "table" and type(item.index) == "number" then name = item.index end
    value[key] = M.mend(held, item, place .. "." .. name)
  end
  return value
end

--- Read a chunk; pairs that were torn over two chunks are joined.
--- @param state table      of the stream; its `held` are the halves that wait
--- @param event table      {data, media}
--- @return any value       nil where it is no JSON
--- @return multimodal.Error? fault
function M.read(state, event)
  local media = event.media
  local options = media and media[1] and { media = media } or nil
  if not state.held and not torn(event.data) then return json.decode(event.data, options) end
  options = options or {}
  options.halves = true
  local value, fault = json.decode(event.data, options)
  if value == nil then return nil, fault end
  state.held = state.held or {}
  value = M.mend(state.held, value)
  if next(state.held) == nil then state.held = nil end
  return value
end

--- The fields of deltas in which a half still waits: a list of choices as a chunk would bring them.
--- @param held table
--- @return table[]
function M.left(held)
  local choices = {}
  for place in pairs(held) do
    local index, name = place:match("^%.choices%.(%d+)%.delta%.([%w_]+)$")
    if index then choices[#choices + 1] = { index = tonumber(index), delta = { [name] = M.replacement } } end
  end
  return choices
end

return M
