--- What a newcomer writes wrongly, one mistake a line, and the words that come back: what, where, and what to do instead.
local mm = require("multimodal")

local ai, folder

local function films()
  return mm.client { gateway = "yourouter", api_key = "canary-k", video_model = "vm" }
end

-- Raised at the line that is wrong.
local raised = {
  { function() mm.img("a.jpg") end, "mm.img: did you mean mm.image?" },
  { function() mm.stream("Hi") end, "mm.stream: a client does this: local ai = mm.client { ... }, then ai:stream(...)" },
  { function() mm.client { base_ulr = "http://h/v1" } end, "base_ulr: unknown option; did you mean base_url?" },
  { function() mm.client { gateway = "yourooter" } end, 'gateway: "yourooter" is unknown; did you mean yourouter?' },
  { function() mm.client "opneai/gpt-4o" end, 'gateway: "opneai" is unknown; did you mean openai?' },
  { function() mm.client { model = "m" } end, "client: no gateway; pass gateway = or base_url =, or set MULTIMODAL_CLIENT" },
  { function() mm.client { base_url = "localhost:80/v1", model = "m" } end, "only http:// and https:// are spoken" },
  { function() mm.client { base_url = "http://h/v1/chat/completions" } end, "base_url: leave /chat/completions away" },
  { function() mm.client { gateway = "openai", api_key = "canary-k" }:generate("Hi") end, "model: expected a string, got nil; name one" },
  { function() ai:with { modell = "m" } end, "modell: unknown option; did you mean model?" },
  { function() ai.generate("Hi") end, "called with a colon: ai:generate(...)" },
  { function() ai.chat("Hi") end, "called with a colon: ai:chat(...)" },
  { function() ai.upload("a.pdf") end, "called with a colon: ai:upload(...)" },
  { function() ai.image("A cat") end, "called with a colon: ai:image(...)" },
  { function() ai.models() end, "called with a colon: ai:models(...)" },
  { function() ai.tasks() end, "called with a colon: ai:tasks(...)" },
  { function() ai.with { model = "m" } end, "called with a colon: ai:with(...)" },
  { function() mm.client { gateway = { name = "mine", base_url = "http://h", dialect = "turns" } } end,
    'dialect: "turns" is unknown; openai, gemini' },
  { function() ai.generate { "Hi" } end, "called with a colon: ai:generate(...)" },
  { function() ai:generate() end, "prompt: expected a string, a part or a table, got nil" },
  { function() ai:generate(5) end, "prompt: expected a string, a part or a table, got number" },
  { function() ai:generate {} end, "prompt: nothing to say" },
  { function() ai:generate { "Hi", max_token = 3 } end, "max_token: unknown option; did you mean max_tokens?" },
  { function() ai:generate("Hi", { temprature = 3 }) end, "temprature: unknown option; did you mean temperature?" },
  { function() ai:generate { "Hi", max_tokens = "3" } end, "max_tokens: expected a positive integer, got a string" },
  { function() ai:generate { "Hi", temperature = 0 / 0 } end, "temperature: expected a number, got NaN" },
  { function() ai:generate { "Hi", timeout = "1s" } end, "timeout: expected seconds above 0, got a string" },
  { function() ai:generate { "Hi", on_text = "io.write" } end, "on_text: expected a function, got a string" },
  { function() ai:generate { "Hi", headers = { A = "b\r\nc" } } end, "headers: A: has a line break" },
  { function() ai:generate { "Hi", nil, "there" } end, "prompt[2]: a hole in the list; put false" },
  { function() ai:generate { "Hi", 5 } end, "prompt[2]: expected a string or a part, got number" },
  { function() ai:generate { mm.user "Hi", "there" } end, "prompt[1]: a message among parts; it belongs in messages" },
  { function() local list = { "Hi" } list[2] = list ai:generate(list) end, "a list that contains itself" },
  { function() mm.client { "openai/gpt-4o" } end, "key 1: expected the name of an option" },
  { function() ai:generate { messages = { "Hi" } } end, "messages[1]: expected a message, got string; write mm.user" },
  { function() ai:generate { messages = { mm.image "a.jpg" } } end, "messages[1]: expected a message, got a part; write mm.user" },
  { function() ai:generate { messages = { { content = "Hi" } } } end, "messages[1]: role: expected a string, got nil" },
  { function() ai:generate { "Hi", extra = { a = 0 / 0 } } end, "a: NaN cannot be written" },
  { function() ai:generate { "Hi", extra = { a = { 1, nil, 3 } } } end, "a: table has a hole at 2" },
  { function() ai:generate { "Hi", extra = { a = { 1, b = 2 } } } end, "a: table is a list and has named fields" },
  { function() ai:generate { "Hi", extra = { a = print } } end, "a: cannot write a function" },
  { function() local t = {} t.t = t ai:generate { "Hi", extra = t } end, "t.t: table contains itself" },
  { function() ai:generate { "Hi", { type = "x", y = { 1, nil, 3 } } } end, "messages[1].content[2].y: table has a hole at 2" },
  { function() mm.image(nil) end, "image: expected a path, a URL, a blob or a part, got nil" },
  { function() mm.image {} end, "image: no source; write image" },
  { function() mm.image "a\0b" end, "image: the path has a NUL in it" },
  { function() mm.image { "a.jpg", "b.jpg" } end, "image: more than one source; each is a part of its own" },
  { function() mm.image { "a.jpg", detial = "high" } end, "image: detial: unknown option; did you mean detail?" },
  { function() mm.image { ulr = "http://h/a.jpg" } end, "image: ulr: unknown option; did you mean url?" },
  { function() mm.image "ftp://h/a.jpg" end, 'image: "ftp:" is no URL to send' },
  { function() mm.user { "Hi", max_tokens = 3 } end, "user: unknown field max_tokens; name and extra are known" },
  { function() local stream = ai:stream "Hi" for _ in stream.text do error("ran") end end, "text: write stream:text(), with a colon" },
  { function() local stream = ai:stream "Hi" for _ in stream.events() do error("ran") end end, "events: write stream:events(), with" },
  { function() mm.all(ai:generate "A", ai:generate "B") end, "all: argument 1: expected a function or a job, got table" },
  { function() mm.map({ 1 }, print, { limt = 3 }) end, "map: unknown option limt, did you mean limit?" },
  { function() mm.client { gateway = "yourouter", api_key = "canary-k" }:video "Hi" end, "video_model: expected a string, got nil" },
  { function() films():video { "Hi", durration = 5 } end, "durration: unknown option; did you mean duration?" },
  { function() films():video { "Hi", duration = "5" } end, "duration: expected a number, got a string" },
  { function() films():video { "Hi", journal = true } end, "journal: expected the path of a folder, got boolean" },
  { function() films().video { "Hi" } end, "called with a colon: ai:video(...)" },
  { function() films():task() end, "task: expected an id or the text of task:dump(), got nil" },
  { function() films():tasks { status = "running" } end, "tasks: status: unknown option; did you mean state?" },
  { function() films():task("cgt-1"):wait { on_progres = print } end, "wait: on_progres: unknown option; did you mean on_progress?" },
  { function() mm.client({ gateway = mm.mock {} }):generate("Hi") end, "mock: no answer is left for request 1" },
}

