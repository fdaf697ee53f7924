--- What holds of every fixture of every dialect: a stream, however it is cut, adds up to the whole body, and tells on its way what
--- the reply ends with.
local assert = require("luassert")
local core = require("multimodal.core")
local support = require("dialect.support")

local joined, of_type, plain = support.joined, support.of_type, support.plain

local M = {}

--- Run a body through a dialect in pieces of the sizes that a function gives; each event as soon as it is there.
local function run_cut(dialect, body, next_size)
  local decoder, state, deltas, from = core.decoder { lenient = true }, dialect.begin(), {}, 1
  decoder:head(200, "text/event-stream")
  local function drain()
    for event in decoder.next, decoder do
      if dialect.ended(state) then return end
      for _, delta in ipairs(assert(dialect.delta(state, event))) do deltas[#deltas + 1] = delta end
    end
  end
  while from <= #body do
    local to = from + next_size() - 1
    decoder:feed(body:sub(from, to))
    from = to + 1
    drain()
  end
  decoder:finish()
  drain()
  decoder:close()
  return state, deltas
end

--- Sizes of pieces: one byte, seven, and twenty times at random.
local function cuts()
  local list = { function() return 1 end, function() return 7 end }
  for _ = 1, 20 do list[#list + 1] = function() return math.random(40) end end
  return list
end

local function without_start(deltas)
  local list = {}
  for i, delta in ipairs(deltas) do
    if i > 1 or delta.type ~= "start" then list[#list + 1] = delta end
  end
  return list
end

--- Say the rules of a dialect, one spec each for every fixture.
--- @param it function      busted's, which a file that is required does not see
--- @param dialect table
--- @param folder string                    "gemini/stream"
--- @param how {comparable?: fun(neutral): table, told?: fun(name, first): string, cleaned?: fun(text): string}
---   what may differ: of the neutral reply, and of the text that is told
function M.hold(it, dialect, folder, how)
  local comparable = how.comparable or plain
  for _, name in ipairs(support.names(folder, "sse")) do
    local body, whole = support.read(folder .. "/" .. name .. ".sse"), support.read(folder .. "/" .. name .. ".json")
    local function finished(state) return assert(dialect.finish(state)) end

    it("equals the whole body, however it is cut: " .. name, function()
      local neutral = assert(dialect.decode { data = whole, media = {} })
      local expected = comparable(neutral)
      local state, at_once = support.run(dialect, body)
      assert.same(expected, comparable(finished(state)))
      assert.same(plain(neutral.usage), plain(finished(state).usage))
      math.randomseed(5)
      for _, next_size in ipairs(cuts()) do
        local cut, deltas = run_cut(dialect, body, next_size)
        assert.same(plain(at_once), plain(deltas))
        assert.same(expected, comparable(finished(cut)))
      end
    end)

    it("is the same by the text path: " .. name, function()
      local state, deltas = support.run(dialect, body)
      local by_text, text_deltas = support.run_text(dialect, body)
      assert.same(plain(finished(state)), plain(finished(by_text)))
      assert.same(plain(without_start(deltas)), plain(without_start(text_deltas)))
    end)

    it("tells what the reply ends with: " .. name, function()
      local state, deltas = support.run(dialect, body)
      local first = finished(state).choices[1]
      assert.equal(first.reasoning or "", joined(deltas, "reasoning"))
      local told = joined(deltas, "text")
      assert.equal(how.told and how.told(name, first) or first.text, how.cleaned and how.cleaned(told) or told)
      local ends = of_type(deltas, "tool_end")
      assert.equal(#first.tool_calls, #ends)
      for i, call in ipairs(first.tool_calls) do
        assert.equal(call, ends[i].call)
        assert.equal(i - 1, ends[i].index)
      end
      local finish = of_type(deltas, "finish")
      assert.same({ 1, first.finish_reason, first.finish_reason_raw }, { #finish, finish[1].reason, finish[1].raw })
    end)
  end
end

--- Memory that a stream takes for n pieces and for eight times as many.
--- @param work fun(n: integer)   takes n pieces, the collector being still
function M.grows_with_the_text(work)
  local function grown(n)
    collectgarbage() collectgarbage("stop")
    local before = collectgarbage("count")
    work(n)
    local kib = collectgarbage("count") - before
    collectgarbage("restart")
    return kib
  end
  local small, large = grown(2000), grown(16000)
  assert.is_true(large <= 12 * small, ("%.0f KiB for n, %.0f KiB for 8 n"):format(small, large))
end

return M
