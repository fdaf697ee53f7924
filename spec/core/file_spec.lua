local core = require "multimodal.core"

local root

local function path_of(name) return root .. "/" .. name end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

local function entries() return output_of(("ls -A '%s'"):format(root)) end

local function make_root()
  root = os.tmpname()
  os.remove(root)
  os.execute("mkdir " .. root)
end

local function remove_root() os.execute("rm -r " .. root) end

--- A failed call: nil and an error of the kind file.
local function assert_fails(code, message, value, err)
  assert.is_nil(value)
  assert.equal("file", err.kind)
  assert.equal(code, err.code)
  assert.equal(message, err.message)
end

describe("file #small", function()
  local live

  before_each(function()
    make_root()
    collectgarbage()
    live = core.live()
  end)

  after_each(function()
    remove_root()
    collectgarbage()
    assert.equal(live, core.live())
  end)

  it("writes a file whole, any bytes", function()
    local bytes = "a\0b\r\n\255" .. ("x"):rep(100000)
    assert.is_true(core.file_write(path_of "a", bytes))
    assert.is_true(read(path_of "a") == bytes)
    assert.is_true(core.file_write(path_of "a", "", { sync = true }))
    assert.equal("", read(path_of "a"))
    assert.equal("a\n", entries())
  end)

  it("replaces no file when exclusive", function()
    assert.is_true(core.file_write(path_of "a", "one", { exclusive = true }))
    assert_fails("EEXIST", ('cannot write "%s": file exists'):format(path_of "a"),
      core.file_write(path_of "a", "two", { exclusive = true }))
    assert.equal("one", read(path_of "a"))
    assert.equal("a\n", entries())
  end)

  it("appends", function()
    assert.is_true(core.file_write(path_of "log", "a\n", { append = true }))
    assert.is_true(core.file_write(path_of "log", "b\n", { append = true, sync = true }))
    assert.equal("a\nb\n", read(path_of "log"))
  end)

  it("moves, and replaces nothing when exclusive", function()
    assert.is_true(core.file_write(path_of "from", "new"))
    assert.is_true(core.file_write(path_of "to", "old"))
    assert_fails("EEXIST", ('cannot write "%s": file exists'):format(path_of "to"),
      core.file_move(path_of "from", path_of "to", { exclusive = true }))
    assert.equal("old", read(path_of "to"))
    assert.equal("new", read(path_of "from"))
    assert.is_true(core.file_move(path_of "from", path_of "to", { sync = true }))
    assert.equal("new", read(path_of "to"))
    assert.is_true(core.file_move(path_of "to", path_of "from", { exclusive = true, sync = true }))
    assert.equal("from\n", entries())
  end)

  it("moves to what a symbolic link leads to", function()
    assert.is_true(core.file_write(path_of "from", "new"))
    assert.is_true(core.file_write(path_of "goal", "old"))
    os.execute(("ln -s goal '%s'"):format(path_of "link"))
    assert.is_true(core.file_move(path_of "from", path_of "link"))
    assert.equal("new", read(path_of "goal"))
    assert.equal("goal\nlink\n", entries())
  end)

  it("makes folders, and those above them", function()
    assert.is_true(core.file_folder(path_of "a/b/c"))
    assert.is_true(core.file_folder(path_of "a/b/c/"))
    assert.is_true(core.file_write(path_of "a/b/c/file", "x"))
    assert.equal("700\n", output_of(("stat -c %%a '%s'"):format(path_of "a/b/c")))
    assert_fails("ENOTDIR", ('cannot make the folder "%s": not a directory'):format(path_of "a/b/c/file/d"),
      core.file_folder(path_of "a/b/c/file/d"))
    assert.equal("EINVAL", select(2, core.file_folder "").code)
  end)

  it("says why not", function()
    local missing = path_of "no/such"
    assert_fails("ENOENT", ('cannot write "%s": no such file or directory'):format(missing), core.file_write(missing, ""))
    assert_fails("EISDIR", ('cannot write "%s": is a directory'):format(root), core.file_write(root, ""))
    assert_fails("ENOSPC", 'cannot write "/dev/full": no space left on device', core.file_write("/dev/full", "x"))
    assert_fails("ENOENT", ('cannot lock "%s": no such file or directory'):format(missing), core.file_lock(missing))
  end)

  it("raises misuse", function()
    assert.error_matches(function() core.file_write("a\0b", "") end, "path contains NUL")
    assert.error_matches(function() core.file_lock "a\0b" end, "path contains NUL")
    assert.error_matches(function() core.file_write(path_of "a") end, "string expected")
    assert.error_matches(function() core.file_write(path_of "a", "", { synch = true }) end, "unknown option 'synch'")
    assert.error_matches(function() core.file_write(path_of "a", "", { true }) end, "unknown option 'number'")
    assert.error_matches(function() core.file_write(path_of "a", "", "sync") end, "table expected")
    assert.equal("", entries())
  end)

  it("locks, also within one process", function()
    local lock = assert(core.file_lock(path_of "lock"))
    assert.same({ nil, "held" }, { core.file_lock(path_of "lock") })
    local other = assert(core.file_lock(path_of "other"))
    lock:close()
    lock:close()
    lock = assert(core.file_lock(path_of "lock"))
    lock:close()
    other:close()
  end)

  it("unlocks what is forgotten", function()
    assert(core.file_lock(path_of "lock"))
    collectgarbage()
    collectgarbage()
    assert(core.file_lock(path_of "lock")):close()
  end)
end)

