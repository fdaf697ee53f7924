--- Why a reply ended: what providers write, in the words of this library.
--- Names: read.
local M = {}

--- Wire values in lower case, of every dialect: gateways mix them.
local reasons = {
  stop = "stop", end_turn = "stop", eos = "stop", stop_sequence = "stop",
  length = "length", max_tokens = "length", model_context_window_exceeded = "length", continuation = "length",
  pause_turn = "pause",
  tool_calls = "tool_calls", function_call = "tool_calls", tool_use = "tool_calls",
  content_filter = "content_filter", sensitive = "content_filter", safety = "content_filter", refusal = "content_filter",
  recitation = "content_filter", blocklist = "content_filter", prohibited_content = "content_filter",
  spii = "content_filter", image_safety = "content_filter", image_prohibited_content = "content_filter",
  image_recitation = "content_filter",
  error = "error", network_error = "error", malformed_function_call = "error", unexpected_tool_call = "error",
  too_many_tool_calls = "error", no_image = "error", image_other = "error",
}

--- The reason, also of gateways that name none or a wrong one.
--- @param raw any               as the gateway wrote it
--- @param refusal string|nil    what it refused with
--- @param called boolean        it holds tool calls
--- @param complete boolean      a whole body, or a stream with its end mark
--- @return string? reason       "stop" "length" "tool_calls" "content_filter" "pause" "error" "other"; nil while nothing tells
function M.read(raw, refusal, called, complete)
  if raw == nil or raw == "" then
    if refusal then return "content_filter" end
    if called then return "tool_calls" end
    return complete and "stop" or nil
  end
  local reason = reasons[raw] or reasons[tostring(raw):lower()] or "other"
  if called and (reason == "stop" or reason == "other" or reason == "pause") then return "tool_calls" end
  return reason
end

return M