-- Returned as nil, err; it prints with the line that asked.
local returned = {
  { function() return nil, select(2, ai:generate { "Hi", mm.image "no.jpg" }) end,
    'file (ENOENT, mock m): messages[1].content[2]: cannot read "no.jpg": no such file or directory; check the path' },
  { function() return nil, select(2, ai:generate { mm.image(folder) }) end, "is a directory; name a file, not a folder" },
  { function() return nil, select(2, ai:generate { mm.image(folder .. "/empty.jpg") }) end, "is empty; there is nothing to send" },
  { function() return nil, select(2, ai:generate { mm.image { bytes = "abc" } }) end, 'the type of the bytes is unknown; say it' },
  { function() return nil, select(2, ai:generate { "a", mm.image "data:image/png;base64,@@@" }) end,
    "bad_request (mock m): messages[1].content[2]: the data URL is broken: data URL: broken base64 at byte 22" },
  { function() return nil, select(2, ai:generate { mm.image(("iVBORw0KGgo"):rep(40)) }) end, "if this is base64, pass { base64 = }" },
  { function() return nil, select(2, ai:generate "a\255") end,
    "bad_request (mock m): messages[1].content[1]: invalid UTF-8; convert the text to UTF-8" },
  { function() return nil, select(2, ai:generate { "a", mm.image "data:image/png;base64,aGk=", "b\255" }) end,
    "messages[1].content[3].text: invalid UTF-8" },
  { function() return nil, select(2, mm.client { gateway = "openai", model = "m" }:generate "Hi") end,
    "auth (openai m): no API key: set OPENAI_API_KEY or pass api_key" },
  { function() return nil, select(2, mm.client { base_url = "http://127.0.0.1:1/v1", model = "m" }:generate "Hi") end,
    "network (127.0.0.1 m): connection refused by 127.0.0.1:1: is it running?" },
  { function() return nil, select(2, mm.image("examples/cat.jpg"):save(folder .. "/empty.jpg")) end,
    "file exists; pass { overwrite = true }" },
  { function() return nil, select(2, mm.client { gateway = "openai", api_key = "canary-k" }:video "Hi") end,
    "unsupported (openai): openai has no tasks known here; yourouter, volcengine, byteplus, openrouter, google and vertex make videos" },
  { function() return nil, select(2, films():video { "Hi", mm.image "no.jpg" }) end,
    'file (ENOENT, yourouter vm): messages[1].content[2]: cannot read "no.jpg": no such file or directory; check the path' },
  { function() return nil, select(2, films():video { "Hi --dur 5", duration = 5 }) end,
    "duration stands in the text as --dur and is an option too; take one away" },
  { function() return nil, select(2, films():video { "Hi", journal = folder .. "/empty.jpg" }) end, "the journal in " },
  { function() return nil, select(2, mm.image("no.jpg"):bytes()) end, "file (ENOENT): cannot read" },
}

