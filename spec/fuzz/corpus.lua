--- Seeds for the fuzz targets: `lua5.4 spec/fuzz/corpus.lua DIR` fills DIR with every fixture as it is, and with each text
--- that stands inside the vectors of server-sent events.
local cjson = require("cjson").new()

local dir = assert(arg[1], "usage: corpus.lua DIR")
local MAX <const> = 65536 -- bytes; larger files make slow seeds
local written = 0

local function seed(bytes)
  if #bytes == 0 or #bytes > MAX then return end
  written = written + 1
  local file = assert(io.open(("%s/%05d"):format(dir, written), "wb"))
  file:write(bytes)
  file:close()
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  file:close()
  return bytes
end

local function latin1(text)
  return (text:gsub("[\xC2\xC3][\x80-\xBF]", function(c) return string.char(utf8.codepoint(c)) end))
end

-- The choices that the last bytes of a seed make: whole, byte by byte, lenient or not, every format.
local choices <const> = {
  "\0\0\0\0", "\1\255\1\1", "\2\16\2\2", "\3\64\3\3", "\4\8\31\4", "\5\5\5\5", "\6\32\30\6", "\18\2\31\7",
}

local function seeds_of(bytes)
  for _, choice in ipairs(choices) do seed(bytes .. choice) end
end

local vectors <const> = "spec/fixtures/sse/vectors.json"
for _, vector in ipairs(cjson.decode(read(vectors))) do
  seeds_of(latin1(table.concat(vector.chunks_latin1)))
end

local list = assert(io.popen("find spec/fixtures -type f ! -name README.md | LC_ALL=C sort"))
for path in list:lines() do
  if path ~= vectors then seeds_of(read(path)) end
end
list:close()

-- JSON that fixtures have no reason to hold.
for _, text in ipairs {
  "[0,-0,1.5,1e400,-1E-7,9223372036854775807,-9223372036854775808,9223372036854775808,0.1000000000000000055]",
  [==["\ud83d\ude00 \ud83d \u0001 \/ \" \\ \b\f\n\r\t"]==], '{"a":{"b":[[],{}]},"a":null,"":[true,false]}',
  ("["):rep(512) .. ("]"):rep(512), ("["):rep(513) .. ("]"):rep(513), ('{"a":'):rep(512) .. "1" .. ("}"):rep(512),
  '"\1' .. '1\1 x \1' .. '2\1"', '"\xE2\x82\xAC \xF0\x9F\x98\x80"', '"\xC0\x80\xED\xA0\x80"',
  '{"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi \\u20ac"}}],"model":"m"}',
} do
  seeds_of(text)
  seeds_of("data: " .. text .. "\n\ndata: " .. text .. "\n\n")
end

-- Names and ids around the bound, and one that a NUL spoils only behind it.
for _, n in ipairs { 4095, 4096, 4097, 5000 } do
  for _, field in ipairs { "event", "id" } do
    seeds_of(("%s: %s\ndata: x\n\n"):format(field, ("n"):rep(n)))
    seeds_of(("%s: %s\0\ndata: x\n\n"):format(field, ("n"):rep(n)))
  end
end

-- Media, which fixtures keep short: base64 of several lengths, alone, in a data URL, escaped, and spoiled.
local bytes = ("\137PNG\r\n\26\n" .. ("picture"):rep(20))
local digits <const> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(text)
  return (text:gsub("..?.?", function(three)
    local a, b, c = three:byte(1, 3)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    local out = ""
    for i = 18, 0, -6 do out = out .. digits:sub((bits >> i & 63) + 1, (bits >> i & 63) + 1) end
    return out:sub(1, #three + 1) .. ("="):rep(3 - #three)
  end))
end
for n = 0, 8 do
  local text = base64(bytes:sub(1, #bytes - n))
  for _, form in ipairs {
    '{"a":"%s"}', '["data:image/png;base64,%s"]', '{"a":"see data:image/png;base64,%s."}', '"%s!"',
    'data: {"b64_json":"%s"}\n\ndata: [DONE]\n\n', '[{"a":"%s"},{"a":1}]', '{"a":"%s"}\n{"b":"%s"}\n',
  } do
    seeds_of((form:gsub("%%s", function() return text end)))
    seeds_of((form:gsub("%%s", function() return (text:gsub("/", "\\/"):gsub("%+", "\\u002b")) end)))
  end
end
print(written .. " seeds")
