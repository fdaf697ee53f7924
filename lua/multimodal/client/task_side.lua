--- The side of a client that runs tasks: another address of the same gateway, with the same key.
--- Names: of origin.
local compat = require("multimodal.compat")
local error_class = require("multimodal.error")
local failures = require("multimodal.dialect.failure")
local options_table = require("multimodal.options")
local profiles = require("multimodal.client.profile")
local urls = require("multimodal.policy.url")

local M = {}

local needed = { "create", "created", "inspect", "status" }

--- What a user's own table must have.
local function checked(dialect)
  for _, name in ipairs(needed) do
    if type(dialect[name]) ~= "function" then
      error_class.misuse(("gateway: tasks.dialect.%s: expected a function, got %s"):format(name, type(dialect[name])))
    end
  end
  return dialect
end

local function dialect_of(named)
  if type(named) == "table" then return checked(named) end
  local dialect = named:find("^%l+$") and compat.optional("multimodal.dialect.task." .. named)
  if dialect then return dialect end
  error_class.misuse(("gateway: tasks.dialect: %q is unknown"):format(named))
end

local function path_of(address)
  return (address:gsub("{%l+}", "x"):match("^%a+://[^/?#]*([^?#]*)") or ""):gsub("/+$", "")
end

--- The address of the tasks; a base_url of the user's moves it along: to the same place beside its own path.
local function base_of(client, profile)
  local own = profile.tasks.base_url
  if not own then return client.base end
  local given = client.given.base_url
  if not given then return profiles.base_url(profile, options_table.over(client.options, { base_url = own })) end
  local path, usual = path_of(own), path_of(profile.base_url or "")
  local root = client.base.root
  if root:sub(-#path) == path then return client.base end
  local before = usual ~= "" and root:sub(-#usual) == usual and root:sub(1, -#usual - 1) or root:match("^%a+://[^/]+")
  return { root = before .. path, query = "", host = client.base.host }
end

--- The gateway's profile in its usual dialect: what another dialect of chat adds is no matter of tasks.
local function profile_of(client)
  local usual = profiles.of { gateway = client.given.gateway, base_url = client.given.base_url, project = client.given.project }
  local copy = {}
  for name, value in pairs(usual) do copy[name] = value end
  for _, name in ipairs { "auth", "headers" } do
    if usual.tasks and usual.tasks[name] ~= nil then copy[name] = usual.tasks[name] end
  end
  return copy
end

local function unsupported(client)
  return nil, error_class.new {
    kind = "unsupported", gateway = client.name, where = error_class.caller(),
    message = client.name .. " has no tasks known here; yourouter, volcengine, byteplus, openrouter, google and vertex make videos, "
      .. "and a gateway of your own says tasks = { dialect = ... }",
  }
end

--- A client as requests about tasks see it.
--- @class multimodal.TaskSide: multimodal.Client
--- @field tasks multimodal.TaskDialect
--- @field lines table     plans of headers by options and method

--- @param client multimodal.Client
--- @return multimodal.TaskSide?
--- @return multimodal.Error? err
function M.of(client)
  if client.task_side then return client.task_side end
  local profile = profile_of(client)
  if not profile.tasks then return unsupported(client) end
  local tasks = dialect_of(profile.tasks.dialect or "ark")
  client.task_side = setmetatable({
    profile = profile,
    tasks = tasks,
    base = base_of(client, profile),
    dialect = { failure = tasks.failure or failures.read },
    plans = {},
    lines = setmetatable({}, { __mode = "k" }),
  }, { __index = client })
  return client.task_side
end

--- @param side multimodal.TaskSide
--- @return string
function M.origin(side)
  local parts = urls.split(side.base.root)
  return parts and urls.origin(parts) or ""
end

return M
