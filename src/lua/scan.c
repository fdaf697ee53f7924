/* scan.c - core.json_scan: JSON that is still growing.   SPDX-License-Identifier: MIT */
#include "../core/json_scan.h"
#include "core.h"

#define MM_SCAN "multimodal.json_scan" /* struct scan * */

enum { MAX_TEXT = 64 << 20 }; /* bytes, as max_event */

struct scan {
  struct mm_json_scan *json; /* owned */
  struct mm_buf closed;      /* boxed, for a push that raises */
};

static void scan_free(struct scan *s) {
  if (!s) return;
  mm_json_scan_free(s->json);
  mm_buf_free(&s->closed);
  mm_alloc(s, 0);
}

static int scan_new(lua_State *L) {
  void **box = mm_box_new(L, MM_SCAN);
  struct scan *s = mm_alloc(NULL, sizeof *s);
  if (!s) return mm_push_status(L, "protocol", MM_ENOMEM);
  *s = (struct scan){.json = NULL};
  mm_buf_init(&s->closed, SIZE_MAX);
  *box = s;
  int rc = mm_json_scan_new(MAX_TEXT, &s->json);
  return rc == MM_OK ? 1 : mm_push_status(L, "protocol", rc);
}

static int scan_feed(lua_State *L) {
  struct scan *s = mm_box_check(L, 1, MM_SCAN);
  size_t n;
  const char *text = luaL_checklstring(L, 2, &n);
  struct mm_error err;
  int rc = mm_json_scan_feed(s->json, text, n, &err);
  if (rc != MM_OK) return mm_push_failure(L, "protocol", &err);
  lua_pushboolean(L, 1);
  return 1;
}

static int scan_complete(lua_State *L) {
  struct scan *s = mm_box_check(L, 1, MM_SCAN);
  lua_pushboolean(L, mm_json_scan_complete(s->json));
  return 1;
}

static int scan_closed(lua_State *L) {
  struct scan *s = mm_box_check(L, 1, MM_SCAN);
  s->closed.len = 0;
  int rc = mm_json_scan_closed(s->json, &s->closed);
  if (rc != MM_OK) return mm_push_status(L, "protocol", rc);
  lua_pushlstring(L, s->closed.len ? s->closed.data : "", s->closed.len);
  mm_buf_free(&s->closed);
  return 1;
}

static int scan_close(lua_State *L) {
  void **box = mm_box_self(L, MM_SCAN);
  scan_free(*box);
  *box = NULL;
  return 0;
}

void mm_open_scan(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"feed", scan_feed}, {"complete", scan_complete}, {"closed", scan_closed}, {NULL, NULL}};
  mm_box_class(L, MM_SCAN, methods, scan_close);
  lua_pushcfunction(L, scan_new);
  lua_setfield(L, -2, "json_scan");
}
