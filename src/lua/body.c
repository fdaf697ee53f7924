/* body.c - core.body, core.body_raw, and bodies in Lua.   SPDX-License-Identifier: MIT */
#include "json.h"

/* A body's box also holds what reads it and what it was built with. Others see its first member
 * alone, through mm_box_check. */
struct body_box {
  void *body;                    /* struct mm_body *, NULL when closed */
  struct mm_body_reader *reader; /* opened with the first read */
  struct mm_buf keys;            /* of the tables being written */
};

static int raise(lua_State *L, int rc, const char *what) {
  return luaL_error(L, "%s", rc == MM_ENOMEM ? "not enough memory" : what);
}

static int close_box(lua_State *L) {
  struct body_box *box = (void *)mm_box_self(L, MM_BODY);
  struct mm_body *body = box->body;
  mm_body_close(box->reader);
  box->reader = NULL;
  box->body = NULL;
  mm_body_unref(body);
  mm_buf_free(&box->keys);
  return 0;
}

/* Push a box with an unsealed body. */
static struct body_box *push_box(lua_State *L) {
  struct mm_body *body = NULL;
  struct body_box *box = mm_newuserdata(L, sizeof *box);
  *box = (struct body_box){.body = NULL};
  mm_buf_init(&box->keys, SIZE_MAX);
  luaL_getmetatable(L, MM_BODY);
  lua_setmetatable(L, -2);
  if (mm_body_new(&body) != MM_OK) luaL_error(L, "not enough memory");
  box->body = body;
  return box;
}

/* Seal the body of the box at the top of the stack, unless rc is an error already. Returns what the
 * Lua function returns. */
static int finish_box(lua_State *L, struct body_box *box, int rc, struct mm_error *err) {
  mm_buf_free(&box->keys);
  if (rc == MM_OK) {
    rc = mm_body_seal(box->body);
    if (rc != MM_OK) mm_fail(err, rc, "body is too long");
  }
  if (rc != MM_OK) {
    mm_body_unref(box->body);
    box->body = NULL;
    return mm_push_failure(L, "bad_request", err);
  }
  mm_box_weight(L, mm_body_text(box->body)->len);
  return 1;
}

/* ---- reading ---- */

static struct mm_body_reader *reader_of(lua_State *L, struct body_box *box) {
  if (!box->reader && mm_body_open(box->body, &box->reader) != MM_OK) {
    luaL_error(L, "not enough memory");
  }
  return box->reader;
}

/* Push n bytes from offset as a string; there are as many. */
static int push_bytes(lua_State *L, struct body_box *box, uint64_t offset, size_t n,
                      struct mm_error *err) {
  size_t got;
  struct mm_body_reader *reader = reader_of(L, box);
  char *room = mm_newuserdata(L, n + 1);
  int rc = mm_body_read(reader, offset, room, n, &got, err);
  bool again = rc != MM_OK && mm_collect_for(L, err) && box->reader == reader;
  if (again) rc = mm_body_read(reader, offset, room, n, &got, err);
  if (rc == MM_OK) lua_pushlstring(L, room, got);
  return rc;
}

static struct body_box *check_box(lua_State *L) {
  mm_box_check(L, 1, MM_BODY);
  return lua_touserdata(L, 1);
}

static uint64_t check_count(lua_State *L, int i) {
  lua_Number value = luaL_checknumber(L, i);
  luaL_argcheck(L, value >= 0 && value <= (lua_Number)MM_MAX_FLOAT_INTEGER, i, "out of range");
  return (uint64_t)value;
}

static int length(lua_State *L) {
  struct body_box *box = check_box(L);
  mm_pushint64(L, (int64_t)mm_body_length(box->body));
  return 1;
}

/* body:read(offset, n) -> up to n bytes from offset on, "" at the end | nil, err */
static int read_body(lua_State *L) {
  struct mm_error err;
  struct body_box *box = check_box(L);
  uint64_t offset = check_count(L, 2);
  uint64_t n = check_count(L, 3);
  uint64_t whole = mm_body_length(box->body);
  uint64_t rest = offset < whole ? whole - offset : 0;
  if (n > rest) n = rest;
  luaL_argcheck(L, n < SIZE_MAX / 2, 3, "out of range");
  int rc = push_bytes(L, box, offset, (size_t)n, &err);
  return rc == MM_OK ? 1 : mm_push_failure(L, "file", &err);
}

static int push_whole(lua_State *L, struct body_box *box) {
  struct mm_error err;
  uint64_t n = mm_body_length(box->body);
  if (n >= SIZE_MAX / 2) return luaL_error(L, "body is too long for a string");
  int rc = push_bytes(L, box, 0, (size_t)n, &err);
  mm_body_close(box->reader);
  box->reader = NULL;
  return rc == MM_OK ? 1 : raise(L, rc, err.text);
}

