--- Thousands of tasks that are waited for at once in one process. Counts and memory are asserted, times only printed.
local simulator = require("multimodal.simulator")
local sizes = require("support.sizes")

local function run(command)
  local pipe = assert(io.popen(command .. "; echo \" rc=$?\""))
  local text = pipe:read("*a")
  pipe:close()
  local out, code = text:match("^(.*) rc=(%d+)\n$")
  assert.equal("0", code, command .. "\n" .. tostring(out))
  return out
end

-- The Lua that runs this, by the parent of a shell.
local interpreter = run("readlink /proc/$PPID/exe"):gsub("%s+$", "")

--- What the script says of so many tasks, by name.
local function figures_of(url, n, how)
  local figures, shown = {}, {}
  local said = run(("'%s' spec/heavy/scripts/tasks.lua %s %d %s 2>&1"):format(interpreter, url, n, how or ""))
  for name, value in said:gmatch("([%a_]+)=([^\n]*)\n") do
    figures[name] = tonumber(value) or value
    shown[#shown + 1] = name .. " " .. value
  end
  io.write("\n  ", n, " tasks: ", table.concat(shown, ", "), "\n")
  assert.equal("true", figures.quiet, "a failure that nobody asked about")
  assert.same({ n, n, 3 * n }, { figures.begun, figures.ended, figures.looks })
  return figures
end

describe("tasks #big", function()
  local sim
  before_each(function() sim = assert(simulator.start()) end)
  after_each(function() sim:stop() end)

  it("are waited for by the thousand, each in a few kilobytes", function()
    local figures = figures_of(sim.url, sizes.tasks)
    local base = sizes.full and 0 or 2048 * 1024 / sizes.tasks -- of few, what the process has of its own counts
    assert.is_true(figures.bytes_each_task <= 32 * 1024 + base)
  end)

  it("cost as much each, however many there are", function()
    local few = figures_of(sim.url, sizes.tasks / 10, "count")
    local many = figures_of(sim.url, sizes.tasks, "count")
    assert.is_true(few.steps_each_look > 0)
    assert.is_true(many.steps_each_look <= 1.5 * few.steps_each_look)
  end)
end)
