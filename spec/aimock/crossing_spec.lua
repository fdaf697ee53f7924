--- One conversation that crosses all three dialects, at a mock gateway that others wrote: @copilotkit/aimock.
local aimock = require("aimock.support")
local mm = require("multimodal")

describe("a conversation across the dialects at aimock #aimock", function()
  local url, stop, out
  setup(function() url, stop, out = aimock.start() end)
  teardown(function()
    stop:close()
    os.remove(out)
  end)

  local function client(gateway, root)
    return mm.client { gateway = gateway, base_url = url .. root, api_key = "mock", model = "gemini-2.5-flash", retries = 0 }
  end

  --- What the mock tells of one turn: the words, the call, its result.
  local function turn(n)
    return ('user Ask of Paris, %d; assistant I ask. weather{"city":"Paris"}; tool {"sky":"Paris"}'):format(n)
  end

  for _, streamed in ipairs { false, true } do
    it(streamed and "streamed" or "whole", function()
      local history, seen = {}, {}
      for n, ai in ipairs { client("google", "/v1beta"), client("anthropic", "/v1"), client("openai", "/v1"), client("google", "/v1beta"),
        client("anthropic", "/v1") } do
        history[#history + 1] = mm.user("Ask of Paris, " .. n)
        local reply = assert(ai[streamed and "stream" or "generate"](ai, { messages = history, tools = { aimock.weather(mm) } }))
        if streamed then reply = assert(reply:reply()) end
        history[#history + 1] = reply.messages
        seen[#seen + 1] = turn(n)
        assert.equal(table.concat(seen, "; "), reply.text)
        seen[#seen + 1] = "assistant " .. reply.text
      end
    end)
  end
end)
