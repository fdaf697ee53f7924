--- Media: an image, audio, a video or a file, as a part of a prompt and as a part of a reply.
--- Nothing is read until a part is sent or asked for its bytes.
--- Names: new attach from_blob from_url is set_fetch set_download writer base64_bytes.
local core = require("multimodal.core")
local error_class = require("multimodal.error")
local extension = require("multimodal.extension")
local options_table = require("multimodal.options")

local M = {}

--- @class multimodal.Media
--- @field kind "image"|"audio"|"video"|"file"
--- @field url string?          where it came as a link
--- @field path string?         where it is a file
--- @field blob userdata?       core.blob, once the bytes are here
--- @field encoded string?      a data URL or base64, not read yet
--- @field declared string?     the media type that a data URL names
--- @field corrected string?    the media type of a link's bytes, where its server named a wrong one
--- @field guessed boolean?     the kind is settled by the bytes
--- @field options table        what was written beside the source
--- @field access table?        how its link is fetched, of a reply: the rules of the client that made it
--- @field landed string?        where its link was saved to; its blob is that file
--- @field refresh (fun(part: multimodal.Media): string?, multimodal.Error?)?  a fresh link, where the old one has died
--- @field expires_at number?   when its link dies, in seconds since 1970
--- @field role string?         what it is of a task: "last_frame"
--- @field transcript string?
--- @field id string?
local Media = { __name = "multimodal.media" }
Media.__index = Media

local source_names = { path = true, url = true, data_url = true, base64 = true, bytes = true, blob = true, file_id = true }

--- A blob that grows, for media that come in fragments, and the bytes of base64.
M.writer = core.blob_writer
M.base64_bytes = core.base64_decode

--- How a link is fetched: set by the client layer, which knows the network.
local fetch = function()
  return nil, error_class.new { kind = "unsupported", message = "this host cannot fetch links" }
end

--- @param fetcher fun(part: multimodal.Media, options: table?): userdata?, multimodal.Error?
function M.set_fetch(fetcher)
  fetch = fetcher
end

--- How a link is saved to a file: likewise.
local download

--- @param saver fun(part: multimodal.Media, path: string, options: table): userdata|boolean|nil, multimodal.Error?
function M.set_download(saver)
  download = saver
end

--- @param value any
--- @return boolean
function M.is(value)
  return getmetatable(value) == Media
end

local function is_blob(value)
  local class = type(value) == "userdata" and getmetatable(value)
  return type(class) == "table" and class.__name == "multimodal.blob"
end

--- A media type in lower case without parameters; image/jpg is put right.
local function plain_mime(mime)
  mime = mime and mime:lower():match("^%s*([^;%s]+)")
  return mime == "image/jpg" and "image/jpeg" or mime
end

local function refuse_control(kind, text)
  if text:find("%c") then error_class.misuse(kind .. ": the source has a control character in it") end
  return text
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local takes = {}

function takes.path(kind, part, path)
  if type(path) ~= "string" or path == "" then error_class.misuse(kind .. ": expected a path, got " .. type(path)) end
  if path:find("\0", 1, true) then error_class.misuse(kind .. ": the path has a NUL in it") end
  part.path = path
end

local schemes = { http = true, https = true, s3 = true, gs = true }

function takes.url(kind, part, url)
  if type(url) ~= "string" then error_class.misuse(kind .. ": expected a URL, got " .. type(url)) end
  local scheme = (refuse_control(kind, url):match("^(%a[%w+.-]*):") or ""):lower()
  if scheme == "data" then return takes.data_url(kind, part, url) end
  if scheme == "file" then
    return takes.path(kind, part, unescape((url:gsub("^[^:]+:", ""):gsub("^//[^/]*", ""))))
  end
  if not schemes[scheme] or not url:find("^[^:]+://[^/]") then
    error_class.misuse(("%s: %q is no URL to send; http, https, s3, gs, data and file are"):format(kind, scheme .. ":"))
  end
  part.url = url
end

function takes.data_url(kind, part, text)
  if type(text) ~= "string" then error_class.misuse(kind .. ": expected a data URL, got " .. type(text)) end
  part.encoded = text
  part.declared = text:sub(1, 256):match("^%s*[Dd][Aa][Tt][Aa]:([^;,]+)")
end

-- Users paste one where the other is wanted: both are told apart by the prefix.
takes.base64 = takes.data_url

function takes.bytes(kind, part, bytes)
  if type(bytes) ~= "string" then error_class.misuse(kind .. ": bytes: expected a string, got " .. type(bytes)) end
  if bytes == "" then error_class.misuse(kind .. ": bytes: an empty string is no " .. kind) end
  part.blob = core.blob(bytes, plain_mime(part.options.mime) or core.mime_sniff(bytes:sub(1, 4096)))
