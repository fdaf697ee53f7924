--- How an answer is told, in any dialect: in words or small pieces, at what count of tokens, and how far.
--- Names: words pieces tokens prompt_tokens interrupted.
local M = {}

--- Words with the white space before them, and the white space at the end: the units of a streamed text.
--- @param text string
--- @return string[]
function M.words(text)
  local list = {}
  for word in text:gmatch("%s*%S+") do list[#list + 1] = word end
  list[#list + 1] = text:match("%s+$")
  return list
end

--- Pieces of some eight bytes that split no character.
--- @param text string
--- @return string[]
function M.pieces(text)
  local list, from = {}, 1
  while from <= #text do
    local to = from + 7
    while text:find("^[\128-\191]", to + 1) do to = to + 1 end
    list[#list + 1] = text:sub(from, to)
    from = to + 1
  end
  return list
end

--- What a text counts: a token for four bytes.
--- @param text string
--- @return integer
function M.tokens(text)
  return math.ceil(#text / 4)
end

--- What a prompt counts.
--- @param parts table[]     as they were received
--- @param medium integer    tokens of one that is no text
--- @return integer
function M.prompt_tokens(parts, medium)
  local count = 0
  for _, part in ipairs(parts) do count = count + (part.text and M.tokens(part.text) or medium) end
  return count
end

--- Stop where the request asked for it: cut the socket, or say nothing more.
--- @param request table
--- @param answer multimodal.simulator.Answer
--- @param sent integer  pieces so far
--- @return boolean cut
function M.interrupted(request, answer, sent)
  local behaviour = request.behaviour
  if behaviour.cut and sent >= behaviour.cut then
    answer:cut()
    return true
  end
  if behaviour.stall and sent >= behaviour.stall then answer:sleep(86400) end
  return false
end

return M
