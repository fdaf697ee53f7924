-- A model uses tools: it asks for the weather of cities, and the script answers. The calls of one step run at once.
-- With OPENAI_API_KEY or MULTIMODAL_CLIENT set it talks to that gateway, otherwise to the simulator.
local mm = require "multimodal"

local function client()
  if os.getenv "MULTIMODAL_CLIENT" then return mm.client() end
  if os.getenv "OPENAI_API_KEY" then return mm.client "openai/gpt-4o" end
  local sim = assert(require("multimodal.simulator").start())
  return mm.client { base_url = sim.url, api_key = "none", model = "simulated" }, sim
end

local known = { Paris = { sky = "sunny", degrees = 24 }, Oslo = { sky = "snow", degrees = -3 } }

local weather = mm.tool {
  name = "weather",
  description = "The weather of a city now.",
  parameters = { city = "string: its English name" },
  run = function(arguments)
    mm.sleep(0.1) -- where a real tool would ask a server; the other calls go on meanwhile
    if not known[arguments.city] then return nil, "no such city: " .. arguments.city end
    return known[arguments.city]
  end,
}

local ai, sim = client()
local stream = assert(ai:stream { "Is it warmer in Paris or in Oslo?", tools = { weather } })
for event in stream:events() do
  if event.type == "text" then io.write(event.delta) end
  if event.type == "tool_result" then
    print(("[%s %s: %s]"):format(event.call.name, event.call.arguments_raw, event.error or event.value.sky))
  end
end
local reply = assert(stream:reply())
print(("\n%d steps, %d tokens in all"):format(#reply.steps + 1, reply.usage and reply.usage.total_tokens or 0))
if sim then sim:stop() end
