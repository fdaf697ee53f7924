local core = require "multimodal.core"

--- The one event of a JSON body, fed in chunks of `size`.
local function event_of(json, size, options)
  local decoder = core.decoder(options or { format = "json", lift_above = 100 })
  decoder:head(200, "application/json")
  for i = 1, #json, size do assert(decoder:feed(json:sub(i, i + size - 1))) end
  assert(decoder:finish())
  local event = decoder:next()
  decoder:close()
  return event
end

local function bytes_of(n)
  local bytes = {}
  for i = 1, n do bytes[i] = string.char(i * 7 % 251) end
  return table.concat(bytes)
end

--- The event's text with its media written out again.
local function written_out(event)
  return (event.data:gsub("\1(%d+)\1", function(index)
    return event.media[tonumber(index)]:text()
  end))
end

describe("lift #small", function()
  local live

  before_each(function()
    collectgarbage()
    live = core.live()
  end)

  after_each(function()
    collectgarbage()
    collectgarbage()
    assert.equal(live, core.live())
  end)

  local bytes = bytes_of(200)
  local base64 = core.base64_encode(bytes)

  it("lifts a string that is base64, whatever the split", function()
    local json = ('{"type":"b64_json","b":[1,"%s"]}'):format(base64)
    for size = 1, #json do
      local event = event_of(json, size)
      assert.equal('{"type":"b64_json","b":[1,"\0011\1"]}', event.data)
      assert.equal(1, #event.media)
      assert.equal(bytes, event.media[1]:bytes())
      assert.equal(json, written_out(event))
    end
  end)

  it("lifts data URLs amid text, and gives them back as they were", function()
    local json = ('{"t":"a ![](data:image/png;base64,%s) b ![](DATA:image/jpg;base64,%s)"}')
      :format(base64, (base64:gsub("=", "")))
    for _, size in ipairs { 1, 7, 64, #json } do
      local event = event_of(json, size)
      assert.equal('{"t":"a ![](\0011\1) b ![](\0012\1)"}', event.data)
      assert.equal("image/png", event.media[1]:mime())
      assert.equal("image/jpeg", event.media[2]:mime())
      assert.equal(bytes, event.media[2]:bytes())
      assert.same({ "data:image/png;base64,", true }, { event.media[1]:prefix() })
      assert.same({ "DATA:image/jpg;base64,", base64:find("=") == nil }, { event.media[2]:prefix() })
      assert.equal(json, written_out(event))
    end
  end)

  it("undoes escapes before it lifts", function()
    local event = event_of(('{"b":"%s"}'):format((base64:gsub("/", "\\/"):gsub("%+", "\\u002b"))), 5)
    assert.equal('{"b":"\0011\1"}', event.data)
    assert.equal(bytes, event.media[1]:bytes())
  end)

  it("keeps what would not come back the same", function()
    for _, text in ipairs {
      base64:gsub("=", ""), base64 .. " ", base64:gsub(".$", "-"), base64:sub(1, -2) .. "\\n",
      "x " .. base64, base64 .. base64, base64:sub(1, 100),
    } do
      local json = ('{"s":"%s"}'):format(text)
      local event = event_of(json, 11)
      assert.equal(json, event.data)
      assert.is_nil(event.media)
    end
  end)

  it("lifts nothing short, and no key", function()
    local json = ('{"%s":"%s"}'):format(base64, base64:sub(1, 96))
    assert.equal(json, event_of(json, 3).data)
  end)

  it("lets nobody forge a mark", function()
    local json = ('{"a":"\0011\1","b":"%s"}'):format(base64)
    assert.equal('{"a":"\\u00011\\u0001","b":"\0011\1"}', event_of(json, 4).data)
    assert.equal('{"a":"\\u00011\\u0001"}', event_of('{"a":"\0011\1"}', 4).data)
  end)

  it("gives media to json_decode", function()
    local event = event_of(('{"a":"%s","b":"see data:a/b;base64,%s!"}'):format(base64, base64), 100)
    local value = assert(core.json_decode(event.data, { media = event.media }))
    assert.equal(bytes, value.a:bytes())
    assert.equal("see ", value.b[1])
    assert.equal(bytes, value.b[2]:bytes())
    assert.equal(("see data:a/b;base64,%s!"):format(base64), tostring(value.b))
  end)

  it("keeps media in a file once memory is used up", function()
    for _, memory in ipairs { 0, 250, 1000000 } do
      local event = event_of(('["%s","%s","%s"]'):format(base64, base64, base64), 50,
        { format = "json", lift_above = 100, memory = memory })
      for i = 1, 3 do assert.equal(bytes, event.media[i]:bytes()) end
    end
  end)
end)