end

function takes.blob(kind, part, blob)
  if not is_blob(blob) then error_class.misuse(kind .. ": blob: expected a core.blob, got " .. type(blob)) end
  part.blob = blob
end

--- What was uploaded before, by the gateway's id of it.
function takes.file_id(kind, part, id)
  if type(id) ~= "string" or id == "" then error_class.misuse(kind .. ": file_id: expected a string, got " .. type(id)) end
  part.id = refuse_control(kind, id)
end

--- A string without a name may be a link, a data URL or a path.
local function guess(kind, part, text)
  if text == "" then error_class.misuse(kind .. ": the source is an empty string") end
  local scheme = text:match("^(%a[%w+.-]+):")
  local lower = scheme and scheme:lower()
  if lower == "data" then return takes.data_url(kind, part, text) end
  local is_link = scheme and (text:find("://", 1, true) or lower == "file" or lower == "javascript" or lower == "blob")
  if is_link then return takes.url(kind, part, text) end
  return takes.path(kind, part, text)
end

local function copy_of(kind, part, other)
  part.url, part.path, part.blob = other.url, other.path, other.blob
  part.encoded, part.declared, part.corrected = other.encoded, other.declared, other.corrected
  part.transcript, part.id, part.access = other.transcript, other.id, other.access
  part.landed, part.refresh, part.expires_at = other.landed, other.refresh, other.expires_at
  for name, value in pairs(other.options) do
    if part.options[name] == nil then part.options[name] = value end
  end
end

local function take(kind, part, source)
  if type(source) == "string" then return guess(kind, part, source) end
  if M.is(source) then return copy_of(kind, part, source) end
  if is_blob(source) then return takes.blob(kind, part, source) end
  error_class.misuse(("%s: expected a path, a URL, a blob or a part, got %s"):format(kind, type(source)))
end

--- What a table of a part may say.
local part_names = {}
for _, names in ipairs { source_names, options_table.part } do
  for name in pairs(names) do part_names[name] = true end
end

--- The source and the options of `{ "cat.jpg", detail = "high" }` or `{ url = "https://..." }`.
local function split(kind, written, options)
  local name, source
  for key, value in pairs(written) do
    if key == 1 or source_names[key] then
      if name then error_class.misuse(("%s: two sources, %s and %s"):format(kind, name, key)) end
      name, source = key, value
    elseif type(key) == "number" then
      error_class.misuse(("%s: more than one source; each is a part of its own"):format(kind))
    else
      if not options_table.part[key] then options_table.unknown(key, part_names, kind .. ": ") end
      options_table.check_value(key, value, options_table.part, kind .. ": ")
      options[key] = value or nil
    end
  end
  if not name then error_class.misuse(kind .. ": no source; write " .. kind .. ' "path or URL" or { path = | url = | bytes = }') end
  return name, source
end

--- Make a part of a source.
--- @param kind "image"|"audio"|"video"|"file"
--- @param source string|table|userdata|multimodal.Media  path, URL, data URL, blob, part, or a table of one and options
--- @param options? table  see options.part; a source table's own win
--- @return multimodal.Media
function M.new(kind, source, options)
  local part = setmetatable({ kind = kind, options = {} }, Media)
  if options then
    options_table.check(options, options_table.part, kind .. ": ")
    for name, value in pairs(options) do part.options[name] = value or nil end
  end
  if type(source) ~= "table" or M.is(source) then
    take(kind, part, source)
    return part
  end
  local name, value = split(kind, source, part.options)
  if name == 1 then take(kind, part, value) else takes[name](kind, part, value) end
  return part
end

local families = { image = "image", audio = "audio", video = "video" }

local function kind_of(mime)
  return mime and families[mime:match("^%a+")] or "file"
end

--- A part whose kind follows from its media type.
--- @param source string|table|userdata|multimodal.Media
--- @param options? table
--- @return multimodal.Media
function M.attach(source, options)
  local part = M.new("file", source, options)
  if M.is(source) then
    part.kind = source.kind
    return part
  end
  local mime = part:likely_mime() or part.path and core.mime_from_path(part.path)
  part.kind, part.guessed = kind_of(mime), part.blob == nil
  return part
end

--- @param kind string
--- @param blob userdata
--- @param options? table  kept as given: for parts of replies
--- @return multimodal.Media
function M.from_blob(kind, blob, options)
  return setmetatable({ kind = kind, blob = blob, options = options or {} }, Media)
end

--- @param kind string
--- @param url string
--- @param options? table
--- @return multimodal.Media
function M.from_url(kind, url, options)
  return setmetatable({ kind = kind, url = url, options = options or {} }, Media)
end

