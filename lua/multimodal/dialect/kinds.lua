--- Which kind of error a provider's code, type or status is.
--- Names: of.
local M = {}

--- Words that say what is wrong, whatever the status beside them; in lower case. They are asked in this order.
local telling = {
  { "billing", [[payment_required insufficient_balance billing_error billing_hard_limit_reached billing_not_active arrears
    accountoverdue accountoverdueerror account_overdue]] },
  { "quota", [[insufficient_quota insufficient_user_quota quota_exceeded quotaexceeded setlimitexceeded]] },
  { "content_filter", [[content_policy_violation content_policy content_filter refusal sensitive
    responsibleaipolicyviolation data_inspection_failed]] },
  { "auth", [[authentication authentication_error invalid_api_key api_key_invalid unauthenticated unauthorized
    invalid_authentication token_expired]] },
  { "permission", [[permission_denied permission_error forbidden region_restricted privacy_restricted
    unsupported_country_region_territory]] },
  { "not_found", [[not_found not_found_error model_not_found image_not_found wrong_endpoint no_endpoints
    model_deprecated free_variant_ended]] },
  { "too_large", [[payload_too_large request_too_large]] },
  { "overloaded", [[overloaded overloaded_error provider_overloaded server_overloaded unavailable capacity_exhausted
    temporarily_unavailable model_unavailable_upstream serveroverloaded modelloadingerror]] },
  { "rate_limit", [[rate_limit_exceeded rate_limit_error rate_limited too_many_requests resource_exhausted
    ratelimitexceeded requestbursttoofast inflightbatchsizeexceeded modelaccountrpmratelimitexceeded
    modelaccounttpmratelimitexceeded modelaccountipmratelimitexceeded]] },
  { "timeout", [[timeout timeout_error request_timeout deadline_exceeded]] },
  { "bad_request", [[context_length_exceeded max_tokens_exceeded token_limit_exceeded string_too_long invalid_prompt
    invalid_image image_too_large image_too_small unsupported_image_format image_download_failed precondition_failed
    unprocessable]] },
}

--- Words that say less than a status: asked only where there is none.
local vague = {
  { "bad_request", [[invalid_request invalid_request_error badrequesterror invalid_argument failed_precondition
    out_of_range]] },
  { "server", [[server server_error internal internal_error internal_server_error internalservererror api_error unmapped
    provider_unavailable unknown data_loss]] },
  { "bad_request", [[conflict_error invalidparameter missingparameter]] },
}

--- Business codes of Z.AI and bigmodel, numbers in strings.
local zai = {
  { "auth", "1000 1001 1002 1003 1004 1100 1110 1111" },
  { "billing", "1112 1113 1121" },
  { "bad_request", "1210 1212 1213 1214 1215 1231" },
  { "not_found", "1211 1221 1222" },
  { "permission", "1220" },
  { "content_filter", "1300 1301" },
  { "rate_limit", "1302 1305" },
  { "quota", "1303 1304 1306 1307 1308 1309 1310 1311 1312 1313" },
  { "server", "1120 1200 1230 1234" },
}

local statuses = {
  [401] = "auth", [402] = "billing", [403] = "permission", [404] = "not_found", [408] = "timeout", [410] = "not_found",
  [413] = "too_large", [425] = "overloaded", [429] = "rate_limit", [434] = "permission", [435] = "too_large",
  [451] = "permission", [503] = "overloaded", [504] = "timeout", [529] = "overloaded",
}

local function index(groups)
  local by_word = {}
  for rank, group in ipairs(groups) do
    for word in group[2]:gmatch("%S+") do by_word[word] = { rank = rank, kind = group[1] } end
  end
  return by_word
end

--- Endings and beginnings that many words share, as the one word they stand for.
local families = {
  { "_spend_limit_reached$", "quota_exceeded" },
  { "^%a*sensitivecontentdetected", "content_filter" },
}

--- A word as the tables spell it: in lower case, as its family, without what Ark puts behind a dot.
local function spelled(word)
  word = word:lower()
  for _, family in ipairs(families) do
    if word:find(family[1]) then return family[2] end
  end
  return word:match("^(%a+)%.") or word
end

local tables = { index(zai), index(telling), index(vague) }

--- The strongest of some words in one table.
local function strongest(words, by_word)
  local best
  for _, word in ipairs(words) do
    local entry = by_word[spelled(word)]
    if entry and (not best or entry.rank < best.rank) then best = entry end
  end
  return best and best.kind
end

local function of_status(status)
  if not status or status < 400 then return nil end
  if statuses[status] then return statuses[status] end
  return status >= 500 and "server" or "bad_request"
end

--- @param words string[]     codes and types of the error
--- @param status integer?    HTTP status, or what a code inside the body says it is
--- @return string kind
function M.of(words, status)
  return strongest(words, tables[1]) or strongest(words, tables[2]) or of_status(status)
    or strongest(words, tables[3]) or "server"
end

return M
