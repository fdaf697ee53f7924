--- Journals that are damaged, and disks that fail: the error is clear, no id is lost, and nothing is paid for twice.
local child = require("support.child")
local core = require("multimodal.core")
local journals = require("support.journal")
local server = require("support.server")

local answer, new_run, shell = journals.answer, journals.new_run, journals.shell

describe("a journal", function()
  local s, stage, folder

  setup(function() s = server.start() end)
  teardown(function() s:stop() end)
  before_each(function()
    s:clear()
    stage = journals.stage(s)
    folder = stage.folder
  end)
  after_each(function() stage:close() end)

  local function path(name) return stage:path(name) end
  local function run(...) return stage:run(...) end

  describe("damaged", function()
    local ask = [[local reply, err = ai:generate "Hi" print(reply or err.code .. ": " .. err.message, reply and reply.from_journal)]]
    local file

    before_each(function()
      s:script(answer "one")
      run(ask)
      file = path "journal.jsonl"
    end)

    it("by a line that was cut off goes on, and names no one else's line", function()
      local text = child.read(file)
      for _, cut in ipairs { text:sub(1, -2), text .. '{"type":"beg', text .. "\0\0\0\0" } do
        assert(core.file_write(file, cut))
        assert.equal("one\ttrue", run(ask))
        assert.equal("one\ttrue", run(ask))
      end
      assert(core.file_write(file, text:sub(1, -30)))
      s:script(answer "two")
      assert.equal("two\tfalse", run(ask))
      assert.equal("two\ttrue", run(ask))
      assert.equal(2, #s:requests())
    end)

    it("by a cut line that told of a task shows what is left of it", function()
      shell("rm -rf '" .. folder .. "'")
      local begin = [[
        local entry, err = require "multimodal.client.journal".begin({ journal = ai.options.journal }, { kind = "video", once = true,
          method = "POST", url = "http://h/tasks" })
        if entry then entry:accepted "cgt-77-whole" else print(err.message) end
      ]]
      run(begin)
      local text = child.read(file)
      assert(core.file_write(file, text:sub(1, text:find("whole", 1, true) - 1)))
      assert.matches('a line there was cut off: .*cgt%-77%-', run(begin))
    end)

    it("elsewhere is refused, with the line", function()
      local text = child.read(file)
      assert(core.file_write(file, (text:gsub("\n", "\n{broken}\n", 1))))
      assert.matches("^damaged: the journal .*journal.jsonl is damaged in line 2 %(it is no JSON%)", run(ask))
      assert(core.file_write(file, '{"type":"journal","version":9}\n'))
      assert.matches("its version 9 is not known here", run(ask))
      assert(core.file_write(file, '{"type":"begin"}\n'))
      assert.matches("it is no journal", run(ask))
      assert.equal(1, #s:requests())
    end)

    it("by zeros, as some disks leave them, goes on with what was written after them", function()
      assert(core.file_write(file, ("\0"):rep(300), { append = true }))
      s:script(answer "two")
      local two = ask:gsub("Hi", "Ho")
      assert.equal("two\tfalse", run(two))
      assert.equal("two\ttrue\none\ttrue", run(two .. " do " .. ask .. " end"))
      assert.equal(2, #s:requests())
    end)

    it("by the words of an error, cut in the middle of a character, is not", function()
      s:script(server.json(400, { error = { message = ("\228\189\160"):rep(300) } }))
      local again = ask:gsub("Hi", "Ho"):gsub("err.code", "err.kind")
      assert.matches("^bad_request: \228\189\160", run(again))
      assert.matches('"error":"' .. ("\228\189\160"):rep(166) .. '"', child.read(file), 1, true)
    end)

    it("by an editor's empty lines is not", function()
      assert(core.file_write(file, (child.read(file):gsub("\n", "\n\n"))))
      assert.equal("one\ttrue", run(ask))
    end)

    it("by the loss of the whole file is refused", function()
      assert(core.file_write(file, ""))
      assert.matches("^damaged: the journal .* is empty or gone, and there was one: put it back, or remove the folder", run(ask))
      os.remove(file)
      assert.matches("^damaged", run(ask))
      assert.equal(1, #s:requests())
    end)

    it("by a file that cannot be read sends nothing", function()
      for _, fault in ipairs { "open", "read" } do
        local said = run([[
          local open = io.open
          io.open = function(path, mode)
            local file, why, number = open(path, mode)
            if not path:find "jsonl" or mode ~= "rb" then return file, why, number end
            if "]] .. fault .. [[" == "open" then return nil, "too many open files", 24 end
            return { seek = function(_, ...) return file:seek(...) end, close = function() file:close() end,
              read = function() return nil, "input/output error", 5 end }
          end
          ]] .. ask)
        assert.matches("^EIO: the journal in .* cannot be used: cannot read \".*jsonl\": ", said)
      end
      assert.equal(1, #s:requests())
    end)

    it("in a picture is an error, and asked for again when told to", function()
      s:clear()
      local draw = [[local reply, err = ai:generate { "Draw.", resubmit = %s }
        print(reply and #reply.images[1]:bytes() or err.code .. ": " .. err.message)]]
      for _ = 1, 2 do
        s:script(answer("", { images = { { type = "image_url",
          image_url = { url = core.data_url("image/png", "\137PNG\r\n\26\n" .. ("x"):rep(40000)) } } } }))
      end
      assert.equal("40008", run(draw:format "false"))
      local picture = shell("ls '" .. path "media" .. "'"):match("%S+")
      assert(core.file_write(path("media/" .. picture), "else"))
      assert.matches("^damaged: a kept reply is damaged: .* is not what it was; resubmit = true", run(draw:format "false"))
      os.remove(path("media/" .. picture))
      assert.matches("cannot be read %(ENOENT%)", run(draw:format "false"))
      assert.equal("40008", run(draw:format "true"))
      assert.equal("40008", run(draw:format "false"))
      assert.equal(2, #s:requests())
    end)

    it("names no file outside its folder", function()
      local text = child.read(file):gsub('"media":%[%]', '"media":[{"file":"../journal.jsonl","prefix":"","padded":true}]')
      assert(core.file_write(file, (text:gsub("one", "\\u00011\\u0001", 1))))
      assert.matches("^damaged", run(ask))
    end)
  end)

  describe("of creates", function()
    local begin = [[
      local journal = require "multimodal.client.journal"
      local options = { journal = ai.options.journal, resubmit = %s }
      local call = { kind = "video", once = true, method = "POST", url = "http://127.0.0.1:1/tasks",
        body = require "multimodal.core".body { prompt = "pan" }, reconcile = %s }
      local entry, err = journal.begin(options, call)
      print(entry and (entry.task or "send") or err.code .. ": " .. err.message, entry and entry.from_journal)
    ]]

    local function start(resubmit, reconcile, more)
      return begin:format(resubmit or "nil", reconcile or "nil") .. (more or "")
    end

    it("goes on with a task that was accepted", function()
      assert.equal("send\tfalse", run(start(nil, nil, 'assert(entry:accepted "cgt-1")')))
      assert.equal("cgt-1\ttrue", run(start()))
      assert.equal("cgt-1\ttrue\nsend\tfalse", run(start() .. "do " .. start() .. " end"))
    end)

    it("reports one whose answer nobody saw, and sends it again only when told to", function()
      assert.equal("send\tfalse", run(start()))
      local said = run(start())
      assert.matches("^maybe_accepted: a create that was begun at %d+%-%d%d%-%d%dT", said)
      assert.matches("resubmit = true send it again", said, 1, true)
      assert.matches("^maybe_accepted", run(start()))
      assert.equal("send\tfalse", run(start("true", nil, 'assert(entry:accepted "cgt-2")')))
      assert.equal("cgt-2\ttrue", run(start()))
    end)

    it("asks the gateway where it can", function()
      run(start())
      assert.matches("^maybe_accepted.*; the list is empty", run(start(nil, "function() return nil, 'the list is empty' end")))
      assert.equal("cgt-3\ttrue", run(start(nil, "function(record) return record.kind == 'video' and 'cgt-3' end")))
      assert.equal("cgt-3\ttrue", run(start()))
      run("do " .. start() .. " end " .. start())
      local said = run("do " .. start() .. " end " .. start(nil, "function(_, others) return nil, 'not among ' .. #others() end"))
      assert.matches("^cgt%-3\ttrue\nmaybe_accepted.*not among 1", said)
    end)

    it("sends none again that another process has found meanwhile", function()
      run(start())
      local real, locks = core.file_lock, 0
      core.file_lock = function(file) -- luacheck: ignore 122
        locks = locks + (file:find("journal.lock", 1, true) and 1 or 0)
        if locks == 2 then assert.equal("cgt-5\ttrue", run(start(nil, "function() return 'cgt-5' end"))) end
        return real(file)
      end
      local entry = require("multimodal.client.journal").begin({ journal = folder, resubmit = true }, {
        kind = "video", once = true, method = "POST", url = "http://127.0.0.1:1/tasks", body = core.body { prompt = "pan" },
      })
      core.file_lock = real -- luacheck: ignore 122
      assert.same({ "cgt-5", true }, { entry.task, entry.from_journal })
    end)

    it("sends again what was refused, and not what may have been accepted", function()
      run(start(nil, nil, 'entry:failed { kind = "rate_limit", message = "slow down" }'))
      assert.equal("send\tfalse", run(start(nil, nil, 'entry:failed { kind = "network", message = "reset", maybe_accepted = true }')))
      assert.matches("^maybe_accepted.*%(reset%)", run(start()))
    end)
  end)

  describe("of a create that was accepted", function()
    local journal = require("multimodal.client.journal")
    local file, text

    local function begin(id)
      new_run()
      local entry, err = journal.begin({ journal = folder }, { kind = "video", once = true, method = "POST", url = "http://h/tasks" })
      if entry and id then assert(entry:accepted(id)) end
      return entry, err
    end

    local function put(changed)
      assert(core.file_write(file, changed))
      local entry, err = begin()
      if not entry then return err.code end
      return entry.task or "send"
    end

    before_each(function()
      assert(begin "cgt-1")
      file = path "journal.jsonl"
      text = child.read(file)
    end)

    it("is known whatever is cut off the line with its id", function()
      local _, start = text:find("^[^\n]*\n[^\n]*\n")
      for size = start, #text do
        local got = put(text:sub(1, size))
        assert.equal(size < #text - 1 and "maybe_accepted" or "cgt-1", got)
        assert.equal(got, put(child.read(file)))
      end
    end)

    it("is known whatever byte is changed, or the journal is refused", function()
      for i = 1, #text do
        for _, by in ipairs { 1, 32, 128 } do
          local byte = (text:byte(i) + by) % 256
          local got = put(text:sub(1, i - 1) .. string.char(byte) .. text:sub(i + 1))
          assert.is_true(got == "cgt-1" or got == "damaged" or got == "maybe_accepted" and i == #text, i .. " " .. got)
        end
      end
    end)

    it("is known where lines stand twice, and the journal is refused where the beginning is gone", function()
      local lines = {}
      for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line .. "\n" end
      for i = 2, #lines do assert.equal("cgt-1", put(text .. lines[i])) end
      assert.equal("damaged", put(lines[1] .. lines[3]))
      assert.matches("in line 2 %(it tells of a call that no line before it begins%)", select(2, begin()).message)
      assert.equal("damaged", put(lines[1] .. '{"type":"begin","id":"a"}\n'))
      assert.equal("cgt-1", put(lines[1] .. lines[2]:gsub(',"sum":"%x+"', "") .. lines[3]))
    end)
  end)

  describe("on a disk that fails", function()
    it("once, when a beginning is written to last, goes on the next time", function()
      s:script(answer "one")
      local said = run [[
        local core = require "multimodal.core"
        local write, failed = core.file_write, nil
        core.file_write = function(file, text, options)
          local done, err = write(file, text, options)
          if failed or not text:find '"begin"' then return done, err end
          failed = true
          return nil, { kind = "file", code = "EIO", message = "cannot sync" }
        end
        print(select(2, ai:generate "Hi").code)
        print(ai:generate("Hi").text)
      ]]
      assert.equal("EIO\none", said)
      assert.matches('"error":"it was not sent"', child.read(path "journal.jsonl"), 1, true)
      assert.equal("one\ttrue", run [[local reply = ai:generate "Hi" print(reply, reply.from_journal)]])
    end)

    local ask = [[local reply, err = ai:generate "Hi" print(reply or err.code .. ": " .. err.message, reply and reply.warnings[1])]]
    local function failing(rules)
      return "LD_PRELOAD='" .. (os.getenv "LD_PRELOAD" or "") .. " build/interpose.so' " .. rules
    end

    it("sends nothing that it could not write down", function()
      s:script(answer "one", { times = -1 })
      for _, rule in ipairs { "MM_FAIL_OPEN=journal.=EROFS", "MM_FAIL_WRITE=journal.jsonl=ENOSPC", "MM_FAIL_SYNC=journal.jsonl=EIO" } do
        local said = run(ask, failing(rule))
        assert.matches("^" .. rule:match("=(%u+)$") .. ": the journal in .* cannot be used: cannot ", said)
      end
      assert.equal(0, #s:requests())
    end)

    it("hands out a reply that it could not keep, with a warning", function()
      s:script(answer("", { images = { { type = "image_url",
        image_url = { url = core.data_url("image/png", "\137PNG\r\n\26\n" .. ("x"):rep(40000)) } } } }))
      local said = run(ask, failing "MM_FAIL_WRITE=media/=ENOSPC")
      assert.matches("^\tjournal: this reply is not kept, and would be asked for again: .*no space left", said)
    end)

    it("has room put by for an id", function()
      s:script(answer "one")
      run(ask)
      assert.equal(65536, #child.read(path "journal.spare"))
      local said = run([[
        local core = require "multimodal.core"
        local write, full = core.file_write, true
        core.file_write = function(path, ...)
          if full and path:find "jsonl" and io.open(ai.options.journal .. "/journal.spare") then
            return nil, { kind = "file", code = "ENOSPC", message = "no space left on device" }
          end
          return write(path, ...)
        end
        local entry = assert(require "multimodal.client.journal".begin({ journal = ai.options.journal }, { kind = "video", once = true,
          method = "POST", url = "http://h/tasks" }))
        print(entry:accepted "cgt-9")
      ]])
      assert.equal("true\tnil", said)
      assert.matches("cgt%-9", child.read(path "journal.jsonl"))
    end)
  end)
end)
