--- The rows of the table of retries that are about tasks, each cell by how many requests a server saw. The clock is the spec's own.
--- A row's counts are in the order of `order`: "13313" is one creation, three looks, three lists, one DELETE, three fetches.
local mm = require("multimodal")
local server = require("support.server")
local tasks = require("support.tasks")

local order = { "create", "poll", "list", "delete", "fetch" }

local ark = "/api/v3/contents/generations/tasks"
local operation = "projects/p/locations/l/publishers/google/models/vm/operations/op1"

--- What the gateways differ in: where the client's address ends, where a task is begun and seen, and what a look shows.
local gateways = {
  yourouter = { root = "/v1", create = ark, look = ark .. "/id1", id = "id1", lists = true, queued = { id = "id1", status = "queued" },
    done = function(url) return { id = "id1", status = "succeeded", content = { video_url = url } } end },
  openrouter = { root = "/api/v1", create = "/api/v1/videos", look = "/api/v1/videos/id1", id = "id1",
    done = function(url) return { id = "id1", status = "completed", unsigned_urls = { url } } end },
  google = { root = "/v1beta", create = "/v1beta/models/vm:predictLongRunning", look = "/v1beta/models/vm/operations/op1",
    id = "models/vm/operations/op1",
    done = function(url)
      return { done = true, response = { generateVideoResponse = { generatedSamples = { { video = { uri = url } } } } } }
    end },
  vertex = { root = "/v1", create = "/v1/models/vm:predictLongRunning", look = "/v1/models/vm:fetchPredictOperation", id = operation,
    done = function(url) return { done = true, response = { videos = { { gcsUri = url } } } } end },
}
local names = { "yourouter", "openrouter", "google", "vertex" }

local function refused(status, fields, headers)
  return server.json(status, '{"error":{"message":"Not now.",' .. (fields or '"code":"trouble"') .. "}}", { headers = headers })
end

local function page(status, headers)
  headers = headers or {}
  headers["Content-Type"] = "text/html"
  return server.text(status, "<html><title>Bad</title></html>", { headers = headers })
end

--- No kept connection after it, on which curl would hide a loss by asking once more.
local function last(value) return server.json(200, value, { headers = { Connection = "close" } }) end

