--- A document of 100 MB inside a request of each dialect: it passes through, and never stands in memory.
local server = require("support.server")
local sizes = require("support.sizes")

local bytes = sizes.full and 100000000 or 16000000

local replies = {
  gemini = { "/up/models/m:generateContent",
    { candidates = { { finishReason = "STOP", content = { role = "model", parts = { { text = "Read." } } } } } } },
}

local function run(command)
  local pipe = assert(io.popen(command .. "; echo \" rc=$?\""))
  local text = pipe:read("*a")
  pipe:close()
  local out, code = text:match("^(.*) rc=(%d+)\n$")
  assert.equal("0", code, command .. "\n" .. tostring(out))
  return out
end

local interpreter = run("readlink /proc/$PPID/exe"):gsub("%s+$", "")

describe("a document of 100 MB #big", function()
  for dialect, case in pairs(replies) do
    it("goes out in " .. dialect .. " within 8 MB of memory", function()
      local s, file = server.start(), os.tmpname()
      run(("(printf '%%%%PDF-1.4\\n'; head -c %d /dev/urandom) > %s"):format(bytes - 9, file))
      s:script(server.json(200, { choices = { { message = { content = "warm" }, finish_reason = "stop" } } }), { path = "/warm/chat/completions" })
      s:script(server.json(200, case[2]), { path = case[1] })
      local figures = {}
      local said = run(("%s spec/heavy/scripts/document.lua %s %s %s 2>&1"):format(interpreter, s.url, file, dialect))
      for name, value in said:gmatch("([%a_]+)=([^\n]*)\n") do figures[name] = tonumber(value) or value end
      os.remove(file)
      assert.same({ "Read.", "true" }, { figures.text, figures.quiet })
      local request = assert(s:requests(2))[2]
      s:stop()
      local base64 = math.ceil(bytes / 3) * 4
      assert.is_true(request.complete and request.body_bytes > base64 and request.body_bytes < base64 + 500)
      assert.is_true(figures.growth <= 8 * 1024, ("%d KiB"):format(figures.growth))
      print(("%s: %d bytes sent, growth %d KiB"):format(dialect, request.body_bytes, figures.growth))
    end)
  end
end)