--- The line of the test's function is the line of the mistake.
local function starts_here(fn, message)
  local place = ("mistakes_spec.lua:%d: "):format(debug.getinfo(fn, "S").linedefined)
  return message:find("^" .. place:gsub("%p", "%%%0")) or message:find("/" .. place, 1, true)
end

describe("a mistake #small", function()
  local real = os.getenv

  setup(function()
    os.getenv = function(name) -- luacheck: ignore 122
      if name ~= "OPENAI_API_KEY" and name ~= "MULTIMODAL_CLIENT" then return real(name) end
    end
    folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder .. " && : > " .. folder .. "/empty.jpg")
  end)

  teardown(function()
    os.getenv = real -- luacheck: ignore 122
    os.execute("rm -r " .. folder)
  end)

  before_each(function()
    ai = mm.client { gateway = mm.mock { "One.", "Two." }, model = "m" }
  end)

  for i, case in ipairs(raised) do
    it(("is raised where it was made: %d, %s"):format(i, case[2]), function()
      local ok, message = pcall(case[1])
      assert.is_false(ok)
      assert(type(message) == "string" and message:find(case[2], 1, true), tostring(message))
      assert(starts_here(case[1], message), message)
    end)
  end

  for i, case in ipairs(returned) do
    it(("is returned with the line that asked: %d, %s"):format(i, case[2]), function()
      local ok, value, err = pcall(case[1])
      assert.is_true(ok, value)
      assert.is_nil(value)
      assert(tostring(err):find(case[2], 1, true), tostring(err))
      assert(starts_here(case[1], tostring(err)), tostring(err))
    end)
  end
end)
