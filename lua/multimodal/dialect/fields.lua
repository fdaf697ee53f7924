--- Further fields of a request, a message or a part, which win over ours.
--- Names: extend merge.
local json = require("multimodal.json")

local M = {}

--- Put further fields into a table that is about to go out.
--- @param target table
--- @param extra table?
--- @return table target
function M.extend(target, extra)
  for name, value in pairs(extra or {}) do target[name] = value end
  return target
end

--- Whether a value is an object whose fields can be put over those of another.
local function is_object(value)
  return type(value) == "table" and value[1] == nil and value ~= json.null and getmetatable(value) == nil
end

--- The same field by field, also in the tables inside.
--- @param target table
--- @param extra table?
--- @return table target
function M.merge(target, extra)
  for name, value in pairs(extra or {}) do
    local own = target[name]
    if is_object(own) and is_object(value) then
      target[name] = M.merge(M.extend({}, own), value)
    else
      target[name] = value
    end
  end
  return target
end

return M
