--- Run by Neovim: stream into a buffer while the editor's own timer goes on; the last line says how it went.
local mm = require("multimodal")

local vim = vim -- luacheck: ignore 113
local api, uv = vim.api, vim.uv or vim.loop
local url, leave_early = vim.env.MULTIMODAL_URL, vim.env.MULTIMODAL_LEAVE ~= nil

mm.host.luv(uv, { schedule = vim.schedule })
mm.blocking(false)

local ai = mm.client { base_url = url, api_key = "any", model = "simulated" }
local buffer = api.nvim_create_buf(false, true)
local pieces, ticks, reply = 0, 0, nil

local timer = uv.new_timer()
timer:start(5, 5, function() ticks = ticks + 1 end)

local function written()
  return api.nvim_buf_get_lines(buffer, 0, 1, true)[1]
end

mm.spawn(function()
  local stream = assert(ai:stream "Describe this editor in one sentence.")
  for text in stream:text() do
    pieces = pieces + 1
    api.nvim_buf_set_text(buffer, 0, #written(), 0, #written(), { text })
  end
  reply = assert(stream:reply())
end)

local _, refusal = pcall(function() ai:generate "This would freeze the editor." end)
vim.wait(20000, function() return reply or leave_early and pieces > 0 end, 5)
if reply then assert(written() == reply.text, "the buffer is not the reply") end
print(("%d pieces, ticks: %s, whole: %s, refused: %s"):format(pieces, tostring(ticks >= 5), tostring(reply ~= nil), tostring(refusal)))
