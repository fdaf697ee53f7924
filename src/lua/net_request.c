/* net_request.c - the options of engine:start, from Lua's table to a struct.
 * In: the table at 2 of the stack. Out: struct mm_request, header lines.
 * Not here: starting the exchange.                         SPDX-License-Identifier: MIT */
#include "net_request.h"

#include "core.h"

static int field_error(lua_State *L, const char *name, const char *wanted) {
  return luaL_error(L, "%s must be %s, got %s", name, wanted, luaL_typename(L, -1));
}

static const char *plain_text(lua_State *L, const char *name) {
  size_t n;
  const char *text = lua_tolstring(L, -1, &n);
  if (strlen(text) != n || strpbrk(text, "\r\n"))
    luaL_error(L, "%s holds a line break or a NUL", name);
  return text;
}

static const char *text_field(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  if (!lua_toboolean(L, -1)) return NULL;
  if (lua_type(L, -1) != LUA_TSTRING) field_error(L, name, "a string");
  return plain_text(L, name);
}

/* false and nil are no clock. */
static double seconds_field(lua_State *L, const char *name) {
  lua_getfield(L, 2, name);
  double seconds = 0;
  if (lua_toboolean(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER) field_error(L, name, "a number of seconds");
    seconds = lua_tonumber(L, -1);
    if (!(seconds > 0)) luaL_error(L, "%s must be over 0; false means none", name);
  }
  lua_pop(L, 1);
  return seconds;
}

static bool flag_field(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static void *box_field(lua_State *L, const char *name, const char *class) {
  lua_getfield(L, 2, name);
  if (lua_isnil(L, -1)) return NULL;
  void *object = mm_box_test(L, -1, class);
  if (!object) field_error(L, name, strchr(class, '.') + 1);
  return object;
}

static void read_tls(lua_State *L, struct mm_request *r) {
  lua_getfield(L, 2, "tls");
  if (lua_isnil(L, -1)) return;
  if (!lua_istable(L, -1)) field_error(L, "tls", "a table");
  int tls = lua_gettop(L);
  r->ca_file = text_field(L, tls, "ca_file");
  r->ca_path = text_field(L, tls, "ca_path");
  r->client_cert = text_field(L, tls, "client_cert");
  r->client_key = text_field(L, tls, "client_key");
  r->insecure = flag_field(L, tls, "insecure");
}

/* Methods whose repetition changes nothing, so that libcurl may send them twice. */
static bool is_idempotent(const char *method) {
  return strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0;
}

/* true and false rule; nil leaves it to the method. */
static bool may_resend(lua_State *L, const char *method) {
  lua_getfield(L, 2, "resend");
  bool told = !lua_isnil(L, -1), value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return told ? value : is_idempotent(method);
}

void mm_request_read(lua_State *L, struct mm_request *r) {
  *r = (struct mm_request){.method = text_field(L, 2, "method"), .url = text_field(L, 2, "url")};
  if (!r->method) r->method = "GET";
  if (r->method[strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")] || !r->method[0])
    luaL_error(L, "method must be capital letters");
  if (!r->url) luaL_error(L, "url must be a string, got nil");
  r->connect_timeout = seconds_field(L, "connect_timeout");
  r->first_byte_timeout = seconds_field(L, "first_byte_timeout");
  r->idle_timeout = seconds_field(L, "idle_timeout");
  r->timeout = seconds_field(L, "timeout");
  r->http2 = flag_field(L, 2, "http2");
  r->proxy = text_field(L, 2, "proxy");
  r->no_proxy = text_field(L, 2, "no_proxy");
  r->resend = may_resend(L, r->method);
  read_tls(L, r);
  r->body = box_field(L, "body", MM_BODY);
  r->decoder = box_field(L, "decoder", MM_DECODER);
}

void mm_request_headers(lua_State *L, struct mm_exchange *x) {
  lua_getfield(L, 2, "headers");
  if (lua_isnil(L, -1)) return;
  if (!lua_istable(L, -1)) field_error(L, "headers", "a list");
  int n = (int)lua_rawlen(L, -1);
  for (int i = 1; i <= n; i++) {
    size_t len;
    lua_rawgeti(L, -1, i);
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "headers[%d] must be a string", i);
    const char *line = lua_tolstring(L, -1, &len);
    int rc = mm_exchange_header(x, line, len);
    if (rc == MM_ENOMEM) luaL_error(L, "not enough memory");
    if (rc != MM_OK) luaL_error(L, "headers[%d] is no header line that may be set", i);
    lua_pop(L, 1);
  }
}
