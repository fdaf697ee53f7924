-- A picture is generated, saved, and goes into the next prompt.
-- With OPENROUTER_API_KEY or MULTIMODAL_CLIENT set it talks to that gateway, otherwise to the simulator.
local mm = require "multimodal"

local function client()
  if os.getenv "MULTIMODAL_CLIENT" then return mm.client() end
  if os.getenv "OPENROUTER_API_KEY" then return mm.client "openrouter/google/gemini-2.5-flash-image-preview" end
  local sim = assert(require("multimodal.simulator").start())
  return mm.client { base_url = sim.url, api_key = "none", model = "simulated" }, sim
end

local ai, sim = client()
for _, model in ipairs(assert(ai:models { output = "image" })) do
  print("gives pictures: " .. model.id)
end

local reply = assert(ai:image { "A sunset over mountains.", aspect_ratio = "16:9" })
local picture = reply.images[1]
local path = os.tmpname()
print("saved " .. assert(picture:save(path, { overwrite = true })) .. ": " .. tostring(picture))

local stream = assert(ai:stream { "What is in this picture?", mm.image(picture) })
for text in stream:text() do io.write(text) end
print()
assert(stream:reply())

os.remove(path)
if sim then sim:stop() end
