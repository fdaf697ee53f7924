--- What the library holds in memory while media of any size pass, and that nothing stays behind. Sizes: support/sizes.lua.
--- Each case runs in a child process of the same Lua; counts, bytes and memory are asserted, times only printed.
local server = require("support.server")
local sizes = require("support.sizes")

local MiB = 1024

local function run(command)
  local pipe = assert(io.popen(command .. "; echo \" rc=$?\""))
  local text = pipe:read("*a")
  pipe:close()
  local out, code = text:match("^(.*) rc=(%d+)\n$")
  assert.equal("0", code, command .. "\n" .. tostring(out))
  return out
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The Lua that runs this, by the parent of a shell.
local interpreter = run("readlink /proc/$PPID/exe"):gsub("%s+$", "")

--- Run a script with the server's URL and more arguments; what it said, by name.
local function child(script, url, ...)
  local words = { quote(interpreter), "spec/heavy/scripts/" .. script .. ".lua", quote(url) }
  for _, word in ipairs { ... } do words[#words + 1] = quote(tostring(word)) end
  local figures, shown = {}, {}
  for name, value in run(table.concat(words, " ") .. " 2>&1"):gmatch("([%a_]+)=([^\n]*)\n") do
    figures[name] = tonumber(value) or value
    shown[#shown + 1] = name .. " " .. value
  end
  io.write("\n  ", script, ": ", table.concat(shown, ", "), "\n")
  assert.equal("true", figures.quiet, "a failure that nobody asked about")
  return figures
end

local answer = server.json(200, {
  id = "r", choices = { { index = 0, message = { role = "assistant", content = "seen" }, finish_reason = "stop" } },
})

local function event(delta, finish)
  return 'data: {"id":"r","object":"chat.completion.chunk","choices":[{"index":0,"delta":' .. delta .. ',"finish_reason":'
    .. (finish and '"' .. finish .. '"' or "null") .. "}]}\n\n"
end

local stream_end = event("{}", "stop") .. "data: [DONE]\n\n"
local stream_head = server.head(200, { ["Content-Type"] = "text/event-stream", ["Transfer-Encoding"] = "chunked" })

local picture_head, picture_tail = '{"type":"image_url","image_url":{"url":"data:image/png;base64,', '"}}'
local reply_head = '{"id":"r","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"","images":['
local reply_tail = "]}}]}"

-- What pictures consist of: every byte value, over and over.
local pattern = "\137PNG\r\n\26\n"
for i = 0, 255 do pattern = pattern .. string.char(i * 37 % 256) end

local function chunk(text)
  return { send = text, chunk = #text }
end

local function picture(n, chunked)
  return { fill = n, base64 = true, pattern = pattern, chunk = chunked and 16384 or nil }
end

local function base64_length(n)
  return math.floor((n + 2) / 3) * 4
end

--- A reply with `count` pictures of n bytes each.
local function json_steps(n, count)
  local length = #reply_head + #reply_tail + count * (#picture_head + base64_length(n) + #picture_tail + 1) - 1
  local steps = { server.head(200, { ["Content-Type"] = "application/json", ["Content-Length"] = ("%.0f"):format(length) }), reply_head }
  for i = 1, count do
    steps[#steps + 1] = (i > 1 and "," or "") .. picture_head
    steps[#steps + 1] = picture(n)
    steps[#steps + 1] = picture_tail
  end
  steps[#steps + 1] = reply_tail
  return steps
end

local function sse_steps(n)
  local before, after = event('{"images":[' .. picture_head .. "|" .. picture_tail .. "]}"):match("^(.*)|(.*)$")
  return { stream_head, chunk(before), picture(n, true), chunk(after .. stream_end), server.last_chunk }
end

local function sum_of(command)
  return run(command .. " | sha256sum"):match("^%x+")
end

--- The digest of a picture, built of the pattern by the shell's tools.
local function picture_sum(folder, n)
  local file = assert(io.open(folder .. "/block", "wb"))
  local block = pattern:rep(1000)
  for _ = 1, math.ceil(n / #block) do assert(file:write(block)) end
  file:close()
  local sum = sum_of(("head -c %d %s"):format(n, quote(folder .. "/block")))
  os.remove(folder .. "/block")
  return sum
end

describe("heavy #big", function()
  local s, folder

  before_each(function()
    s = server.start()
    s:script(answer, { path = "/warm/chat/completions", times = -1 })
    folder = run("mktemp -d"):gsub("%s+$", "")
  end)
  after_each(function()
    s:stop()
    run("rm -r " .. quote(folder))
  end)

  --- Script the answer of one call, or of `times`.
  local function script(path, steps, times)
    s:script(steps, { path = path .. "/chat/completions", times = times })
  end

  describe("a file inside a JSON body", function()
    local file, sum

    before_each(function()
      file = folder .. "/file"
      run(("head -c %d /dev/urandom > %s"):format(sizes.upload, quote(file)))
      sum = sum_of(([[{ printf '%%s' '{"messages":[{"content":[{"text":"Look.","type":"text"},{"image_url":{"url":"data:image/png;base64,'
        base64 -w0 %s; printf '%%s' '"},"type":"image_url"}],"role":"user"}],"model":"m"}'; }]]):format(quote(file)))
    end)

    it("arrives whole and stays out of memory", function()
      script("/up", answer)
      local figures = child("upload", s.url, "/up", file)
      local seen = assert(s:requests(2))
      assert.equal(sum, seen[2].body_sha256)
      assert.equal("seen", figures.text)
      assert.is_true(figures.growth <= 8 * MiB)
    end)

    it("arrives whole again behind a redirect", function()
      script("/up", { server.head(307, { Location = "/there", ["Content-Length"] = 0 }) })
      s:script(answer, { path = "/there" })
      local figures = child("upload", s.url, "/up", file)
      local seen = assert(s:requests(3))
      assert.equal(sum, seen[2].body_sha256)
      assert.equal("/there", seen[3].path)
      assert.equal(sum, seen[3].body_sha256)
      assert.equal("seen", figures.text)
      assert.is_true(figures.growth <= 8 * MiB)
    end)
  end)

  describe("a video", function()
    local file, before, after = nil, '"video_url":{"url":"data:video/mp4;base64,', '"}'

    before_each(function()
      file = folder .. "/file"
      run(("head -c %d /dev/urandom > %s"):format(sizes.video, quote(file)))
    end)

    --- The shell's words that print a body with the video in it.
    local function body(head, tail)
      return ("{ printf '%%s' %s; base64 -w0 %s; printf '%%s' %s; }"):format(quote(head .. before), quote(file), quote(after .. tail))
    end

    for _, gateway in ipairs { "openrouter", "khatash" } do
      it("in a prompt stays out of memory on its way to " .. gateway, function()
        script("/up", answer)
        local figures = child("video", s.url, "/up", gateway, file)
        local head = '{"messages":[{"content":[{"text":"Look.","type":"text"},{"type":"video_url",'
        local sum = sum_of(body(head, '}],"role":"user"}],"model":"m"}'))
        assert.equal(sum, assert(s:requests(2))[2].body_sha256)
        assert.equal("seen", figures.text)
        assert.is_true(figures.growth <= 8 * MiB)
      end)
    end

    it("in a loaded request stays out of memory", function()
      script("/up", answer)
      local path = folder .. "/request.json"
      run(body('{ "messages": [{"role": "user", "content": [{"type":"video_url",', '}]}] }') .. " > " .. quote(path))
      local figures = child("load", s.url, "/up", path)
      local sum = sum_of(body('{"messages":[{"content":[{"type":"video_url",', '}],"role":"user"}],"model":"m"}'))
      assert.equal(sum, assert(s:requests(2))[2].body_sha256)
      assert.equal("seen", figures.text)
      assert.is_true(figures.growth <= 8 * MiB)
    end)
  end)

  for _, form in ipairs { "sse", "json" } do
    it("a picture in one reply (" .. form .. ") goes to a file and not to memory", function()
      script("/draw", form == "sse" and sse_steps(sizes.picture) or json_steps(sizes.picture, 1))
      local path = folder .. "/picture.png"
      local figures = child("picture", s.url, "/draw", form, path)
      assert.equal("image/png", figures.mime)
      assert.equal(picture_sum(folder, sizes.picture), sum_of("cat " .. quote(path)))
      assert.is_true(figures.growth <= 8 * MiB)
    end)
  end

  it("pictures that nobody keeps leave memory and descriptors", function()
    local size = 2 * 1024 * MiB
    script("/draw", json_steps(size, 1), sizes.loop)
    local figures = child("loop", s.url, "/draw", sizes.loop)
    assert.equal(sizes.loop * size, figures.bytes)
    assert.is_true(figures.descriptors > 0 and figures.descriptors < 64)
    assert.is_true(figures.growth <= 16 * MiB)
  end)

  it("many pictures in one reply share a spool file", function()
    local size = 100 * MiB
    script("/draw", json_steps(size, sizes.many))
    local figures = child("many", s.url, "/draw", folder)
    assert.equal(sizes.many, figures.pictures)
    assert.equal(sizes.many * size, figures.bytes)
    local sum = picture_sum(folder, size)
    assert.equal(sum, sum_of("cat " .. quote(folder .. "/first")))
    assert.equal(sum, sum_of("cat " .. quote(folder .. "/last")))
    assert.is_true(figures.descriptors > 0 and figures.descriptors < 64)
    assert.is_true(figures.growth <= 16 * MiB)
  end)

  it("streams of a second each are open at once and all end", function()
    local steps = { stream_head }
    for _, text in ipairs { "one", " two", " three" } do
      steps[#steps + 1] = chunk(event('{"content":"' .. text .. '"}'))
      steps[#steps + 1] = { wait = 1 / 3 }
    end
    steps[#steps + 1] = { chunk(stream_end), server.last_chunk }
    script("/talk", steps, sizes.streams)
    local figures = child("streams", s.url, "/talk", sizes.streams)
    assert.equal(sizes.streams, figures.ended)
    local last_begin, first_end
    assert(s:wait(function()
      last_begin, first_end = 0, math.huge
      for i = 2, sizes.streams + 1 do
        local request = s.seen[i]
        local ended = request and (request.answered or s.connections[request.connection].closed)
        if not ended then return false end
        last_begin, first_end = math.max(last_begin, request.at), math.min(first_end, ended)
      end
      return true
    end))
    assert.is_true(last_begin < first_end, "not all were open at the same time")
  end)

  it("starting and cancelling leaves nothing behind", function()
    script("/stall", { { stall = true } }, -1)
    script("/begin", { stream_head, chunk(event('{"content":"one"}')), { stall = true } }, -1)
    local figures = child("cancel", s.url, sizes.cancels)
    assert.equal(sizes.cancels, figures.cancelled)
    assert.equal(0, figures.core)
    assert.equal(0, figures.net)
    assert.is_true(figures.later <= 2 * MiB, "memory grows with each cycle")
    for i = 1, s:accepted() do assert.equal("peer", assert(s:closed(i)).by) end
  end)
end)
