--- What the specs of rows share: who is asked, what a body says at a place, and parts as each dialect writes them.
--- Names: request dig last_part turns whole no refused has forget row text image_url link of_url call calling.
local assert = require("luassert")
local core = require("multimodal.core")
local mm = require("multimodal")

local M = {}

--- Who is asked: O G A, and gateways that differ from the plain ones.
local clients = {
  O = { gateway = "openai" }, G = { gateway = "google", model = "gemini-2.5-flash" },
  A = { gateway = "anthropic", model = "claude-opus-5" },
  openrouter = { gateway = "openrouter" }, khatash = { gateway = "khatash" }, glm = { gateway = "glm", base_url = "https://h/v1" },
  gdc = { gateway = "gdc", endpoint = "h", project = "p" }, vertex = { gateway = "vertex", project = "p", model = "gemini-2.5-flash" },
  gemini3 = { gateway = "google", model = "gemini-3-pro" }, budget = { gateway = "anthropic", model = "claude-sonnet-4-20250514" },
  mid = { gateway = { name = "mid", like = "anthropic", mid_system = true } },
}

function M.request(who, prompt)
  local options = { api_key = "canary-k", model = "m" }
  for name, value in pairs(clients[who]) do options[name] = value end
  return mm.client(options):request(prompt)
end

--- What a body says, dug out by the path of a row.
function M.dig(value, path)
  for _, name in ipairs(path) do
    if type(value) ~= "table" then return nil end
    value = value[name == -1 and #value or name]
  end
  return value
end

--- Where the last part of the last message stands.
M.last_part = { O = { "messages", -1, "content", -1 }, G = { "contents", -1, "parts", -1 }, A = { "messages", -1, "content", -1 } }
M.turns = { O = { "messages" }, G = { "contents" }, A = { "messages" } }
M.whole = { O = {}, G = {}, A = {} }

M.no = { kind = "unsupported" } -- refused, with the part and a way out

local family = { vertex = "G", google = "G", gemini3 = "G", budget = "A", mid = "A" }
local function family_of(who)
  return clients[who] and (who == "O" or who == "G" or who == "A") and who or family[who] or "O"
end

function M.refused(who, prompt, kind, place)
  local req, err = M.request(who, prompt)
  assert(req == nil, who .. " took it")
  assert.equal(kind, err.kind, tostring(err))
  if place then assert.equal(place, err.part) end
  assert(err.part and err.message:find("[;,]"), tostring(err))
  return err
end

--- Whether all that is expected stands in a value; `core.null` stands for what must be absent.
function M.has(expected, actual, place)
  if expected == core.null then return assert.is_nil(actual, place) end
  if type(expected) ~= "table" then return assert.equal(expected, actual, place) end
  assert.equal("table", type(actual), place)
  if #expected > 0 then assert.equal(#expected, #actual, place) end
  for name, value in pairs(expected) do M.has(value, actual[name], place .. "." .. tostring(name)) end
end

--- Prompts hold bytes, and the closures of specs live as long as the run.
local prompts = {}
function M.forget()
  for _, prompt in ipairs(prompts) do
    for name in pairs(prompt) do prompt[name] = nil end
  end
end

--- One spec a row: what each of the asked says at `where`, the whole of it or, where `where` is `whole`, a share of it.
function M.row(it, name, prompt, where, expected)
  prompts[#prompts + 1] = type(prompt) == "table" and prompt or nil
  for who, said in pairs(expected) do
    it(("%s: %s"):format(name, who), function()
      local own = type(prompt) == "function" and prompt(who) or prompt
      if said == M.no then return M.refused(who, own, "unsupported") end
      local req = assert(M.request(who, own))
      local value = M.dig(req:json(), where[family_of(who)])
      if where == M.whole then return M.has(said, value, who) end
      assert.same(said, value)
    end)
  end
end

function M.text(words) return { type = "text", text = words } end
function M.image_url(url) return { type = "image_url", image_url = { url = url } } end
function M.link(mime, url) return { fileData = { mimeType = mime, fileUri = url } } end
function M.of_url(kind, url) return { type = kind, source = { type = "url", url = url } } end

M.call = { id = "c1", name = "f", arguments = { a = 1 }, arguments_raw = '{"a":1}' }
function M.calling(...)
  local message = mm.assistant {}
  message.tool_calls = select("#", ...) > 0 and { ... } or { M.call }
  return message
end

return M
