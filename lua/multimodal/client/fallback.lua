--- Another client answers where one fails: the next of `fallback` is asked, on the kinds of errors that are named.
--- Names: run.
local compat = require("multimodal.compat")
local clients = compat.lazy("multimodal.client")
local headers = require("multimodal.client.headers")
local options_table = require("multimodal.options")
local prompts = require("multimodal.prompt.prompt")

local M = {}

--- Failures of a gateway, not of the prompt: another may do better.
local usual = {
  network = true, timeout = true, rate_limit = true, overloaded = true, server = true, quota = true, billing = true, limit = true,
}

local function kinds_of(list)
  if not list.on then return usual end
  local set = {}
  for _, kind in ipairs(list.on) do set[kind] = true end
  return set
end

--- A mock in the list is a gateway without a client.
local function client_of(item)
  return item.for_call and item or clients.new { gateway = item }
end

--- Whether somebody saw a part of the answer, or tools ran for it: then it is not begun anew.
local function was_seen(err, prompt, more)
  local partial = err.partial
  if not partial then return false end
  if partial.steps and partial.steps[1] then return true end
  local hooked = prompts.said(prompt, more, "on_text") or prompts.said(prompt, more, "on_event")
  return hooked and (partial.text ~= "" or partial.parts[1] ~= nil) or false
end

--- Options of the first client alone: another has its own.
local function is_own(name)
  local option = options_table.known[name]
  return name == "model" or name == "image_model" or name == "fallback" or option ~= nil and option.derives == true
end

--- Options for another client: what is the first one's alone stays here, and so do its credentials.
local function without_own(given)
  local copy = {}
  for name, value in pairs(given) do
    local public = (name == "headers" or name == "query") and type(value) == "table"
    if not is_own(name) then copy[name] = public and headers.public(headers.hide(value)) or value end
  end
  return copy
end

local function passed_on(prompt, more)
  more = without_own(more or {})
  more.fallback = false
  if type(prompt) == "table" and getmetatable(prompt) == nil then prompt = without_own(prompt) end
  return prompt, more
end

--- What was tried before, for who answered or failed last.
local function with_failures(value, failures)
  if value then value.fallbacks = failures end
  return value
end

--- Send by a client, and by those of its `fallback` in turn.
--- @async
--- @generic T
--- @param client multimodal.Client
--- @param send fun(client: multimodal.Client, prompt: any, more: table?): T?, multimodal.Error?
--- @param prompt any
--- @param more table?
--- @return T?
--- @return multimodal.Error? err   of the last one asked; err.fallbacks are the others'
function M.run(client, send, prompt, more)
  local value, err = send(client, prompt, more)
  if value ~= nil or not err then return value, err end
  local list = prompts.said(prompt, more, "fallback")
  if list == nil then list = client.options.fallback end
  if not list then return nil, err end
  local kinds, failures = kinds_of(list), {}
  for _, item in ipairs(list) do
    if not kinds[err.kind] or was_seen(err, prompt, more) then break end
    failures[#failures + 1] = err
    value, err = send(client_of(item), passed_on(prompt, more))
    if value ~= nil then return with_failures(value, failures) end
  end
  return nil, with_failures(err, failures[1] and failures or nil)
end

return M
