/* compat.h - one Lua API over 5.1, LuaJIT, 5.2, 5.3 and 5.4; the only place with version tests in
 * C. Not here: anything of ours.                              SPDX-License-Identifier: MIT */
#ifndef MM_LUA_COMPAT_H
#define MM_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define MM_EXPORT __attribute__((visibility("default")))
#else
#define MM_EXPORT
#endif

#if LUA_VERSION_NUM >= 504
#define mm_newuserdata(L, size) lua_newuserdatauv((L), (size), 1)
#define mm_getuservalue(L, i) lua_getiuservalue((L), (i), 1)
#define mm_setuservalue(L, i) lua_setiuservalue((L), (i), 1)
#else
#define mm_newuserdata(L, size) lua_newuserdata((L), (size))
#if LUA_VERSION_NUM >= 502
#define mm_getuservalue(L, i) lua_getuservalue((L), (i))
#define mm_setuservalue(L, i) lua_setuservalue((L), (i))
#else
#define mm_getuservalue(L, i) lua_getfenv((L), (i))
#define mm_setuservalue(L, i) lua_setfenv((L), (i))
#endif
#endif

#if LUA_VERSION_NUM < 502
#define lua_rawlen(L, i) lua_objlen((L), (i))
#define mm_absindex(L, i) ((i) > 0 || (i) <= LUA_REGISTRYINDEX ? (i) : lua_gettop(L) + (i) + 1)

static inline void *mm_testudata(lua_State *L, int i, const char *name) {
  void *ud = lua_touserdata(L, i);
  if (!ud || !lua_getmetatable(L, i)) return NULL;
  lua_getfield(L, LUA_REGISTRYINDEX, name);
  int same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? ud : NULL;
}

static inline void mm_setfuncs(lua_State *L, const luaL_Reg *list) {
  for (; list->name; list++) {
    lua_pushcfunction(L, list->func);
    lua_setfield(L, -2, list->name);
  }
}

static inline void mm_rawgetp(lua_State *L, int i, const void *key) {
  i = mm_absindex(L, i);
  lua_pushlightuserdata(L, (void *)(uintptr_t)key);
  lua_rawget(L, i);
}

static inline void mm_rawsetp(lua_State *L, int i, const void *key) {
  i = mm_absindex(L, i);
  lua_pushlightuserdata(L, (void *)(uintptr_t)key);
  lua_insert(L, -2);
  lua_rawset(L, i);
}
#else
#define mm_absindex(L, i) lua_absindex((L), (i))
#define mm_testudata(L, i, name) luaL_testudata((L), (i), (name))
#define mm_setfuncs(L, list) luaL_setfuncs((L), (list), 0)
#define mm_rawgetp(L, i, key) ((void)lua_rawgetp((L), (i), (key)))
#define mm_rawsetp(L, i, key) lua_rawsetp((L), (i), (key))
#endif

/* Whether numbers can be 64-bit integers; where not, floats hold every integer up to this one. */
#define MM_HAS_INTEGERS (LUA_VERSION_NUM >= 503)
#define MM_MAX_FLOAT_INTEGER INT64_C(9007199254740992)

/* True when the number at i is an integer; its value goes to *out. Floats with an integral value
 * count only where Lua has no integer type. */
static inline int mm_tointeger(lua_State *L, int i, int64_t *out) {
#if LUA_VERSION_NUM >= 503
  if (!lua_isinteger(L, i)) return 0;
  *out = (int64_t)lua_tointeger(L, i);
  return 1;
#else
  double d = lua_tonumber(L, i);
  if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0)) return 0;
  if (d != (double)(int64_t)d) return 0;
  *out = (int64_t)d;
  return 1;
#endif
}

/* Push an integer; as a float where it does not fit the number type. */
static inline void mm_pushint64(lua_State *L, int64_t value) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)value);
#else
  lua_pushnumber(L, (lua_Number)value);
#endif
}

#endif
