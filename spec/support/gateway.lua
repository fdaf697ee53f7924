--- What the specs of gateways share: samples of their guides, a client at a server of ours, and real media.
local cjson = require("cjson").new()
local core = require("multimodal.core")
local mm = require("multimodal")
local server = require("support.server")

local M = {}

function M.bytes(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

local function text_of(path, words)
  local text = M.bytes("spec/fixtures/" .. path)
  for from, to in pairs(words or {}) do
    local at, to_at = text:find(from, 1, true)
    assert(at, path .. " has no " .. from)
    text = text:sub(1, at - 1) .. to .. text:sub(to_at + 1)
  end
  return text
end

--- A sample as a value; `words` are put where the guide has a placeholder.
function M.sample(path, words)
  return assert(core.json_decode(text_of(path, words)))
end

--- A reply sample as its bytes.
M.sample_text = text_of

--- A client of a gateway that asks our server instead, under the path that the gateway's own address has.
function M.client(s, options)
  local all = { api_key = "sk-canary", model = "m" }
  for name, value in pairs(options) do all[name] = value end
  if not all.endpoint then
    local own = mm.client { gateway = all.gateway, base_url = all.gateway == "glm" and "https://h/v1" or nil, model = "m" }
    all.base_url = s.url .. own.base.root:match("^%w+://[^/]+(.*)$")
  else
    all.endpoint = s.url
  end
  return mm.client(all)
end

--- What a whole answer looks like.
function M.answer(text, more)
  local body = { id = "c1", model = "m", choices = { { index = 0, finish_reason = "stop",
    message = { role = "assistant", content = text } } } }
  for name, value in pairs(more or {}) do body[name] = value end
  return server.json(200, body)
end

--- Send a prompt to a server and see what arrived: the body as a value, the request, the reply.
function M.sent(s, ai, prompt, more)
  local before = #s:requests()
  s:script(M.answer "ok")
  local reply = assert(ai:generate(prompt, more))
  local request = assert(s:requests(before + 1))[before + 1]
  return cjson.decode(request.body), request, reply
end

--- How often each header stood in a request, by lower-case name.
function M.counts(request)
  local names = {}
  for _, line in ipairs(request.header_lines) do
    local name = line:match("^[^:]+"):lower()
    names[name] = (names[name] or 0) + 1
  end
  return names
end

local function shell(command)
  local ok = os.execute(command .. " >/dev/null 2>&1")
  assert(ok == true or ok == 0, command)
end

--- A document of one page with a picture on it, as a file must be laid out: header, objects, offsets, trailer.
local function pdf_of(jpeg)
  local pieces, offsets, length = { "%PDF-1.4\n" }, {}, 9
  local function object(text)
    offsets[#offsets + 1] = length
    pieces[#pieces + 1] = ("%d 0 obj\n%s\nendobj\n"):format(#offsets, text)
    length = length + #pieces[#pieces]
  end
  object "<< /Type /Catalog /Pages 2 0 R >>"
  object "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
  object "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 48 32] /Contents 4 0 R /Resources << /XObject << /I 5 0 R >> >> >>"
  object "<< /Length 25 >>\nstream\nq 48 0 0 32 0 0 cm /I Do Q\nendstream"
  object(("<< /Type /XObject /Subtype /Image /Width 48 /Height 32 /ColorSpace /DeviceRGB /BitsPerComponent 8 "
    .. "/Filter /DCTDecode /Length %d >>\nstream\n%s\nendstream"):format(#jpeg, jpeg))
  pieces[#pieces + 1] = "xref\n0 6\n0000000000 65535 f \n"
  for _, offset in ipairs(offsets) do pieces[#pieces + 1] = ("%010d 00000 n \n"):format(offset) end
  pieces[#pieces + 1] = ("trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"):format(length)
  return table.concat(pieces)
end

--- Real media in a folder of their own: a photograph, a song, a film, a document, made once.
--- @return {folder: string, jpg: string, png: string, mp3: string, wav: string, mp4: string, pdf: string}
function M.media()
  if M.made then return M.made end
  local folder = os.tmpname()
  os.remove(folder)
  shell("mkdir " .. folder)
  local made = { folder = folder }
  for _, ending in ipairs { "jpg", "png", "mp3", "wav", "mp4", "pdf" } do made[ending] = folder .. "/sample." .. ending end
  shell(("convert -size 48x32 gradient:red-blue -type TrueColor %s"):format(made.jpg))
  shell(("convert %s %s"):format(made.jpg, made.png))
  shell(("ffmpeg -y -f lavfi -i sine=frequency=440:duration=0.3 %s"):format(made.mp3))
  shell(("ffmpeg -y -f lavfi -i sine=frequency=440:duration=0.1 %s"):format(made.wav))
  shell(("ffmpeg -y -f lavfi -i testsrc=size=64x48:rate=5:duration=0.6 %s"):format(made.mp4))
  local file = assert(io.open(made.pdf, "wb"))
  file:write(pdf_of(M.bytes(made.jpg)))
  file:close()
  M.made = made
  return made
end

--- Remove what media() made.
function M.clean()
  if M.made then shell("rm -r " .. M.made.folder) end
  M.made = nil
end

return M
