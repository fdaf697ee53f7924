--- Pictures from an endpoint of their own, POST /images/generations and /images/edits, for gateways whose chat gives none.
--- Names: send.
local access = require("multimodal.client.access")
local account = require("multimodal.client.account")
local address = require("multimodal.client.address")
local compat = require("multimodal.compat")
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local http = require("multimodal.client.http")
local journal = compat.lazy("multimodal.client.journal")
local json = require("multimodal.json")
local lifted = require("multimodal.client.lifted")
local media = require("multimodal.media")
local reply = require("multimodal.reply.reply")
local usage = require("multimodal.reply.usage")

local M = {}

--- Shapes that OpenAI's endpoint knows; others are said in pixels by image_size.
local sizes = { ["1:1"] = "1024x1024", ["3:2"] = "1536x1024", ["2:3"] = "1024x1536" }

local function unsupported(request, part, message)
  return nil, error_class.new {
    kind = "unsupported", part = part, message = message, gateway = request.client.name, model = request.options.model,
    where = error_class.caller(),
  }
end

--- Text and pictures of all that was said.
local function gather(request)
  local texts, pictures = {}, {}
  for i, message in ipairs(request.messages) do
    for j, part in ipairs(message.content) do
      if media.is(part) and part.kind == "image" then
        pictures[#pictures + 1] = { image_url = part.blob and json.data_url_of(part.blob) or part.url }
      elseif not media.is(part) and type(part.text) == "string" then
        texts[#texts + 1] = part.text
      else
        return unsupported(request, ("messages[%d].content[%d]"):format(i, j), "a picture is drawn from text and pictures alone")
      end
    end
  end
  return table.concat(texts, "\n\n"), pictures
end

local function body_of(request, shape)
  local options = request.options
  local prompt, pictures = gather(request)
  if not prompt then return nil, pictures end
  local size = shape.image_size or shape.aspect_ratio and sizes[shape.aspect_ratio]
  if shape.aspect_ratio and not size then
    return unsupported(request, "aspect_ratio",
      ("%s draws 1:1, 3:2 and 2:3; say another shape in pixels: image_size = \"1536x864\""):format(request.client.name))
  end
  local body = { model = options.model, prompt = prompt, n = shape.n, size = size }
  if pictures[1] then body.images = json.array(pictures) end
  for name, value in pairs(options.extra or {}) do body[name] = value end
  return body, pictures[1] and "/images/edits" or "/images/generations"
end

local function is_blob(value)
  local class = type(value) == "userdata" and getmetatable(value)
  return type(class) == "table" and class.__name == "multimodal.blob"
end

local function picture_of(item, rules, warnings)
  local data = item.b64_json
  if is_blob(data) then return media.from_blob("image", data) end
  if type(data) == "string" and data ~= "" then return (media.new("image", { base64 = data }):opened()) end
  if type(item.url) ~= "string" or not item.url:find("^https?://%S+$") then return nil end
  return access.equip(media.from_url("image", item.url), rules, warnings)
end

--- The body as a reply reads one: pictures, and the prompt as it was put for the model.
local function neutral_of(request, body)
  local rules = access.of(request.client, request.options)
  local parts, texts = {}, {}
  for _, item in ipairs(type(body.data) == "table" and json.closed(body.data) or {}) do
    if type(item) == "table" then
      parts[#parts + 1] = picture_of(item, rules, request.warnings)
      if type(item.revised_prompt) == "string" then texts[#texts + 1] = item.revised_prompt end
    end
  end
  local text = table.concat(texts, "\n\n")
  if text ~= "" then table.insert(parts, 1, { type = "text", text = text }) end
  return {
    choices = { {
      text = text, parts = parts, citations = {}, tool_calls = {}, finish_reason = "stop",
      message = { role = "assistant", content = parts },
    } },
    usage = usage.read(body.usage), raw = body, warnings = {},
  }
end

--- Options of the prompt that the call has too.
local passed_on = {
  "headers", "query", "timeout", "connect_timeout", "first_byte_timeout", "idle_timeout", "retries", "retry_ambiguous",
  "max_retry_after", "idempotency_key", "clock", "limit", "budget", "observe", "on_upload",
}

local function reply_of(request, value, answer)
  return reply.new(neutral_of(request, value), {
    outcome = "complete", gateway = request.client.name, model = request.options.model, request_id = answer.request_id,
    status = answer.status, headers = answer.headers, url = answer.url, attempts = answer.attempts,
    request_ids = answer.request_ids, from_journal = answer.from_journal, warnings = request.warnings,
  })
end

--- The entry of a journal; nil alone where there is none.
local function begin(request, body, path)
  local client, options = request.client, request.options
  if not options.journal then return nil end
  local written, err = core.body(body)
  if not written then return nil, error_class.new(err) end
  return journal.begin(options, {
    kind = "image", method = "POST", url = (address.of(client, path, nil, options)), body = written,
    gateway = client.name, model = options.model, vendor = options.vendor,
  })
end

--- The pictures of an earlier run.
local function replayed(request, entry, shape)
  local event, err = entry:restore()
  local value
  if event then value, err = json.decode(event.data, { media = event.media }) end
  if value then
    return reply_of(request, value, { status = entry.kept.status, request_id = entry.kept.request_id, from_journal = true })
  end
  if not request.options.resubmit then return nil, err end
  entry:failed(err)
  return M.send(request, shape)
end

--- Ask, and make a reply of the answer.
local function ask(request, call)
  local client, options = request.client, request.options
  local answer, err = http.send(client, call)
  if not answer then
    err.model = err.model or options.model
    return nil, err
  end
  local value, fault = lifted.read(lifted.of_blob(answer.blob))
  if type(value) ~= "table" then
    return nil, error_class.new({
      kind = "protocol", code = "syntax", message = "the pictures came without JSON" .. (fault and ": " .. fault.message or ""),
    }, { gateway = client.name, model = options.model, request_id = answer.request_id, where = error_class.caller() })
  end
  account.settle(client, options, usage.read(value.usage), "")
  return reply_of(request, value, answer)
end

--- Send what was said as a request for pictures.
--- @async
--- @param request multimodal.Request  of the prompt; it is not sent itself
--- @param shape {aspect_ratio: string?, image_size: string?, n: integer?}
--- @return multimodal.Reply?
--- @return multimodal.Error? err
function M.send(request, shape)
  local body, path = body_of(request, shape)
  if not body then return nil, path end
  local call = { "POST", path, json = body, idempotent = true }
  for _, name in ipairs(passed_on) do call[name] = request.options[name] end
  local entry, err = begin(request, body, path)
  if err then return nil, err end
  if not entry then return ask(request, call) end
  if entry.kept then return replayed(request, entry, shape) end
  return entry:during(function()
    local made, fault = ask(request, call)
    if made then
      journal.keep(entry, made)
    else
      entry:failed(fault)
    end
    return made, fault
  end)
end

return M
