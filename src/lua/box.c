/* box.c - how C objects and C errors stand in Lua.   SPDX-License-Identifier: MIT */
#include "box.h"

#include <limits.h>

void mm_box_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close) {
  luaL_newmetatable(L, name);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, close, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__gc");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__close");
  lua_insert(L, -2);
  lua_newtable(L);
  for (; methods->name; methods++) {
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, methods->func, 1);
    lua_setfield(L, -2, methods->name);
  }
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "close");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 2);
}

void **mm_box_new(lua_State *L, const char *name) {
  void **box = mm_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_getmetatable(L, name);
  lua_setmetatable(L, -2);
  return box;
}

void *mm_box_test(lua_State *L, int i, const char *name) {
  void **box = mm_testudata(L, i, name);
  return box ? *box : NULL;
}

void *mm_box_check(lua_State *L, int i, const char *name) {
  void **box = luaL_checkudata(L, i, name);
  if (!*box) luaL_error(L, "%s is closed", strchr(name, '.') + 1);
  return *box;
}

void mm_box_weight(lua_State *L, uint64_t bytes) {
  uint64_t kib = bytes / 1024;
  if (kib) lua_gc(L, LUA_GCSTEP, kib > INT_MAX / 2 ? INT_MAX / 2 : (int)kib);
}

/* Comparing metatables costs a fifth of finding one by its name; comparing where they are, less. */
void **mm_box_self(lua_State *L, const char *name) {
  void **box = lua_touserdata(L, 1);
  if (!box || !lua_getmetatable(L, 1)) return luaL_checkudata(L, 1, name);
  bool same = lua_topointer(L, -1) == lua_topointer(L, lua_upvalueindex(1));
  lua_pop(L, 1);
  return same ? box : luaL_checkudata(L, 1, name);
}

void *mm_box_open(lua_State *L, const char *name) {
  void *object = *mm_box_self(L, name);
  if (!object) luaL_error(L, "%s is closed", strchr(name, '.') + 1);
  return object;
}

static const char *code_name(const struct mm_error *err) {
  switch (err->code) {
    case MM_EFILE: return mm_errno_name(err->os);
    case MM_ECHANGED: return "changed";
    case MM_ETOOBIG: return "too_large";
    case MM_ESYNTAX: return "syntax";
    case MM_EUTF8: return "utf8";
    case MM_EDEPTH: return "depth";
    default: return "invalid";
  }
}

static int error_text(lua_State *L) {
  lua_getfield(L, 1, "message");
  return 1;
}

static void push_error_class(lua_State *L) {
  if (!luaL_newmetatable(L, "multimodal.error")) return;
  lua_pushliteral(L, "multimodal.error");
  lua_setfield(L, -2, "__name");
  lua_pushcfunction(L, error_text);
  lua_setfield(L, -2, "__tostring");
}

void mm_push_error(lua_State *L, const char *kind, const struct mm_error *err) {
  if (err->code == MM_ENOMEM) luaL_error(L, "not enough memory");
  if (err->code == MM_EFILE || err->code == MM_ECHANGED) kind = "file";
  lua_createtable(L, 0, 4);
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, err->text[0] ? err->text : mm_status_text(err->code));
  lua_setfield(L, -2, "message");
  lua_pushstring(L, code_name(err));
  lua_setfield(L, -2, "code");
  push_error_class(L);
  lua_setmetatable(L, -2);
}

int mm_push_failure(lua_State *L, const char *kind, const struct mm_error *err) {
  lua_pushnil(L);
  mm_push_error(L, kind, err);
  return 2;
}

int mm_push_status(lua_State *L, const char *kind, int status) {
  struct mm_error err = {.code = status};
  return mm_push_failure(L, kind, &err);
}
