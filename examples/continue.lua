-- A conversation continued with another provider: one looks at a picture and thinks, the next goes on, the first comes back.
-- With GEMINI_API_KEY and ANTHROPIC_API_KEY it asks Google and Anthropic; without them it starts the simulator.
local mm = require "multimodal"

local real = os.getenv "GEMINI_API_KEY" and os.getenv "ANTHROPIC_API_KEY"
local sim = not real and assert(require("multimodal.simulator").start())
local here = arg[0]:match "^(.*)/" or "."

local function client(gateway, model)
  return mm.client { gateway = gateway, model = model, base_url = sim and sim.url or nil, api_key = sim and "any" or nil }
end
local google, anthropic = client("google", "gemini-2.5-flash"), client("anthropic", "claude-sonnet-4-5")

local history = {}
local function say(ai, ...)
  history[#history + 1] = mm.user { ... }
  local reply = assert(ai:generate { system = "Be brief.", messages = history, reasoning = "low" })
  history[#history + 1] = reply
  print(("%s: %s"):format(reply.gateway, reply.text))
  for _, warning in ipairs(reply.warnings) do print("  (" .. warning .. ")") end
end

say(google, "What is on this picture?", mm.image(here .. "/cat.jpg"))
say(anthropic, "And what is it called in Persian?")
say(google, "Which of us thought longer?")
print(#history .. " messages, spoken with two providers")
if sim then sim:stop() end
