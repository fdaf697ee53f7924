--- JSON as this library speaks it: exact integers, marked arrays, media in place.
--- Names: array null raw base64_of data_url_of scan decode closed encode.
local core = require("multimodal.core")
local error_class = require("multimodal.error")

local M = {
  --- Mark a table as an array, even when it is empty.
  array = core.array,
  --- An explicit null.
  null = core.null,
  --- JSON text that is checked once and written verbatim.
  raw = core.raw,
  --- A blob as bare base64, or as a data URL (of the media type that follows, as it is written, or else the blob's),
  --- where a string stands in a table to be encoded.
  base64_of = core.base64_of,
  data_url_of = core.data_url_of,
  --- Follow JSON that is still growing.
  scan = core.json_scan,
}

--- Read one JSON value. Integers are integers, null is nil, arrays carry `array`'s metatable.
--- @param text string
--- @param options? {media: userdata[]?, null: boolean?, exact: boolean?}  media: the blobs that marks in the text stand for
--- @return any value
--- @return multimodal.Error? err
function M.decode(text, options)
  local value, err = core.json_decode(text, options)
  if value == nil and err ~= nil then return nil, error_class.new(err) end
  return value
end

--- A list without its holes: a null in it must not hide what stands after it.
--- @param list table  decoded, nulls being nil
--- @return table       itself where it has no holes
function M.closed(list)
  local places, most = {}, 0
  for key in pairs(list) do
    if type(key) ~= "number" then return list end
    places[#places + 1] = key
    if key > most then most = key end
  end
  if most == #places then return list end
  table.sort(places)
  local all = {}
  for i, place in ipairs(places) do all[i] = list[place] end
  return all
end

--- Write a value as JSON text, media written out.
--- @param value any
--- @return string? text
--- @return multimodal.Error? err  a hole, mixed keys, a cycle, NaN, invalid UTF-8: the message has the path
function M.encode(value)
  local body, err = core.body(value)
  if not body then return nil, error_class.new(err) end
  local text = tostring(body)
  body:close()
  return text
end

return M
