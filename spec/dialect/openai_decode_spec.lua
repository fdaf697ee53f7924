local core = require("multimodal.core")
local openai = require("multimodal.dialect.openai")
local reply = require("multimodal.reply.reply")
local support = require("dialect.support")

local png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

local function read(body)
  local event = support.decoder(body, { content_type = "application/json" }):next()
  return reply.new(assert(openai.decode(event)))
end

--- A reply of one message, given as a table.
local function of(message)
  return read(tostring(assert(core.body { choices = { { message = message, finish_reason = "stop" } } })))
end

local function content(value)
  return of { role = "assistant", content = value }
end

describe("openai decode #small", function()
  it("reads the samples of the guides", function()
    local samples = support.json("openai/replies.json")
    local made = read(tostring(core.body(samples.openroute)))
    assert.equal("I've generated a beautiful sunset image for you.", made.text)
    assert.equal(1, #made.images)
    assert.equal("image/png", made.images[1]:mime())
    assert.equal("stop", made.finish_reason)
    assert.is_nil(made.finish_reason_raw)
    made = read(tostring(core.body(samples.glm)))
    assert.equal("这张图片显示的是一只可爱的猫咪...", made.text)
    assert.equal("chatcmpl-456", made.id)
    assert.equal("GLM-4V-Plus", made.model)
    assert.same({ input_tokens = 1200, output_tokens = 80, total_tokens = 1280 }, made.usage)
    assert.equal(1677652288, made.raw.created)
  end)

  it("takes pictures out of the text, with the Markdown around them", function()
    local made = content("Here: ![a cat](" .. png .. ") and " .. png .. ".")
    assert.equal("Here:  and .", made.text)
    assert.equal(2, #made.images)
    assert.equal("text image text image text", (function()
      local kinds = {}
      for i, part in ipairs(made.parts) do kinds[i] = part.type or part.kind end
      return table.concat(kinds, " ")
    end)())
    assert.equal("", content("![](" .. png .. ")").text)
    assert.equal(1, #content(png).images)
  end)

  it("leaves other data URLs and broken ones in the text", function()
    for _, text in ipairs { "data:text/plain;base64,aGk=", "see data:image/png;base64, or not", "data:image/png;base64,A" } do
      local made = content(text)
      assert.equal(text, made.text)
      assert.same({}, made.images)
    end
  end)

  it("gives large pictures and small ones the same way", function()
    local bytes = "\137PNG\r\n\26\n" .. ("0123456789abcdef"):rep(4096)
    local url = core.data_url("image/png", bytes)
    local made = content("A ![x](" .. url .. ' "title") B')
    assert.equal("A  B", made.text)
    assert.equal(bytes, made.images[1]:bytes())
    made = content(url)
    assert.equal("", made.text)
    assert.equal(bytes, made.images[1]:bytes())
  end)

  it("gives long base64 that is no medium back as text", function()
    local text = core.base64_encode(("no medium at all "):rep(2000))
    assert.equal(text, content(text).text)
    local made = of { content = "x", reasoning = text, tool_calls = { { id = "a", ["function"] = { name = "f", arguments = text } } } }
    assert.equal(text, made.reasoning)
    assert.equal(text, made.tool_calls[1].arguments_raw)
  end)

  it("reads links to pictures, and leaves the text as it is", function()
    local text = "Look: ![sun](https://h/sun.png?x=1) done"
    local made = content(text)
    assert.equal(text, made.text)
    assert.equal("https://h/sun.png?x=1", made.images[1].url)
    made = content("https://h/sun.webp")
    assert.equal("https://h/sun.webp", made.images[1].url)
    assert.same({}, content("see https://h/page.html").images)
    assert.same({}, content("https://h/page.html").images)
  end)

  it("reads images in every shape, and leaves out malformed ones", function()
    local made = of { content = "x", images = {
      { type = "image_url", image_url = { url = png } }, { image_url = png }, { url = "https://h/a.png" }, png,
      { image_url = {} }, { image_url = { url = "data:image/png;base64,A" } }, 7, { image_url = { url = "javascript:x" } },
    } }
    assert.equal(4, #made.images)
    assert.equal("https://h/a.png", made.images[3].url)
    assert.equal(4, #made.warnings)
  end)

  it("reads lists of parts", function()
    local made = content { { type = "thinking", thinking = "hm" }, { type = "text", text = "A" },
      { type = "image_url", image_url = { url = png } }, { type = "output_text", text = "B" }, { type = "odd", x = 1 } }
    assert.equal("AB", made.text)
    assert.equal("hm", made.reasoning)
    assert.equal(1, #made.images)
    assert.same({ type = "odd", x = 1 }, made.parts[4])
    assert.equal("no", content({ { type = "refusal", refusal = "no" } }).refusal)
  end)

  it("reads reasoning once, whatever its spelling", function()
    assert.equal("a", of({ reasoning_content = "a", reasoning = "b" }).reasoning)
    assert.equal("b", of({ reasoning = "b", reasoning_details = { { type = "reasoning.text", text = "b" } } }).reasoning)
    assert.equal("cd", of({ reasoning_details = { { type = "reasoning.text", text = "c" }, { type = "reasoning.summary", summary = "d" },
      { type = "reasoning.encrypted", data = "e" } } }).reasoning)
    assert.is_nil(of({ reasoning = "", reasoning_content = "" }).reasoning)
  end)

  it("reads tool calls whatever is missing in them", function()
    local made = of { tool_calls = {
      { ["function"] = { name = "f", arguments = '{"a":1,"b":null}' } },
      { id = "x", type = "", ["function"] = { name = "g", arguments = { b = 2 } } },
      { id = "x", ["function"] = { name = "h" } },
      { id = "c", type = "custom", custom = { name = "k", input = "free text" } },
    } }
    assert.same({ a = 1 }, made.tool_calls[1].arguments)
    assert.is_truthy(made.tool_calls[1].id:find("^call_%x+$"))
    assert.same({ b = 2 }, made.tool_calls[2].arguments)
    assert.equal('{"b":2}', made.tool_calls[2].arguments_raw)
    assert.same({}, made.tool_calls[3].arguments)
    assert.not_equal("x", made.tool_calls[3].id)
    assert.equal("free text", made.tool_calls[4].arguments_raw)
    assert.equal("tool_calls", made.finish_reason)
    assert.equal("stop", made.finish_reason_raw)
    assert.same({}, made.warnings)
    assert.equal("f", of({ function_call = { name = "f", arguments = "{}" } }).tool_calls[1].name)
  end)

  it("orders choices by index, or else by place", function()
    local made = read '{"choices":[{"index":1,"message":{"content":"B"}},{"index":0,"message":{"content":"A"}}]}'
    assert.equal("A", made.text)
    assert.equal("B", tostring(made.choices[2]))
    made = read('{"choices":[{"message":{"content":"A"}},{"message":{"content":"B","images":["' .. png .. '"]}}]}')
    assert.equal("A", made.text)
    assert.equal(1, #made.choices[2].images)
    assert.is_nil(made.choices[2].audio)
  end)

  it("passes over null, blank and placeholder fields", function()
    local made = read('{"id":null,"model":null,"usage":null,"error":null,"choices":[{"index":null,"finish_reason":null,"logprobs":0,'
      .. '"message":{"role":null,"content":null,"refusal":null,"tool_calls":null,"images":null,"audio":null,"annotations":null}}]}')
    assert.equal("", made.text)
    assert.equal("stop", made.finish_reason)
    for _, name in ipairs { "id", "model", "usage", "refusal", "reasoning", "audio", "choices", "finish_reason_raw" } do
      assert.is_nil(made[name], name)
    end
    for _, name in ipairs { "images", "audios", "videos", "files", "tool_calls", "citations", "parts", "warnings", "steps" } do
      assert.same({}, made[name], name)
    end
  end)

  it("reads many pictures of one size in one pass", function()
    local list = {}
    for i = 1, 300 do
      list[i] = { image_url = { url = core.data_url("image/png", ("\137PNG\r\n\26\n%08d"):format(i) .. ("x"):rep(20000)) } }
    end
    local made = of { images = list }
    assert.equal(300, #made.images)
    assert.equal("00000300", made.images[300]:bytes():sub(9, 16))
  end)

  it("leaves nothing behind", function()
    assert.equal(0, support.live())
  end)
end)

describe("openai decode of hostile text", function()
  it("comes to an end, which takes hours where work is not linear", function()
    local png_after = " ![](" .. png .. ")"
    for _, text in ipairs {
      ("!["):rep(200000) .. png_after, ("!["):rep(200000) .. "](https://h)", ("data:image/"):rep(100000) .. png_after,
      ("![a]("):rep(100000) .. png_after, ("data:image/png;base64,"):rep(20000),
    } do
      assert.is_truthy(content(text).text)
    end
    local parts = {}
    for i = 1, 100000 do parts[i] = { type = "text", text = "0123456789" } end
    assert.equal(1000000, #content(parts).text)
    for _, page in ipairs {
      ("<title>"):rep(100000), "<title>" .. (" "):rep(1000000), (" "):rep(1000000), (" x"):rep(500000),
      '{"message":"' .. (" "):rep(1000000) .. '"}',
    } do
      assert.is_true(#openai.failure(500, {}, { data = page, media = {} }).message <= 2000)
    end
  end)
end)
