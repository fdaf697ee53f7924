--- What went wrong at Ark, by its dotted codes; they are known by how they begin.
--- Names: kind read.
local error_class = require("multimodal.error")
local failures = require("multimodal.dialect.failure")

local M = {}

-- https://www.volcengine.com/docs/82379/1299023
local prefixes = {
  { "billing", "AccountOverdue OperationDenied.ServiceOverdue" },
  { "quota", "QuotaExceeded SetLimitExceeded" },
  { "bad_request", "MissingParameter InvalidParameter InvalidEndpoint.ClosedEndpoint InvalidImageURL OversizeImage" },
  { "auth", "AuthenticationError" },
  { "permission", "AccessDenied OperationDenied" },
  { "not_found", "InvalidEndpointOrModel ModelNotOpen NotFound UnsupportedModel" },
  { "overloaded", "ServerOverloaded ModelLoadingError" },
  { "rate_limit", [[RateLimitExceeded ModelAccountRpmRateLimitExceeded ModelAccountTpmRateLimitExceeded
    ModelAccountIpmRateLimitExceeded RequestBurstTooFast InflightBatchsizeExceeded]] },
  { "server", "InternalServiceError" },
}

--- The kind of a code, nil where it says nothing.
--- @param code string?
--- @return string?
function M.kind(code)
  if type(code) ~= "string" then return nil end
  if code:find("SensitiveContent", 1, true) then return "content_filter" end
  for _, group in ipairs(prefixes) do
    for prefix in group[2]:gmatch("%S+") do
      if code:sub(1, #prefix) == prefix then return group[1] end
    end
  end
  return nil
end

--- A body that failed, as an error.
--- @param status integer?
--- @param headers table?
--- @param event table
--- @return multimodal.Error
function M.read(status, headers, event)
  local err = failures.read(status, headers, event)
  local kind = M.kind(err.code)
  if not kind or kind == err.kind then return err end
  local copy = {}
  for name, value in pairs(err) do copy[name] = value end
  copy.kind, copy.retryable = kind, err.told and err.told.retry
  return error_class.new(copy)
end

return M
