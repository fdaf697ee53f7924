--- ai:count: how many tokens a prompt is, as the gateway counts them.
--- Names: send.
local attempts = require("multimodal.client.attempts")
local error_class = require("multimodal.error")
local request = require("multimodal.client.request")

local M = {}

local function fail(client, options, err)
  return nil, error_class.new(err, { gateway = client.name, model = options.model, where = error_class.caller() })
end

--- What a dialect reads out of an answer.
local function read(answer)
  local event, err = answer.exchange:next()
  answer.exchange:close()
  if err then return nil, answer:fail(answer:cut(err)) end
  answer:observed()
  local tokens = event and event.type ~= "error" and answer.dialect.counted(event)
  if tokens then return tokens end
  return nil, answer:fail { kind = "protocol", code = "syntax", message = "the gateway answered without a number of tokens" }
end

--- @async
--- @param client multimodal.Client
--- @param prompt string|table
--- @param more? table
--- @return integer? tokens
--- @return multimodal.Error? err
function M.send(client, prompt, more)
  if not client.dialect.count then
    return fail(client, client.options, {
      kind = "unsupported", code = "count",
      message = ("the %s dialect cannot ask for a number of tokens; ai:estimate tells the bytes"):format(client.dialect.name),
    })
  end
  local made, err = request.new(client, prompt, more, false, "count")
  if not made then return nil, err end
  made.operation = "count"
  local tokens
  tokens, err = attempts.run(made, "poll", read)
  if tokens then return tokens end
  return fail(made.client, made.options, err)
end

return M
