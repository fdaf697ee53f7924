-- One script, several dialects: lua examples/dialects.lua [openai|gemini ...]
-- With YOUROUTER_API_KEY it asks YouRouter; without one it starts the simulator.
local mm = require "multimodal"

local models = { openai = "gpt-4o", gemini = "gemini-2.5-flash" }
local names = arg[1] and arg or { "openai", "gemini" }

local sim = not os.getenv "YOUROUTER_API_KEY" and assert(require("multimodal.simulator").start())

local weather = mm.tool {
  name = "weather", description = "The weather of a city now.", parameters = { city = "string" },
  run = function(arguments) return { sky = "sunny over " .. arguments.city } end,
}

local history = {}
for _, name in ipairs(names) do
  local ai = mm.client {
    gateway = "yourouter", dialect = name, model = models[name],
    base_url = sim and sim.url or nil, api_key = sim and "any" or nil,
  }
  local stream = assert(ai:stream { "Describe this image in one sentence.", mm.image "cat.jpg" })
  io.write(name, ": ")
  for text in stream:text() do io.write(text) end
  print("\n  " .. assert(stream:reply()).finish_reason)

  -- The conversation goes on from one dialect to the next.
  history[#history + 1] = mm.user("And the weather in Paris?")
  local reply = assert(ai:generate { messages = history, tools = { weather } })
  for _, message in ipairs(reply.messages) do history[#history + 1] = message end
  print("  " .. reply.text)
end
if sim then sim:stop() end
