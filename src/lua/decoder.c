/* decoder.c - core.decoder: response bodies as events in Lua.   SPDX-License-Identifier: MIT */
#include "../core/decoder.h"
#include "core.h"
#include "options.h"

#include <math.h>

/* ---- options ---- */

/* A size in bytes or characters; math.huge is no limit. */
static uint64_t size_option(lua_State *L, int options, const char *name, uint64_t otherwise) {
  double value = mm_option_number(L, options, name, (double)otherwise, 0, HUGE_VAL);
  return value < 9e15 ? (uint64_t)value : UINT64_MAX / 2;
}

static size_t memory_option(lua_State *L, int options, const char *name, size_t otherwise) {
  uint64_t value = size_option(L, options, name, otherwise);
  return value < SIZE_MAX / 2 ? (size_t)value : SIZE_MAX / 2;
}

static enum mm_format format_option(lua_State *L, int options) {
  enum mm_format format = MM_FORMAT_AUTO;
  lua_getfield(L, options, "format");
  if (!lua_isnil(L, -1) && !mm_format_named(luaL_checkstring(L, -1), &format))
    luaL_argerror(L, options, lua_pushfstring(L, "unknown format '%s'", lua_tostring(L, -1)));
  lua_pop(L, 1);
  return format;
}

/* The list of names text[name], as an array on the stack; the strings stay in a copy of the list
 * beneath it. */
static const char **push_names(lua_State *L, int text, const char *name, size_t *n) {
  *n = 0;
  lua_getfield(L, text, name);
  if (lua_isnil(L, -1)) return NULL;
  luaL_checktype(L, -1, LUA_TTABLE);
  int from = lua_gettop(L);
  *n = lua_rawlen(L, from);
  lua_createtable(L, (int)*n, 0);
  const char **names = mm_newuserdata(L, (*n + 1) * sizeof *names);
  for (size_t i = 0; i < *n; i++) {
    lua_rawgeti(L, from, (int)i + 1);
    names[i] = lua_tostring(L, -1);
    if (!names[i]) luaL_error(L, "text.%s[%d]: expected string", name, (int)i + 1);
    lua_rawseti(L, from + 1, (int)i + 1);
  }
  return names;
}

static void text_option(lua_State *L, int options, struct mm_text_path *text) {
  static const char *const names[] = {"path", "ignore", "same", NULL};
  lua_getfield(L, options, "text");
  int at = lua_gettop(L);
  if (!mm_check_options(L, at, names)) return;
  luaL_checkstack(L, 12, "text");
  text->path = push_names(L, at, "path", &text->path_n);
  text->ignore = push_names(L, at, "ignore", &text->ignore_n);
  text->same = push_names(L, at, "same", &text->same_n);
}

static void read_options(lua_State *L, struct mm_decoder_options *o) {
  static const char *const names[] = {"format",     "lenient", "max_event", "max_media",
                                      "lift_above", "memory",  "text",      NULL};
  mm_decoder_defaults(o);
  if (!mm_check_options(L, 1, names)) return;
  o->format = format_option(L, 1);
  o->lenient = mm_option_flag(L, 1, "lenient", o->lenient);
  o->max_event = memory_option(L, 1, "max_event", o->max_event);
  o->max_media = size_option(L, 1, "max_media", o->max_media);
  o->lift_above = memory_option(L, 1, "lift_above", o->lift_above);
  o->memory = memory_option(L, 1, "memory", o->memory);
  text_option(L, 1, &o->text);
}

static int decoder_new(lua_State *L) {
  struct mm_decoder_options options;
  struct mm_decoder *d;
  read_options(L, &options);
  void **box = mm_box_new(L, MM_DECODER);
  if (mm_decoder_new(&options, &d) != MM_OK) return luaL_error(L, "not enough memory");
  *box = d;
  return 1;
}

/* ---- methods ---- */

static struct mm_decoder *check_decoder(lua_State *L) {
  return mm_box_open(L, MM_DECODER);
}

static int decoder_head(lua_State *L) {
  struct mm_decoder *d = check_decoder(L);
  double status = luaL_checknumber(L, 2);
  luaL_argcheck(L, status >= 0 && status <= 999, 2, "expected an HTTP status");
  const char *type = luaL_optstring(L, 3, NULL);
  lua_pushstring(L, mm_format_name(mm_decoder_head(d, (int)status, type)));
  return 1;
}

static int decoder_format(lua_State *L) {
  lua_pushstring(L, mm_format_name(mm_decoder_format(check_decoder(L))));
  return 1;
}

