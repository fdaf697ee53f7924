-- A PDF is read: its summary streams in, then questions about it are answered. lua5.4 read_pdf.lua report.pdf ["A question?" ...]
-- With OPENAI_API_KEY or MULTIMODAL_CLIENT set it talks to that gateway, otherwise to the simulator.
local mm = require "multimodal"

local function client()
  if os.getenv "MULTIMODAL_CLIENT" then return mm.client() end
  if os.getenv "OPENAI_API_KEY" then return mm.client "openai/gpt-4o" end
  local sim = assert(require("multimodal.simulator").start())
  return mm.client { base_url = sim.url, api_key = "none", model = "simulated" }, sim
end

local path = assert(arg[1], "which file? lua5.4 read_pdf.lua report.pdf")
local ai, sim = client()
local chat = ai:chat { system = "Answer from the document alone, and say on which page it stands." }

local stream = assert(chat:stream { "Summarise this document in three sentences.", mm.file(path) })
for text in stream:text() do io.write(text) io.flush() end
print()
assert(stream:reply())

for i = 2, math.max(2, #arg) do
  local question = arg[i] or "What does it leave open?"
  print("\n" .. question .. "\n" .. assert(chat:say(question)).text)
end
if sim then sim:stop() end
