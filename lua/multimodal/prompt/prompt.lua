--- A prompt as the user wrote it, read into messages and options.
--- Names: new said with_system.
local error_class = require("multimodal.error")
local media = require("multimodal.media")
local messages = require("multimodal.prompt.messages")
local options_table = require("multimodal.options")

local check_value = options_table.check_value

local M = {}

--- What a prompt is before a client adds what it knows.
--- @class multimodal.Written
--- @field messages multimodal.Message[]
--- @field options table?   the options written at the call, checked; nil when there are none

local function option(name, value, options)
  check_value(name, value)
  options[name] = value
end

--- The messages of the options, then those of the list.
local function after(options, list)
  local earlier = options.messages
  if not earlier then return list end
  options.messages = nil
  local all = messages.of(earlier)
  for _, message in ipairs(list) do all[#all + 1] = message end
  return all
end

local function of_table(prompt, options)
  local n = messages.list(prompt, "prompt", option, options)
  local list = after(options, {})
  if n == 0 then return list end
  local said = messages.new("user", "")
  said.content, said.plain = messages.content(prompt, n, "prompt")
  if #said.content > 0 then list[#list + 1] = said end
  return list
end

local function of_any(prompt, options)
  if type(prompt) == "string" or media.is(prompt) then return { messages.new("user", prompt) } end
  if messages.is(prompt) then return { prompt } end
  if type(prompt) ~= "table" then
    error_class.misuse("prompt: expected a string, a part or a table, got " .. type(prompt))
  end
  if type(prompt.type) == "string" then return { messages.new("user", prompt) } end
  return of_table(prompt, options)
end

--- Read a prompt: array fields are one user message, named fields are options; `more` are options that win over them.
--- @param prompt string|table
--- @param more? table
--- @return multimodal.Written
function M.new(prompt, more)
  if type(prompt) == "string" and more == nil then return { messages = { messages.new("user", prompt) } } end
  local options = {}
  if more ~= nil and type(more) ~= "table" then
    error_class.misuse("options: expected a table, got " .. type(more))
  end
  local list = of_any(prompt, options)
  if more then
    for name, value in pairs(more) do option(name, value, options) end
    list = after(options, list)
  end
  if list[1] == nil then error_class.misuse("prompt: nothing to say; write a string, a part or messages = { ... }") end
  return { messages = list, options = next(options) ~= nil and options or nil }
end

--- An option as the call names it: beside the prompt, or in it.
--- @param prompt any
--- @param more? table
--- @param name string
--- @return any   nil where the call does not name it
function M.said(prompt, more, name)
  if more and more[name] ~= nil then return more[name] end
  if type(prompt) == "table" and getmetatable(prompt) == nil and prompt.type == nil then return prompt[name] end
  return nil
end

--- The messages with the system text of the options before them.
--- @param list multimodal.Message[]
--- @param system string|table|nil
--- @return multimodal.Message[]
function M.with_system(list, system)
  if not system then return list end
  local all = { messages.new("system", system) }
  for i, message in ipairs(list) do all[i + 1] = message end
  return all
end

return M
