--- TLS servers of specs: nginx and openssl s_server with given certificates.
--- Names: nginx openssl nginx_available.
local daemon = require("support.daemon")

local M = {}

local function path_of_nginx()
  local pipe = assert(io.popen("PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx"))
  local path = pipe:read("*l")
  pipe:close()
  return path
end

--- @return boolean
function M.nginx_available()
  return path_of_nginx() ~= nil
end

local function server_of(port, options)
  local lines = { "  server {", ("    listen 127.0.0.1:%d%s;"):format(port, options.cert and " ssl" or "") }
  local function add(...) lines[#lines + 1] = "    " .. (...):format(select(2, ...)) end
  if options.cert then
    add("ssl_certificate %s; ssl_certificate_key %s;", options.cert, options.cert)
  end
  if options.clients then add("ssl_verify_client on; ssl_client_certificate %s;", options.clients) end
  if options.pass then
    add("location / { proxy_pass %s; proxy_set_header Host $http_host; proxy_redirect off;", options.pass)
    add("proxy_buffering off; proxy_request_buffering off; }")
  else
    add("location / { default_type application/json; return 200 '%s'; }", options.answer or "{}")
  end
  lines[#lines + 1] = "  }"
  return table.concat(lines, "\n")
end

--- Start one nginx with a port for each server.
--- @param dir string
--- @param servers table<string, {cert: string?, clients: string?, pass: string?, answer: string?}>  cert: PEM with its key, none:
---   plain HTTP; clients: whose issuer's certificates must be shown; pass: the URL of the server behind it
--- @return table daemon
--- @return table<string, integer> ports  by name
function M.nginx(dir, servers)
  local names, blocks, ports = {}, {}, {}
  for name in pairs(servers) do names[#names + 1] = name end
  table.sort(names)
  local free = daemon.ports(#names)
  for i, name in ipairs(names) do
    ports[name] = free[i]
    blocks[i] = server_of(free[i], servers[name])
  end
  daemon.write(dir .. "/nginx.conf", ([[
worker_processes 1;
error_log stderr notice;
pid %s/nginx.pid;
events { worker_connections 256; }
http {
  access_log %s/access.log;
  client_max_body_size 0;
  client_body_temp_path %s/body; proxy_temp_path %s/proxied; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;
%s
}
]]):format(dir, dir, dir, dir, dir, dir, dir, table.concat(blocks, "\n")))
  local command = ("%s -p '%s' -e stderr -c nginx.conf -g 'daemon off; master_process off;'"):format(
    assert(path_of_nginx(), "nginx is not installed"), dir)
  local server = daemon.start(dir, "nginx", command, function() return daemon.read(dir .. "/nginx.pid"):find("%d") end)
  return server, ports
end

--- Start openssl s_server, which answers a GET with a page about the connection.
--- @param dir string
--- @param name string      of its log
--- @param options string   as its command line has them
--- @return table daemon
--- @return integer port
function M.openssl(dir, name, options)
  return daemon.start(dir, name, "openssl s_server -accept 127.0.0.1:0 -www " .. options, function(log)
    return tonumber(log:match("ACCEPT[^\n]*:(%d+)\n"))
  end)
end

return M
