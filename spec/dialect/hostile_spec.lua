--- Bodies and streams in which any value is of another type than it should be: an error or a reply, never a raised one; and
--- what was read can be said again in each dialect.
local core = require("multimodal.core")
local messages = require("multimodal.prompt.messages")
local support = require("dialect.support")
local tools = require("multimodal.prompt.tools")

local random = math.random

local dialects = {
  openai = require("multimodal.dialect.openai"), gemini = require("multimodal.dialect.gemini"),
  anthropic = require("multimodal.dialect.anthropic"),
}

local junk = {
  function() return core.null end, function() return 0 end, function() return -1e300 end, function() return 1.5 end,
  function() return "" end, function() return "\1" end, function() return "data:image/png;base64,AA==" end,
  function() return true end, function() return false end, function() return core.array {} end, function() return {} end,
  function() return core.array { core.null, 1, "x" } end, function() return { index = "x", type = 1, text = {} } end,
  function() return core.array { core.array { core.array {} } } end,
}

--- All places in a value: the table and the key.
local function places(value, list)
  for key, inner in pairs(value) do
    list[#list + 1] = { value, key }
    if type(inner) == "table" then places(inner, list) end
  end
  return list
end

--- JSON with one or two values replaced or taken away.
local function spoiled(text)
  local value = core.json_decode(text, { null = true })
  if type(value) ~= "table" then return text end
  for _ = 1, random(2) do
    local list = places(value, {})
    if not list[1] then break end
    local place = list[random(#list)]
    place[1][place[2]] = junk[random(#junk)]()
  end
  return tostring(core.body(value) or "{}")
end

--- What was read goes into a next request of each dialect, or is refused.
local function say_again(neutral)
  for _, dialect in pairs(dialects) do
    local list = messages.of { messages.new("user", "a"), messages.adopt(neutral.choices[1].message) }
    for _, call in ipairs(list[2].tool_calls or {}) do list[#list + 1] = tools.result(call, "x") end
    list[#list + 1] = messages.new("user", "b")
    local request, err = dialect.encode({ messages = list, options = { model = "m" } }, { name = "any" })
    local body, fault = core.body(request and request.body or {})
    assert(body and (request or err.kind), fault and tostring(fault.message))
  end
end

local function decode(dialect, text)
  local decoder = support.decoder(text, { content_type = "application/json" })
  local event = decoder:next()
  local neutral, err = nil, { kind = "none" }
  if event then neutral, err = dialect.decode(event) end
  assert(neutral or err.kind, text)
  if neutral then say_again(neutral) end
end

local function stream(dialect, body)
  local spoilt = body:gsub("data: ({[^\r\n]*})", function(data) return "data: " .. (random(3) == 1 and spoiled(data) or data) end)
  local state, _, err = support.run(dialect, spoilt)
  local neutral, fault = dialect.finish(state)
  assert(neutral or fault.kind or err.kind, spoilt)
  say_again(neutral or assert(dialect.partial(state), spoilt))
end

describe("hostile bodies #small", function()
  for name, dialect in pairs(dialects) do
    for _, fixture in ipairs(support.names(name .. "/stream", "sse")) do
      it(("raise nothing in %s: %s"):format(name, fixture), function()
        local whole, sse = support.read(name .. "/stream/" .. fixture .. ".json"), support.read(name .. "/stream/" .. fixture .. ".sse")
        for seed = 1, 60 do
          math.randomseed(seed)
          local fine, raised = pcall(decode, dialect, spoiled(whole))
          assert(fine, ("seed %d, whole: %s"):format(seed, tostring(raised)))
          fine, raised = pcall(stream, dialect, sse)
          assert(fine, ("seed %d, streamed: %s"):format(seed, tostring(raised)))
        end
      end)
    end
  end
end)
