--- Random requests, cancels and errors against the misbehaving server, for a time, in one process that must not grow.
--- `make soak`; SOAK_SECONDS (120), SOAK_SEED. Prints a line every few seconds; exit status 1 when memory, descriptors or
--- live objects do not stay flat, or a request ends as none may.
local core = require("multimodal.core")
local mm = require("multimodal")
local net = require("multimodal.net")
local server = require("support.server")

local SECONDS = tonumber(os.getenv("SOAK_SECONDS")) or 120
local SEED = tonumber(os.getenv("SOAK_SEED")) or 1
local BATCH, AT_ONCE = 400, 24
local PER_SERVER = 25            -- batches; the server logs what it sees
local RSS_MAY_GROW = 12 * 1024   -- KiB from the end of the warm-up on
local FDS_MAY_GROW = 40          -- kept connections among them
local STUCK = 8                  -- seconds for one request, less than any clock that would end it but the short ones
local LUA_MAY_GROW = 1.5         -- times

local picture = core.data_url("image/png", "\137PNG\r\n\26\n" .. ("picture"):rep(12000))
local images = ('[{"type":"image_url","index":0,"image_url":{"url":"%s"}}]'):format(picture)

local function whole(answer, more)
  return ('{"id":"c","model":"m","choices":[{"index":0,"finish_reason":"stop","message":'
    .. '{"role":"assistant","content":"%s"%s}}]}'):format(answer, more or "")
end

local function chunk(delta, reason)
  return ('{"id":"c","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}'):format(
    delta, reason and '"' .. reason .. '"' or "null")
end

