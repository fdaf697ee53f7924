--- JSON texts from a seed: the same ones on every Lua. Names: new; a corpus has text, mutant, number.
local M = {}

local Corpus = {}
Corpus.__index = Corpus

--- @param seed integer  from 1
function M.new(seed)
  return setmetatable({ state = seed }, Corpus)
end

--- A number from 1 to n (Lehmer's generator: exact in doubles).
function Corpus:number(n)
  self.state = self.state * 16807 % 2147483647
  return self.state % n + 1
end

function Corpus:pick(list)
  return list[self:number(#list)]
end

local spaces = { "", "", "", "", "", " ", "\n", "\t", "\r\n  " }
local pieces = {
  "a", "key", "Hello, world", " ", "/", "\\/", '\\"', "\\\\", "\\n", "\\t", "\\b\\f\\r", "\\u0041", "\\u00e9", "\\u20AC",
  "\\ud83d\\ude00", "\\u0000", "\\u0001", "\\u001f", "\127", "\195\169", "\226\130\172", "\240\159\152\128",
  "a text that is a good deal longer than sixteen bytes, and plain", "{", "}", "[", "]", ":", ",", "null", "1",
}
local numbers = {
  "0", "-0", "1", "-1", "10", "255", "1694268190", "9007199254740991", "9007199254740992", "9007199254740993",
  "-9223372036854775808", "9223372036854775807", "9223372036854775808", "123456789012345678901234567890", "0.0", "1.0",
  "0.1", "-0.5", "3.14159", "1e2", "1E+2", "1e-2", "2.5e10", "1.7976931348623157e308", "2.2250738585072014e-308", "4.9e-324",
  "0.30000000000000004", "1e22", "1e23", "0.1000000000000000055511151231257827",
}
local words = { "true", "false", "null" }

function Corpus:space()
  return self:pick(spaces)
end

function Corpus:string()
  local out = {}
  for i = 1, self:number(4) - 1 do out[i] = self:pick(pieces) end
  return '"' .. table.concat(out) .. '"'
end

local function list(self, open, close, item)
  local out = {}
  for i = 1, self:number(5) - 1 do out[i] = self:space() .. item() .. self:space() end
  if self:number(40) == 1 then
    for i = 1, 15 + self:number(40) do out[i] = item() end -- more than wait on the stack at once
  end
  return open .. self:space() .. table.concat(out, ",") .. close
end

function Corpus:value(depth)
  local kind = self:number(depth > 0 and 6 or 3)
  if kind == 1 then return self:string() end
  if kind == 2 then return self:pick(numbers) end
  if kind == 3 then return self:pick(words) end
  local function item() return self:value(depth - 1) end
  if kind == 4 then return list(self, "[", "]", item) end
  return list(self, "{", "}", function() return self:string() .. self:space() .. ":" .. self:space() .. item() end)
end

--- One well-formed value.
function Corpus:text()
  return self:space() .. self:value(self:number(5)) .. self:space()
end

local bytes = {
  '"', "\\", "{", "}", "[", "]", ",", ":", "0", "9", "-", "+", ".", "e", "u", "d", "8", "n", "t", " ", "\n", "\0", "\1", "\31",
  "\127", "\128", "\192", "\237", "\255", "x",
}

--- The same with a few bytes changed, put in, taken out or cut off: well-formed or not.
function Corpus:mutant()
  local text = self:text()
  for _ = 1, self:number(3) do
    local at = self:number(#text + 1)
    local what = self:number(4)
    if what == 1 then
      text = text:sub(1, at - 1) .. self:pick(bytes) .. text:sub(at + 1)
    elseif what == 2 then
      text = text:sub(1, at - 1) .. self:pick(bytes) .. text:sub(at)
    elseif what == 3 then
      text = text:sub(1, at - 1) .. text:sub(at + 1)
    elseif self:number(4) == 1 then
      text = text:sub(1, at - 1)
    end
  end
  return text
end

return M
