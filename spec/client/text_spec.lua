--- Persian with its zero width non-joiners, Chinese, Korean and emoji: out as they are, and back however they are cut.
local cjson = require("cjson").new()
local mm = require("multimodal")
local server = require("support.server")

local persian, chinese, korean = "می‌خواهم ۱۲۳ خانه‌ای؛", "这张图片里有什么?", "이 그림을 설명해 주세요"
local emoji = "👩‍👩‍👧 🇮🇷 🤷🏽‍♀️"
local all = table.concat({ persian, chinese, korean, emoji }, "\n")
local much = 100000 -- bytes in a piece: the rest

--- The characters of a text, each for itself, as a gateway may hand them out.
local function characters(text)
  local list = {}
  for one in text:gmatch("[^\128-\191][\128-\191]*") do list[#list + 1] = one end
  return list
end

--- A JSON string whose characters beyond ASCII are escaped.
local function escaped(text)
  local pieces = {}
  for i, one in ipairs(characters(text)) do
    local code = one:byte()
    if #one > 1 then
      code = code % 2 ^ (7 - #one)
      for byte in one:sub(2):gmatch(".") do code = code * 64 + byte:byte() % 64 end
    end
    if code >= 0x10000 then
      local rest = code - 0x10000
      pieces[i] = ("\\u%04x\\u%04x"):format(0xd800 + math.floor(rest / 1024), 0xdc00 + rest % 1024)
    else
      pieces[i] = #one == 1 and one:gsub("\n", "\\n") or ("\\u%04x"):format(code)
    end
  end
  return '"' .. table.concat(pieces) .. '"'
end

local function delta(json)
  return '{"choices":[{"index":0,"delta":{"content":' .. json .. "}}]}"
end

local finish = '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'

describe("text of any script", function()
  local s, ai

  setup(function()
    s = server.start()
    ai = mm.client { base_url = s.url, api_key = "canary-k", model = "m" }
  end)
  teardown(function() s:stop() end)
  before_each(function() s:clear() end)

  --- A stream of these data, cut into pieces of these sizes.
  local function streamed(data, sizes)
    s:script(server.sse(data, { chunk = sizes }))
    local stream, texts = assert(ai:stream "Say it."), {}
    for text in stream:text() do texts[#texts + 1] = text end
    assert.equal(table.concat(texts), assert(stream:reply()).text)
    return table.concat(texts)
  end

  it("goes out as it is, in every place", function()
    s:script(server.json(200, { choices = { { message = { role = "assistant", content = all }, finish_reason = "stop" } } }))
    local reply = assert(ai:generate {
      system = persian, messages = { mm.user(chinese), mm.assistant(korean) }, all, emoji, stop = { persian },
      extra = { user = korean, [persian] = emoji },
      tools = { mm.tool { name = "f", description = chinese, parameters = { [persian] = "string: " .. korean }, run = tostring } },
    })
    assert.equal(all, reply.text)
    s:script(server.json(200, { choices = { { message = { role = "assistant", content = "ok" }, finish_reason = "stop" } } }))
    assert(ai:generate { messages = { mm.user(persian), reply }, "And?" })
    local seen = assert(s:requests(2))
    local body = cjson.decode(seen[1].body)
    local tool = body.tools[1]["function"]
    assert.same({ persian, chinese, korean, all, emoji, persian, korean, emoji, chinese, korean }, {
      body.messages[1].content, body.messages[2].content, body.messages[3].content, body.messages[4].content[1].text,
      body.messages[4].content[2].text, body.stop[1], body.user, body[persian], tool.description,
      tool.parameters.properties[persian].description,
    })
    assert.is_nil(seen[1].body:find("\\u", 1, true))
    assert(seen[1].body:find(persian, 1, true) and seen[1].body:find(emoji, 1, true))
    assert.equal(all, cjson.decode(seen[2].body).messages[2].content)
  end)

  it("comes back in a stream that is cut at any byte", function()
    local said = "می‌ 猫 안 👩‍👧"
    for _, json in ipairs { cjson.encode(said), escaped(said) } do
      local data = { delta(json), finish }
      for at = 1, #json + 60 do assert.equal(said, streamed(data, { at, much }), "cut at " .. at) end
    end
    for _, json in ipairs { cjson.encode(all), escaped(all) } do
      for _, size in ipairs { 1, 2, 3, 5 } do assert.equal(all, streamed({ delta(json), finish, "[DONE]" }, size)) end
    end
  end)

  it("comes back in deltas of one character, and of one half of a pair", function()
    local data, torn = {}, {}
    for i, one in ipairs(characters(all)) do
      data[i] = delta(cjson.encode(one))
      for half in escaped(one):sub(2, -2):gmatch("\\?u?[^\\]+") do torn[#torn + 1] = delta('"' .. half .. '"') end
    end
    data[#data + 1], torn[#torn + 1] = finish, finish
    assert.equal(all, streamed(data, much))
    assert.equal(all, streamed(data, 7))
    assert.is_true(#torn > #data)
    assert.equal(all, streamed(torn, much))
  end)

  it("comes back whole in a body that is cut at any byte", function()
    local said = "می‌ 猫 안 👩‍👧"
    local head = server.head(200, { ["Content-Type"] = "application/json", ["Transfer-Encoding"] = "chunked" })
    local body = '{"choices":[{"message":{"content":' .. cjson.encode(said) .. '},"finish_reason":"stop"}]}'
    for at = 1, #body - 1 do
      s:script({ head, { send = body, chunk = { at, much } }, server.last_chunk })
      assert.equal(said, assert(ai:generate "Say it.").text, "cut at " .. at)
    end
  end)
end)
