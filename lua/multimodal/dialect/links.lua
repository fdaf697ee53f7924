--- What a link leads to, as far as its words tell.
--- Names: scheme is_youtube is_uploaded is_googles.
local M = {}

--- "https", "gs": in lower case.
--- @param url string
--- @return string?
function M.scheme(url)
  local scheme = url:match("^(%a[%w+.-]*)://")
  return scheme and scheme:lower()
end

--- Links that a player page stands behind: some providers watch it, and no bytes can be had of it.
--- @param url string
--- @return boolean
function M.is_youtube(url)
  local host = url:lower():match("^https?://([^/?#:]+)") or ""
  return host == "youtu.be" or host == "youtube.com" or host:find("%.youtube%.com$") ~= nil
end

--- Links of files that went up to Google's Files API: only there they mean something.
--- @param url string
--- @return boolean
function M.is_uploaded(url)
  return url:find("^https://[%w.-]*googleapis%.com/v%w+/files/") ~= nil
end

--- Whether a part is a file of Google's Files API: nobody else can read it, also where it has a link.
--- @param part multimodal.Media
--- @return boolean
function M.is_googles(part)
  return part.id ~= nil and part.id:find("^files/") ~= nil or part.url ~= nil and M.is_uploaded(part.url)
end

return M