local function broken(message)
  return nil, error_class.new { kind = "bad_request", code = "syntax", message = message }
end

--- Bytes of a data URL or of bare base64.
local function decode(text)
  if not text:find("^%s*[Dd][Aa][Tt][Aa]:") then
    local bytes = core.base64_decode(text)
    if not bytes then return broken("the base64 is broken; pass { path = } or { bytes = } for what is no base64") end
    return nil, bytes
  end
  local mime, bytes = core.data_url_parse((text:gsub("^%s+", "")))
  if not mime then return broken("the data URL is broken: " .. tostring(bytes.message)) end
  return mime, bytes
end

--- Types whose first bytes leave no doubt; a container such as MP4 or ZIP may rightly be called by many names.
local sure = {
  ["image/png"] = true, ["image/jpeg"] = true, ["image/gif"] = true, ["image/webp"] = true, ["application/pdf"] = true,
  ["audio/wav"] = true, ["audio/flac"] = true, ["audio/aiff"] = true,
}

--- The usual name of a media type: audio/x-wav is audio/wav.
local function usual(mime)
  local plain = plain_mime(mime)
  if not plain or not plain:find("^[%w.+-]+/[%w.+-]+$") then return plain end
  return core.data_url(plain, ""):match("^data:([^;]+)")
end

--- The type that bytes surely have, where they are called by another.
local function contradiction(said, head)
  local found = said and core.mime_sniff(head)
  if found and sure[found] and usual(said) ~= found and not (found == "image/png" and said:find("apng")) then return found end
  return nil
end

local function blob_of_encoded(self)
  local mime, bytes = decode(self.encoded)
  if type(bytes) ~= "string" then return nil, bytes end
  if bytes == "" then return broken("the data URL is empty") end
  local head = bytes:sub(1, 4096)
  mime = plain_mime(self.options.mime) or contradiction(self.declared, head) or plain_mime(mime) or core.mime_sniff(head)
  self.blob, self.encoded = core.blob(bytes, mime), nil
  return self.blob
end

local advice = {
  ENOENT = "; check the path, which starts at the working directory unless it begins with /",
  EACCES = "; check the permissions of the file and its folders",
  EISDIR = "; name a file, not a folder",
  EINVAL = "; there is nothing to send",
}

local function looks_encoded(path)
  return #path >= 64 and path:find("^[%w+/_-]+=*%s*$") ~= nil and not path:find("^/")
end

local function blob_of_file(self)
  local blob, err = core.blob_file(self.path, plain_mime(self.options.mime))
  if blob then return blob end
  err = error_class.new(err)
  err.message = err.message .. (looks_encoded(self.path) and "; if this is base64, pass { base64 = }" or advice[err.code] or "")
  return nil, err
end

--- Types that servers give to what they know nothing of.
local vague = { ["text/plain"] = true, ["application/octet-stream"] = true, ["binary/octet-stream"] = true }

--- The type of a fetched link, where its server's word is not to be taken: what its bytes say, or else its name.
local function fetched_type(url, blob)
  local said, head = plain_mime(blob:mime()), blob:read(0, 4096) or ""
  if said and not vague[said] then return contradiction(said, head) end
  return core.mime_sniff(head) or core.mime_from_path((url:gsub("[?#].*$", ""))) or said
end

--- Forget the file that a link was saved to, where that is gone or another one now.
local function forget_lost(self)
  if not self.landed or self.blob:read(0, 1) then return end
  self.blob, self.landed = nil, nil
end

--- The bytes as a blob. A file is opened afresh each time, since it may have changed; a link is fetched once.
local function blob_of(self, options)
  forget_lost(self)
  if self.blob then return self.blob end
  if self.encoded then return blob_of_encoded(self) end
  if self.path then return blob_of_file(self) end
  local blob, err = fetch(self, options)
  if blob then self.blob, self.corrected = blob, fetched_type(self.url, blob) end
  return blob, err
end

--- The part with its bytes at hand; a new part where they come from a file, so that the next request sees the
--- file as it is then. Links are left alone unless `links` says to fetch them, under these options.
--- @param links? table
--- @return multimodal.Media?
--- @return multimodal.Error? err
function Media:opened(links)
  forget_lost(self)
  if self.blob or self.url and not links or self.id and not (self.path or self.encoded or self.url) then return self end
  local blob, err = blob_of(self, links)
  if not blob then return nil, err end
  if self.blob then
    if self.guessed then self.kind = kind_of(self:mime()) end
    return self
  end
  local kind = self.guessed and kind_of(blob:mime()) or self.kind
  return setmetatable({
    kind = kind, blob = blob, path = self.path, options = self.options, transcript = self.transcript, id = self.id,
  }, Media)
end

