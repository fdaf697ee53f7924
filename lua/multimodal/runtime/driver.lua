--- The driver in use: what a host offers to jobs and requests. libuv and libcurl unless another one was put in.
local M = {}

--- @class multimodal.Driver
--- @field current table?           token of the job that runs, suspendable here or not; `token.job` is the job
--- @field attention boolean        call checkpoint() before taking something that is ready
--- @field running fun(self): table?                             the token, where it can be suspended
--- @field outside fun(self): boolean                            no job runs here, and a wait may resume jobs
--- @field suspend fun(self, token: table, deadline: number?): boolean   false: the deadline passed; raises token.cancelled
--- @field wake fun(self, token: table)                          kept when it comes before suspend
--- @field spawn fun(self, fn: function, done: function, ...): table     a thread; done(token, ok, results... | err, traceback)
--- @field drop fun(self, token: table): boolean                 take back a thread that has not run
--- @field wait fun(self, ready: fun(subject: any): any, deadline: number?, on_job: boolean?, subject: any): boolean  where running() is nil
--- @field must_wait fun(self, on_job: boolean?)                 raise where a wait is refused: before work begins
--- @field checkpoint fun(self)                                  raise if cancelled; make way when the step's budget is spent
--- @field sleep fun(self, seconds: number)
--- @field now fun(): number                                     seconds, never going back; not a method
--- @field step fun(self, budget: number)
--- @field defer fun(self, fn: function)                         run soon, outside finalizers
--- @field wrap fun(self, fn: function): function                generators that forward suspension
--- @field request fun(self, req: table): multimodal.Exchange?, multimodal.Error?

local current

--- @return multimodal.Driver
function M.current()
  if not current then current = require("multimodal.runtime.uv").new() end
  return current
end

--- Put another driver in.
--- @param driver multimodal.Driver?   nil: the default, made anew when it is needed
--- @return multimodal.Driver? previous
function M.use(driver)
  local previous = current
  current = driver
  return previous
end

return M
