--- The simulator's own process: serves until its standard input ends, or for ever. Returns run(options).
local anthropic = require("multimodal.simulator.anthropic")
local core = require("multimodal.core")
local uv = require("luv")
local gemini = require("multimodal.simulator.gemini")
local ark = require("multimodal.simulator.ark")
local http = require("multimodal.simulator.http")
local openai = require("multimodal.simulator.openai")

local M = {}

local dialects = { anthropic, gemini, openai, ark }

local Request = {}

--- Bytes of the body; media in it become blobs on the way, so a gigabyte passes through.
function Request:body(bytes)
  if self.decoder then self.failed = self.failed or select(2, self.decoder:feed(bytes)) end
  self.received = self.received + #bytes
end

function Request:abort()
  if self.decoder then self.decoder:close() end
end

--- The body as a Lua value, media as blobs.
--- @return any? value, any err
function Request:json()
  if self.failed then return nil, self.failed end
  local ok, err = self.decoder:finish()
  if not ok then return nil, err end
  local event
  event, err = self.decoder:next()
  if not event then return nil, err or "it is empty" end
  return core.json_decode(event.data, { media = event.media })
end

--- How the answer shall be: the simulator's options, and over them the request's own header
--- `X-Simulate: status=429; retry_after=2; pace=0.1; split=7; cut=3; stall=2; finish=length`,
--- and of a task `task=rough` and the others in simulator/ark.lua.
local function behaviour_of(options, header)
  local behaviour = {}
  for name, value in pairs(options) do behaviour[name] = value end
  for name, value in (header or ""):gmatch("([%w_]+)=([^;%s]+)") do behaviour[name] = tonumber(value) or value end
  return behaviour
end

local function begin(self, request)
  self.count = self.count + 1
  request.id = ("sim-%06d"):format(self.count)
  request.behaviour = behaviour_of(self.options, request.headers["x-simulate"])
  request.received = 0
  request.decoder = core.decoder { format = "json", lift_above = 1024 }
  request.decoder:head(200, "application/json")
  for name, method in pairs(Request) do request[name] = method end
end

local function route(request)
  for _, dialect in ipairs(dialects) do
    for _, entry in ipairs(dialect.routes) do
      local is_its = not entry.fits or entry.fits(request)
      if is_its and request.method == entry.method and request.path:find(entry.path) then
        return entry.run, dialect.refuse or openai.refuse, entry.open
      end
    end
  end
  return nil, (anthropic.speaks(request) and anthropic or openai).refuse
end

local function answer_to(self, request, answer)
  local behaviour = request.behaviour
  answer.pace, answer.split = tonumber(behaviour.pace) or 0, tonumber(behaviour.split)
  if behaviour.delay then answer:sleep(tonumber(behaviour.delay)) end
  local run, refuse, open = route(request)
  local headers = request.headers
  if not (open or headers.authorization or headers["x-api-key"] or headers["x-goog-api-key"]) then
    refuse(request, answer, 401, "No key came with the request. Any key will do here.", "invalid_api_key")
  elseif behaviour.status then
    refuse(request, answer, tonumber(behaviour.status), "Refused, as asked.", behaviour.code)
  elseif not run then
    refuse(request, answer, 404, ("Nothing is served at %s %s."):format(request.method, request.path), "not_found")
  else
    run(request, answer)
  end
  request.decoder:close()
  if self.log then
    self.log(("%s %s %s, %d bytes"):format(request.id, request.method, request.path, request.received))
  end
end

--- End with the process that started this one: its end of our standard input closes.
local function follow_stdin()
  local pipe = uv.new_pipe(false)
  pipe:open(0)
  pipe:read_start(function(_, bytes)
    if not bytes then os.exit(0) end
  end)
end

--- @class multimodal.simulator.Options
--- @field host string?
--- @field port integer?    0: any free one
--- @field pace number?     seconds between events
--- @field split integer?   bytes in one write
--- @field delay number?    seconds before an answer
--- @field task string?     the life of every task: one of simulator/ark.lua's
--- @field follow boolean?  end when standard input ends
--- @field log fun(line: string)?
--- @field ready fun(url: string)  called once the port is open

--- A write to a client that has gone shall be an error, not the end of the process.
local function ignore_sigpipe()
  uv.new_signal():start("sigpipe", function() end)
end

--- Serve until the process ends.
--- @param options multimodal.simulator.Options
function M.run(options)
  local unknown = options.task and ark.unknown(options.task)
  if unknown then error("simulator: " .. unknown, 0) end
  local self = {
    options = { pace = options.pace, split = options.split, delay = options.delay, task = options.task }, count = 0, log = options.log,
  }
  local host = options.host or "127.0.0.1"
  local port, err = http.serve({ host = host, port = options.port }, {
    begin = function(request)
      begin(self, request)
    end,
    answer = function(request, answer)
      answer_to(self, request, answer)
    end,
  })
  if not port then error("simulator: cannot listen on " .. host .. ": " .. tostring(err), 0) end
  ignore_sigpipe()
  if options.follow then follow_stdin() end
  options.ready(("http://%s:%d/v1"):format(host, port))
  uv.run()
end

return M
