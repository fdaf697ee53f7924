/* json.c - the words of JSON in Lua: array, null, raw, media in place.
 *                                                           SPDX-License-Identifier: MIT */
#include "../core/mime.h"
#include "json.h"

static const char *const class_names[MM_CLASSES] = {
    [MM_CLASS_ARRAY] = MM_ARRAY,
    [MM_CLASS_MIXED] = MM_MIXED,
    [MM_CLASS_RAW] = MM_RAW,
    [MM_CLASS_BASE64_OF] = MM_BASE64_OF,
    [MM_CLASS_DATA_URL_OF] = MM_DATA_URL_OF,
};

int mm_push_json_classes(lua_State *L) {
  for (int i = MM_CLASS_ARRAY; i < MM_CLASSES; i++)
    luaL_getmetatable(L, class_names[i]);
  return MM_CLASSES - MM_CLASS_ARRAY;
}

static void make_class(lua_State *L, const char *name, lua_CFunction tostring) {
  luaL_newmetatable(L, name);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  if (tostring) {
    lua_pushcfunction(L, tostring);
    lua_setfield(L, -2, "__tostring");
  }
  lua_pop(L, 1);
}

static int array(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_getmetatable(L, MM_ARRAY);
  lua_setmetatable(L, 1);
  return 1;
}

void mm_push_raw(lua_State *L, const char *text, size_t n, int meta) {
  lua_createtable(L, 1, 0);
  lua_pushlstring(L, text, n);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, meta);
  lua_setmetatable(L, -2);
}

static int raw(lua_State *L) {
  size_t n;
  struct mm_error err;
  const char *text = luaL_checklstring(L, 1, &n);
  if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    return luaL_argerror(L, 1, "not JSON at byte 1: begins with a byte order mark");
  }
  if (mm_json_check(L, text, n, &err) != MM_OK) {
    lua_pushfstring(L, "not JSON at byte %d: %s", (int)(err.at + 1), err.text);
    return luaL_argerror(L, 1, lua_tostring(L, -1));
  }
  luaL_getmetatable(L, MM_RAW);
  mm_push_raw(L, text, n, lua_gettop(L));
  return 1;
}

static int raw_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_rawgeti(L, 1, 1);
  return 1;
}

/* The table {blob} with a class: user values hold tables only before Lua 5.3. */
static int mark(lua_State *L, const char *class) {
  mm_box_check(L, 1, MM_BLOB);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  luaL_getmetatable(L, class);
  lua_setmetatable(L, -2);
  return 1;
}

static int base64_of(lua_State *L) {
  return mark(L, MM_BASE64_OF);
}

static int data_url_of(lua_State *L) {
  size_t n;
  char type[128];
  const char *mime = luaL_optlstring(L, 2, NULL, &n);
  if (mime && !mm_mime_normalise(mime, n, type, sizeof type))
    return luaL_argerror(L, 2, "expected a media type such as \"image/png\"");
  mark(L, MM_DATA_URL_OF);
  if (!mime) return 1;
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, 2);
  return 1;
}

void mm_open_json(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"array", array}, {"raw", raw}, {"base64_of", base64_of}, {"data_url_of", data_url_of},
      {NULL, NULL},
  };
  make_class(L, MM_ARRAY, NULL);
  make_class(L, MM_MIXED, mm_mixed_text);
  make_class(L, MM_RAW, raw_tostring);
  make_class(L, MM_BASE64_OF, NULL);
  make_class(L, MM_DATA_URL_OF, NULL);
  mm_open_json_decode(L);
  mm_setfuncs(L, functions);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_pushcclosure(L, mm_json_decode, mm_push_json_classes(L));
  lua_setfield(L, -2, "json_decode");
}
