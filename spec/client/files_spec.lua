--- Files that the system refuses, and files that change while they are sent.
local mm = require("multimodal")
local server = require("support.server")

local library = "build/interpose.so"

local function write(path, bytes, mode)
  local file = assert(io.open(path, mode or "wb"))
  assert(file:write(bytes))
  file:close()
end

local function interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

--- What a program of this Lua prints while calls on files fail by the rules in `environment`.
local function child(environment, code)
  local program = os.tmpname()
  write(program, code)
  local preload = (os.getenv "LD_PRELOAD" or "") .. " " .. library
  local pipe = assert(io.popen(("LD_PRELOAD='%s' %s '%s' '%s' 2>&1"):format(preload, environment, interpreter(), program)))
  local text = pipe:read("*a")
  pipe:close()
  os.remove(program)
  return (text:gsub("\n$", ""))
end

local picture = "\137PNG\r\n\26\n" .. ("picture"):rep(1000)

describe("a file that the system refuses", function()
  local path

  before_each(function()
    path = os.tmpname() .. ".target.png"
    write(path, picture)
  end)

  after_each(function() os.remove(path) end)

  it("to open is an error of its part", function()
    for _, code in ipairs { "EACCES", "EMFILE" } do
      local said = child("MM_FAIL_OPEN=target=" .. code, ([[
        local mm = require "multimodal"
        local ai = mm.client { gateway = mm.mock { "never" }, dialect = "openai", model = "m" }
        local reply, err = ai:generate { "Look.", mm.image %q }
        print(reply, err.kind, err.code, err.part, require("multimodal.core").live())
      ]]):format(path))
      assert.equal(("nil\tfile\t%s\tmessages[1].content[2]\t0"):format(code), said)
    end
  end)

  it("to write leaves nothing behind", function()
    for _, rule in ipairs { "MM_FAIL_OPEN=saved=EROFS", "MM_FAIL_WRITE=saved=ENOSPC", "MM_FAIL_RENAME=saved=EACCES" } do
      local saved = path .. ".saved"
      local said = child(rule, ([[
        local mm = require "multimodal"
        local ai = mm.client { gateway = mm.mock { mm.image %q }, dialect = "openai", model = "m" }
        local picture = assert(ai:generate "Draw.").images[1]
        local ok, err = picture:save(%q, { overwrite = true })
        print(ok, err.kind, err.code)
      ]]):format(path, saved))
      assert.equal("nil\tfile\t" .. rule:match("=(%u+)$"), said)
      assert.is_nil(io.open(saved))
      local pipe = io.popen("ls " .. saved .. "* 2>/dev/null")
      assert.equal("", pipe:read("*a"))
      pipe:close()
    end
  end)

  it("to spool is an error with what had come", function()
    local s = server.start()
    s:script({
      server.head(200, { ["Content-Type"] = "text/event-stream" }),
      'data: {"choices":[{"index":0,"delta":{"content":"Here: "}}]}\n\n',
      'data: {"choices":[{"index":0,"delta":{"images":[{"image_url":{"url":"data:image/png;base64,',
      { fill = 4 * 1024 * 1024, base64 = true }, '"}}]}}]}\n\ndata: [DONE]\n\n', { close = true },
    })
    local spool = os.tmpname() .. ".spool"
    assert(os.execute("mkdir " .. spool))
    local said = child("TMPDIR=" .. spool .. " MM_FAIL_WRITE=spool=ENOSPC", ([[
      local mm = require "multimodal"
      local ai = mm.client { base_url = %q, api_key = "canary-k", model = "m" }
      local reply, err = assert(ai:stream "Draw."):reply()
      print(reply, err.kind, err.code, err.partial.text, err.partial.outcome)
    ]]):format(s.url .. "/v1"))
    s:stop()
    assert(os.execute("rmdir " .. spool))
    assert.equal("nil\tfile\tENOSPC\tHere: \tfailed", said)
  end)
end)

describe("a file that changes while it is sent", function()
  local s, ai, path

  before_each(function()
    s = server.start()
    ai = mm.client { base_url = s.url .. "/v1", api_key = "canary-k", model = "m" }
    path = os.tmpname() .. ".png"
    write(path, picture:rep(2000))
    -- Nobody reads until the file has changed: the sockets hold a few MB at the most.
    s:script { { wait = 0.4 }, { read = "all" }, server.json(200, { choices = {} }) }
  end)

  after_each(function()
    s:stop()
    os.remove(path)
  end)

  local function send_and(change)
    local reply, err
    mm.run(function()
      local job = mm.spawn(function() return ai:generate { "Look.", mm.image(path) } end)
      mm.sleep(0.15)
      change()
      reply, err = job:wait()
    end)
    assert.is_nil(reply)
    return err
  end

  it("by growing is an error of its own", function()
    local err = send_and(function() write(path, "more", "ab") end)
    assert.equal("file", err.kind)
    assert.equal("changed", err.code)
    assert.is_truthy(err.message:find(path, 1, true))
  end)

  it("by shrinking is one too", function()
    local err = send_and(function() write(path, picture) end)
    assert.equal("file", err.kind)
    assert.equal("changed", err.code)
  end)
end)
