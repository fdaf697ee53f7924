--- Rates: what a bucket holds, and a window that processes share.
local bucket = require("multimodal.policy.bucket")
local shared = require("multimodal.policy.shared")

describe("a bucket #small", function()
  it("is full at first and fills at its rate", function()
    local b = bucket.new(60, 100)
    assert.equal(0, b:wait(60, 100))
    b:take(60, 100)
    assert.equal(1, b:wait(1, 100))
    assert.equal(0.5, b:wait(1, 100.5))
    assert.equal(0, b:wait(1, 101))
    assert.equal(0, b:wait(60, 1000))
    assert.equal(1, b:wait(60, 1000) + 1) -- no fuller than full
  end)

  it("gives what is more than it holds once it is full", function()
    local b = bucket.new(60, 0)
    assert.equal(0, b:wait(1000, 0))
    b:take(1000, 0)
    assert.equal(941, b:wait(1, 0))
    b:take(-1000, 0)
    assert.equal(0, b:wait(60, 0))
  end)

  it("believes a server that counts less, and no more", function()
    local b = bucket.new(60, 0)
    b:cap(100, 0)
    assert.equal(0, b:wait(60, 0))
    b:cap(3, 0)
    assert.equal(0, b:wait(3, 0))
    assert.equal(1, b:wait(4, 0))
  end)

  it("does not run backwards", function()
    local b = bucket.new(60, 10)
    b:take(60, 10)
    assert.equal(1, b:wait(1, 5))
    assert.equal(1, b:wait(1, 10))
  end)
end)

--- Like nginx's shared dictionary.
local function store()
  local values = {}
  return {
    values = values,
    incr = function(_, key, n, init, ttl)
      assert(ttl == 120)
      values[key] = (values[key] or init) + n
      return values[key]
    end,
  }
end

describe("a shared window #small", function()
  it("is counted by all and empties with the minute", function()
    local time = 600
    local s = store()
    local a = shared.new(s, "x", 3, function() return time end)
    local b = shared.new(s, "x", 3, function() return time end)
    assert.same({ 0, 0, 0, 60 }, { a:claim(1), b:claim(1), a:claim(1), b:claim(1) })
    time = 641
    assert.equal(19, a:claim(1))
    time = 660
    assert.equal(0, b:claim(99))
    assert.equal(60, a:claim(1))
    a:take(-3)
    assert.equal(0, a:claim(3))
    assert.same({ ["multimodal:x:10"] = 3, ["multimodal:x:11"] = 3 }, s.values)
  end)

  it("tells that the store failed", function()
    local broken = { incr = function() return nil, "no memory" end }
    assert.same({ nil, "limit.store: incr: no memory" }, { shared.new(broken, "x", 3, os.time):claim(1) })
  end)
end)