local events = { chunk '{"role":"assistant","content":""}' }
for i = 1, 30 do events[#events + 1] = chunk(('{"content":"word %d "}'):format(i)) end
events[#events + 1] = chunk(('{"images":%s}'):format(images))
events[#events + 1], events[#events + 2] = chunk("{}", "stop"), "[DONE]"

-- Every path of the server, the ends that a request to it may have (true, or kinds of errors), and for how many seconds
-- the client waits for a sign of life.
local paths = {
  whole = { ends = { [true] = true }, script = server.json(200, whole("A cat.", ',"images":' .. images)) },
  small = { ends = { [true] = true }, script = server.json(200, whole("Hello!")) },
  pieces = { ends = { [true] = true }, script = server.json(200, whole("In pieces."), { split = 3 }) },
  stream = { ends = { [true] = true }, script = server.sse(events) },
  chunks = { ends = { [true] = true }, script = server.sse(events, { chunk = { 7, 1, 300, 5000 } }) },
  refused = { ends = { rate_limit = true }, script = server.json(429, '{"error":{"message":"Slow down."}}') },
  broken = { ends = { server = true }, script = server.text(500, "<html><title>Oops</title></html>") },
  html = {
    ends = { server = true, protocol = true },
    script = server.text(200, "<html><title>Hi</title></html>", { headers = { ["Content-Type"] = "text/html" } }),
  },
  garbage = { ends = { protocol = true }, script = server.json(200, '{"choices":[{]') },
  short = { ends = { truncated = true }, script = { server.json(200, whole("Cut."), { length = 5000 }), { close = true } } },
  cut = { ends = { truncated = true }, script = { server.sse({ events[1], events[2] }, { open = true }), { close = true } } },
  reset = {
    ends = { truncated = true, network = true },
    script = { server.sse({ events[1], events[2] }, { open = true }), { wait = 0.01 }, { reset = true } },
  },
  hangs_up = { ends = { network = true, truncated = true }, script = { { reset = true } } },
  stalls = {
    patience = 0.2,
    ends = { timeout = true, truncated = true },
    script = { server.sse({ events[1], events[2] }, { open = true }), { stall = true } },
  },
  silent = { patience = 0.2, ends = { timeout = true }, script = { { stall = true } } },
  gone = { ends = { not_found = true }, script = server.json(404, '{"error":{"message":"no such model"}}') },
}

local names = {}
for name in pairs(paths) do names[#names + 1] = name end
table.sort(names)

-- Park and Miller's generator, the same under every Lua.
local state = SEED
local function random(n)
  state = state * 16807 % 2147483647
  return state % n + 1
end

local function start_server()
  local s = server.start()
  for name, path in pairs(paths) do s:script(path.script, { path = "/" .. name .. "/chat/completions", times = -1 }) end
  return s
end

local function prompt()
  local kind = random(3)
  if kind == 1 then return { "Hi." } end
  if kind == 2 then return { "Describe this.", mm.image "examples/cat.jpg" } end
  return { "And this.", mm.image { bytes = "\137PNG\r\n\26\n" .. ("p"):rep(random(3000)), mime = "image/png" } }
end

local function read_some(stream, limit)
  local count = 0
  local next_text, own = stream:text()
  local text = next_text(own)
  while text and count < limit do
    count = count + 1
    text = next_text(own)
  end
end

-- What is done with a client. Each returns a reply or nil, err; "left" when nobody waits for the end.
local ways = {
  function(ai) return ai:generate(prompt()) end,
  function(ai) return ai:generate(prompt(), { on_text = function() return random(40) > 1 end }) end,
  function(ai)
    local stream, err = ai:stream(prompt())
    if not stream then return nil, err end
    read_some(stream, 1e9)
    return stream:reply()
  end,
  function(ai)
    local stream, err = ai:stream(prompt())
    if not stream then return nil, err end
    read_some(stream, random(8))
    stream:close()
    return "left"
  end,
  function(ai)
    local stream, err = ai:stream(prompt())
    if not stream then return nil, err end
    return "left"
  end,
  function(ai)
    local job = mm.spawn(function() return ai:generate(prompt()) end)
    mm.sleep(random(20) / 1000)
    job:cancel()
    job:wait()
    return "left"
  end,
  function(ai)
    return mm.timeout(random(40) / 1000, function() return ai:generate(prompt()) end)
  end,
}

-- Ends that any way may make of any path.
local always = { cancelled = true }
local by_way = { [7] = { timeout = true } }

local tally = { requests = 0, left = 0, complete = 0 }

local function count(name)
  tally[name] = (tally[name] or 0) + 1
end

-- Streams that were left and failed afterwards.
function mm.on_error(err)
  if type(err) ~= "table" then error(err, 0) end
  count("unasked")
end

local function one(s, i)
  local path, way = names[random(#names)], random(#ways)
  local patience = paths[path].patience or 15
  local ai = mm.client {
    base_url = s.url .. "/" .. path, model = "m", api_key = "canary-k",
    idle_timeout = patience, first_byte_timeout = patience, timeout = 20, retries = 0,
  }
  tally.requests = tally.requests + 1
  local begun = net.now()
  local reply, err = ways[way](ai)
  if net.now() - begun > STUCK then
    error(("request %d to %s, way %d took %.1f s: %s"):format(i, path, way, net.now() - begun, tostring(reply or err)), 0)
  end
  if reply == "left" then return count("left") end
  local ends = paths[path].ends
  local kind = reply and true or err.kind
  if not (ends[kind] or always[kind] or (by_way[way] or ends)[kind]) then
    error(("request %d to %s, way %d: %s"):format(i, path, way, reply and "complete" or tostring(err)), 0)
  end
  count(reply and "complete" or kind)
end

local function batch(s)
  local list, failure = {}, nil
  for i = 1, BATCH do list[i] = i end
  mm.run(function()
    for _, result, err in mm.each(list, function(i)
      one(s, i)
      return true
    end, { limit = AT_ONCE }) do
      if not result then failure = err end
    end
  end)
  if failure then error(tostring(failure), 0) end
end

-- What is looked at

local function rss()
  for line in io.lines("/proc/self/status") do
    local kib = line:match("^VmRSS:%s+(%d+)")
    if kib then return tonumber(kib) end
  end
end

local function descriptors()
  local pipe = assert(io.popen("ls /proc/" .. assert(io.open("/proc/self/stat")):read("*n") .. "/fd | wc -l"))
  local n = pipe:read("*n")
  pipe:close()
  return n
end

local function collect()
  for _ = 1, 3 do collectgarbage() end
end

local function look()
  collect()
  return { rss = rss(), fds = descriptors(), lua = collectgarbage("count"), core = core.live(), net = net.live() }
end

local started = net.now()

local function say(seen)
  io.write(("%5.0f s  %7d requests  RSS %6d KiB  Lua %6.0f KiB  %3d descriptors  %d objects  %d exchanges\n"):format(
    net.now() - started, tally.requests, seen.rss, seen.lua, seen.fds, seen.core, seen.net))
  io.flush()
end

local function compare(before, after)
  local wrong = {}
  local function check(ok, text) if not ok then wrong[#wrong + 1] = text end end
  check(after.rss - before.rss <= RSS_MAY_GROW, ("RSS grew by %d KiB"):format(after.rss - before.rss))
  check(after.fds - before.fds <= FDS_MAY_GROW, ("%d more descriptors"):format(after.fds - before.fds))
  check(after.lua <= before.lua * LUA_MAY_GROW, ("Lua's heap grew from %.0f to %.0f KiB"):format(before.lua, after.lua))
  check(after.core == 0, after.core .. " core objects live")
  check(after.net == 0, after.net .. " exchanges live")
  return wrong
end

local function soak()
  local s, warm, said, batches = start_server(), nil, 0, 0
  repeat
    batch(s)
    batches = batches + 1
    if batches % PER_SERVER == 0 then
      s:stop()
      s = start_server()
    end
    local elapsed = net.now() - started
    if elapsed - said >= SECONDS / 24 then
      said = elapsed
      local seen = look()
      say(seen)
      if not warm and elapsed >= SECONDS / 4 then warm = seen end
    end
  until net.now() - started >= SECONDS
  s:stop()
  local last = look()
  say(last)
  return compare(warm or last, last)
end

io.write(("soak: %d seconds, seed %d\n"):format(SECONDS, SEED))
local wrong = soak()
local kinds = {}
for kind, n in pairs(tally) do kinds[#kinds + 1] = kind .. " " .. n end
table.sort(kinds)
print(table.concat(kinds, ", "))
if #wrong > 0 then
  print("NOT FLAT: " .. table.concat(wrong, "; "))
  os.exit(1)
end
print("flat")
