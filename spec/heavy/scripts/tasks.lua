--- Begins tasks and waits for all of them at once, by the clock or, with "count", quickly while the steps of Lua's machine are
--- counted. usage: tasks.lua URL N [count]
local counted = arg[3] == "count"
local steps, every = 0, 100

-- Each thread has a hook of its own, and compiled code runs none.
local function count() steps = steps + every end
if counted then
  if jit then jit.off() end -- luacheck: ignore 113
  local create = coroutine.create
  function coroutine.create(fn) -- luacheck: ignore 122
    local co = create(fn)
    debug.sethook(co, count, "", every)
    return co
  end
  debug.sethook(count, "", every)
end

local figures = require("heavy.scripts.figures")
local mm = figures.mm
local now = require("multimodal.net").now

--- Seconds that the processor has worked for this process.
local function worked()
  local file = assert(io.open("/proc/self/stat"))
  local user, system = file:read("*a"):match("%) " .. ("%S+ "):rep(11) .. "(%d+) (%d+)")
  file:close()
  return (user + system) / 100
end

local n = tonumber(arg[2])
local ai = mm.client {
  gateway = "yourouter", base_url = arg[1], api_key = "key", video_model = "many-" .. n, private = true, timeout = 300,
  clock = counted and { sleep = function(seconds) mm.sleep(seconds / 100) end } or nil,
}
assert(assert(ai:video { "Warm", model = "warm" }):poll())

local list = {}
for i = 1, n do list[i] = i end
local before = figures.peak()
local tasks = assert(mm.map(list, function(i) return ai:video("Clip " .. i) end, { limit = 64 }))
figures.say("created", figures.peak() - before)

local start, cpu, looks, ended = now(), worked(), 0, 0
steps = 0
for _, video in ipairs(assert(mm.map(tasks, function(task)
  return task:wait { timeout = 300, on_progress = function() looks = looks + 1 end }
end, { limit = n }))) do
  if video.kind == "video" then ended = ended + 1 end
end
figures.say("wall", ("%.1f"):format(now() - start))
figures.say("cpu", ("%.2f"):format(worked() - cpu))
figures.say("us_each_look", ("%.0f"):format((worked() - cpu) / looks * 1e6))
if counted then figures.say("steps_each_look", ("%.0f"):format(steps / looks)) end
debug.sethook()
figures.say("looks", looks)
figures.say("ended", ended)
figures.say("bytes_each_task", ("%.0f"):format((figures.peak() - before) * 1024 / n))
figures.say("begun", assert(ai:tasks { model = "many-" .. n }).total)
figures.grown(before)
