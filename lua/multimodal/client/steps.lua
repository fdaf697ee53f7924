--- The tool loop: the calls of a reply are run, their results said, and the next reply is asked for. A reply in which the
--- provider paused, amid tools of its own, is said again so that it goes on.
--- In: the first request. Out: the last reply, with what led to it. A tool runs only for a reply that is complete.
--- Names: new.
local compat = require("multimodal.compat")
local driver = require("multimodal.runtime.driver")
local error_class = require("multimodal.error")
local job = require("multimodal.runtime.job")
local json = require("multimodal.json")
local resolve = require("multimodal.client.resolve")
local tools = require("multimodal.prompt.tools")

local M = {}

local usual_most = 8 -- requests of one call, unless max_steps says otherwise

--- @class multimodal.Steps
--- @field request multimodal.Request       the last one that was sent
--- @field tools table<string, table>       by name; without `run` where the user answers the calls
--- @field runs boolean                    one of them is run here
--- @field most integer
--- @field replies multimodal.Reply[]       whose tools were run
--- @field added multimodal.Message[]       what the call has added to the history so far
--- @field fresh multimodal.Message[]       what of it the next request says first
--- @field warnings string[]                of tools that broke
local Steps = {}
Steps.__index = Steps

--- The loop of a request; nil where no tool is run, here or at the provider.
--- @param request multimodal.Request
--- @return multimodal.Steps?
function M.new(request)
  local by_name, runs, pauses = request.options.tools and request.tools or {}, false, false
  for _, tool in ipairs(request.options.tools or {}) do
    runs = runs or tool.run ~= nil
    pauses = pauses or tool.type ~= nil and tool.type ~= "function"
  end
  if not runs and not pauses then return nil end
  return setmetatable({
    request = request, tools = by_name, runs = runs, most = request.options.max_steps or usual_most,
    replies = {}, added = {}, fresh = {}, warnings = {},
  }, Steps)
end

--- Whether the loop goes on: the reply is whole, there may be one more, and all its calls are ours, or the provider paused.
--- @param reply multimodal.Reply
--- @return boolean
function Steps:wants(reply)
  if reply.outcome ~= "complete" or #self.replies + 1 >= self.most then return false end
  if reply.finish_reason == "pause" then return true end
  if reply.finish_reason ~= "tool_calls" or not self.runs then return false end
  for _, call in ipairs(reply.tool_calls) do
    local tool = self.tools[call.name]
    if tool and not tool.run then return false end
  end
  return reply.tool_calls[1] ~= nil
end

--- What came of one call: an answer for the model, and the value or the error for the script.
--- @class multimodal.ToolOutcome
--- @field message multimodal.Message
--- @field value any
--- @field error string?

--- Text that can be said in JSON: a tool's error may hold any bytes, and a cut may split a character.
local function sayable(text)
  return json.encode(text) and text or (text:gsub("[\128-\255]", "?"))
end

local function failed(call, words)
  words = sayable(words)
  return { message = tools.answer(call, words, true), error = words }
end

local function names_of(by_name)
  local names = {}
  for name in pairs(by_name) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

--- The outcome of a call that cannot be run, nil of one that can.
local function refusal(self, call)
  local tool = self.tools[call.name]
  if not tool then return failed(call, ("there is no tool %q; the tools are: %s"):format(call.name, names_of(self.tools))) end
  if not call.arguments then return failed(call, "the arguments are no JSON object: " .. call.arguments_raw:sub(1, 200)) end
  if not tool.schema then return nil end
  local fits, err = tool.schema:read(call.arguments_raw, "arguments")
  return not fits and failed(call, err.message) or nil
end

--- What an error says to the model: neither a line of the script nor a credential belongs there.
local function words_of(err)
  if error_class.is(err) then return err.kind .. ": " .. tostring(err.message) end
  if type(err) == "table" and getmetatable(err) == nil then return json.encode(err) or tostring(err) end
  if type(err) ~= "string" then return tostring(err) end
  return (err:gsub("^[^\n:]+:%d+: ", ""))
end