static int push_result(lua_State *L, const struct mm_decoder *d, int rc) {
  if (rc == MM_EINVAL) return luaL_error(L, "feed after finish");
  if (rc != MM_OK) return mm_push_failure(L, "protocol", mm_decoder_error(d));
  lua_pushboolean(L, 1);
  return 1;
}

/* Take the decoder at 1 out of its box, so that a finalizer, which a full disk may call, cannot
 * close it meanwhile. */
static void begin_feeding(lua_State *L) {
  void **box = lua_touserdata(L, 1);
  mm_decoder_set_relief(*box, mm_collect, L);
  *box = NULL;
}

static int end_feeding(lua_State *L, struct mm_decoder *d, int rc) {
  *(void **)lua_touserdata(L, 1) = d;
  mm_decoder_set_relief(d, NULL, NULL);
  return push_result(L, d, rc);
}

static int decoder_feed(lua_State *L) {
  size_t n;
  struct mm_decoder *d = check_decoder(L);
  const char *bytes = luaL_checklstring(L, 2, &n);
  begin_feeding(L);
  return end_feeding(L, d, mm_decoder_feed(d, bytes, n));
}

static int decoder_finish(lua_State *L) {
  struct mm_decoder *d = check_decoder(L);
  begin_feeding(L);
  return end_feeding(L, d, mm_decoder_finish(d));
}

static void set_text(lua_State *L, const char *name, const char *text, size_t n) {
  lua_pushlstring(L, text, n);
  lua_setfield(L, -2, name);
}

/* The decoder holds the media until its event is popped, so a box takes a reference of its own once
 * it exists, and nothing is lost when Lua runs out of memory on the way. */
static uint64_t set_media(lua_State *L, const struct mm_event *e) {
  uint64_t weight = 0;
  lua_createtable(L, (int)e->media_n, 0);
  for (size_t i = 0; i < e->media_n; i++) {
    void **box = mm_box_new(L, MM_BLOB);
    *box = mm_blob_ref(e->media[i]);
    weight += mm_blob_weight(e->media[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "media");
  return weight;
}

static uint64_t push_event(lua_State *L, const struct mm_event *e) {
  lua_createtable(L, 0, e->media_n ? 4 : 3);
  set_text(L, "type", e->type, e->type_n);
  set_text(L, "data", e->data, e->data_n);
  set_text(L, "id", e->id, e->id_n);
  return e->media_n ? set_media(L, e) : 0;
}

/* nil at the end, and while there is nothing yet; nil, err once the decoder failed. */
static int push_none(lua_State *L, const struct mm_decoder *d, int rc) {
  if (rc == MM_ENOMEM) return luaL_error(L, "not enough memory");
  if (rc < 0) return mm_push_failure(L, "protocol", mm_decoder_error(d));
  lua_pushnil(L);
  return 1;
}

static int decoder_next(lua_State *L) {
  struct mm_event event;
  struct mm_decoder *d = check_decoder(L);
  int rc = mm_decoder_next(d, &event);
  if (rc != MM_OK) return push_none(L, d, rc);
  uint64_t weight = push_event(L, &event);
  mm_decoder_pop(d);
  mm_box_weight(L, weight);
  return 1;
}

static int decoder_next_text(lua_State *L) {
  const char *text;
  size_t n;
  struct mm_decoder *d = check_decoder(L);
  int rc = mm_decoder_text(d, &text, &n);
  if (rc == MM_OK) {
    lua_pushlstring(L, text, n);
    mm_decoder_pop(d);
    return 1;
  }
  if (rc != MM_EINVAL && (rc != MM_MORE || mm_decoder_finished(d))) return push_none(L, d, rc);
  lua_pushnil(L);
  lua_pushstring(L, rc == MM_EINVAL ? "event" : "again");
  return 2;
}

static int decoder_close(lua_State *L) {
  void **box = mm_box_self(L, MM_DECODER);
  struct mm_decoder *d = *box;
  *box = NULL;
  mm_decoder_unref(d);
  return 0;
}

void mm_open_decoder(lua_State *L) {
  static const luaL_Reg methods[] = {{"head", decoder_head},
                                     {"format", decoder_format},
                                     {"feed", decoder_feed},
                                     {"next", decoder_next},
                                     {"next_text", decoder_next_text},
                                     {"finish", decoder_finish},
                                     {NULL, NULL}};
  mm_box_class(L, MM_DECODER, methods, decoder_close);
  lua_pushcfunction(L, decoder_new);
  lua_setfield(L, -2, "decoder");
}
