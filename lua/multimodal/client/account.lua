--- What requests cost: the sums of a client, and the budgets that stop a loop which runs away.
--- Names: new refuse began unsent settle.
local error_class = require("multimodal.error")

local M = {}

local amounts = { "input_tokens", "output_tokens", "total_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "cost" }

--- What a client and those derived of it spent, as far as the gateway told.
--- @class multimodal.Spent
--- @field requests integer       that were sent, retries among them
--- @field input_tokens integer
--- @field output_tokens integer
--- @field total_tokens integer
--- @field cached_tokens integer
--- @field cache_write_tokens integer
--- @field reasoning_tokens integer
--- @field cost number            as the gateway counts it

--- @return multimodal.Spent
function M.new()
  local spent = { requests = 0 }
  for _, name in ipairs(amounts) do spent[name] = 0 end
  return spent
end

-- What was spent under a `budget` table: it may be shared by calls and clients.
local used = setmetatable({}, { __mode = "k" })

local function used_of(budget)
  local known = used[budget]
  if not known then
    known = M.new()
    used[budget] = known
  end
  return known
end

--- In the order in which they are looked at.
local limited = { "requests", "output_tokens", "cost" }

--- The error of a request for which no budget is left.
--- @param options table
--- @return multimodal.Error?   kind budget, its code the name of the amount
function M.refuse(options)
  local budget = options.budget
  if not budget then return nil end
  local spent = used_of(budget)
  for _, name in ipairs(limited) do
    if budget[name] and spent[name] >= budget[name] then
      return error_class.new {
        kind = "budget", code = name,
        message = ("budget.%s is spent: %g of %g; nothing was sent"):format(name, spent[name], budget[name]),
      }
    end
  end
  return nil
end

local function add_request(client, options, count)
  local spent = client.spent
  spent.requests = spent.requests + count
  if not options.budget then return end
  local used_up = used_of(options.budget)
  used_up.requests = used_up.requests + count
end

--- A request goes out. It is counted before anything of it waits, so that requests side by side count each other.
--- @param client multimodal.Client
--- @param options table
function M.began(client, options)
  add_request(client, options, 1)
end

--- It did not go out after all.
--- @param client multimodal.Client
--- @param options table
function M.unsent(client, options)
  add_request(client, options, -1)
end

--- What the gateway does not count is guessed for the budget by the length of the text.
local function with_guess(usage, text)
  if usage and usage.output_tokens then return usage end
  local guessed = { output_tokens = math.ceil(#text / 4) }
  for name, value in pairs(usage or {}) do guessed[name] = value end
  return guessed
end

local function add_usage(spent, usage)
  for i = 1, #amounts do
    local name = amounts[i]
    local amount = usage[name]
    if amount then spent[name] = spent[name] + amount end
  end
end

--- Add what an answer cost.
--- @param client multimodal.Client
--- @param options table
--- @param usage multimodal.Usage?
--- @param text string   of the answer
function M.settle(client, options, usage, text)
  if usage then add_usage(client.spent, usage) end
  if options.budget then add_usage(used_of(options.budget), with_guess(usage, text)) end
end

return M