static int body_tostring(lua_State *L) {
  struct body_box *box = luaL_checkudata(L, 1, MM_BODY);
  if (box->body) return push_whole(L, box);
  lua_pushliteral(L, MM_BODY " (closed)");
  return 1;
}

/* ---- building ---- */

/* core.body(value) -> body | nil, err; its upvalues are the classes. */
static int new_body(lua_State *L) {
  struct mm_error err;
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  struct body_box *box = push_box(L);
  lua_pushvalue(L, 1);
  int rc = mm_json_encode(L, box->body, &box->keys, &err);
  lua_settop(L, 2);
  return finish_box(L, box, rc, &err);
}

static uint64_t range_field(lua_State *L, int i, uint64_t other) {
  lua_rawgeti(L, -1, i);
  lua_Number value = lua_isnil(L, -1) ? (lua_Number)other : lua_tonumber(L, -1);
  bool count = lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TNUMBER && value >= 0 &&
                                    value <= (lua_Number)MM_MAX_FLOAT_INTEGER);
  lua_pop(L, 1);
  if (!count) luaL_argerror(L, 1, "a range is {blob, offset, n}");
  return (uint64_t)value;
}

/* The segment {blob, offset, n} at the top of the stack. */
static int add_range(lua_State *L, struct mm_body *body) {
  lua_rawgeti(L, -1, 1);
  struct mm_blob *blob = mm_box_test(L, -1, MM_BLOB);
  lua_pop(L, 1);
  if (!blob) luaL_argerror(L, 1, "a range is {blob, offset, n}");
  uint64_t offset = range_field(L, 2, 0);
  uint64_t size = mm_blob_size(blob);
  uint64_t n = range_field(L, 3, offset < size ? size - offset : 0);
  int rc = mm_body_blob(body, blob, offset, n);
  if (rc == MM_EINVAL) luaL_argerror(L, 1, "a range outside its blob");
  return rc;
}

/* Text, a blob or a range at the top of the stack. */
static int add_segment(lua_State *L, struct mm_body *body) {
  if (lua_type(L, -1) == LUA_TSTRING) {
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
    return mm_buf_append(mm_body_text(body), text, n);
  }
  if (lua_istable(L, -1)) return add_range(L, body);
  struct mm_blob *blob = mm_box_test(L, -1, MM_BLOB);
  if (!blob) return luaL_argerror(L, 1, "expected strings, blobs and {blob, offset, n}");
  return mm_body_blob(body, blob, 0, mm_blob_size(blob));
}

/* core.body_raw { "text", blob, {blob, offset, n} } -> body */
static int new_raw_body(lua_State *L) {
  struct mm_error err = {.code = MM_OK};
  int rc = MM_OK;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct body_box *box = push_box(L);
  int n = (int)lua_rawlen(L, 1);
  for (int i = 1; rc == MM_OK && i <= n; i++) {
    lua_rawgeti(L, 1, i);
    rc = add_segment(L, box->body);
    lua_pop(L, 1);
  }
  err.code = rc;
  return finish_box(L, box, rc, &err);
}

/* One piece of a string with media amid text, as the sender had written it. */
static int add_piece(lua_State *L, struct mm_body *body) {
  bool padded = true;
  if (lua_type(L, -1) == LUA_TSTRING) return add_segment(L, body);
  struct mm_blob *blob = mm_box_test(L, -1, MM_BLOB);
  if (!blob) return luaL_error(L, "a blob of this text is closed");
  const char *prefix = mm_blob_prefix(blob, &padded);
  int rc = prefix ? mm_buf_append(mm_body_text(body), prefix, strlen(prefix)) : MM_OK;
  return rc == MM_OK ? mm_body_base64(body, blob, padded) : rc;
}

int mm_mixed_text(lua_State *L) {
  int rc = MM_OK;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct body_box *box = push_box(L);
  int n = (int)lua_rawlen(L, 1);
  for (int i = 1; rc == MM_OK && i <= n; i++) {
    lua_rawgeti(L, 1, i);
    rc = add_piece(L, box->body);
    lua_pop(L, 1);
  }
  if (rc == MM_OK) rc = mm_body_seal(box->body);
  if (rc != MM_OK) return raise(L, rc, mm_status_text(rc));
  push_whole(L, box);
  mm_body_unref(box->body);
  box->body = NULL;
  return 1;
}

void mm_open_body(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"length", length},
      {"read", read_body},
      {NULL, NULL},
  };
  mm_box_class(L, MM_BODY, methods, close_box);
  luaL_getmetatable(L, MM_BODY);
  lua_pushcfunction(L, body_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  lua_pushcclosure(L, new_body, mm_push_json_classes(L));
  lua_setfield(L, -2, "body");
  lua_pushcfunction(L, new_raw_body);
  lua_setfield(L, -2, "body_raw");
}
