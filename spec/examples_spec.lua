--- Every example runs as it stands, offline, and is short enough to paste.
local core = require("multimodal.core")
local gateway = require("support.gateway")

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local lua
do
  local lowest = 0
  for i in pairs(arg) do
    if type(i) == "number" and i < lowest then lowest = i end
  end
  lua = arg[lowest]
end

local keys = { "MULTIMODAL_CLIENT", "OPENAI_API_KEY", "YOUROUTER_API_KEY", "OPENROUTER_API_KEY", "KHATASH_API_KEY", "GEMINI_API_KEY",
  "ANTHROPIC_API_KEY" }

--- A search path that holds from any folder.
local function absolute(path)
  local here = lines_of("pwd")[1]
  return (path:gsub("[^;]+", function(one) return one:find("^/") and one or here .. "/" .. one end))
end

--- Run a file in its folder without any key, so that it starts the simulator; `words` stand before and after its name.
local function run(path, words)
  local out, name = os.tmpname(), path:match("[^/]+$")
  local ok, _, code = os.execute(("cd examples && env -u %s LUA_PATH='%s' LUA_CPATH='%s' %s %s %s %s > %s 2>&1"):format(
    table.concat(keys, " -u "), absolute(package.path), absolute(package.cpath), words.before or "", lua, name, words.after or "", out))
  local file = assert(io.open(out))
  local text = file:read("*a")
  file:close()
  os.remove(out)
  return (ok == true or ok == 0) and (code == nil or code == 0), text
end

--- What the simulator says of a file.
local function seen(path)
  local bytes = gateway.bytes(path)
  return ("%d bytes, sha256 %s"):format(#bytes, core.sha256():update(bytes):hex())
end

describe("an example", function()
  local sim, words, says

  setup(function()
    sim = assert(require("multimodal.simulator").start())
    local made = gateway.media()
    words = {
      ["describe.lua"] = { before = "YOUROUTER_API_KEY=any", after = sim.url },
      ["read_pdf.lua"] = { after = made.pdf .. " 'Who wrote it?'" },
      ["transcribe.lua"] = { after = made.mp3 .. " " .. made.wav },
      ["ask_video.lua"] = { after = made.mp4 },
    }
    local cat, drawn = seen "examples/cat.jpg", require("multimodal.simulator.square")
    local square = ("image/png, 8 x 8 pixels, %d bytes, sha256 %s"):format(#drawn, core.sha256():update(drawn):hex())
    says = {
      ["ask_video.lua"] = { "video/mp4, " .. seen(made.mp4), "What happens in it?", "1.0 s  what" },
      ["chat.lua"] = { cat, "How would you paint it?", "Where were we?" },
      ["compare.lua"] = { cat, "openai/gpt-4o-mini, ", "google/gemini-2.5-flash, ", "anthropic/claude-sonnet-4, " },
      ["describe.lua"] = { cat },
      ["continue.lua"] = { "google: I received", cat, "anthropic: You said", "google: You said", "only the anthropic dialect reads",
        "6 messages" },
      ["dialects.lua"] = { "openai: I received", "gemini: I received", "anthropic: I received", cat, "sunny over Paris" },
      ["extract.lua"] = { "1 lines so far", "urgency low" },
      ["picture.lua"] = { "saved /", "image/png", "What is in this picture?" },
      ["read_pdf.lua"] = { "application/pdf, " .. seen(made.pdf), 'You said: "Who wrote it?"' },
      ["tools.lua"] = { "[weather {", "2 steps" },
      ["tour.lua"] = { cat, "together" },
      ["video.lua"] = { "drawn: image/png", "task cgt-sim-", "  running after", "  succeeded after", "video/mp4, ", square,
        "Slow pan, golden light --duration 5 --resolution 1080p", "Roles: first_frame." },
      ["transcribe.lua"] = { seen(made.mp3), seen(made.wav) },
    }
  end)
  teardown(function()
    sim:stop()
    gateway.clean()
  end)

  for _, path in ipairs(lines_of("ls examples/*.lua")) do
    it("is pasteable: " .. path, function()
      local lines, name = lines_of("cat " .. path), path:match("[^/]+$")
      assert(#lines <= 40, #lines .. " lines")
      local ok, text = run(path, words[name] or {})
      assert(ok, text)
      for _, said in ipairs(assert(says[name], "nothing is expected of it")) do assert(text:find(said, 1, true), text) end
    end)
  end
end)
