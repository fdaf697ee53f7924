-- The same script against three dialects, by changing one word: lua examples/dialects.lua [openai|gemini|anthropic ...]
-- With YOUROUTER_API_KEY it asks YouRouter; without one it starts the simulator.
local mm = require "multimodal"

local models = { openai = "gpt-4o", gemini = "gemini-2.5-flash", anthropic = "claude-sonnet-4-20250514" }
local sim = not os.getenv "YOUROUTER_API_KEY" and assert(require("multimodal.simulator").start())
local here = arg[0]:match "^(.*)/" or "."

local weather = mm.tool {
  name = "weather", description = "The weather of a city now.", parameters = { city = "string" },
  run = function(arguments) return { sky = "sunny over " .. arguments.city } end,
}

for _, dialect in ipairs(arg[1] and arg or { "openai", "gemini", "anthropic" }) do
  local ai = mm.client {
    gateway = "yourouter", dialect = dialect, model = models[dialect],
    base_url = sim and sim.url or nil, api_key = sim and "any" or nil,
  }
  local stream = assert(ai:stream { "Describe this image in one sentence.", mm.image(here .. "/cat.jpg") })
  io.write(dialect, ": ")
  for text in stream:text() do io.write(text) end
  print("\n  " .. assert(stream:reply()).finish_reason)

  local reply = assert(ai:generate { "How is the weather in Paris?", tools = { weather } })
  print("  " .. reply.text, #reply.steps + 1 .. " requests")
end
if sim then sim:stop() end
