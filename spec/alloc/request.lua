--- Run by host.c: requests through the public API, a picture out and a picture back; counted from the request on.
--- Arguments: begin() of the host, how ("mock", "whole", "stream", "jobs", "refused") and the base URL of the server. Names: none.
local begin, how, base_url = ...
local mm = require("multimodal")
require("multimodal.net")

-- Failures that nobody waits for any more.
function mm.on_error() end

local bytes = "\137PNG\r\n\26\n" .. ("picture"):rep(6000) -- as base64 well above what is lifted

local function client(path)
  if how == "mock" then
    return mm.client { gateway = mm.mock { { "A cat.", mm.image { bytes = bytes } } }, model = "m", retries = 0 }
  end
  -- A request that never ends is for the host to notice.
  return mm.client { base_url = base_url .. path, model = "m", api_key = "canary-k", timeout = false, connect_timeout = 100, retries = 0 }
end

local function prompt()
  return { "Describe this.", mm.image { bytes = bytes, mime = "image/png" } }
end

local function check(reply)
  assert(reply.text == "A cat.", reply.text)
  assert(#reply.images == 1 and reply.images[1]:size() == #bytes)
  assert(reply.images[1]:bytes() == bytes)
end

local function streamed(ai)
  local stream = assert(ai:stream(prompt()))
  local texts = {}
  for text in stream:text() do texts[#texts + 1] = text end
  local reply = assert(stream:reply())
  assert(table.concat(texts) == reply.text)
  return reply
end

local run = {}

function run.mock()
  local ai = client()
  begin()
  check(streamed(ai))
end

function run.whole()
  local ai = client("/whole")
  begin()
  check(assert(ai:generate(prompt())))
end

function run.stream()
  local ai = client("/stream")
  begin()
  check(streamed(ai))
end

-- One streamed and one whole at once, and one that is dropped in the middle.
function run.jobs()
  local whole, stream = client("/whole"), client("/stream")
  begin()
  mm.run(function()
    local a, b = assert(mm.all(function()
      return streamed(stream)
    end, function()
      return whole:generate(prompt())
    end))
    check(a)
    check(b)
    local dropped = assert(stream:stream(prompt()))
    local next_text, state = dropped:text()
    assert(next_text(state))
    dropped:close()
  end)
end

function run.refused()
  local ai = client("/refused")
  begin()
  local reply, err = ai:generate(prompt())
  if reply then error("not refused") end
  if err.kind ~= "rate_limit" then error(tostring(err), 0) end
end

run[how]()
