--- A hook for on_progress and on_upload that shows people how far a thing is: a line that rewrites itself on a terminal,
--- now and then a line of its own elsewhere.
--- Names: new.
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local options_table = require("multimodal.options")

local M = {}

--- @class multimodal.Progress  what the hooks are told
--- @field what string      "upload", "download" or "task"
--- @field state string     "running" or another; the last is "succeeded", "failed", "cancelled" or "expired"
--- @field elapsed number   seconds since it began
--- @field done number?     bytes so far, of a task its share of `total`
--- @field total number?    nil until it is known
--- @field over boolean?    the waiting for a task ends here, and the task lives on

local ended = { succeeded = true, failed = true, cancelled = true, expired = true }
local in_bytes = { upload = true, download = true }

--- Seconds between two lines.
local redraw, usual_every = 0.1, 5

--- The rate is that of the last seconds.
local window = 2

local known = {
  out = { says = "a file", test = function(value) return value ~= nil and value ~= true end },
  terminal = { says = "true or false", test = function(value) return type(value) == "boolean" end },
  every = { says = "seconds above 0", test = function(value) return type(value) == "number" and value > 0 end },
}

local units = { "B", "kB", "MB", "GB", "TB" }

local function size(bytes)
  local unit = 1
  while bytes >= 999.5 and unit < #units do bytes, unit = bytes / 1000, unit + 1 end
  return (unit == 1 and "%.0f %s" or "%.1f %s"):format(bytes, units[unit])
end

local function clock(seconds)
  seconds = math.floor(seconds)
  local minutes = math.floor(seconds / 60)
  if minutes < 60 then return ("%d:%02d"):format(minutes, seconds % 60) end
  return ("%d:%02d:%02d"):format(math.floor(minutes / 60), minutes % 60, seconds % 60)
end

local function share(done, total)
  return total > 0 and ("%d %%"):format(math.floor(100 * math.min(done, total) / total)) or nil
end

--- How far it is, in words.
local function amounts(now, rate, words)
  local done, total = now.done, now.total
  if not done then return end
  if not in_bytes[now.what] then
    words[#words + 1] = total and share(done, total)
    return
  end
  local whole = total and total > done
  words[#words + 1] = whole and ("%s of %s"):format(size(done), size(total)) or size(done)
  words[#words + 1] = whole and share(done, total) or nil
  words[#words + 1] = rate and size(rate) .. "/s" or nil
end

--- What a server calls a state must not move the cursor.
local function plain(text)
  return (tostring(text):gsub("[%c\127]", "?"))
end

local function line_of(now, rate)
  local words = { plain(now.state) }
  amounts(now, rate, words)
  words[#words + 1] = clock(now.elapsed)
  return plain(now.what) .. ": " .. table.concat(words, ", ")
end

--- @class multimodal.ProgressLine
local Line = {}
Line.__index = Line

--- A thing that begins.
local function begin(self, now)
  if self.open then self.out:write("\n") end
  self.open, self.what, self.state, self.drawn = false, now.what, nil, nil
  self.first = { elapsed = now.elapsed, done = now.done or 0 }
  self.mark, self.next_mark = self.first, self.first
end

--- Bytes a second: of the last seconds, and at the end of all the time.
local function rate_of(self, now)
  local done = now.done
  if not done then return nil end
  if now.elapsed - self.next_mark.elapsed >= window then
    self.mark, self.next_mark = self.next_mark, { elapsed = now.elapsed, done = done }
  end
  local from = ended[now.state] and self.first or self.mark
  local seconds = now.elapsed - from.elapsed
  return seconds > 0 and done > from.done and (done - from.done) / seconds or nil
end

local function draw(self, now, rate)
  local text, over = line_of(now, rate), ended[now.state] or now.over
  if not self.terminal then
    self.out:write(text, "\n")
  else
    self.out:write("\r", text, "\27[K", over and "\n" or "")
    self.open = not over
  end
  self.out:flush()
end

--- @param now multimodal.Progress
function Line:show(now)
  local over = not self.drawn or now.what ~= self.what or ended[self.state] or now.elapsed < self.drawn
  if over then begin(self, now) end
  local rate = rate_of(self, now)
  local due = now.elapsed - (self.drawn or -math.huge) >= self.every
  if now.state == self.state and not due and not (now.over and self.open) then return end
  self.state, self.drawn = now.state, now.elapsed
  draw(self, now, rate)
end

--- Make a hook: `on_progress = mm.progress()`. One hook shows one thing at a time.
--- @param given? {out: file*?, terminal: boolean?, every: number?}  out: stderr unless named; terminal: whether it is one, asked
---   of stderr and stdout; every: seconds between the lines where it is none (5)
--- @return fun(now: multimodal.Progress)
function M.new(given)
  given = given or {}
  if type(given) ~= "table" then error_class.misuse("progress: expected a table of options, got " .. type(given)) end
  options_table.check(given, known, "progress: ")
  local out = given.out or io.stderr
  local terminal = given.terminal
  if terminal == nil then terminal = out == io.stderr and core.is_terminal(2) or out == io.stdout and core.is_terminal(1) end
  local line = setmetatable({ out = out, terminal = terminal, every = terminal and redraw or given.every or usual_every }, Line)
  return function(now)
    line:show(now)
  end
end

return M
