--- A conversation: what was said and answered so far, and the next turn on top of it. A turn that fails leaves it as it was.
--- Names: new.
local compat = require("multimodal.compat")
local dump = require("multimodal.client.dump")
local error_class = require("multimodal.error")
local fallback = require("multimodal.client.fallback")
local messages = require("multimodal.prompt.messages")
local prompts = require("multimodal.prompt.prompt")
local raws = require("multimodal.client.raw")
local request = require("multimodal.client.request")

local misuse = error_class.misuse

local M = {}

--- @class multimodal.Chat
--- @field messages multimodal.Message[]  of all turns that ended well; the system text stands in the options
--- @field client multimodal.Client       with the chat's options
--- @field given table                    these options as they were written
--- @field warnings string[]              of a conversation that was taken up again
local Chat = { __name = "multimodal.chat" }
Chat.__index = Chat

local function make(client, given, list)
  local chat = setmetatable({ client = client, given = given, messages = list, warnings = {} }, Chat)
  if next(given) ~= nil then chat.client = client:with(given) end
  return chat
end

local function options_of(given)
  local options, list = {}, {}
  for name, value in pairs(given) do
    if type(name) ~= "string" then
      misuse("chat: nothing is said yet; give options such as system = \"...\", then chat:say(...)")
    end
    options[name] = value
  end
  if options.messages then list = messages.of(options.messages) end
  options.messages = nil
  return options, list
end

--- Begin a conversation, or take one up again from the text that chat:dump() gave.
--- @param client multimodal.Client
--- @param given table|string|nil  options: system, messages, model and any other; or the text of a dump
--- @param more? table             options that win over those of a dump; tools and hooks are in none
--- @return multimodal.Chat?
--- @return multimodal.Error? err   the text is no conversation
function M.new(client, given, more)
  if type(given) == "string" then
    local saved, err = dump.read(given, client)
    if not saved then return nil, err end
    local own, list = options_of(more or {})
    for name, value in pairs(own) do saved.options[name] = value end
    local chat = make(client, saved.options, more and more.messages and list or saved.messages)
    chat.warnings = saved.warnings
    return chat
  end
  if given ~= nil and type(given) ~= "table" then misuse("chat: expected options or the text of a dump, got " .. type(given)) end
  return make(client, options_of(given or {}))
end

local function has_ended(stream)
  return stream == nil or rawget(stream, "result") ~= nil or rawget(stream, "failure") ~= nil
end

local function is_busy(chat)
  local turn = chat.turn
  if not turn then return false end
  if turn.streams then return not has_ended(turn.stream) end
  if turn.guarded then return true end
  -- Left by an error, nobody is told: the turn is over where its coroutine goes on or is dead.
  return turn.thread ~= compat.running() and coroutine.status(turn.thread) ~= "dead"
end

--- Call with the turn taken, which is over even if that raises; but for a job of PUC 5.1, which cannot wait in pcall.
local function guarded(chat, send)
  local thread = compat.running()
  chat.turn = { thread = thread, guarded = compat.yields_across_pcall or thread == nil }
  if not chat.turn.guarded then
    local answer, err = send()
    chat.turn = nil
    return answer, err
  end
  local fine, answer, err = pcall(send)
  chat.turn = nil
  if not fine then error(answer, 0) end
  return answer, err
end

--- Send all that was said before and what is said now.
--- @return multimodal.Reply|multimodal.Stream|nil
--- @return multimodal.Error? err
--- @return multimodal.Message[] said  now
local function send(chat, prompt, more, opens)
  if is_busy(chat) then misuse("chat: a turn is still under way; wait for it, or take a chat:fork()") end
  if raws.is(prompt) then misuse("chat: a raw request has a history of its own; send it by the client") end
  local written, all = prompts.new(prompt, more), messages.of(chat.messages)
  for _, message in ipairs(written.messages) do all[#all + 1] = message end
  local answer, err = guarded(chat, function()
    return fallback.run(chat.client, function(client, history, options)
      local made, fault = request.new(client, history, options, opens)
      if not made then return nil, fault end
      return made:send()
    end, { messages = all }, written.options)
  end)
  return answer, err, written.messages
end

local function keep(chat, said, reply)
  local list = chat.messages
  for _, message in ipairs(said) do list[#list + 1] = message end
  for _, message in ipairs(reply.messages) do list[#list + 1] = message end
end

--- Say something and wait for the whole reply.
--- @async
--- @param prompt string|table
--- @param options? table
--- @return multimodal.Reply?
--- @return multimodal.Error? err   the conversation is as it was
function Chat:say(prompt, options)
  local reply, err, said = send(self, prompt, options, false)
  if not reply then return nil, err end
  keep(self, said, reply)
  return reply
end

--- Say something and stream the reply; it belongs to the conversation once the stream has come to its end.
--- @async
--- @param prompt string|table
--- @param options? table
--- @return multimodal.Stream?
--- @return multimodal.Error? err
function Chat:stream(prompt, options)
  local stream, err, said = send(self, prompt, options, true)
  if not stream then return nil, err end
  if rawget(stream, "result") then
    keep(self, said, stream.partial)
    return stream
  end
  -- Weak, so that a stream that nobody holds is closed and gives the turn back.
  self.turn = setmetatable({ streams = true, stream = stream }, { __mode = "v" })
  stream.on_end = function(reply) keep(self, said, reply) end
  return stream
end

--- A conversation that goes its own way from here.
--- @return multimodal.Chat
function Chat:fork()
  local list = {}
  for i, message in ipairs(self.messages) do list[i] = message end
  return setmetatable({ client = self.client, given = self.given, messages = list, warnings = {} }, Chat)
end

--- The conversation as JSON text, media and all, for ai:chat(text) on another day. It names the gateway it came
--- from and holds no key, no header, no tool and no hook.
--- @return string? text
--- @return multimodal.Error? err   a file of a part that cannot be read any more
function Chat:dump()
  return dump.write(self)
end

function Chat:__tostring()
  return ("multimodal.chat: %d messages, %s"):format(#self.messages, tostring(self.client):gsub("^multimodal.client: ", "") .. "")
end

return M