describe("random #small", function()
  it("draws bytes", function()
    assert.equal(32, #core.random(32))
    assert.equal("", core.random(0))
    assert.equal(1000, #core.random(1000))
    assert.not_equal(core.random(16), core.random(16))
  end)

  it("raises misuse", function()
    for _, n in ipairs { -1, 1.5, 2 ^ 30, 0 / 0 } do
      assert.error_matches(function() core.random(n) end, "out of range")
    end
  end)
end)

describe("sha256 #small", function()
  it("hashes in pieces", function()
    local abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", core.sha256():hex())
    assert.equal(abc, core.sha256():update("abc"):hex())
    local h = core.sha256()
    assert.equal(h, h:update "a")
    h:hex()
    assert.equal(abc, h:update("b"):update(""):update("c"):hex())
    assert.equal(abc, h:hex())
    assert.equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
      core.sha256():update(("a"):rep(1000000)):hex())
  end)
end)

describe("backoff #small", function()
  it("grows to the cap, by chance", function()
    local want = { 0.5, 1, 2, 4, 8, 8 }
    for attempt, seconds in ipairs(want) do
      assert.equal(seconds, core.backoff(attempt, nil, nil, 1))
      assert.equal(seconds / 4, core.backoff(attempt, nil, {}, 0.25))
    end
    assert.equal(0, core.backoff(3, nil, {}, 0))
    assert.equal(8, core.backoff(1e12, nil, {}, 1))
    assert.equal(20, core.backoff(3, nil, { base = 5, cap = 30 }, 1))
  end)

  it("does as the server asks, up to a limit", function()
    assert.equal(0, core.backoff(1, 0, {}, 0.5))
    assert.equal(60, core.backoff(1, 60, {}, 0.5))
    assert.is_nil(core.backoff(1, 61, {}, 0.5))
    assert.equal(61, core.backoff(1, 61, { max_retry_after = 100 }, 0.5))
    assert.is_nil(core.backoff(1, 0.5, { max_retry_after = 0 }, 0.5))
  end)

  it("raises misuse", function()
    assert.error_matches(function() core.backoff(0, nil, {}, 0.5) end, "attempts count from 1")
    assert.error_matches(function() core.backoff(1, nil, {}, 2) end, "expected 0 to 1")
    assert.error_matches(function() core.backoff(1, nil, {}) end, "number expected")
    assert.error_matches(function() core.backoff(1, nil, { bass = 1 }, 0) end, "unknown option 'bass'")
    assert.error_matches(function() core.backoff(1, nil, { base = -1 }, 0) end, "base: out of range")
  end)
end)

-- What root never meets otherwise. The child is this Lua, with build/interpose.so before libc.
describe("file where the system fails", function()
  local library = "build/interpose.so"
  local first = 0
  while arg[first - 1] do first = first - 1 end

  --- The line that `code` prints in a child in which calls fail by the rules in `environment`.
  local function child(environment, code)
    local program = ("local core, path = require 'multimodal.core', '%s'\n%s"):format(path_of "target", code)
    assert.is_true(core.file_write(path_of "program.lua", program))
    local preload = (os.getenv "LD_PRELOAD" or "") .. " " .. library
    local line = output_of(("LD_PRELOAD='%s' %s '%s' '%s' 2>&1"):format(preload, environment, arg[first], path_of "program.lua"))
    os.remove(path_of "program.lua")
    return (line:gsub("\n$", ""))
  end

  local function write_with(environment, options)
    return child(environment, ([[
      local ok, err = core.file_write(path, "new", %s)
      print(ok and "written" or err.kind .. " " .. err.code .. " " .. err.message)
    ]]):format(options or "{}"))
  end

  local function failure(code, reason)
    return ('file %s cannot write "%s": %s'):format(code, path_of "target", reason)
  end

  setup(function() assert(io.open(library), library .. " is missing: make " .. library):close() end)

  before_each(function()
    make_root()
    assert.is_true(core.file_write(path_of "target", "old"))
  end)

  after_each(remove_root)

  it("writes where nothing fails", function()
    assert.equal("written", write_with "MM_FAIL_WRITE=elsewhere=EIO")
    assert.equal("new", read(path_of "target"))
  end)

  it("leaves the file as it was", function()
    local reasons = {
      EACCES = "permission denied", EROFS = "read-only file system", ENOSPC = "no space left on device",
      EDQUOT = "disk quota exceeded", EMFILE = "too many open files",
    }
    for code, reason in pairs(reasons) do
      for _, call in ipairs { "OPEN", "WRITE", "RENAME" } do
        assert.equal(failure(code, reason), write_with(("MM_FAIL_%s=target=%s"):format(call, code)))
      end
      for _, call in ipairs { "OPEN", "WRITE" } do
        assert.equal(failure(code, reason), write_with(("MM_FAIL_%s=target=%s"):format(call, code), "{ append = true }"))
      end
      assert.equal("target\n", entries())
      assert.equal("old", read(path_of "target"))
    end
  end)

  it("reports what cannot be synced", function()
    assert.equal(failure("EIO", "input/output error"), write_with("MM_FAIL_SYNC=target=EIO", "{ sync = true }"))
    assert.equal("old", read(path_of "target"))
    assert.equal("target\n", entries())
    assert.equal("written", write_with "MM_FAIL_SYNC=target=EIO")
    assert.equal(failure("EIO", "input/output error"),
      write_with("MM_FAIL_SYNC=target=EIO", "{ sync = true, append = true }"))
  end)

  it("creates exclusively where there are no links", function()
    assert.equal(failure("EEXIST", "file exists"), write_with("MM_FAIL_LINK=target=EPERM", "{ exclusive = true }"))
    os.remove(path_of "target")
    assert.equal("written", write_with("MM_FAIL_LINK=target=EPERM", "{ exclusive = true }"))
    assert.equal("new", read(path_of "target"))
    os.remove(path_of "target")
    assert.equal(failure("EACCES", "permission denied"),
      write_with("MM_FAIL_LINK=target=EPERM MM_FAIL_RENAME=target=EACCES", "{ exclusive = true }"))
    assert.equal(failure("EIO", "input/output error"), write_with("MM_FAIL_LINK=target=EIO", "{ exclusive = true }"))
    assert.equal("", entries())
  end)

  it("reports what cannot be locked", function()
    local code = "local lock, err = core.file_lock(path) print(lock, err.code, err.message)"
    assert.equal(('nil\tEROFS\tcannot lock "%s": read-only file system'):format(path_of "target"),
      child("MM_FAIL_OPEN=target=EROFS", code))
    assert.equal(('nil\tEACCES\tcannot lock "%s": permission denied'):format(path_of "target"),
      child("MM_FAIL_LOCK=target=EACCES", code))
  end)
end)
