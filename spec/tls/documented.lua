--- The tables of docs/network.md, and whether what happens is what they say.
--- Names: section.
local assert = require("luassert")

local M = {}

local Section = {}
Section.__index = Section

local function cells_of(line)
  local cells = {}
  for cell in line:gmatch("|([^|]+)") do cells[#cells + 1] = cell:match("^%s*(.-)%s*$") end
  return cells
end

--- The rows under a heading, by their case.
--- @param heading string
--- @return table section
function M.section(heading)
  local rows, inside, head = {}, false, nil
  for line in io.lines("docs/network.md") do
    if line:find("^#") then
      inside, head = line:match("^#+ (.*)$") == heading, nil
    elseif inside and line:find("^|") and not line:find("^|%-") then
      local cells = cells_of(line)
      if head then
        local row = {}
        for i, name in ipairs(head) do row[name] = cells[i] end
        assert(not rows[row.case], "docs/network.md has twice: " .. row.case)
        rows[row.case] = row
      else
        head = cells
      end
    end
  end
  assert(next(rows), "docs/network.md has no table under " .. heading)
  return setmetatable({ heading = heading, rows = rows, seen = {}, words = {} }, Section)
end

--- Say what stands in the docs for something that differs from run to run.
--- @param from string  plain
--- @param to string
function Section:call(from, to)
  table.insert(self.words, { from, to })
end

local function replaced(text, from, to)
  local at, till = text:find(from, 1, true)
  while at do
    text = text:sub(1, at - 1) .. to .. text:sub(till + 1)
    at, till = text:find(from, at + #to, true)
  end
  return text
end

function Section:shown(text)
  for _, pair in ipairs(self.words) do text = replaced(text, pair[1], pair[2]) end
  return text
end

--- Check a case: what came, or the error.
--- @param case string
--- @param reply table?   with its warnings
--- @param err multimodal.Error?
function Section:check(case, reply, err)
  local row = assert(self.rows[case], ("docs/network.md has no row %q under %s"):format(case, self.heading))
  self.seen[case] = true
  local warning = reply and reply.warnings and reply.warnings[1]
  local found = {
    case = case, outcome = err and "refused" or warning and "passes, with a warning" or "passes",
    kind = err and err.kind or "", code = err and err.code or "",
    message = (err or warning) and "`" .. self:shown(err and err.message or warning) .. "`" or "",
  }
  assert.same(row, found)
end

--- Every row was checked.
function Section:assert_complete()
  for case in pairs(self.rows) do
    assert(self.seen[case], ("no case of %s for the row %q of docs/network.md"):format(self.heading, case))
  end
end

return M
