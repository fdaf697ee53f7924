-- Several models answer one prompt at once; each answer is printed as it comes.
-- With OPENROUTER_API_KEY set it asks three models there, otherwise the simulator under three names.
local mm = require "multimodal"

local function client()
  if os.getenv "OPENROUTER_API_KEY" then return mm.client { gateway = "openrouter" } end
  local sim = assert(require("multimodal.simulator").start { delay = 0.1 })
  return mm.client { base_url = sim.url, api_key = "none", model = "simulated" }, sim
end

local ai, sim = client()
local here = arg[0]:match "^(.*)/" or "."
local models = { "openai/gpt-4o-mini", "google/gemini-2.5-flash", "anthropic/claude-sonnet-4" }
local prompt = { "What is in this picture? One sentence.", mm.image(here .. "/cat.jpg") }

local size = assert(ai:estimate(prompt, { model = models[1] }))
print(("%d bytes go to each of %d models"):format(size.encoded_bytes, #models))

mm.run(function()
  local function ask(model)
    return ai:generate(prompt, { model = model, max_tokens = 100 })
  end
  for model, reply, err in mm.each(models, ask, { limit = 3 }) do
    if reply then
      print(("%s, %d tokens:\n  %s"):format(model, reply.usage and reply.usage.total_tokens or 0, reply.text))
    else
      print(("%s: %s"):format(model, err))
    end
  end
end)
if sim then sim:stop() end
