--- What the specs of dialects share: fixtures, events of a body in any split, and values that can be compared.
local core = require("multimodal.core")
local media = require("multimodal.media")
local prompts = require("multimodal.prompt.prompt")

local M = {}

local folder = "spec/fixtures/"

function M.read(path)
  local file = assert(io.open(folder .. path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function M.json(path)
  return assert(core.json_decode(M.read(path)))
end

--- Names of the fixtures with an ending in a folder, without it.
function M.names(path, ending)
  local pipe = assert(io.popen("ls " .. folder .. path))
  local names = {}
  for line in pipe:lines() do names[#names + 1] = line:match("^(.*)%." .. ending .. "$") end
  pipe:close()
  assert(names[1], path)
  return names
end

--- A decoder that was fed a body in pieces of `step` bytes, whole where it is nil.
function M.decoder(body, options)
  options = options or {}
  local decoder = core.decoder { lenient = true, text = options.text }
  decoder:head(options.status or 200, options.content_type or "text/event-stream")
  for from = 1, #body, options.step or math.max(1, #body) do
    decoder:feed(body:sub(from, from + (options.step or #body) - 1))
  end
  decoder:finish()
  return decoder
end

--- Run a body through a dialect, event by event.
--- @return table state
--- @return table deltas
--- @return table? err
function M.run(dialect, body, options)
  local decoder, state, deltas = M.decoder(body, options), dialect.begin(options and options.begin), {}
  while true do
    local event = decoder:next()
    if not event then return state, deltas end
    local list, err = dialect.delta(state, event)
    if not list then return state, deltas, err end
    for _, delta in ipairs(list) do deltas[#deltas + 1] = delta end
    if dialect.ended(state) then return state, deltas end
  end
end

--- Run a body through the text path of the decoder where it will have it.
--- @return table state
--- @return table deltas
--- @return integer taken   events that came as text
function M.run_text(dialect, body, options)
  options = options or {}
  options.text = dialect.text
  local decoder, state, deltas, taken = M.decoder(body, options), dialect.begin(), {}, 0
  while not dialect.ended(state) do
    local text, why = decoder:next_text()
    if text then
      text = dialect.text_delta(state, text)
      taken = taken + 1
      if text ~= "" then deltas[#deltas + 1] = { type = "text", delta = text } end
    elseif why ~= "event" then
      break
    else
      for _, delta in ipairs(assert(dialect.delta(state, decoder:next()))) do deltas[#deltas + 1] = delta end
    end
  end
  return state, deltas, taken
end

--- A value without what cannot be compared: media and blobs become tables of their bytes; functions, scans and
--- writers vanish, and so do fields under a table.
function M.plain(value, seen)
  if type(value) == "userdata" then
    local class = getmetatable(value)
    return type(class) == "table" and class.__name == "multimodal.blob" and { blob = value:bytes() } or nil
  end
  if type(value) == "function" then return nil end
  if type(value) == "string" and value:find("^call_%x%x%x%x%x%x%x%x%x+$") then return "an id that was made" end
  if type(value) ~= "table" then return value end
  seen = seen or {}
  if seen[value] then return "again" end
  seen[value] = true
  local copy = {}
  if media.is(value) then
    copy = { kind = value.kind, url = value.url, bytes = value.blob and value.blob:bytes(), mime = value:mime(),
      id = value.id, transcript = value.transcript }
  else
    for key, field in pairs(value) do
      if type(key) ~= "table" then copy[key] = M.plain(field, seen) end
    end
  end
  seen[value] = nil
  return copy
end

--- Messages with their media at hand.
function M.opened(list)
  for _, message in ipairs(list) do
    for i, part in ipairs(message.content) do
      if media.is(part) then message.content[i] = assert(part:opened()) end
    end
  end
  return list
end

--- A prompt as a client would hand it over.
function M.prompt(said, more)
  local written = prompts.new(said, more)
  local options = written.options or {}
  return { messages = M.opened(prompts.with_system(written.messages, options.system)), options = options }
end

--- A table with the fields of another over it.
function M.over(base, more)
  local made = {}
  for name, value in pairs(base) do made[name] = value end
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

--- All deltas of a type.
function M.of_type(deltas, name)
  local list = {}
  for _, delta in ipairs(deltas) do
    if delta.type == name then list[#list + 1] = delta end
  end
  return list
end

--- The text that deltas of a type add up to.
function M.joined(deltas, name)
  local list = {}
  for _, delta in ipairs(M.of_type(deltas, name)) do list[#list + 1] = delta.delta end
  return table.concat(list)
end

--- Objects of the core that are still alive. Compiled traces hold what they were recorded with.
function M.live()
  if jit then jit.flush() end -- luacheck: ignore 113
  collectgarbage()
  collectgarbage()
  return core.live()
end

return M
