--- Every snippet of README.md runs as it stands, offline: the simulator or a mock answers, whatever gateway it names.

local lua
do
  local lowest = 0
  for i in pairs(arg) do
    if type(i) == "number" and i < lowest then lowest = i end
  end
  lua = arg[lowest]
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

local here = output_of("pwd"):gsub("\n", "")

--- A search path that holds from any folder.
local function absolute(path)
  return (path:gsub("[^;]+", function(one) return one:find("^/") and one or here .. "/" .. one end))
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- The blocks in order, each with the heading it stands under and its first line.
local function blocks_of(path)
  local blocks, block, heading, number = {}, nil, "", 0
  for line in io.lines(path) do
    number = number + 1
    if line == "```lua" then
      block = { heading = heading, line = number + 1, lines = {} }
      blocks[#blocks + 1] = block
    elseif line == "```" then
      block = nil
    elseif block then
      block.lines[#block.lines + 1] = line
    else
      heading = line:match("^#+ (.*)") or heading
    end
  end
  return blocks
end

-- What a snippet's reader has before it: a client of any gateway is one of the simulator, but for mocks, and what would take a
-- minute is quick.
local prelude = [[
mm = require "multimodal"
local url, client = ..., mm.client
local quick = { sleep = function(seconds) mm.sleep(seconds / 100) end }
function mm.client(spec)
  local made = client(spec)
  local gateway = type(spec) == "table" and spec.gateway
  if type(gateway) == "table" and getmetatable(gateway) then return made end
  return made:with { base_url = url, api_key = "any", private = true, clock = quick }
end
function mocked(answers) return mm.client { gateway = mm.mock(answers), dialect = "openai", model = "any" } end
ai = mm.client { gateway = "yourouter", model = "gpt-4o" }
history = {}
]]

local order = '{"customer": "C", "lines": [{"article": "A", "price": 1.5}], "urgency": "low"}'

--- What stands under a heading needs more than a client.
local given = {
  ["Replies and streams"] = 'reply, stream = assert(ai:generate "Hi"), assert(ai:stream "Hi")',
  ["Tools"] = [[reply = mocked { { tool_calls = { { name = "weather" } } } }:generate { "Hi", tools = { mm.tool {
    name = "weather", description = "The weather.", parameters = { city = "string" } } } }]],
  ["Structured output"] = ("ai = mocked { %q, %q } letter = mm.file 'letter.pdf'"):format(order, order),
  ["Pictures"] = 'ai = mocked { mm.image "cat.jpg", "A cat." }',
  ["Limits, budgets, and who answers instead"] =
    'ai = mocked { { kind = "overloaded" }, { kind = "overloaded" }, { kind = "overloaded" } }',
  ["Models, checks and sizes"] = [[reply = "gen-1" ai = mocked {
    { body = '{"data":[{"id":"m","context_length":9,"pricing":{"prompt":"0.1"},"architecture":{"output_modalities":["image"]}}]}' },
    { body = '{"data":{"id":"gen-1","total_cost":0.5}}' } }]],
}

--- What a snippet prints, among other things.
local prints = {
  ["Ten lines"] = { "image/jpeg, 480 x 360 pixels", 'You said: "Hello!"' },
  ["Replies and streams"] = { "finish" },
  ["Errors"] = { 'file %(ENOENT.-%): messages%[1%]%.content%[2%]: cannot read "cat.jgp": no such file or directory' },
  ["Limits, budgets, and who answers instead"] = { "overloaded %(529, mock any%).-%s+3%s+0" },
  ["Jobs"] = { 'You said: "A"%s+You said: "B"' },
  ["Tests without a network"] = { "Hello!" },
  ["Seeing what is sent"] = { "POST%s+http.*%$YOUROUTER_API_KEY" },
}

describe("a snippet of the README", function()
  local sim, folder

  setup(function()
    sim = assert(require("multimodal.simulator").start())
    folder = os.tmpname()
    os.remove(folder)
    os.execute(("mkdir -p %s/examples && for f in a.jpg b.jpg cat.jpg sword.png examples/cat.jpg; do cp examples/cat.jpg %s/$f; done")
      :format(folder, folder))
    write(folder .. "/letter.pdf", "%PDF-1.4\n%%EOF\n")
    write(folder .. "/request.json", '{"messages":[{"role":"user","content":"Hi"}]}')
  end)

  teardown(function()
    sim:stop()
    os.execute("rm -r " .. folder)
  end)

  --- Run in a process of its own, as a reader does; lines are numbered as in the README.
  local function run(block)
    write(folder .. "/README.md", ("\n"):rep(block.line - 1) .. table.concat(block.lines, "\n"))
    write(folder .. "/run.lua", prelude .. (given[block.heading] or "") .. '\nassert(loadfile "README.md")()\nio.write "\\nit ran\\n"\n')
    return output_of(("cd %s && unset MULTIMODAL_CLIENT YOUROUTER_API_KEY OPENAI_API_KEY; LUA_PATH='%s' LUA_CPATH='%s' %s run.lua %s 2>&1")
      :format(folder, absolute(package.path), absolute(package.cpath), lua, sim.url))
  end

  local seen = {}
  for _, block in ipairs(blocks_of("README.md")) do
    local heading = block.heading
    seen[heading] = (seen[heading] or 0) + 1
    local nth = seen[heading]
    it(("runs: %s, %d"):format(heading, nth), function()
      local text = run(block)
      assert(text:find("\nit ran\n$"), text)
      local expected = prints[heading] and prints[heading][nth]
      assert(not expected or text:find(expected), text)
    end)
  end

  it("stands under each heading that needs one", function()
    for heading in pairs(given) do assert(seen[heading], heading) end
    for heading, list in pairs(prints) do assert((seen[heading] or 0) >= #list, heading) end
  end)
end)