describe("the rows of tasks in the table of retries:", function()
  local s
  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function() s:clear() end)

  local function client(name, more)
    local options = { gateway = name, base_url = s.url .. gateways[name].root, api_key = "canary-k", video_model = "vm", private = true,
      project = name == "vertex" and "p" or nil, clock = tasks.clock(), proxy = false }
    for option, value in pairs(more or {}) do options[option] = value end
    return mm.client(options)
  end

  --- `answers` scripts what the requests get that are counted.
  local ways = {
    create = function(ai, _, answers)
      answers()
      return ai:video "A cat"
    end,
    poll = function(ai, its, answers)
      answers()
      return assert(ai:task(its.id)):poll()
    end,
    list = function(ai, its, answers)
      if not its.lists then return nil end
      answers()
      return ai:tasks()
    end,
    delete = function(ai, its, answers)
      if not its.queued then return nil end
      s:script(last(its.queued), { path = its.look })
      answers()
      return assert(ai:task(its.id)):cancel()
    end,
    fetch = function(ai, its, answers)
      s:script(last(its.done(s.url .. "/film.mp4")), { path = its.look })
      answers()
      local task = assert(assert(ai:task(its.id)):poll())
      task.outputs[1].refresh = nil
      return task.outputs[1]:bytes()
    end,
  }

  --- The looks that a way begins with.
  local before = { create = 0, poll = 0, list = 0, delete = 1, fetch = 1 }

  --- How many requests a way makes while each gets the same answer, and its error; nil where the gateway has no such way.
  local function count(name, way, steps, more)
    s:clear()
    local value, err = ways[way](client(name, more), gateways[name], function() s:script(steps, { times = -1 }) end)
    assert.is_nil(value)
    if not err then return nil end
    return #assert(s:requests(err.attempts + before[way])) - before[way], err
  end

  --- The counts of all ways, "-" where there is none, and which of them may have begun work.
  local function counts(name, steps, more)
    local digits, begun = {}, {}
    for i, way in ipairs(order) do
      local n, err = count(name, way, steps, more)
      digits[i] = n or "-"
      if err then assert.same({ name, way, n }, { name, way, err.attempts }) end
      if err and err.maybe_accepted and way == "create" then begun[1] = way end
    end
    return table.concat(digits), begun[1] ~= nil
  end

  --- A row at every gateway: Ark's counts, and whether its work may have begun. The others have no list and no DELETE.
  local function row(what, steps, expected, begun, more)
    it(what, function()
      for _, name in ipairs(names) do
        local wanted = gateways[name].lists and expected or expected:sub(1, 2) .. "--" .. expected:sub(5)
        assert.same({ name, wanted, begun or false }, { name, counts(name, steps, more) })
      end
    end)
  end

  for _, status in ipairs { 429, 503 } do
    row(status .. " in words", refused(status), "33333")
    row(status .. " as a page", page(status), "13313", true)
    row(status .. " without a body", server.text(status, ""), "13313", true)
  end
  row("425", refused(425), "33313")
  row("529", refused(529), "33313")
  for _, status in ipairs { 408, 500, 502, 504, 520, 521, 522, 523, 524 } do row(tostring(status), refused(status), "13313", true) end
  row("502 as a page", page(502), "13313", true)
  for _, status in ipairs { 400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 422, 451, 501 } do
    row(tostring(status), refused(status), "11111")
  end

  row("closed", { { close = true } }, "13313", true)
  row("reset", { { reset = true } }, "13313", true)
  row("silent", { { stall = true } }, "13313", true, { first_byte_timeout = 0.1 })
  row("closed, whatever the call says", { { close = true } }, "13313", true, { retry_ambiguous = true })

  local yes, no = { ["x-should-retry"] = "true" }, { ["x-should-retry"] = "false" }
  row("a word of the gateway's brings no second creation", refused(500, nil, yes), "13333", true)
  row("nor where it is refused for good", refused(404, nil, yes), "13333")
  row("a word of the gateway's against it", refused(503, nil, no), "11111")

  for what, case in pairs {
    ["Ark's quota"] = { 429, '"code":"QuotaExceeded"' }, ["Ark's limit"] = { 429, '"code":"SetLimitExceeded"' },
    ["Ark's arrears"] = { 403, '"code":"AccountOverdueError"' },
    ["Ark's filter"] = { 400, '"code":"InputTextSensitiveContentDetected"' },
    ["Gemini's day"] = { 429, '"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure",'
      .. '"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]' },
  } do
    it(what .. " is asked for no second time", function()
      for _, name in ipairs(names) do
        for _, way in ipairs { "create", "poll", "list", "delete" } do
          local n = count(name, way, refused(case[1], case[2]))
          assert.same({ name, way, n and 1 }, { name, way, n })
        end
      end
    end)
  end

  describe("what could not be sent:", function()
    it("nobody listens", function()
      local other = server.start()
      other:stop()
      for _, name in ipairs(names) do
        local its = gateways[name]
        local ai = client(name, { base_url = other.url .. its.root })
        for _, way in ipairs { "create", "poll", "list" } do
          local value, err = ways[way](ai, its, function() end)
          assert.is_nil(value)
          if way ~= "list" or its.lists then
            assert.same({ way, "network", 3, false }, { way, err.kind, err.attempts, err.maybe_accepted or false })
          end
        end
      end
    end)

    it("nobody listens any more, when a task is cancelled", function()
      local other, its = server.start(), gateways.yourouter
      other:script(last(its.queued))
      local ai = client("yourouter", { base_url = other.url .. its.root, observe = function(record)
        if record.event == "response" then other:stop() end
      end })
      local task, err = assert(ai:task "id1"):cancel()
      assert.is_nil(task)
      assert.same({ "network", 3, false }, { err.kind, err.attempts, err.maybe_accepted or false })
    end)
  end)

  it("a look that is waited for is made again by the schedule, not at once", function()
    for _, name in ipairs(names) do
      s:clear()
      local its, clock, slept = gateways[name], tasks.clock()
      s:script(server.json(200, name == "yourouter" and { id = its.id } or name == "openrouter" and { id = its.id } or { name = its.id }),
        { path = its.create })
      for _, steps in ipairs {
        refused(500, nil, { Connection = "close" }), { { close = true } }, refused(429, nil, { ["Retry-After"] = "40" }), page(503),
      } do
        s:script(steps, { path = its.look })
      end
      s:script(server.json(200, its.done "https://h/film.mp4"), { path = its.look })
      local task = assert(client(name, { clock = clock }):video "A cat")
      assert(task:wait())
      local looks = 0
      for _, request in ipairs(s:requests()) do looks = looks + (request.path == its.look and 1 or 0) end
      assert.same({ name, 5, 5 }, { name, looks, #slept })
      assert.is_true(slept[4] >= 40 and slept[2] >= 1 and slept[3] >= 1, name)
    end
  end)
end)
