--- ai:image: asks for a picture as the gateway wants it asked, and takes no reply without one.
--- Names: send.
local catalogue = require("multimodal.client.catalogue")
local compat = require("multimodal.compat")
local drawing = require("multimodal.client.drawing")
local error_class = require("multimodal.error")
local journal = compat.lazy("multimodal.client.journal")
local options_table = require("multimodal.options")
local prompts = require("multimodal.prompt.prompt")
local raws = require("multimodal.client.raw")
local request = require("multimodal.client.request")

local said = prompts.said

local M = {}

--- Pictures and text, but from a model that is known to give nothing but pictures: such a one refuses the word text.
local function modalities_of(client, model)
  local known = model and catalogue.find(client, model)
  local output = known and known.output or {}
  if output[1] == "image" and output[2] == nil then return { "image" } end
  return { "image", "text" }
end

--- The options of the call with what makes it ask for a picture.
local function asking(client, prompt, more)
  local all = {}
  for name, value in pairs(more or {}) do all[name] = value end
  local model = said(prompt, more, "model")
  if model == nil then
    all.model = said(prompt, more, "image_model") or client.options.image_model
    model = all.model or client.options.model
  end
  local asked = said(prompt, more, "modalities")
  if asked == nil then asked = client.options.modalities end
  if not asked and client.profile.image_output ~= "images" then all.modalities = modalities_of(client, model) end
  return all
end

local function quoted(model)
  return model and ('"%s"'):format(model) or "the model"
end

--- Options that the endpoint for pictures takes and a chat there does not.
local of_shape = { "aspect_ratio", "image_size", "n" }

--- These options as the call or the client says them, taken away from the request that resolves the prompt.
local function shape_of(client, prompt, more)
  local shape = {}
  for _, name in ipairs(of_shape) do
    local value = said(prompt, more, name)
    if value == nil then value = client.options[name] end
    options_table.check_value(name, value or false)
    shape[name], more[name] = value or nil, false
  end
  return shape
end

--- Why there may be no picture (the three questions of OpenRouter's guide).
local function hints(client, options)
  local model = options.model and catalogue.find(client, options.model)
  local asked = table.concat(options.modalities or {}, ", ")
  local gives = model and model.output and quoted(options.model) .. " gives " .. table.concat(model.output, ", ")
    or ("does %s give pictures? ai:models { output = \"image\" } lists those that do"):format(quoted(options.model))
  local modalities = asked:find("image", 1, true) and ("modalities named image (%s)"):format(asked)
    or 'modalities did not name image; write modalities = { "image", "text" }'
  return ("%s; %s; did the prompt ask for a picture?"):format(gives, modalities)
end

local function without_picture(client, options, reply)
  local why = reply.refusal and "the model refused" or reply.finish_reason == "content_filter" and "a content filter stepped in"
  return error_class.new {
    kind = "no_output", code = reply.refusal and "refusal" or why and "content_filter" or nil,
    message = "the reply has no picture: " .. (why or hints(client, options)),
    partial = reply, request_id = reply.request_id, status = reply.status, attempts = reply.attempts,
    gateway = reply.gateway, model = options.model, where = error_class.caller(),
  }
end

--- Ask for a picture and wait for it.
--- @async
--- @param client multimodal.Client
--- @param prompt string|table|multimodal.Raw
--- @param more? table
--- @return multimodal.Reply?       has at least one picture
--- @return multimodal.Error? err   kind no_output where none came; err.partial is the reply
function M.send(client, prompt, more)
  local raw = raws.is(prompt)
  local draws = not raw and client.profile.image_output == "images"
  if not raw then more = asking(client, prompt, more) end
  local shape = draws and shape_of(client, prompt, more) or nil
  local made, err = request.new(client, prompt, more, false)
  if not made then return nil, err end
  made.kind = "image"
  local reply
  if draws then reply, err = drawing.send(made, shape) else reply, err = made:send() end
  if not reply then return nil, err end
  if not reply.images[1] then
    err = without_picture(made.client, made.options, reply)
    if made.options.journal then journal.drop(reply, err) end
    return nil, err
  end
  return reply
end

return M
