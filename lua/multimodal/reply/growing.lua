--- JSON that grows in a stream: its value so far, each time the text has grown by an eighth. So all the reading together
--- is linear in the text.
--- Names: new.
local json = require("multimodal.json")

local M = {}

--- @class multimodal.Growing
--- @field head string?        what came before the JSON began; nil once it did
--- @field scan userdata?
--- @field size integer        bytes of JSON
--- @field due integer         the size from which a value is made
--- @field last string?        the text of the last value
local Growing = {}
Growing.__index = Growing

--- @return multimodal.Growing
function M.new()
  return setmetatable({ head = "", size = 0, due = 1 }, Growing)
end

--- What follows white space and the first line of a fence; nil while that has not come.
local function begun(head)
  local rest = head:match("^%s*```[^\n]*\n%s*(.+)$")
  if rest then return rest end
  rest = head:match("^%s*([^%s`].*)$")
  return rest
end

local longest_head = 256 -- bytes; JSON that has not begun by then is not followed

--- The part of a piece that is JSON, nil where there is none yet.
local function json_in(self, text)
  if not self.head then return text end
  if #self.head > longest_head then return nil end
  self.head = self.head .. text
  local rest = begun(self.head)
  if rest then self.head = nil end
  return rest
end

local function stop(self)
  self.stopped = true
  return nil
end

local function value_now(self)
  self.due = self.size + math.max(1, math.ceil(self.size / 8))
  local text = self.scan:closed()
  if text == "" or text == self.last then return nil end
  self.last = text
  return (json.decode(text))
end

--- Take a piece of text.
--- @param text string
--- @return any value   where it is time for one, and it is another than before; it is not checked
function Growing:feed(text)
  if self.stopped then return nil end
  local piece = json_in(self, text)
  if not piece then return nil end
  self.scan = self.scan or json.scan()
  if not self.scan:feed(piece) then return stop(self) end
  self.size = self.size + #piece
  if self.size < self.due then return nil end
  return value_now(self)
end

return M