--- A bug without the traceback that its job put behind it.
local function bug_of(one)
  local bug, tail = one.bug, one.traceback
  if type(bug) ~= "string" or not tail then return bug end
  return bug:sub(1, -#tail - 2)
end

--- The message that tells what a tool gave, its media at hand; or why it cannot be told.
local function answer_of(self, call, value)
  local message, wrong = tools.answer(call, value)
  if not message then return nil, wrong end
  local list, err = resolve.messages({ message }, self.request.options, {})
  return list and list[1], err and err.kind .. ": " .. err.message
end

local function warn(self, call, words)
  self.warnings[#self.warnings + 1] = ("the tool %s %s"):format(call.name, words)
end

--- @param one table   a job that has ended, or what stands for one: results, err, bug
local function outcome_of(self, call, one)
  local err = one.bug ~= nil and bug_of(one) or one.cancelled or one.err
  if one.bug ~= nil then warn(self, call, "raised: " .. tostring(err)) end
  if err ~= nil then return failed(call, words_of(err)) end
  local value = one.results[1]
  local message, wrong = answer_of(self, call, value)
  if message then return { message = message, value = value } end
  warn(self, call, "gave no result: " .. wrong)
  return failed(call, wrong)
end

--- Run functions as jobs and wait for all of them; none of their failures is raised here.
local function settle(begun)
  local left, waiters = 0, {}
  local watcher = {
    job_ended = function()
      left = left - 1
      job.wake_all(waiters)
      return true
    end,
  }
  for _, one in pairs(begun) do
    left = left + 1
    one:watch(watcher)
  end
  job.block_for(begun, waiters, function() return left == 0 end)
end

--- In a coroutine that is not ours nobody can wait for a job: there a tool is a plain call.
local function call_plainly(run, call)
  local results = compat.pack(pcall(run, call.arguments, call))
  local ok, first, second = results[1], results[2], results[3]
  if not ok then return error_class.is(first) and { err = first } or { bug = first } end
  return { results = { first }, err = first == nil and second or nil }
end

--- The outcomes of some calls, by their place in the list.
local function run_some(self, calls, outcomes, from, to)
  local host, begun = driver.current(), {}
  local as_jobs = host:running() ~= nil or host:outside()
  if as_jobs then host:must_wait(true) end
  for i = from, to do
    local call = calls[i]
    outcomes[i] = refusal(self, call)
    local run = not outcomes[i] and self.tools[call.name].run
    if run then begun[i] = as_jobs and job.new(job.running(), run, call.arguments, call) or call_plainly(run, call) end
  end
  if as_jobs and next(begun) ~= nil then settle(begun) end
  for i, one in pairs(begun) do outcomes[i] = outcome_of(self, calls[i], one) end
end

--- All at once, unless the calls were to come one by one.
local function run_all(self, calls)
  local outcomes = {}
  if self.request.options.parallel_tools ~= false then
    run_some(self, calls, outcomes, 1, #calls)
  else
    for i = 1, #calls do run_some(self, calls, outcomes, i, i) end
  end
  return outcomes
end

local function add(list, item)
  list[#list + 1] = item
end

local function joined(first, second)
  local list = {}
  for _, item in ipairs(first) do add(list, item) end
  for _, item in ipairs(second) do add(list, item) end
  return list
end

--- Run the calls of a reply, if there are any, as jobs.
--- @async
--- @param reply multimodal.Reply
--- @return table[] events   tool_result, one a call and in their order, and step, whose index is its place in reply.steps
function Steps:run(reply)
  local events, said = {}, { reply.message }
  for i, outcome in ipairs(reply.tool_calls[1] and run_all(self, reply.tool_calls) or {}) do
    add(said, outcome.message)
    add(events, { type = "tool_result", call = reply.tool_calls[i], value = outcome.value, error = outcome.error })
  end
  reply.messages = said
  self.added, self.fresh = joined(self.added, said), said
  add(self.replies, reply)
  add(events, { type = "step", index = #self.replies, reply = reply })
  return events
end

--- Build the request for the next reply.
local function follow(self)
  local request, err = self.request:following(self.fresh)
  if not request then return nil, err end
  self.request = request
  return request
end

--- Ask for the next reply.
--- @async
--- @return multimodal.Response?
--- @return multimodal.Error? err
function Steps:open()
  local request, err = follow(self)
  if not request then return nil, err end
  return request:open()
end

local counts = { "input_tokens", "output_tokens", "total_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "cost" }

--- What all the replies cost together; what none of them tells stays nil.
local function usage_of(replies, last)
  local sum
  for _, reply in ipairs(joined(replies, { last })) do
    for _, name in ipairs(reply.usage and counts or {}) do
      if reply.usage[name] then
        sum = sum or {}
        sum[name] = (sum[name] or 0) + reply.usage[name]
      end
    end
  end
  return sum
end

--- Put into the last reply what led to it.
--- @param reply multimodal.Reply
--- @return multimodal.Reply
function Steps:finish(reply)
  if not self.replies[1] then return reply end
  reply.usage = usage_of(self.replies, reply)
  reply.steps = self.replies
  reply.messages = joined(self.added, { reply.message })
  reply.warnings = joined(reply.warnings, self.warnings)
  return reply
end

--- What had come when the next answer did not: the last step, as a reply of its own.
--- @param outcome string?
--- @return multimodal.Reply
function Steps:so_far(outcome)
  local last = self.replies[#self.replies]
  local partial = setmetatable({}, getmetatable(last))
  for name, value in pairs(last) do partial[name] = value end
  partial.outcome, partial.messages, partial.steps = outcome, self.added, self.replies
  partial.usage, partial.warnings = usage_of(self.replies, {}), joined(last.warnings, self.warnings)
  return partial
end

--- Put what had come into an error of the answer after the tools.
local function fail(self, err)
  if not err.partial and self.replies[1] then
    err.partial = self:so_far("failed")
  elseif err.partial and not err.partial.steps[1] then
    self:finish(err.partial)
  end
  return nil, err
end

--- Go on until there is nothing to run.
--- @async
--- @return multimodal.Reply?
--- @return multimodal.Error? err
function Steps:whole()
  while true do
    local reply, err = self.request:whole()
    if not reply then return fail(self, err) end
    if not self:wants(reply) then return self:finish(reply) end
    self:run(reply)
    local fine, fault = follow(self)
    if not fine then return fail(self, fault) end
  end
end

return M