--- The media type, nil until it is known.
--- @return string?
function Media:mime()
  return plain_mime(self.options.mime or self.corrected or self.blob and self.blob:mime() or self.declared)
end

--- The usual end of a file name for its type, without a dot: picture:save("sunset." .. picture:extension()).
--- @return string  "bin" while the type is not known
function Media:extension()
  return extension.of(self:likely_mime())
end

--- The media type, of a link by the name at the end of its path where nothing else tells.
--- @return string?
function Media:likely_mime()
  local mime = self:mime()
  if mime or not self.url then return mime end
  return core.mime_from_path((self.url:gsub("^%a[%w+.-]*://[^/?#]*", ""):gsub("[?#].*$", "")))
end

--- What the source calls itself where its bytes are surely something else: the words for it, and the type of the
--- bytes. A wrong name is corrected; a type that the user said stands.
--- @return string? said   'cat.png', 'the data URL (image/png)', 'mime = "image/png"'
--- @return string? found  the type of the bytes
--- @return boolean? stands  what was said is sent
function Media:misnamed()
  if not self.blob then return nil end
  if self.options.mime then
    local found = contradiction(self.options.mime, self.blob:read(0, 64) or "")
    if found then return ("mime = %q"):format(self.options.mime), found, true end
    return nil
  end
  local mime = self.blob:mime()
  if self.path then
    local named = core.mime_from_path(self.path)
    if named and mime and named ~= mime then return self.path:match("[^/\\]+$"), mime, false end
  elseif self.declared and mime and contradiction(self.declared, self.blob:read(0, 64) or "") then
    return ("the data URL (%s)"):format(self.declared), mime, false
  end
  return nil
end

--- Bytes, nil until they are here.
--- @return integer?
function Media:size()
  return self.blob and self.blob:size() or nil
end

--- What failed, and at which line of the caller.
local function told(err)
  return nil, error_class.new(err, { where = error_class.caller() })
end

--- All bytes as one string; a link is fetched.
--- @async
--- @return string? bytes
--- @return multimodal.Error? err
function Media:bytes()
  local blob, err = blob_of(self)
  if not blob then return told(err) end
  local bytes, fault = blob:bytes()
  if not bytes then return told(fault) end
  return bytes
end

--- The whole as a data URL; a link is fetched.
--- @async
--- @return string? url
--- @return multimodal.Error? err
function Media:data_url()
  local bytes, err = self:bytes()
  if not bytes then return nil, err end
  return core.data_url(self:mime() or core.mime_sniff(bytes:sub(1, 4096)) or "application/octet-stream", bytes)
end

--- A link, straight to the file.
local function save_link(self, path, options)
  local saved, err = download(self, path, options)
  if not saved then return told(err) end
  if saved ~= true then self.blob, self.landed, self.corrected = saved, path, fetched_type(self.url, saved) end
  return path
end

--- Write to a file, at once or not at all. A link is fetched straight to the disk, and goes on where an earlier try ended.
--- @async
--- @param path string
--- @param options? {overwrite: boolean?, exists: "skip"|"error"|nil, on_progress: (fun(now: multimodal.Progress): any)?}
---   an existing file is an error unless these say otherwise; on_progress is told of a download, and stops it by false
--- @return string? path
--- @return multimodal.Error? err
function Media:save(path, options)
  if type(path) ~= "string" or path == "" then error_class.misuse("save: expected a path, got " .. type(path)) end
  if path:find("\0", 1, true) then error_class.misuse("save: the path has a NUL in it") end
  if options then options_table.check(options, options_table.save, "save: ") end
  forget_lost(self)
  options = options or {}
  if self.url and not self.blob and not self.encoded and download then return save_link(self, path, options) end
  local blob, err = blob_of(self)
  if not blob then return told(err) end
  local saved, fault = blob:save(path, { overwrite = options.overwrite, exists = options.exists or nil })
  if saved then return path end
  if fault.code == "EEXIST" then fault.message = fault.message .. "; pass { overwrite = true } or { exists = \"skip\" }" end
  return told(fault)
end

local units = { "B", "KB", "MB", "GB" }

local function readable(bytes)
  local unit = 1
  while bytes >= 1000 and unit < #units do bytes, unit = bytes / 1000, unit + 1 end
  return (unit == 1 and "%d %s" or "%.1f %s"):format(bytes, units[unit])
end

--- "image/png, 1.2 MB"; of a part that is not read yet, its kind and source.
function Media:__tostring()
  if self.blob then return (self:mime() or self.kind) .. ", " .. readable(self.blob:size()) end
  -- A link may be signed, and a signature is a key: what follows the path is not shown.
  local from = self.path or self.url and self.url:gsub("[?#].*$", "") or "encoded"
  return self.kind .. ", " .. from
end

return M
