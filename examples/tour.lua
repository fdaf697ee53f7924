-- A tour: a picture is described in streamed text, then two prompts run at once.
-- With YOUROUTER_API_KEY, OPENAI_API_KEY or MULTIMODAL_CLIENT set it talks to that gateway, otherwise to the simulator.
local mm = require "multimodal"
local now = require("multimodal.net").now

local function client()
  if os.getenv "MULTIMODAL_CLIENT" then return mm.client() end
  if os.getenv "YOUROUTER_API_KEY" then return mm.client "yourouter/gpt-4o" end
  if os.getenv "OPENAI_API_KEY" then return mm.client "openai/gpt-4o" end
  local sim = assert(require("multimodal.simulator").start { pace = 0.03 })
  print("No key is set, so this is the simulator at " .. sim.url .. "\n")
  return mm.client { base_url = sim.url, api_key = "none", model = "simulated" }, sim
end

local ai, sim = client()
local here = arg[0]:match "^(.*)/" or "."

print "1. A picture, described while the answer streams in:"
local stream = assert(ai:stream { "Describe this image in one sentence.", mm.image(here .. "/cat.jpg") })
for text in stream:text() do io.write(text) io.flush() end
local reply = assert(stream:reply())
print(("\n   %s, %d tokens, request %s\n"):format(reply.finish_reason, reply.usage and reply.usage.total_tokens or 0, reply.request_id))

print "2. Two prompts, one after the other and then at once:"
local function ask(question)
  return function() return assert(ai:generate { question, on_text = function() end }) end
end
local function seconds(fn)
  local start = now()
  fn()
  return now() - start
end
local apart = seconds(function() ask "Name a colour." () ask "Name an animal." () end)
local together = seconds(function()
  local colour, animal = assert(mm.all(ask "Name a colour.", ask "Name an animal."))
  print("   " .. colour.text .. "\n   " .. animal.text)
end)
print(("   apart %.2f s, together %.2f s"):format(apart, together))

if sim then sim:stop() end
