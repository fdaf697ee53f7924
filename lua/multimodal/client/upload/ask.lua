--- One request of an upload: its body is bytes, and so is its answer, which may be JSON.
--- Names: send.
local attempts = require("multimodal.client.attempts")
local headers = require("multimodal.client.headers")
local json = require("multimodal.json")
local options_table = require("multimodal.options")

local M = {}

local Call = { __name = "multimodal.upload_call" }
Call.__index = Call

function Call:json()
  return {}
end

--- What an upload is not told of a prompt.
local apart = { trailing_slash = false, model = false, on_text = false, on_event = false, on_upload = false }

local function read(answer)
  local event, err = answer.exchange:next()
  answer.exchange:close()
  if err then return nil, answer:fail(answer:cut(err)) end
  answer:observed()
  local blob = event and event.media and event.media[1]
  local value = blob and blob:size() > 0 and json.decode(blob:bytes())
  return { headers = answer.headers, value = type(value) == "table" and value or {} }
end

--- @async
--- @param client multimodal.Client
--- @param options table
--- @param call {url: string, target: multimodal.Secret?, head: table, body: userdata?, operation: multimodal.Operation,
---   on_upload?: function}  operation: whether it may be repeated as it is
--- @return {headers: table, value: table}?
--- @return multimodal.Error? err
function M.send(client, options, call)
  local plain = options_table.over(options, apart)
  if call.on_upload then plain = options_table.over(plain, { on_upload = call.on_upload }) end
  return attempts.run(setmetatable({
    method = "POST", url = call.url, target = call.target, plan = headers.plan(client, plain, call.head, false), body = call.body,
    client = client, options = plain, warnings = {}, streams = false, operation = "upload", decoder = { format = "bytes" },
  }, Call), call.operation, read)
end

return M
