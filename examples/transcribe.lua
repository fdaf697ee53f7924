-- Recordings become text, three of them at once. lua5.4 transcribe.lua one.mp3 two.wav ...
-- With OPENAI_API_KEY or MULTIMODAL_CLIENT set it talks to that gateway, otherwise to the simulator.
local mm = require "multimodal"

local function client()
  if os.getenv "MULTIMODAL_CLIENT" then return mm.client() end
  if os.getenv "OPENAI_API_KEY" then return mm.client "openai/gpt-4o-audio-preview" end
  local sim = assert(require("multimodal.simulator").start())
  return mm.client { base_url = sim.url, api_key = "none", model = "simulated" }, sim
end

local ai, sim = client()
local order = "Write down what is said, word for word, in its own language. No other word."

local paths = { (table.unpack or unpack)(arg) }
assert(paths[1], "which files? lua5.4 transcribe.lua one.mp3 two.wav")

mm.run(function()
  local function transcribe(path)
    return ai:generate { order, mm.audio(path), temperature = 0 }
  end
  for path, reply, err in mm.each(paths, transcribe, { limit = 3 }) do
    print(("%s:\n%s\n"):format(path, reply and reply.text or tostring(err)))
  end
end)
if sim then sim:stop() end
