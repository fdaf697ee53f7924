/* codec.c - base64, media types and data URLs for Lua.
 * In: strings. Out: strings.
 * Not here: blobs, which encode themselves piece by piece.   SPDX-License-Identifier: MIT */
#include "../core/base64.h"
#include "../core/buf.h"
#include "../core/dataurl.h"
#include "../core/mime.h"
#include "core.h"

/* Memory that a call needs beside its result: boxed, so that an error of Lua's frees it, and freed
 * by hand at the end of the call, as the collector would let it pile up. */
#define SCRATCH "multimodal.scratch"

static int close_scratch(lua_State *L) {
  void **box = mm_box_self(L, SCRATCH);
  mm_alloc(*box, 0);
  *box = NULL;
  return 0;
}

/* A box with n > 0 bytes; with NULL when there is no memory. */
static void **scratch(lua_State *L, size_t n) {
  void **box = mm_box_new(L, SCRATCH);
  *box = mm_alloc(NULL, n);
  return box;
}

/* Push n bytes of the scratch memory as a string and give the memory back. */
static void push_scratch(lua_State *L, void **box, size_t n) {
  lua_pushlstring(L, *box, n);
  mm_alloc(*box, 0);
  *box = NULL;
}

/* prefix .. base64 of n bytes. */
static int push_base64(lua_State *L, const char *prefix, size_t prefix_n, const char *bytes,
                       size_t n) {
  uint64_t length = mm_base64_length(n);
  if (length >= SIZE_MAX - prefix_n) return luaL_error(L, "not enough memory");
  void **box = scratch(L, prefix_n + (size_t)length + 1);
  if (!*box) return luaL_error(L, "not enough memory");
  memcpy(*box, prefix, prefix_n);
  mm_base64_encode(bytes, n, (char *)*box + prefix_n);
  push_scratch(L, box, prefix_n + (size_t)length);
  return 1;
}

static int base64_encode(lua_State *L) {
  size_t n;
  const char *bytes = luaL_checklstring(L, 1, &n);
  return push_base64(L, "", 0, bytes, n);
}

static int base64_decode(lua_State *L) {
  size_t n, out_n;
  const char *text = luaL_checklstring(L, 1, &n);
  void **box = scratch(L, n / 4 * 3 + 3);
  if (!*box) return luaL_error(L, "not enough memory");
  struct mm_error err = {0};
  if (mm_base64_decode(text, n, *box, &out_n, &err) != MM_OK)
    return mm_push_failure(L, "bad_request", &err);
  push_scratch(L, box, out_n);
  return 1;
}

static int mime_sniff(lua_State *L) {
  size_t n;
  const char *bytes = luaL_checklstring(L, 1, &n);
  lua_pushstring(L, mm_mime_sniff(bytes, n));
  return 1;
}

static int mime_from_path(lua_State *L) {
  size_t n;
  const char *path = luaL_checklstring(L, 1, &n);
  luaL_argcheck(L, strlen(path) == n, 1, "path contains NUL");
  lua_pushstring(L, mm_mime_from_path(path));
  return 1;
}

static int data_url(lua_State *L) {
  size_t mime_n, n;
  const char *mime = luaL_checklstring(L, 1, &mime_n);
  const char *bytes = luaL_checklstring(L, 2, &n);
  char type[128];
  if (!mm_mime_normalise(mime, mime_n, type, sizeof type))
    return luaL_argerror(L, 1, "expected a media type such as \"image/png\"");
  const char *prefix = lua_pushfstring(L, "data:%s;base64,", type);
  return push_base64(L, prefix, strlen(prefix), bytes, n);
}

static int refuse_url(lua_State *L, const char *why) {
  struct mm_error err = {0};
  mm_fail(&err, MM_ESYNTAX, "data URL: %s", why);
  return mm_push_failure(L, "bad_request", &err);
}

static int data_url_parse(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  struct mm_dataurl url;
  int rc = mm_dataurl_head(text, n, &url);
  if (rc == MM_MORE) return refuse_url(L, "no comma");
  if (rc != MM_OK) return refuse_url(L, "does not begin with data:type/subtype");
  struct mm_buf out;
  mm_buf_init(&out, SIZE_MAX);
  struct mm_error err = {0};
  void **box = mm_box_new(L, SCRATCH);
  rc = mm_dataurl_decode(text, n, &url, &out, &err);
  *box = out.data;
  if (rc != MM_OK) return mm_push_failure(L, "bad_request", &err);
  lua_pushstring(L, url.mime);
  push_scratch(L, box, out.len);
  return 2;
}

void mm_open_codec(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"base64_encode", base64_encode},
      {"base64_decode", base64_decode},
      {"mime_sniff", mime_sniff},
      {"mime_from_path", mime_from_path},
      {"data_url", data_url},
      {"data_url_parse", data_url_parse},
      {NULL, NULL},
  };
  mm_box_class(L, SCRATCH, none, close_scratch);
  mm_setfuncs(L, functions);
}
