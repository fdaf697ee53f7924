--- Bodies that are read from files while the socket takes them.
local core = require("multimodal.core")
local net = require("multimodal.net")
local drive = require("net.drive")
local server = require("support.server")
local sizes = require("support.sizes")

describe("an upload", function()
  local s, engine, path

  before_each(function()
    s, engine, path = server.start(), assert(net.engine()), os.tmpname()
  end)
  after_each(function()
    engine:close()
    s:stop()
    os.remove(path)
    drive.assert_clean()
  end)

  --- A file of n bytes that repeat with no short period.
  local function make_file(n)
    local file, line = assert(io.open(path, "wb")), 0
    while n > 0 do
      line = line + 1
      local text = (("%d,"):format(line):rep(1000)):sub(1, n)
      assert(file:write(text))
      n = n - #text
    end
    file:close()
    return assert(core.blob_file(path))
  end

  local function sha256_of(body)
    local hash, at = core.sha256(), 0
    while at < body:length() do
      local piece = assert(body:read(at, 1000000))
      hash:update(piece)
      at = at + #piece
    end
    return hash:hex()
  end

  for _, n in ipairs({ 1, 12287, 16384, 100000, sizes.upload }) do
    it(("of a file of %d bytes arrives to the byte"):format(n), function()
      local body = assert(core.body({ file = core.base64_of(make_file(n)), name = "x" }))
      s:script(server.text(200, "ok"))
      local list, err, exchange = drive.fetch(engine, s.url, { method = "POST", body = body })
      assert.is_nil(err)
      assert.same({ "ok" }, list)
      assert.equal(body:length(), (exchange:progress()))
      local seen = s:requests(1)[1]
      assert.equal(tostring(body:length()), seen.headers["content-length"])
      assert.equal(body:length(), seen.body_bytes)
      assert.equal(sha256_of(body), seen.body_sha256)
    end)
  end

  it("tells how far it is", function()
    local body = assert(core.body_raw({ make_file(8000000) }))
    s:script({ { read = "all", piece = 65536, every = 0.001 }, server.text(200, "ok") })
    local exchange = drive.start(engine, s.url, { method = "POST", body = body })
    local last, steps = 0, 0
    while not exchange:head() do
      drive.turn(engine, 0.01)
      local sent = exchange:progress()
      assert.is_true(sent >= last and sent <= 8000000)
      if sent > last then steps = steps + 1 end
      last = sent
    end
    assert.equal(8000000, last)
    assert.is_true(steps > 1)
  end)

  it("fails with the file's own error when the file changes meanwhile", function()
    local body = assert(core.body_raw({ make_file(8000000) }))
    s:script({ { read = "all", piece = 65536, every = 0.005 }, server.text(200, "ok") })
    local exchange = drive.start(engine, s.url, { method = "POST", body = body })
    while exchange:progress() == 0 do engine:step(0.01) end
    local file = assert(io.open(path, "wb"))
    file:write("short")
    file:close()
    local list, err = drive.read(engine, exchange)
    assert.same({}, list)
    assert.equal("file", err.kind)
    assert.equal("changed", err.code)
    assert.is_true(err.maybe_accepted)
    assert.matches(path:match("[^/]+$"), err.message, 1, true)
  end)

  it("fails with the file's own error when the file is gone", function()
    for _, n in ipairs({ 100, 100000 }) do
      local body = assert(core.body_raw({ make_file(n) }))
      os.remove(path)
      s:script(server.text(200, "ok"))
      local list, err = drive.fetch(engine, s.url, { method = "POST", body = body })
      assert.same({}, list)
      assert.equal("file", err.kind)
      assert.equal("ENOENT", err.code)
      s:clear()
    end
  end)

  it("ends with an early answer that refuses it", function()
    local body = assert(core.body_raw({ ("x"):rep(20000000) }))
    s:script({ { read = 1000 }, server.text(413, "too large"), { read = "all" } })
    local _, err, exchange = drive.fetch(engine, s.url, { method = "POST", body = body })
    assert.equal(413, exchange:head())
    assert.is_nil(err)
    assert.is_true(exchange:progress() < 20000000)
  end)
end)
