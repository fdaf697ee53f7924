--- A certificate authority of specs: openssl makes what is asked for, good or bad.
--- Names: new available.
local daemon = require("support.daemon")

local M = {}

local Authority = {}
Authority.__index = Authority

--- @return boolean
function M.available()
  local ok = os.execute("command -v openssl >/dev/null 2>&1")
  return ok == true or ok == 0
end

local config = [[
[ca]
default_ca = own
[own]
new_certs_dir = .
database = index.txt
serial = serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
]]

local new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config ca.cnf"

local function run(self, command)
  local ok = os.execute(("cd '%s' && { %s; } >>log 2>&1"):format(self.dir, command))
  assert(ok == true or ok == 0, command .. "\n" .. daemon.read(self.dir .. "/log"))
end

--- Files of an authority in a folder: ca.pem, ca.key.
--- @param dir string
--- @return table
function M.new(dir)
  local self = setmetatable({ dir = dir }, Authority)
  daemon.write(dir .. "/ca.cnf", config)
  daemon.write(dir .. "/index.txt", "")
  daemon.write(dir .. "/serial", "1000\n")
  run(self, "openssl req -x509 " .. new_key .. " -keyout ca.key -out ca.pem -days 3 -subj '/CN=Authority of specs' -extensions authority")
  return self
end

local function names(list)
  local words = {}
  for i, name in ipairs(list) do words[i] = (name:find("^%d+%.") and "IP:" or "DNS:") .. name end
  return table.concat(words, ",")
end

--- A certificate: NAME.crt, NAME.key, and both in NAME.pem.
--- @param name string
--- @param hosts string[]
--- @param options? {from: string?, to: string?, by_itself: boolean?}  times as 20200101000000Z
--- @return string path  of NAME.pem
function Authority:issue(name, hosts, options)
  options = options or {}
  local who = ("-keyout %s.key -subj /CN=%s -addext subjectAltName=%s"):format(name, hosts[1], names(hosts))
  if options.by_itself then
    run(self, ("openssl req -x509 %s %s -out %s.crt -days 3"):format(new_key, who, name))
  else
    run(self, ("openssl req %s %s -out %s.csr"):format(new_key, who, name))
    run(self, ("openssl ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in %s.csr -out %s.crt -startdate %s -enddate %s")
      :format(name, name, options.from or "20200101000000Z", options.to or "20490101000000Z"))
  end
  run(self, ("cat %s.crt %s.key > %s.pem"):format(name, name, name))
  return ("%s/%s.pem"):format(self.dir, name)
end

--- Run a command of openssl or the shell in the folder.
Authority.run = run

return M
