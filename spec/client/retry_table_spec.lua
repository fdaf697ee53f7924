--- The table of retries, cell by cell, by what a server saw; the clock is the spec's own, so nothing waits.
local mm = require("multimodal")
local server = require("support.server")

local refusal = '{"error":{"message":"Not now.","type":"trouble"}}'
local overloaded = '{"error":{"message":"Overloaded","type":"overloaded_error"}}'

local function refused(status, body, headers)
  return server.json(status, body or refusal, { headers = headers })
end

local function page(status)
  return server.text(status, "<html><title>Bad</title></html>", { headers = { ["Content-Type"] = "text/html" } })
end

local function coded(code)
  return ('{"error":{"message":"No more.","code":"%s"}}'):format(code)
end

--- Every way of asking, by its column.
local ways = {
  { "whole", function(ai) return ai:generate "Hi" end },
  { "streamed", function(ai) return ai:stream "Hi" end },
  { "hooked", function(ai) return ai:generate("Hi", { on_text = function() end }) end },
  { "again", function(ai) return ai:http { "POST", "/x", json = { a = 1 }, idempotent = true } end },
  { "models", function(ai) return ai:models { refresh = true } end },
}
for _, method in ipairs { "GET", "HEAD", "OPTIONS", "DELETE" } do
  local path = method == "HEAD" and "/head" or "/x"
  ways[#ways + 1] = { method, function(ai) return ai:http { method, path } end }
end
for _, method in ipairs { "POST", "PUT", "PATCH" } do
  ways[#ways + 1] = { method, function(ai) return ai:http { method, "/x", json = { a = 1 } } end }
end

local column = {
  whole = "chat", streamed = "chat", hooked = "chat", again = "chat", models = "poll", GET = "poll", HEAD = "poll",
  OPTIONS = "poll", DELETE = "delete", POST = "create", PUT = "create", PATCH = "create",
}

--- A HEAD brings no body, so a refusal to it is never in the gateway's words; that changes nothing for what reads.
local rows, every = {}, { chat = 3, create = 3, poll = 3, delete = 3 }

local function row(name, steps, expected)
  rows[#rows + 1] = { name = name, steps = steps, expected = expected }
end

for _, status in ipairs { 429, 503 } do
  row(status .. " in the gateway's words", refused(status), every)
  row(status .. " in nobody's words", page(status), { chat = 3, create = 1, poll = 3, delete = 1, paid = true })
end
row("425", refused(425), { chat = 3, create = 3, poll = 3, delete = 1 })
row("529", refused(529), { chat = 3, create = 3, poll = 3, delete = 1 })
for _, status in ipairs { 408, 500, 502, 504, 520, 521, 522, 523, 524 } do
  row(tostring(status), refused(status), { chat = 3, create = 1, poll = 3, delete = 1, paid = true })
end
for _, status in ipairs { 400, 401, 402, 403, 404, 405, 409, 413, 415, 422 } do
  row(tostring(status), refused(status), { chat = 1, create = 1, poll = 1, delete = 1 })
end
for _, code in ipairs { "insufficient_quota", "QuotaExceeded", "SetLimitExceeded", "AccountOverdueError", "content_filter", "refusal" } do
  row("429 with " .. code, refused(429, coded(code)), { chat = 1, create = 3, poll = 1, delete = 1, words = true })
end
row("sent, then lost", { { close = true } }, { chat = 3, create = 1, poll = 3, delete = 1, streamed = 1, hooked = 1, paid = true })

describe("the table of retries", function()
  local s, options

  before_each(function()
    s = server.start()
    options = {
      base_url = s.url .. "/v1", api_key = "sk-table", model = "m",
      clock = { now = function() return 0 end, sleep = function() end, random = function() return 0 end },
    }
  end)
  after_each(function() s:stop() end)

  local function count(ai, ask)
    local before = #s:requests()
    local value, err = ask(ai)
    assert.is_nil(value)
    s:requests(before + err.attempts)
    assert.equal(err.attempts, #s:requests() - before)
    return err.attempts, err
  end

  for _, cell in ipairs(rows) do
    it("has " .. cell.name, function()
      local status = tonumber(cell.name:match("^%d+"))
      if status then s:script({ server.head(status, { ["Content-Length"] = 0 }) }, { path = "/v1/head", times = -1 }) end
      s:script(cell.steps, { times = -1 })
      local ai = mm.client(options)
      for _, way in ipairs(ways) do
        local name, of = way[1], column[way[1]]
        local expected = cell.expected[name] or cell.expected[of]
        -- Words that name quota are words of a body, and a HEAD has none.
        if cell.expected.words then expected = name == "HEAD" and 3 or 1 end
        local seen, err = count(ai, way[2])
        assert.same({ name, expected }, { name, seen })
        if of == "create" then assert.equal(cell.expected.paid or false, err.maybe_accepted or false, name) end
      end
    end)
  end

  it("has what could not be sent", function()
    local down = s.url
    s:stop()
    for _, unsent in ipairs {
      { base_url = down, code = "refused" },
      { base_url = "http://nobody.invalid/v1", code = "resolve" },
    } do
      options.base_url = unsent.base_url
      local ai = mm.client(options)
      for _, way in ipairs(ways) do
        local value, err = way[2](ai)
        assert.is_nil(value)
        assert.same({ way[1], unsent.code, 3 }, { way[1], err.code, err.attempts })
      end
    end
    s = server.start()
  end)

  it("has an error event before any content, and none after", function()
    local text = '{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Once"}}]}'
    local ai = mm.client(options)
    for _, case in ipairs { { 3, server.sse { overloaded } }, { 1, server.sse { text, overloaded } } } do
      s:script(case[2], { times = -1 })
      local seen = count(ai, function() return ai:generate("Hi", { on_text = function() end, retry_ambiguous = true }) end)
      assert.equal(case[1], seen)
      s:clear()
    end
  end)
end)
