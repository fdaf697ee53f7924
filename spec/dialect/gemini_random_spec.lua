--- A random prompt, encoded and read again by a small reader of Gemini's bodies, loses nothing.
local core = require("multimodal.core")
local gemini = require("multimodal.dialect.gemini")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local tool_calls = require("multimodal.reply.tool_calls")
local tools = require("multimodal.prompt.tools")

local random = math.random

local function word()
  local words = { "a", "ü", "سلام", "😀", "two words", "\\\"\n", "{", "0" }
  return words[random(#words)] .. random(99)
end

--- A part, and what a reader must find of it.
local function part()
  local kind = random(6)
  if kind <= 2 then
    local text = word()
    return messages.text(text), { "text", text }
  elseif kind == 3 then
    local bytes = "\137PNG\r\n\26\n" .. word()
    return media.new("image", { bytes = bytes }), { "image/png", core.base64_encode(bytes) }
  elseif kind == 4 then
    local bytes = word()
    return media.new("audio", { bytes = bytes, mime = "audio/mpeg" }), { "audio/mpeg", core.base64_encode(bytes) }
  end
  if kind == 6 then
    local bytes = "%PDF-" .. word()
    return media.new("file", { bytes = bytes }), { "application/pdf", core.base64_encode(bytes) }
  end
  local url = "https://h/" .. random(99) .. ".mp4"
  return media.new("video", url), { "video/mp4", url }
end

local function say(role, list, expected, least)
  local said, found = {}, {}
  for i = 1, random(least, 4) do said[i], found[i] = part() end
  list[#list + 1] = messages.new(role, said)
  local last = expected[#expected]
  local side = role == "user" and "user" or "model"
  if not last or last.role ~= side then
    last = { role = side }
    expected[#expected + 1] = last
  end
  for _, one in ipairs(found) do last[#last + 1] = one end
  return list[#list], last
end

--- An assistant that calls, and the answers in any order.
local function call(list, expected)
  local message, turn = say("assistant", list, expected, 1)
  local calls, answers = {}, { role = "user" }
  for i = 1, random(3) do
    local value = word()
    calls[i] = tool_calls.call("c" .. #list .. "_" .. i, "f" .. i, '{"x":"' .. i .. '"}')
    turn[#turn + 1] = { "call", "f" .. i, tostring(i) }
    answers[i] = { "result", "f" .. i, value }
  end
  message.tool_calls = calls
  expected[#expected + 1] = answers
  local order = {}
  for i = 1, #calls do table.insert(order, random(#order + 1), i) end
  for _, i in ipairs(order) do
    local failed = random(4) == 1
    list[#list + 1] = tools.result(calls[i], answers[i][3], failed and { error = true } or nil)
    if failed then answers[i][1] = "failure" end
  end
end

local function prompt()
  local list, expected = {}, { system = {} }
  for i = 1, random(3) - 1 do
    expected.system[i] = word()
    list[i] = messages.new("system", expected.system[i])
  end
  say("user", list, expected, 1)
  for _ = 1, random(5) do
    local kind = random(3)
    if kind == 1 then say("user", list, expected, 1) elseif kind == 2 then say("assistant", list, expected, 1) else call(list, expected) end
  end
  say("user", list, expected, 1)
  return list, expected
end

--- What stands in a part of a body.
local function read_part(wire)
  if wire.text then return { "text", wire.text } end
  if wire.inlineData then return { wire.inlineData.mimeType, wire.inlineData.data } end
  if wire.fileData then return { wire.fileData.mimeType, wire.fileData.fileUri } end
  if wire.functionCall then return { "call", wire.functionCall.name, wire.functionCall.args.x } end
  local name, response = wire.functionResponse.name, wire.functionResponse.response
  if response.error then return { "failure", name, response.error } end
  return { "result", name, response.output }
end

local function read(body)
  local turns = { system = {} }
  for i, wire in ipairs(body.systemInstruction and body.systemInstruction.parts or {}) do turns.system[i] = wire.text end
  for i, content in ipairs(body.contents) do
    turns[i] = { role = content.role }
    for j, wire in ipairs(content.parts) do turns[i][j] = read_part(wire) end
  end
  return turns
end

describe("gemini random prompts #small", function()
  it("lose nothing", function()
    for seed = 1, 300 do
      math.randomseed(seed)
      local list, expected = prompt()
      local request, err = gemini.encode({ messages = list, options = { model = "gemini-2.5-flash" } }, { name = "g" })
      assert(request, err and tostring(err))
      local body = assert(core.json_decode(tostring(assert(core.body(request.body)))))
      assert.same(expected, read(body), "seed " .. seed)
    end
  end)
end)
