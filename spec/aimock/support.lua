--- A mock gateway that others wrote, @copilotkit/aimock, as a child process.
local M = {}

--- Start it; its standard input is ours, so it ends with us.
--- @return string url
--- @return file* stop  to be closed
--- @return string out  to be removed
function M.start()
  local out = os.tmpname()
  local stop = assert(io.popen("node spec/aimock/server.mjs > " .. out, "w"))
  for _ = 1, 200 do
    local file = assert(io.open(out))
    local url = file:read("*l")
    file:close()
    if url then return url, stop, out end
    os.execute("sleep 0.05")
  end
  error("aimock did not start")
end

--- Texts of a stream, and its reply or its error.
function M.read(stream)
  local texts = {}
  for text in stream:text() do texts[#texts + 1] = text end
  local reply, err = stream:reply()
  return texts, reply, err
end

--- A tool that finds Paris alone.
function M.weather(mm)
  return mm.tool { name = "weather", parameters = { city = "string" }, run = function(arguments)
    if arguments.city == "Paris" then return { sky = "Paris" } end
    return nil, "no " .. arguments.city
  end }
end

return M
