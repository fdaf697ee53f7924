/* sse.c - core.sse: strict server-sent events.   SPDX-License-Identifier: MIT */
#include "../core/sse_events.h"
#include "core.h"
#include "options.h"

#define MM_SSE_PARSER "multimodal.sse" /* struct mm_sse_events * */

#define MAX_EVENT (64.0 * 1024 * 1024)
#define MAX_EXACT 9007199254740992.0 /* 2^53 */

static int parser_new(lua_State *L) {
  static const char *const names[] = {"max_event", NULL};
  int options = mm_check_options(L, 1, names) ? 1 : 0;
  double max = mm_option_number(L, options, "max_event", MAX_EVENT, 1, MAX_EXACT);
  size_t max_event = max < (double)(SIZE_MAX / 2) ? (size_t)max : SIZE_MAX / 2;
  void **box = mm_box_new(L, MM_SSE_PARSER);
  struct mm_sse_events *p;
  int rc = mm_sse_events_new(max_event, &p);
  if (rc != MM_OK) return mm_push_status(L, "protocol", rc);
  *box = p;
  return 1;
}

static int parser_feed(lua_State *L) {
  struct mm_sse_events *p = mm_box_check(L, 1, MM_SSE_PARSER);
  size_t n;
  const char *bytes = luaL_checklstring(L, 2, &n);
  int rc = mm_sse_events_feed(p, bytes, n);
  if (rc == MM_EINVAL) return luaL_error(L, "feed after finish");
  if (rc != MM_OK) return mm_push_failure(L, "protocol", mm_sse_events_error(p));
  lua_pushboolean(L, 1);
  return 1;
}

static int parser_next(lua_State *L) {
  struct mm_sse_events *p = mm_box_check(L, 1, MM_SSE_PARSER);
  struct mm_sse_event event;
  if (!mm_sse_events_next(p, &event)) {
    lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, 0, 3);
  lua_pushlstring(L, event.type, event.type_n);
  lua_setfield(L, -2, "type");
  lua_pushlstring(L, event.data, event.data_n);
  lua_setfield(L, -2, "data");
  lua_pushlstring(L, event.id, event.id_n);
  lua_setfield(L, -2, "id");
  return 1;
}

static int parser_finish(lua_State *L) {
  mm_sse_events_finish(mm_box_check(L, 1, MM_SSE_PARSER));
  lua_pushboolean(L, 1);
  return 1;
}

static int parser_retry(lua_State *L) {
  uint64_t ms;
  if (mm_sse_events_retry(mm_box_check(L, 1, MM_SSE_PARSER), &ms))
    mm_pushint64(L, ms > INT64_MAX ? INT64_MAX : (int64_t)ms);
  else
    lua_pushnil(L);
  return 1;
}

static int parser_close(lua_State *L) {
  void **box = mm_box_self(L, MM_SSE_PARSER);
  mm_sse_events_free(*box);
  *box = NULL;
  return 0;
}

void mm_open_sse(lua_State *L) {
  static const luaL_Reg methods[] = {{"feed", parser_feed},
                                     {"next", parser_next},
                                     {"finish", parser_finish},
                                     {"retry", parser_retry},
                                     {NULL, NULL}};
  mm_box_class(L, MM_SSE_PARSER, methods, parser_close);
  lua_pushcfunction(L, parser_new);
  lua_setfield(L, -2, "sse");
}
