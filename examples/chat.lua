-- A conversation: turns, a streamed one, a fork, and the text by which it goes on another day.
-- With OPENAI_API_KEY or MULTIMODAL_CLIENT set it talks to that gateway, otherwise to the simulator.
local mm = require "multimodal"

local function client()
  if os.getenv "MULTIMODAL_CLIENT" then return mm.client() end
  if os.getenv "OPENAI_API_KEY" then return mm.client "openai/gpt-4o" end
  local sim = assert(require("multimodal.simulator").start())
  return mm.client { base_url = sim.url, api_key = "none", model = "simulated" }, sim
end

local ai, sim = client()
local here = arg[0]:match "^(.*)/" or "."

local chat = ai:chat { system = "You are a painter of few words." }
print(assert(chat:say { "Describe this picture.", mm.image(here .. "/cat.jpg") }).text)

local stream = assert(chat:stream "How would you paint it?")
for text in stream:text() do io.write(text) end
print()
assert(stream:reply())

local other = chat:fork()
print(assert(other:say "And in oil?").text)

local text = assert(chat:dump())
print(("%d turns are %d bytes of text, the picture in it"):format(#chat.messages / 2, #text))

local again = assert(ai:chat(text))
print(assert(again:say "Where were we?").text)
if sim then sim:stop() end
