--- One request about a task, with the key, clocks and retries of its client.
--- Names: new run send.
local attempts = require("multimodal.client.attempts")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local failures = require("multimodal.dialect.failure")
local headers = require("multimodal.client.headers")
local json = require("multimodal.json")
local observe = require("multimodal.client.observe")
local request = require("multimodal.client.request")
local urls = require("multimodal.policy.url")

local M = {}

--- The call as it travels; a mock may look at it as it looks at a prompt's request.
local Call = { __name = "multimodal.task_call" }
Call.__index = Call

function Call:json()
  return self.body and json.decode(tostring(self.body), { null = true }) or {}
end

local function body_of(value)
  if value == nil then return nil end
  local body, err = core.body(value)
  if body then return body end
  err = error_class.new(err)
  if err.code ~= "utf8" and err.code ~= "too_large" then error_class.misuse("video: " .. err.message) end
  err.kind = err.code == "utf8" and "bad_request" or "too_large"
  return nil, err
end

local function plan_of(side, options, wire)
  local bare = wire.body == nil
  if wire.headers then
    local all = { ["Content-Type"] = bare and false or nil }
    for name, value in pairs(wire.headers) do all[name] = value end
    return headers.plan(side, options, all, false)
  end
  local kept = side.lines[options] or {}
  side.lines[options] = kept
  local name = bare and "bare" or "full"
  kept[name] = kept[name] or headers.plan(side, options, bare and { ["Content-Type"] = false } or nil, false)
  return kept[name]
end

--- Where a request goes: a link of the provider's only where it leads to the gateway itself.
local function url_of(side, options, wire)
  local parts, root = wire.url and urls.split(wire.url), urls.split(side.base.root)
  if parts and urls.origin(parts) == urls.origin(root) then return wire.url end
  return request.url({ base = side.base }, wire.path, wire.query, options)
end

--- The options of one request. What is paid for is looked at whatever the budget: that is for what is begun, and so are hooks of
--- what is sent.
local function options_of(options, operation, own)
  own = own or {}
  own.trailing_slash = false
  if operation ~= "create" then own.budget, own.on_upload = false, false end
  return setmetatable(own, { __index = options })
end

local function told_of(answer)
  return {
    status = answer.status, request_id = answer:request_id(), attempts = answer.attempts, timing = answer.exchange:timing(),
  }
end

--- The answer as a value; nil where it has no body.
local function value_of(answer)
  local event, err = answer.exchange:next()
  local rest
  if event then rest, err = answer.exchange:next() end
  answer.exchange:close()
  if not err then observe.response(answer.request, told_of(answer), answer.exchange) end
  if err then return nil, answer:fail(answer:cut(err)) end
  if not event then return nil end
  if rest then return nil, answer:fail { kind = "protocol", code = "syntax", message = "the answer is more than one JSON value" } end
  if event.type == "error" then return nil, answer:fail(answer:failure(event)) end
  local value, fault = json.decode(event.data, { media = event.media })
  if type(value) ~= "table" then return nil, answer:fail(failures.broken(event, fault)) end
  return value, nil, event
end

--- @class multimodal.TaskAnswer
--- @field body table?
--- @field event table?      the text of the body
--- @field answer multimodal.Response

--- A request about a task, ready to be sent.
--- @class multimodal.TaskCall
--- @field method string
--- @field url string
--- @field body userdata?
--- @field options table
--- @field operation multimodal.Operation

local function fail(side, options, err)
  return nil, error_class.new(err, { gateway = side.name, model = options.model, where = error_class.caller() })
end

--- @param side multimodal.TaskSide
--- @param options table    effective
--- @param wire table       {method, path, query?, headers?, body?, url?}
--- @param operation multimodal.Operation
--- @param own? table       options of this request alone; becomes theirs
--- @return multimodal.TaskCall?
--- @return multimodal.Error? err
function M.new(side, options, wire, operation, own)
  local body, err = body_of(wire.body)
  if err then return fail(side, options, err) end
  local all = options_of(options, operation, own)
  return setmetatable({
    method = wire.method or "GET", url = url_of(side, all, wire), plan = plan_of(side, options, wire), body = body,
    client = side, options = all, warnings = {}, streams = false, operation = operation,
  }, Call)
end

--- Send it. `read` makes something of the answer.
--- @async
--- @generic T
--- @param call multimodal.TaskCall
--- @param read fun(got: multimodal.TaskAnswer): T?, multimodal.Error?
--- @return T?
--- @return multimodal.Error? err
function M.run(call, read)
  local got, err = attempts.run(call, call.operation, function(answer)
    local value, fault, event = value_of(answer)
    if fault then return nil, fault end
    return read { body = value, event = event, answer = answer }
  end)
  if got == nil then return fail(call.client, call.options, err) end
  return got
end

--- Make a request and send it.
--- @async
--- @generic T
--- @param side multimodal.TaskSide
--- @param options table
--- @param wire table
--- @param operation multimodal.Operation
--- @param read fun(got: multimodal.TaskAnswer): T?, multimodal.Error?
--- @param own? table
--- @return T?
--- @return multimodal.Error? err
function M.send(side, options, wire, operation, read, own)
  local call, err = M.new(side, options, wire, operation, own)
  if not call then return nil, err end
  return M.run(call, read)
end

return M
