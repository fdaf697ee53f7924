/* module_core.c - multimodal.core: the module table, and what multimodal.net uses of it.
 *                                                           SPDX-License-Identifier: MIT */
#include "../core/api.h"
#include "core.h"

#define VERSION "scm-1"

static const struct mm_core_api api = {
    .abi = MM_CORE_ABI,
    .size = sizeof(struct mm_core_api),
    .error_size = sizeof(struct mm_error),
    .event_size = sizeof(struct mm_event),
    .alloc = mm_alloc,
    .status_text = mm_status_text,
    .body_ref = mm_body_ref,
    .body_unref = mm_body_unref,
    .body_length = mm_body_length,
    .body_open = mm_body_open,
    .body_read = mm_body_read,
    .body_close = mm_body_close,
    .decoder_ref = mm_decoder_ref,
    .decoder_unref = mm_decoder_unref,
    .decoder_head = mm_decoder_head,
    .decoder_feed = mm_decoder_feed,
    .decoder_finish = mm_decoder_finish,
    .decoder_next = mm_decoder_next,
    .decoder_pop = mm_decoder_pop,
    .decoder_text = mm_decoder_text,
    .decoder_ready = mm_decoder_ready,
    .decoder_seen = mm_decoder_seen,
    .decoder_begun = mm_decoder_begun,
    .decoder_error = mm_decoder_error,
};

static int live(lua_State *L) {
  lua_pushinteger(L, mm_live());
  return 1;
}

#ifdef MM_TEST_ALLOC
/* fail_after(n): let n more allocations of mm_alloc succeed, then fail all; negative: never fail.
 * Returns their count since the last call. */
static int fail_after(lua_State *L) {
  long after = (long)luaL_checkinteger(L, 1);
  lua_pushinteger(L, mm_alloc_count());
  mm_alloc_fail_after(after);
  return 1;
}
#endif

MM_EXPORT int luaopen_multimodal_core(lua_State *L);

MM_EXPORT int luaopen_multimodal_core(lua_State *L) {
  lua_pushlightuserdata(L, (void *)&api);
  lua_setfield(L, LUA_REGISTRYINDEX, MM_CORE_API_KEY);
  lua_newtable(L);
  mm_open_codec(L);
  mm_open_blob(L);
  mm_open_json(L);
  mm_open_scan(L);
  mm_open_body(L);
  mm_open_sse(L);
  mm_open_decoder(L);
  mm_open_file(L);
  mm_open_poll(L);
  lua_pushliteral(L, VERSION);
  lua_setfield(L, -2, "version");
  lua_pushcfunction(L, live);
  lua_setfield(L, -2, "live");
#ifdef MM_TEST_ALLOC
  lua_pushcfunction(L, fail_after);
  lua_setfield(L, -2, "fail_after");
#endif
  return 1;
}
