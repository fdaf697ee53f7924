/* options.c - arguments that C functions of the core take from Lua.   SPDX-License-Identifier: MIT
 */
#include "options.h"

const char *mm_check_path(lua_State *L, int i) {
  size_t n;
  const char *path = luaL_checklstring(L, i, &n);
  if (strlen(path) != n) luaL_argerror(L, i, "path contains NUL");
  return path;
}

static bool is_known(const char *name, const char *const *names) {
  for (; *names; names++)
    if (strcmp(*names, name) == 0) return true;
  return false;
}

bool mm_check_options(lua_State *L, int i, const char *const *names) {
  if (lua_isnoneornil(L, i)) return false;
  luaL_checktype(L, i, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
    bool text = lua_type(L, -2) == LUA_TSTRING; /* tostring on another key would confuse next */
    const char *name = text ? lua_tostring(L, -2) : luaL_typename(L, -2);
    if (!text || !is_known(name, names))
      luaL_argerror(L, i, lua_pushfstring(L, "unknown option '%s'", name));
  }
  return true;
}

bool mm_option_flag(lua_State *L, int i, const char *name, bool otherwise) {
  if (!i) return otherwise;
  lua_getfield(L, i, name);
  bool value = lua_isnil(L, -1) ? otherwise : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

double mm_option_number(lua_State *L, int i, const char *name, double otherwise, double low,
                        double high) {
  if (!i) return otherwise;
  lua_getfield(L, i, name);
  double value = otherwise;
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      luaL_argerror(L, i,
                    lua_pushfstring(L, "%s: expected number, got %s", name, luaL_typename(L, -1)));
    value = lua_tonumber(L, -1);
    if (!(value >= low && value <= high))
      luaL_argerror(L, i, lua_pushfstring(L, "%s: out of range", name));
  }
  lua_pop(L, 1);
  return value;
}
