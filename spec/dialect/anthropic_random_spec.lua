--- Random neutral prompts, encoded and read back by a small reader of the wire: nothing that can be said is lost.
local anthropic = require("multimodal.dialect.anthropic")
local core = require("multimodal.core")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")

local random = math.random

--- White space alone is none of them: the server refuses it, so it is left out.
local words = { "A", "می‌خواهم", "你好", "\"quoted\"\n", "👩‍👩‍👧", "data:image/png;base64,AA==", " x\n" }

local makers = {
  function() return { type = "text", text = words[random(#words)] } end,
  function() return media.from_blob("image", core.blob("\137PNG\r\n\26\n" .. random(1e6), "image/png")) end,
  function() return media.from_url("image", ("https://h/%d.png"):format(random(99))) end,
  function() return media.from_blob("file", core.blob("%PDF-" .. random(1e6), "application/pdf")) end,
  function() return media.from_blob("file", core.blob("text " .. words[random(#words)], "text/plain")) end,
  function() return media.from_url("file", ("https://h/%d.pdf"):format(random(99))) end,
  function() return media.new(random(2) == 1 and "image" or "file", { file_id = "file_" .. random(99) }) end,
}

local function parts()
  local list = {}
  for i = 1, random(4) do list[i] = makers[random(#makers)]() end
  return list
end

local function adopt(role, content, more)
  local message = { role = role, content = content }
  for name, value in pairs(more or {}) do message[name] = value end
  return messages.adopt(message)
end

local function text() return makers[1]() end

--- A history that begins with the user: calls are answered at once, in any order.
local function history()
  local list, calls_made = {}, 0
  if random(2) == 1 then list[1] = adopt("system", { text(), random(2) == 1 and text() or nil }) end
  for _ = 1, random(5) do
    list[#list + 1] = adopt("user", parts())
    if random(3) == 1 then list[#list + 1] = adopt("user", parts()) end
    local calls, thinks = {}, random(3) == 1
    for i = 1, random(3) - 1 do
      calls_made = calls_made + 1
      calls[i] = { id = "call_" .. calls_made, name = "f" .. i, arguments_raw = ('{"n":%d,"l":[],"o":{},"z":null}'):format(calls_made) }
    end
    local said, native = { text() }, nil
    if thinks then
      local kept = { { type = "thinking", thinking = "hm", signature = "S" .. random(99) }, { type = "text", text = said[1].text } }
      for _, call in ipairs(calls) do
        kept[#kept + 1] = { type = "tool_use", id = call.id, name = call.name, input = core.raw(call.arguments_raw) }
      end
      native = { content = core.array(kept) }
    end
    list[#list + 1] = adopt("assistant", said, { tool_calls = calls, native = native, dialect = thinks and "anthropic" or nil })
    for i = #calls, 1, -1 do
      list[#list + 1] = adopt("tool", random(2) == 1 and { text() } or parts(), { tool_call_id = calls[i].id, error = random(4) == 1
        or nil })
    end
  end
  list[#list + 1] = adopt("user", parts())
  return list
end

--- What a neutral part says, as one string.
local function said_by(part)
  if not media.is(part) then return "text:" .. part.text end
  if part.url then return part.kind .. ":url:" .. part.url end
  if part.id then return part.kind .. ":id:" .. part.id end
  local name = part:mime() == "text/plain" and "text" or core.base64_encode(part.blob:bytes())
  return ("%s:%s:%s"):format(part.kind, part:mime(), name == "text" and part.blob:bytes() or name)
end

local kinds = { image = "image", document = "file" }

--- The same of a block.
local function read_block(block)
  if block.type == "text" then return "text:" .. block.text end
  local source, kind = block.source, kinds[block.type]
  if source.type == "url" then return kind .. ":url:" .. source.url end
  if source.type == "file" then return kind .. ":id:" .. source.file_id end
  return ("%s:%s:%s"):format(kind, source.media_type, source.data)
end

local function encoded(value) return tostring(assert(core.body(value))) end

local function call_words(id, name, json)
  return ("call:%s:%s:%s"):format(id, name, encoded(assert(core.json_decode(json, { null = true }))))
end

local function result_words(id, failed, list)
  return ("result:%s:%s:%s"):format(id, tostring(failed == true), table.concat(list, "|"))
end

--- What a history says: instructions, then one list a turn of one side, results first, calls last.
local function said_in(list)
  local system, turns = {}, {}
  for _, message in ipairs(list) do
    local role = message.role == "tool" and "user" or message.role
    local all = {}
    for i, part in ipairs(message.content) do all[i] = said_by(part) end
    if role == "system" then
      for _, one in ipairs(all) do system[#system + 1] = one end
    else
      local turn = turns[#turns]
      if not turn or turn.role ~= role then
        turn = { role = role, first = {}, rest = {}, last = {} }
        turns[#turns + 1] = turn
      end
      if message.role == "tool" then
        turn.first[#turn.first + 1] = result_words(message.tool_call_id, message.error, all)
      else
        local kept = message.native and message.native.content[1]
        if kept then turn.rest[#turn.rest + 1] = "thinking:" .. kept.signature end
        for _, one in ipairs(all) do turn.rest[#turn.rest + 1] = one end
      end
      for _, call in ipairs(message.tool_calls or {}) do
        turn.last[#turn.last + 1] = call_words(call.id, call.name, call.arguments_raw)
      end
    end
  end
  local flat = { system = system }
  for i, turn in ipairs(turns) do
    flat[i] = { role = turn.role }
    for _, some in ipairs { turn.first, turn.rest, turn.last } do
      for _, one in ipairs(some) do flat[i][#flat[i] + 1] = one end
    end
  end
  return flat
end

local function read_any(block)
  if block.type == "thinking" then return "thinking:" .. block.signature end
  if block.type == "tool_use" then return call_words(block.id, block.name, encoded(block.input)) end
  if block.type ~= "tool_result" then return read_block(block) end
  local all = {}
  for i, one in ipairs(type(block.content) == "table" and block.content or { { type = "text", text = block.content } }) do
    all[i] = read_block(one)
  end
  return result_words(block.tool_use_id, block.is_error, all)
end

--- What a body says, in the same words.
local function read_in(body)
  local flat = { system = {} }
  local system = body.system
  if type(system) == "string" then system = { { type = "text", text = system } } end
  for i, block in ipairs(system or {}) do flat.system[i] = read_block(block) end
  for i, message in ipairs(body.messages) do
    flat[i] = { role = message.role }
    for j, block in ipairs(message.content) do flat[i][j] = read_any(block) end
  end
  return flat
end

describe("anthropic, any prompt #small", function()
  it("loses nothing that can be said", function()
    for seed = 1, 200 do
      math.randomseed(seed)
      local list = history()
      local request, err, warnings = anthropic.encode({ messages = list, options = { model = "m" } }, { name = "plain" })
      assert(request, ("seed %d: %s"):format(seed, tostring(err)))
      assert.same({}, warnings)
      local body = assert(core.json_decode(encoded(request.body), { null = true }))
      assert.same(said_in(list), read_in(body), "seed " .. seed)
    end
    collectgarbage() collectgarbage()
  end)
end)
