--- The vectors of Gemini's and Anthropic's dialects: whole, byte by byte, and in random pieces.
local core = require("multimodal.core")
local mm = require("multimodal")
local reply = require("multimodal.reply.reply")
local support = require("dialect.support")

local dialects = { gemini = require("multimodal.dialect.gemini"), anthropic = require("multimodal.dialect.anthropic") }

local function has(expected, actual)
  for name, value in pairs(expected) do assert.equal(value, actual[name], name) end
end

--- Sizes of pieces: whole, one byte, a few, and five times at random.
local function cuts(size)
  local list = { function() return size end, function() return 1 end, function() return 7 end }
  for _ = 1, 5 do list[#list + 1] = function() return math.random(60) end end
  return list
end

--- The events of a body that comes in pieces.
local function events_of(vector, next_size)
  local decoder, from, list = core.decoder { lenient = true }, 1, {}
  decoder:head(vector.status or 200, vector.content_type)
  while from <= #vector.body do
    local size = next_size()
    decoder:feed(vector.body:sub(from, from + size - 1))
    from = from + size
  end
  decoder:finish()
  for event in decoder.next, decoder do list[#list + 1] = event end
  return list
end

--- What a dialect makes of events: the reply, or an error and the state.
local function read(dialect, vector, events)
  if vector.status then return nil, dialect.failure(vector.status, {}, events[1]) end
  local state = dialect.begin()
  for _, event in ipairs(events) do
    local told, err = dialect.delta(state, event)
    if not told then return nil, err, state end
  end
  local neutral, err = dialect.finish(state)
  return neutral, err, state
end

--- What the next request says of a reply.
local function goes_back(vector, made)
  local client = mm.client { gateway = vector.dialect == "gemini" and "google" or "anthropic", api_key = "canary-k", model = "m" }
  local list = { mm.user "Hi", made }
  for _, call in ipairs(made.tool_calls) do list[#list + 1] = mm.tool_result(call, "ok") end
  return tostring(assert(client:request { messages = list }).body)
end

local function check(vector, neutral, err, state)
  local expect = vector.expect
  if expect.error then
    assert.is_nil(neutral)
    has(expect.error, err)
    if expect.partial then assert.equal(expect.partial, reply.new(dialects[vector.dialect].partial(state)).text) end
    return
  end
  local made = reply.new(assert(neutral, err))
  for name, value in pairs(expect) do
    if name == "usage" then
      assert.same(value, made.usage)
    elseif name == "tool_calls" then
      assert.equal(#value, #made.tool_calls)
      for i, call in ipairs(made.tool_calls) do assert.same(value[i], { call.name, call.arguments_raw }) end
    elseif name == "goes_back" then
      local said = goes_back(vector, made)
      for _, word in ipairs(value) do assert(said:find('"' .. word .. '"', 1, true), said) end
    else
      assert.equal(value, made[name], name)
    end
  end
end

describe("native vectors #small", function()
  for _, vector in ipairs(support.json "native/vectors.json") do
    it(vector.case, function()
      local dialect = dialects[vector.dialect]
      math.randomseed(11)
      for _, next_size in ipairs(cuts(#vector.body)) do
        check(vector, read(dialect, vector, events_of(vector, next_size)))
        if vector.whole then check(vector, dialect.decode(events_of(vector, next_size)[1])) end
      end
    end)
  end

  it("H16 sends the headers of each dialect and no others", function()
    local function headers(dialect, more)
      local options = { gateway = "yourouter", dialect = dialect, api_key = "canary-k", model = "m" }
      for name, value in pairs(more or {}) do options[name] = value end
      return mm.client(options):request("Hi").headers
    end
    local common = { ["Content-Type"] = "application/json", Accept = "application/json", Authorization = "Bearer $YOUROUTER_API_KEY" }
    local function with(more)
      for name, value in pairs(common) do more[name] = value end
      return more
    end
    assert.same(with {}, headers "openai")
    assert.same(with { vendor = "google" }, headers "gemini")
    assert.same(with { vendor = "anthropic", ["anthropic-version"] = "2023-06-01" }, headers "anthropic")
    assert.same(with { vendor = "azure" }, headers("openai", { vendor = "azure" }))
  end)

  it("sends a key where each gateway wants it, and nowhere else", function()
    local function keys(options)
      options.api_key, options.model = "canary-k", "m"
      local head = mm.client(options):request("Hi").headers
      return { head.Authorization ~= nil, head["x-goog-api-key"] ~= nil, head["x-api-key"] ~= nil }
    end
    local own = "https://h/v1"
    for _, case in ipairs {
      { { gateway = "google" }, { false, true, false } }, { { gateway = "vertex", project = "p" }, { true, false, false } },
      { { gateway = "vertex" }, { false, true, false } }, { { gateway = "anthropic" }, { false, false, true } },
      { { gateway = "yourouter", dialect = "gemini" }, { true, false, false } },
      { { gateway = "yourouter", dialect = "anthropic" }, { true, false, false } },
      { { base_url = own, dialect = "gemini" }, { true, false, false } },
      { { base_url = own, dialect = "anthropic" }, { false, false, true } },
      { { gateway = { name = "mine", base_url = own, dialect = "gemini", auth = "x-goog-api-key" } }, { false, true, false } },
      { { gateway = { name = "mine", base_url = own, dialect = "anthropic" } }, { true, false, false } },
    } do
      assert.same(case[2], keys(case[1]))
    end
  end)

  it("leaves nothing behind", function()
    assert.equal(0, support.live())
  end)
end)
