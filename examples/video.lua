-- Text to picture to video: a picture is drawn, and a clip that begins with it is made and saved.
-- With YOUROUTER_API_KEY set it talks to that gateway, otherwise to the simulator.
local mm = require "multimodal"

local function client()
  local options = { gateway = "yourouter", image_model = "gemini-2.5-flash-image", video_model = "doubao-seedance-1-0-pro-250528" }
  if os.getenv "YOUROUTER_API_KEY" then return mm.client(options) end
  local sim = assert(require("multimodal.simulator").start())
  options.base_url, options.api_key, options.private = sim.url, "none", true
  options.clock = { sleep = function(seconds) mm.sleep(seconds / 100) end }       -- what takes a minute there is quick here
  return mm.client(options), sim
end

local ai, sim = client()
local picture = assert(ai:image "A sunset over mountains").images[1]
print("drawn: " .. tostring(picture))

local task = assert(ai:video { "Slow pan, golden light", mm.image { picture, role = "first_frame" }, duration = 5, resolution = "1080p" })
print("task " .. task.id .. ", to go on with another day: " .. task:dump())

local video = assert(task:wait { on_progress = function(now)
  print(("  %s after %.0f s"):format(now.state, now.elapsed))
end })
local path = os.tmpname()
assert(video:save(path, { overwrite = true }))
print("saved " .. path .. ": " .. tostring(video))
if task.raw.revised_prompt then print("it was made of: " .. task.raw.revised_prompt) end

os.remove(path)
if sim then sim:stop() end
