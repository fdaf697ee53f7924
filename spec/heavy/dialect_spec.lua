--- A document of 100 MB inside a request of each dialect: it passes through, and never stands in memory.
local server = require("support.server")
local sizes = require("support.sizes")

local bytes = sizes.full and 100000000 or 26000000 -- above what each dialect takes inside a request

local replies = {
  openai = { "/up/chat/completions", { choices = { { message = { content = "Read." }, finish_reason = "stop" } } } },
  anthropic = { "/up/messages", { type = "message", content = { { type = "text", text = "Read." } }, stop_reason = "end_turn" } },
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

--- A document, and a server that has answered one small request.
local function begin()
  local s, file = server.start(), os.tmpname()
  run(("(printf '%%%%PDF-1.4\\n'; head -c %d /dev/urandom) > %s"):format(bytes - 9, file))
  s:script(server.json(200, { choices = { { message = { content = "warm" }, finish_reason = "stop" } } }),
    { path = "/warm/chat/completions" })
  return s, file
end

--- Run the child and see that it stayed small.
local function sent(s, file, words)
  local figures = {}
  local said = run(("%s spec/heavy/scripts/document.lua %s %s %s 2>&1"):format(interpreter, s.url, file, words))
  for name, value in said:gmatch("([%a_]+)=([^\n]*)\n") do figures[name] = tonumber(value) or value end
  os.remove(file)
  assert.same({ "Read.", "true" }, { figures.text, figures.quiet })
  assert.is_true(figures.growth <= 8 * 1024, ("%d KiB"):format(figures.growth))
  print(("%s: growth %d KiB"):format(words, figures.growth))
end

describe("a document of 100 MB #big", function()
  for dialect, case in pairs(replies) do
    it("goes out in " .. dialect .. " within 8 MB of memory", function()
      local s, file = begin()
      s:script(server.json(200, case[2]), { path = case[1] })
      sent(s, file, dialect)
      local request = assert(s:requests(2))[2]
      s:stop()
      local base64 = math.ceil(bytes / 3) * 4
      assert.is_true(request.complete and request.body_bytes > base64 and request.body_bytes < base64 + 500)
    end)
  end

  it("is uploaded to google within 8 MB of memory", function()
    local s, file = begin()
    local session = { headers = { ["X-Goog-Upload-URL"] = s.url .. "/session" } }
    s:script(server.json(200, {}, session), { path = "/upload/up/files" })
    local pieces = math.ceil(bytes / (8 * 1024 * 1024))
    if pieces > 1 then s:script(server.json(200, {}), { path = "/session", times = pieces - 1 }) end
    local uri = "https://generativelanguage.googleapis.com/v1beta/files/a"
    s:script(server.json(200, { file = { name = "files/a", uri = uri, state = "ACTIVE", mimeType = "application/pdf" } }),
      { path = "/session" })
    s:script(server.json(200, replies.gemini[2]), { path = replies.gemini[1] })
    sent(s, file, "gemini google")
    local requests, total = assert(s:requests(3 + pieces)), 0
    s:stop()
    for i = 3, 2 + pieces do total = total + requests[i].body_bytes end
    assert.equal(bytes, total)
    assert.is_truthy(requests[3 + pieces].body:find(uri, 1, true))
  end)

  it("is uploaded to anthropic within 8 MB of memory", function()
    local s, file = begin()
    s:script(server.json(200, { id = "file_1", type = "file" }), { path = "/up/files" })
    s:script(server.json(200, replies.anthropic[2]), { path = replies.anthropic[1] })
    sent(s, file, "anthropic anthropic")
    local requests = assert(s:requests(3))
    s:stop()
    assert.is_true(requests[2].complete and requests[2].body_bytes > bytes and requests[2].body_bytes < bytes + 500)
    assert.is_truthy(requests[3].body:find("file_1", 1, true))
  end)
end)
