--- Watches for keys in what the library says. Keys of specs have the word "canary" in them; each that becomes a secret
--- is searched for in every error, tostring, traceback, curl line, shown header, dump, record, journal and line on a terminal.
--- In: `install` before the library is loaded. Out: `found`, sentences; empty while all is well.
local M = {}

--- What leaked, as sentences.
--- @type string[]
M.found = {}

local keys, marker = {}, "canary"

--- Look for a key in a text.
--- @param text any
--- @param place string
--- @return any text
function M.scan(text, place)
  if type(text) ~= "string" or not text:find(marker, 1, true) then return text end
  for key in pairs(keys) do
    local at = text:find(key, 1, true)
    if at then
      M.found[#M.found + 1] = ("a key in %s: ...%s"):format(place, text:sub(math.max(1, at - 60), at + #key):gsub("%c", " "))
      break
    end
  end
  return text
end

--- Look through a table as a dumper does: every string in it, keys of tables included.
--- @param value any
--- @param place string
--- @param seen? table
function M.search(value, place, seen)
  if type(value) == "string" then return M.scan(value, place) end
  if type(value) ~= "table" then return end
  seen = seen or {}
  if seen[value] then return end
  seen[value] = true
  for name, field in next, value do
    M.search(name, place, seen)
    M.search(field, ("%s.%s"):format(place, type(name) == "string" and name or "[]"), seen)
  end
end

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- Remember a key, and the password of a proxy's URL as it stands there and as it is. Functions that give a key are asked
--- when the library asks.
local function note(value)
  if type(value) ~= "string" or not value:find(marker, 1, true) then return end
  local key = value:match("^%s*(.-)%s*$")
  if #key == #marker then error("a key of a spec is more than the word canary, which is a name of files too", 0) end
  keys[key] = true
  local password = key:match("^%a+://[^/@]*:([^/@]+)@")
  if not password or #password <= #marker then return end
  keys[password], keys[unescaped(password)] = true, true
end

M.note = note

--- Let a function's results, or what it is given, be looked at.
local function watched(fn, place, of_arguments)
  return function(...)
    if of_arguments then
      for i = 1, select("#", ...) do M.search((select(i, ...)), place) end
      return fn(...)
    end
    local function look(...)
      for i = 1, select("#", ...) do M.search((select(i, ...)), place) end
      return ...
    end
    return look(fn(...))
  end
end

--- Errors: all their fields, but for the reply as far as it had come, which is a reply's.
local function watch_errors()
  local error_class = require("multimodal.error")
  local make = error_class.new
  function error_class.new(fields, more)
    local err = make(fields, more)
    for name, value in next, err do
      if name ~= "partial" then M.search(value, "an error's " .. tostring(name)) end
    end
    return err
  end
  error_class.misuse = watched(error_class.misuse, "a misuse", true)
end

local function watch_secrets()
  local secret = require("multimodal.client.secret")
  local make, reveal = secret.new, secret.reveal
  function secret.new(value)
    note(value)
    return make(value)
  end
  function secret.reveal(value)
    local inner = reveal(value)
    if secret.is(value) then
      note(inner)
      if type(inner) ~= "function" then return inner end
      return function(...)
        local given, more = inner(...)
        note(reveal(given))
        return given, more
      end
    end
    return inner
  end
end

--- What is shown of requests, conversations, tasks and records.
local function watch_views()
  local headers = require("multimodal.client.headers")
  headers.shown = watched(headers.shown, "shown headers")
  local dump = require("multimodal.client.dump")
  dump.write = watched(dump.write, "a dump of a conversation")
  local text = require("multimodal.client.task_text")
  for name, fn in pairs(text) do
    if type(fn) == "function" then text[name] = watched(fn, "the text of a task") end
  end
  local core = require("multimodal.core")
  core.file_write = watched(core.file_write, "a file", true)
end

local function watch_words()
  local plain = tostring
  function _G.tostring(value) -- luacheck: ignore 122
    local text = plain(value)
    if type(value) == "table" or type(value) == "userdata" then
      local class = getmetatable(value)
      local name = type(class) == "table" and class.__name
      -- A body is the payload itself: what the user put into it.
      if name ~= "multimodal.body" then M.scan(text, "tostring of " .. plain(name or type(value))) end
    end
    return text
  end
  debug.traceback = watched(debug.traceback, "a traceback") -- luacheck: ignore 122
  local file = getmetatable(io.stderr).__index
  local write = file.write
  function file.write(self, ...)
    if self == io.stderr or self == io.stdout then
      for i = 1, select("#", ...) do M.scan((select(i, ...)), "a line on a terminal") end
    end
    return write(self, ...)
  end
end

--- Put the watch around the library, once a process.
function M.install()
  if M.installed then return end
  M.installed = true
  watch_words()
  watch_errors()
  watch_secrets()
  watch_views()
end

--- What was found since the last call.
--- @return string[]
function M.take()
  local list = M.found
  M.found = {}
  return list
end

return M
