--- One candidate of a stream as it grows, and the whole body's shape made of it. Nothing is joined before it is asked for.
--- Names: new.
local json = require("multimodal.json")
local pieces = require("multimodal.dialect.pieces")
local wire = require("multimodal.dialect.gemini.wire")

local M = {}

--- One part: text in pieces, samples of speech in pieces, or a part that came whole.
--- @class multimodal.gemini.Part
--- @field texts table?      {n, piece...} of text
--- @field thought boolean?
--- @field samples table?    of speech: blobs
--- @field wire table        as it came, or as it is so far

local Candidate = {}
Candidate.__index = Candidate

--- @param index integer
function M.new(index)
  return setmetatable({ index = index, role = nil, meta = {}, parts = {} }, Candidate)
end

--- The text that goes on growing: a piece put into it is told nowhere else.
--- @param thought boolean
--- @return table texts
function Candidate:growing(thought)
  local last = self.parts[#self.parts]
  if not (last and last.texts and last.thought == thought) then
    last = { texts = pieces.new(), thought = thought, wire = {} }
    self.parts[#self.parts + 1] = last
  end
  return last.texts
end

--- @param text string
--- @param thought boolean
--- @return table texts
function Candidate:append_text(text, thought)
  local texts = self:growing(thought)
  pieces.push(texts, text)
  return texts
end

--- A part that came whole.
function Candidate:append_part(part)
  self.parts[#self.parts + 1] = { wire = part }
end

--- Samples of speech go on where the last part was speech of the same kind.
--- @param part table
--- @param mime string
--- @param blob userdata
function Candidate:append_samples(part, mime, blob)
  local last = self.parts[#self.parts]
  if not (last and last.samples and last.mime == mime) then
    last = { samples = {}, mime = mime, wire = part }
    self.parts[#self.parts + 1] = last
  end
  last.samples[#last.samples + 1] = blob
end

local small = 12288 -- bytes that a decoder would leave as text in a whole body

--- A part in the shape of a whole body, and its medium where it was put together here.
local function build(part)
  if part.texts then return { text = pieces.joined(part.texts), thought = part.thought or nil } end
  if not part.samples or not part.samples[2] then return part.wire end
  part.samples = { pieces.blob(part.samples) }
  local blob = part.samples[1]
  part.wire = { inlineData = { mimeType = part.mime, data = blob:size() < small and blob:base64() or blob } }
  return part.wire
end

--- The candidate in the shape of a whole body.
--- @return table
function Candidate:build()
  local candidate, list = { index = self.index }, {}
  for name, value in pairs(self.meta) do candidate[name] = value end
  for i, part in ipairs(self.parts) do list[i] = build(part) end
  if self.role or list[1] then candidate.content = { role = self.role, parts = list[1] and json.array(list) or nil } end
  return candidate
end

local grows = { citationSources = true, citations = true, chosenCandidates = true, topCandidates = true, citation_sources = true }

--- Put what a later chunk tells of a candidate over what is known: lists of places in the text grow, the rest is told anew.
local function merge(known, value)
  if type(known) ~= "table" or type(value) ~= "table" then return value end
  local all = {}
  for name, inner in pairs(known) do all[name] = inner end
  for name, inner in pairs(value) do
    if grows[name] and type(all[name]) == "table" and type(inner) == "table" then
      local list = {}
      for _, item in ipairs(all[name]) do list[#list + 1] = item end
      for _, item in ipairs(inner) do list[#list + 1] = item end
      all[name] = json.array(list)
    else
      all[name] = inner
    end
  end
  return all
end

local merges = {
  citationMetadata = true, citation_metadata = true, groundingMetadata = true, grounding_metadata = true, logprobsResult = true,
}

--- @param told table  the candidate of a chunk
function Candidate:take_meta(told)
  for name, value in next, told do
    if name ~= "content" and name ~= "index" then
      self.meta[name] = merges[name] and merge(self.meta[name], value) or value
    end
  end
  self.finished = self.finished or wire.field(self.meta, "finishReason") ~= nil
end

return M
