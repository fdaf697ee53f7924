--- What came back: text and parts, why it ended, what it cost, and how to trace it.
--- Names: new.
local headers_of = require("multimodal.reply.headers")

local M = {}

--- @class multimodal.Reply: multimodal.Choice
--- @field text string                    "" when there is none; tostring(reply) is the same
--- @field parts (multimodal.TextPart|multimodal.Media)[]
--- @field images multimodal.Media[]
--- @field audio multimodal.Media?        audios[1], with .transcript and .id
--- @field audios multimodal.Media[]
--- @field videos multimodal.Media[]
--- @field files multimodal.Media[]
--- @field reasoning string?
--- @field refusal string?
--- @field citations table[]              as received
--- @field data any                       the checked value, where a schema was asked for
--- @field choices multimodal.Choice[]?   only where there are several; the reply itself is the first
--- @field message multimodal.Message     the assistant's message of this reply, for a history
--- @field messages multimodal.Message[]  all that the call added to the history
--- @field steps multimodal.Reply[]       of a tool loop, the last one not among them
--- @field tool_calls multimodal.ToolCall[]
--- @field usage multimodal.Usage?        nil where the gateway told none
--- @field finish_reason string?          "stop" "length" "tool_calls" "content_filter" "pause" "error" "other"; nil only of a part of one
--- @field finish_reason_raw string?      as the gateway wrote it
--- @field outcome "complete"|"truncated"|"stalled"|"cancelled"|"failed"|nil  nil while it still comes
--- @field id string?
--- @field model string?                  the one that answered, or else the one that was asked
--- @field gateway string?
--- @field request_id string?
--- @field request_ids string[]           one an attempt that told its id
--- @field status integer?
--- @field headers table                  by lower-case name
--- @field url string?                    the last one, after redirects
--- @field attempts integer
--- @field from_journal boolean
--- @field fallbacks multimodal.Error[]   of the clients that were asked before; each names its gateway and model
--- @field warnings string[]
--- @field timing table                   seconds: queued dns connect tls sent first_byte first_text total
--- @field raw table                      the decoded body; of a stream, accumulated to the same shape

--- What is known of a reply beside its body. All may be absent.
--- @class multimodal.ReplyContext
--- @field outcome string?
--- @field gateway string?
--- @field model string?         what was asked for
--- @field request_id string?
--- @field request_ids string[]?
--- @field status integer?
--- @field headers table?
--- @field url string?
--- @field attempts integer?
--- @field warnings string[]?    of the request; those of the reply follow
--- @field timing table?
--- @field data any
--- @field steps multimodal.Reply[]?
--- @field messages multimodal.Message[]?
--- @field from_journal boolean?

--- The media of one kind among the parts.
local function of_kind(kind)
  return function(self)
    local list = {}
    for _, part in ipairs(self.parts) do
      if part.kind == kind then list[#list + 1] = part end
    end
    return list
  end
end

local function empty()
  return {}
end

--- Fields that are made when they are first asked for: of most replies most are not.
local views = {
  images = of_kind("image"),
  audios = of_kind("audio"),
  videos = of_kind("video"),
  files = of_kind("file"),
  messages = function(self) return { self.message } end,
  request_id = function(self) return headers_of.request_id(self.headers, self.raw) end,
  request_ids = function(self) return { self.request_id } end,
  citations = empty,
  tool_calls = empty,
  steps = empty,
  fallbacks = empty,
  warnings = empty,
  headers = empty,
  timing = empty,
  attempts = function() return 1 end,
  from_journal = function() return false end,
}

local function view(self, name)
  if name == "audio" then return self.audios[1] end
  local make = views[name]
  if not make then return nil end
  local value = make(self)
  rawset(self, name, value)
  return value
end

local function text_of(self)
  return self.text
end

local function concatenated(a, b)
  return tostring(a) .. tostring(b)
end

local Choice = { __name = "multimodal.choice", __index = view, __tostring = text_of, __concat = concatenated }
local Reply = { __name = "multimodal.reply", __index = view, __tostring = text_of, __concat = concatenated }

local function joined(first, second)
  if not first or first[1] == nil then return second end
  local list = {}
  for _, item in ipairs(first) do list[#list + 1] = item end
  for _, item in ipairs(second or {}) do list[#list + 1] = item end
  return list
end

local function choices_of(list)
  if list[2] == nil then return nil end
  local choices = {}
  for i, choice in ipairs(list) do choices[i] = setmetatable(choice, Choice) end
  return choices
end

--- Make the reply of what a dialect read; it takes over the neutral's tables.
--- @param neutral multimodal.Neutral
--- @param context? multimodal.ReplyContext
--- @return multimodal.Reply
function M.new(neutral, context)
  context = context or {}
  local first = neutral.choices[1]
  local ids = context.request_ids
  return setmetatable({
    text = first.text, parts = first.parts, reasoning = first.reasoning, refusal = first.refusal,
    citations = first.citations, tool_calls = first.tool_calls, message = first.message,
    finish_reason = first.finish_reason, finish_reason_raw = first.finish_reason_raw,
    choices = choices_of(neutral.choices),
    data = context.data, steps = context.steps, messages = context.messages,
    usage = neutral.usage, raw = neutral.raw,
    outcome = context.outcome, id = neutral.id, model = neutral.model or context.model, gateway = context.gateway,
    request_id = context.request_id, request_ids = ids and ids[1] and ids or nil,
    status = context.status, headers = context.headers, url = context.url, attempts = context.attempts,
    from_journal = context.from_journal,
    warnings = joined(context.warnings, neutral.warnings), timing = context.timing,
  }, Reply)
end

return M
