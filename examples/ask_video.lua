-- Questions about a video, given by its path or its link. lua5.4 ask_video.lua clip.mp4 ["What happens?"]
-- With OPENROUTER_API_KEY or MULTIMODAL_CLIENT set it talks to that gateway, otherwise to the simulator.
local mm = require "multimodal"

local function client()
  if os.getenv "MULTIMODAL_CLIENT" then return mm.client() end
  if os.getenv "OPENROUTER_API_KEY" then return mm.client "openrouter/google/gemini-2.5-flash" end
  local sim = assert(require("multimodal.simulator").start())
  return mm.client { gateway = "openrouter", base_url = sim.url, api_key = "none", model = "simulated" }, sim
end

local path = assert(arg[1], "which video? lua5.4 ask_video.lua clip.mp4")
local ai, sim = client()
local video = mm.video(path)

local size = assert(ai:estimate { video })
print(("%d bytes go out, encoded on their way"):format(size.encoded_bytes))

local scenes = mm.schema { scenes = { { second = "number: when it begins", what = "string: what is seen and heard" } } }
local reply = assert(ai:generate { "List the scenes of this video.", video, schema = scenes })
for _, scene in ipairs(reply.data.scenes) do
  print(("%6.1f s  %s"):format(scene.second, scene.what))
end

local stream = assert(ai:stream { arg[2] or "What happens in it? Two sentences.", video })
for text in stream:text() do io.write(text) io.flush() end
print()
for _, warning in ipairs(assert(stream:reply()).warnings) do print("note: " .. warning) end
if sim then sim:stop() end
