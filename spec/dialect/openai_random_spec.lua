--- A random prompt, encoded and read again by a small reader of chat bodies, loses nothing.
local core = require("multimodal.core")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local openai = require("multimodal.dialect.openai")
local tool_calls = require("multimodal.reply.tool_calls")
local tools = require("multimodal.prompt.tools")

local random = math.random

local profile = { name = "any", video = true, file = "openai", tool_media = true }

local function word()
  local words = { "a", "ü", "سلام", "😀", "two words", "\\\"\n", "{", "0", "data:image/png;base64,AA==" }
  return words[random(#words)] .. random(99)
end

local makers = {
  function()
    local text = word()
    return messages.text(text), "text:" .. text
  end,
  function()
    local bytes = "\137PNG\r\n\26\n" .. word()
    return media.new("image", { bytes = bytes }):opened(), "image:data:image/png;base64," .. core.base64_encode(bytes)
  end,
  function()
    local url, detail = ("https://h/%d.png"):format(random(99)), random(2) == 1 and "low" or nil
    return media.new("image", { url, detail = detail }), "image:" .. url .. (detail or "")
  end,
  function()
    local bytes = "ID3" .. word()
    return media.new("audio", { bytes = bytes }):opened(), "audio:mp3:" .. core.base64_encode(bytes)
  end,
  function()
    local bytes = "%PDF-" .. word()
    return media.new("file", { bytes = bytes, filename = "f.pdf" }):opened(),
      "file:f.pdf:data:application/pdf;base64," .. core.base64_encode(bytes)
  end,
  function() return media.new("file", { file_id = "file-1" }), "file:file-1" end,
  function()
    local url = ("https://youtu.be/%d"):format(random(99))
    return media.new("video", url), "video:" .. url
  end,
}

local function said(kinds)
  local list, expected = {}, {}
  for i = 1, random(4) do list[i], expected[i] = makers[random(kinds or #makers)]() end
  return list, expected
end

local function add(list, expected, role, content, words, more)
  local message = messages.adopt { role = role, content = content }
  for name, value in pairs(more or {}) do message[name] = value end
  list[#list + 1] = message
  expected[#expected + 1] = { role = role, table.concat(words, "|") }
  return expected[#expected]
end

--- An assistant that calls, and the answers, in any order.
local function call(list, expected)
  local content, words = said(1)
  local calls, answers = {}, {}
  for i = 1, random(3) do
    calls[i] = tool_calls.call("c" .. #list .. "." .. i, "f" .. i, ('{"n":%d,"l":[],"z":null}'):format(i))
    words[#words + 1] = ("call:%s:f%d:%s"):format(calls[i].id, i, calls[i].arguments_raw)
    table.insert(answers, random(#answers + 1), i)
  end
  add(list, expected, "assistant", content, words, { tool_calls = calls })
  for _, i in ipairs(answers) do
    local value = word()
    list[#list + 1] = tools.result(calls[i], value)
    expected[#expected + 1] = { role = "tool", ("text:%s|of:%s"):format(value, calls[i].id) }
  end
end

local function prompt()
  local list, expected = {}, {}
  if random(2) == 1 then add(list, expected, "system", said(1)) end
  for _ = 1, random(5) do
    add(list, expected, "user", said())
    if random(3) == 1 then
      call(list, expected)
    elseif random(2) == 1 then
      add(list, expected, "assistant", said(1))
    end
  end
  add(list, expected, "user", said())
  return list, expected
end

local readers = {
  text = function(wire) return "text:" .. wire.text end,
  image_url = function(wire) return "image:" .. wire.image_url.url .. (wire.image_url.detail or "") end,
  input_audio = function(wire) return ("audio:%s:%s"):format(wire.input_audio.format, wire.input_audio.data) end,
  video_url = function(wire) return "video:" .. wire.video_url.url end,
  file = function(wire)
    local file = wire.file
    return "file:" .. (file.file_id or file.filename .. ":" .. file.file_data)
  end,
}

local function read(body)
  local found = {}
  for i, wire in ipairs(body.messages) do
    local words = {}
    for _, one in ipairs(type(wire.content) == "table" and wire.content or { { type = "text", text = wire.content } }) do
      words[#words + 1] = readers[one.type](one)
    end
    for _, one in ipairs(wire.tool_calls or {}) do
      words[#words + 1] = ("call:%s:%s:%s"):format(one.id, one["function"].name, one["function"].arguments)
    end
    if wire.tool_call_id then words[#words + 1] = "of:" .. wire.tool_call_id end
    found[i] = { role = wire.role, table.concat(words, "|") }
  end
  return found
end

describe("openai random prompts #small", function()
  it("lose nothing", function()
    for seed = 1, 300 do
      math.randomseed(seed)
      local list, expected = prompt()
      local request, err, warnings = openai.encode({ messages = list, options = { model = "m" } }, profile)
      assert(request, err and tostring(err))
      assert.same({}, warnings)
      local body = assert(core.json_decode(tostring(assert(core.body(request.body)))))
      assert.same(expected, read(body), "seed " .. seed)
    end
    collectgarbage() collectgarbage()
  end)
end)
