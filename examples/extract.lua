-- A text becomes a table: the schema says what is looked for, the table is checked, and it grows while it arrives.
-- With OPENAI_API_KEY or MULTIMODAL_CLIENT set it talks to that gateway, otherwise to the simulator.
local mm = require "multimodal"

local function client()
  if os.getenv "MULTIMODAL_CLIENT" then return mm.client() end
  if os.getenv "OPENAI_API_KEY" then return mm.client "openai/gpt-4o" end
  local sim = assert(require("multimodal.simulator").start { pace = 0.01 })
  return mm.client { base_url = sim.url, api_key = "none", model = "simulated" }, sim
end

local order = mm.schema {
  customer = "string",
  lines = { { article = "string", pieces = "integer", price = "number?: in euros" } },
  urgency = { "low", "normal", "high" },
}

local letter = [[
Dear all, please send us forty ladders at 79.90 euros and a dozen buckets as soon as you can.
Kind regards, Acme Ltd.]]

local ai, sim = client()
local stream = assert(ai:stream { "Extract the order from this letter:", letter, schema = order })
for value in stream:data() do
  io.write(("\r%d lines so far"):format(value.lines and #value.lines or 0))
end
local data = assert(stream:reply()).data
print(("\n%s, urgency %s:"):format(data.customer, data.urgency))
for _, line in ipairs(data.lines) do
  print(("  %d x %s%s"):format(line.pieces, line.article, line.price and (" at %.2f"):format(line.price) or ""))
end
if sim then sim:stop() end
