--- Whether a failed attempt is followed by another, and after how many seconds. Pure: no clock, no random source.
--- In: what was asked for and what happened. Out: seconds, or nil. Rules for every gateway, by the kind of operation.
--- Names: after defaults.
local core = require("multimodal.core")

local M = {}

M.defaults = {
  retries = 2,
  max_retry_after = 60, -- seconds a server may ask for
}

--- @alias multimodal.Operation
---   | "chat"    paid work that may be asked for twice
---   | "create"  paid work that must not begin twice
---   | "poll"    reading
---   | "delete"

--- @class multimodal.RetryCase
--- @field operation multimodal.Operation
--- @field error multimodal.Error    its kind, status, code, retry_after; of a transport maybe_accepted: a byte was sent
--- @field parsed boolean?           the gateway said what is wrong, in a body of its own
--- @field verdict boolean?          what it said itself about trying again: x-should-retry, availability.retryable
--- @field conflicts boolean?        409 is worth another attempt there
--- @field ambiguous boolean?        what may have been served may be asked for again
--- @field attempts integer          how many were made
--- @field retries integer?          how many may follow the first
--- @field max_retry_after number?   seconds
--- @field left number?              seconds to the deadline of all attempts; nil: none
--- @field random number             in [0, 1]

-- What each operation does about a situation. "paid": no, and the work may have begun; "ask": as `ambiguous` says.
local rows = {
  unsent = { chat = true, create = true, poll = true, delete = true },
  refused = { chat = true, create = true, poll = true, delete = true },
  turned_away = { chat = true, create = "paid", poll = true, delete = false },
  early = { chat = true, create = true, poll = true, delete = false },
  conflict = { chat = true, create = false, poll = false, delete = false },
  broken = { chat = true, create = "paid", poll = true, delete = false },
  overloaded = { chat = true, create = true, poll = true, delete = false },
  lost = { chat = "ask", create = "paid", poll = true, delete = false },
  final = { chat = false, create = false, poll = false, delete = false },
}

local of_status = {
  [408] = "broken", [409] = "conflict", [425] = "early", [500] = "broken", [502] = "broken", [504] = "broken", [529] = "overloaded",
}
for status = 520, 524 do of_status[status] = "broken" end

-- An error inside an answer that began well has no status of its own.
local of_kind = { rate_limit = "refused", overloaded = "refused", server = "broken", timeout = "broken" }

-- No later attempt mends these, whatever the status beside them.
local hopeless = { quota = true, billing = true, content_filter = true, task_failed = true, task_expired = true }

-- Codes of a connection that never came to be, where the transport tells no more.
local before_sending = { resolve = true, refused = true, connect = true, unreachable = true, proxy = true }

local function was_sent(err)
  if err.maybe_accepted ~= nil then return err.maybe_accepted end
  return not before_sending[err.code or ""]
end

local function of_transport(err)
  local kind, code = err.kind, err.code
  if kind == "tls" then
    if code ~= "handshake" and code ~= "shutdown" then return "final" end
  elseif kind == "timeout" then
    if code == "total" then return "final" end
  elseif kind ~= "truncated" and (kind ~= "network" or code == "memory") then
    return "final"
  end
  return was_sent(err) and "lost" or "unsent"
end

local function situation(case)
  local err = case.error
  if hopeless[err.kind] then return "final" end
  local status = err.status
  if status and status >= 400 then
    if status == 429 or status == 503 then return case.parsed and "refused" or "turned_away" end
    if status == 409 and not case.conflicts then return "final" end
    return of_status[status] or "final"
  end
  if case.parsed then return of_kind[err.kind] or "final" end
  return of_transport(err)
end

--- Whether another attempt is in order, by the table alone; and whether the work may have begun.
local function allowed(case)
  local action = rows[situation(case)][case.operation]
  local begun = action == "paid"
  if action == "ask" then action, begun = case.ambiguous or false, true end
  if action == "paid" then action = false end
  if case.verdict == false then return false, begun end
  if case.verdict and case.operation ~= "create" then return true, begun end
  return action, begun
end

local function is_rate(err)
  return err.status == 429 or err.kind == "rate_limit"
end

--- Seconds to wait before the next attempt.
--- @param case multimodal.RetryCase
--- @return number? seconds  nil: do not try again
--- @return boolean begun    the server may have begun paid work
function M.after(case)
  local again, begun = allowed(case)
  if not again or case.attempts > (case.retries or M.defaults.retries) then return nil, begun end
  local seconds = core.backoff(case.attempts, case.error.retry_after, {
    base = 0.5, cap = is_rate(case.error) and 30 or 8, max_retry_after = case.max_retry_after or M.defaults.max_retry_after,
  }, case.random)
  if seconds and case.left and seconds >= case.left then return nil, begun end
  return seconds, begun
end

return M
