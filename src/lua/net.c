/* net.c - multimodal.net: engines and exchanges in Lua.
 * In: option tables, bodies and decoders of multimodal.core. Out: heads, events, text, errors.
 * Not here: waiting of coroutines; pop hands out the ids of exchanges that have news.
 *                                                          SPDX-License-Identifier: MIT */
#include "../net/net.h"
#include "../net/head.h"
#include "core.h"
#include "net_request.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

#define MM_ENGINE "multimodal.engine"     /* struct mm_engine * */
#define MM_EXCHANGE "multimodal.exchange" /* struct mm_exchange *; user value {decoder} */

MM_EXPORT int luaopen_multimodal_net(lua_State *L);

/* What a running exchange weighs outside the Lua heap, about: libcurl's handle and buffers. The
 * collector hears of it only once there are many, since whoever closes them has nothing to collect.
 */
enum { EXCHANGE_WEIGHT = 16 * 1024, EXCHANGES_FEW = 64 };

/* Push the error table of a failure: as core's errors, with `maybe_accepted`. */
static void push_failure(lua_State *L, const struct mm_failure *f) {
  if (f->core.code != MM_OK) {
    mm_push_error(L, f->kind, &f->core);
  } else {
    lua_createtable(L, 0, 4);
    lua_pushstring(L, f->kind);
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, f->message);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, f->code);
    lua_setfield(L, -2, "code");
    luaL_newmetatable(L, "multimodal.error");
    lua_setmetatable(L, -2);
  }
  lua_pushboolean(L, f->sent);
  lua_setfield(L, -2, "maybe_accepted");
}

/* The results of a take that brought nothing: nil | nil, "again" | nil, err. */
static int push_nothing(lua_State *L, const struct mm_exchange *x, enum mm_take take) {
  lua_pushnil(L);
  if (take == MM_TAKE_END) return 1;
  if (take == MM_TAKE_FAILED)
    push_failure(L, mm_exchange_failure(x));
  else
    lua_pushstring(L, take == MM_TAKE_OTHER ? "event" : "again");
  return 2;
}

/* The exchange at 1, or NULL when it was closed. */
static struct mm_exchange *check_exchange(lua_State *L) {
  return *mm_box_self(L, MM_EXCHANGE);
}

static int push_closed(lua_State *L) {
  static const struct mm_failure closed = {
      .kind = "cancelled", .code = "cancelled", .message = "the exchange was closed"};
  lua_pushnil(L);
  push_failure(L, &closed);
  return 2;
}

static int exchange_id(lua_State *L) {
  const struct mm_exchange *x = mm_box_open(L, MM_EXCHANGE);
  mm_pushint64(L, (int64_t)mm_exchange_id(x));
  return 1;
}

static void push_headers(lua_State *L, const struct mm_head *head) {
  const char *name, *value;
  lua_createtable(L, 0, head->count);
  for (size_t at = 0; mm_head_pair(head, &at, &name, &value);) {
    lua_getfield(L, -1, name);
    if (lua_isnil(L, -1))
      lua_pushstring(L, value);
    else
      lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), value);
    lua_setfield(L, -3, name);
    lua_pop(L, 1);
  }
}

static int exchange_head(lua_State *L) {
  const struct mm_head *head;
  const struct mm_exchange *x = check_exchange(L);
  if (!x) return push_closed(L);
  enum mm_take take = mm_exchange_head(x, &head);
  if (take != MM_TAKE_READY) return push_nothing(L, x, take);
  lua_pushinteger(L, head->status);
  push_headers(L, head);
  return 2;
}

/* The table of an event is made by the decoder's own `next`, upvalue 2, which boxes its media. */
static int exchange_next(lua_State *L) {
  struct mm_exchange *x = check_exchange(L);
  if (!x) return push_closed(L);
  enum mm_take take = mm_exchange_event(x);
  if (take != MM_TAKE_READY) return push_nothing(L, x, take);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(2));
  mm_getuservalue(L, 1);
  lua_rawgeti(L, -1, 1);
  lua_remove(L, -2);
  lua_call(L, 1, LUA_MULTRET);
  mm_exchange_took(x);
  return lua_gettop(L) - 1;
}

static int exchange_next_text(lua_State *L) {
  const char *text;
  size_t n;
  struct mm_exchange *x = check_exchange(L);
  if (!x) return push_closed(L);
  enum mm_take take = mm_exchange_text(x, &text, &n);
  if (take != MM_TAKE_READY) return push_nothing(L, x, take);
  lua_pushlstring(L, text, n);
  mm_exchange_text_took(x);
  return 1;
}

static int exchange_progress(lua_State *L) {
  uint64_t sent, received;
  const struct mm_exchange *x = mm_box_open(L, MM_EXCHANGE);
  mm_exchange_progress(x, &sent, &received);
  mm_pushint64(L, (int64_t)sent);
  mm_pushint64(L, (int64_t)received);
  return 2;
}

static void set_seconds(lua_State *L, const char *name, double seconds) {
  if (seconds <= 0) return;
  lua_pushnumber(L, seconds);
  lua_setfield(L, -2, name);
}

static int exchange_timing(lua_State *L) {
  struct mm_timing t;
  const struct mm_exchange *x = mm_box_open(L, MM_EXCHANGE);
  mm_exchange_timing(x, &t);
  lua_createtable(L, 0, 7);
  set_seconds(L, "queued", t.queued);
  set_seconds(L, "dns", t.dns);
  set_seconds(L, "connect", t.connect);
  set_seconds(L, "tls", t.tls);
  set_seconds(L, "sent", t.sent);
  set_seconds(L, "first_byte", t.first_byte);
  set_seconds(L, "total", t.total);
  return 1;
}

static int exchange_close(lua_State *L) {
  void **box = mm_box_self(L, MM_EXCHANGE);
  struct mm_exchange *x = *box;
  *box = NULL;
  mm_exchange_free(x);
  return 0;
}

static int exchange_leave(lua_State *L) {
  void **box = mm_box_self(L, MM_EXCHANGE);
  struct mm_exchange *x = *box;
  *box = NULL;
  mm_exchange_leave(x);
  return 0;
}

/* Push a box for the exchange, the decoder (or nil) at `decoder` anchored to it. */
static void **new_box(lua_State *L, int decoder) {
  void **box = mm_box_new(L, MM_EXCHANGE);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, decoder);
  lua_rawseti(L, -2, 1);
  mm_setuservalue(L, -2);
  return box;
}

static int push_refused(lua_State *L) {
  struct mm_error err;
  mm_fail(&err, MM_EINVAL, "this libcurl refuses an option of the request");
  return mm_push_failure(L, "unsupported", &err);
}

static int engine_start(lua_State *L) {
  struct mm_engine *e = mm_box_open(L, MM_ENGINE);
  struct mm_request request;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, 32, "options");
  mm_request_read(L, &request);
  void **box = new_box(L, lua_gettop(L));
  int at = lua_gettop(L);
  struct mm_exchange *x;
  if (mm_exchange_new(e, &x) != MM_OK) return luaL_error(L, "not enough memory");
  *box = x;
  mm_request_headers(L, x);
  if (mm_net_live() > EXCHANGES_FEW) mm_box_weight(L, EXCHANGE_WEIGHT);
  int rc = mm_exchange_start(x, &request);
  if (rc != MM_OK) {
    *box = NULL;
    mm_exchange_free(x);
    if (rc == MM_EINVAL) return push_refused(L);
    return luaL_error(L, "not enough memory");
  }
  lua_settop(L, at);
  return 1;
}

/* What the lua program does on SIGINT is to set a hook: a step that waits makes room for it. */
struct watch_hook {
  lua_State *L;
  lua_Hook hook;
};

static bool hook_changed(void *user) {
  const struct watch_hook *watch = user;
  return lua_gethook(watch->L) != watch->hook;
}

static int engine_step(lua_State *L) {
  struct mm_engine *e = mm_box_open(L, MM_ENGINE);
  struct watch_hook watch = {L, lua_gethook(L)};
  double seconds = luaL_optnumber(L, 2, -1);
  struct mm_step step = {.seconds = seconds,
                         .budget = luaL_optnumber(L, 3, seconds > 0 ? seconds : 0),
                         .stop = hook_changed,
                         .user = &watch};
  mm_pushint64(L, (int64_t)mm_engine_step(e, &step));
  return 1;
}

static int engine_pop(lua_State *L) {
  struct mm_engine *e = mm_box_open(L, MM_ENGINE);
  uint64_t id = mm_engine_peek(e);
  if (!id) return 0;
  mm_pushint64(L, (int64_t)id);
  mm_engine_pop(e);
  return 1;
}

static int engine_fd(lua_State *L) {
  int fd = mm_engine_fd(mm_box_open(L, MM_ENGINE));
  if (fd < 0) return 0;
  lua_pushinteger(L, fd);
  return 1;
}

static int engine_timeout(lua_State *L) {
  int ms = mm_engine_timeout(mm_box_open(L, MM_ENGINE));
  if (ms < 0) return 0;
  lua_pushnumber(L, ms / 1000.0);
  return 1;
}

static int engine_close(lua_State *L) {
  void **box = mm_box_self(L, MM_ENGINE);
  struct mm_engine *e = *box;
  *box = NULL;
  mm_engine_free(e);
  return 0;
}

static size_t size_option(lua_State *L, const char *name, size_t otherwise) {
  lua_getfield(L, 1, name);
  size_t value = otherwise;
  if (!lua_isnil(L, -1)) {
    lua_Number n = lua_tonumber(L, -1);
    if (!(n >= 1 && n <= 1e15))
      luaL_error(L, "%s must be a number from 1, got %s", name, luaL_typename(L, -1));
    value = n < (lua_Number)(SIZE_MAX / 2) ? (size_t)n : SIZE_MAX / 2;
  }
  lua_pop(L, 1);
  return value;
}

/* Upvalues: the core's interface, the user agent. */
static int net_engine(lua_State *L) {
  const struct mm_core_api *core = lua_touserdata(L, lua_upvalueindex(1));
  struct mm_engine_options options;
  struct mm_engine *e;
  struct mm_error err = {0};
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  mm_engine_defaults(&options);
  options.user_agent = lua_tostring(L, lua_upvalueindex(2));
  options.max_in_flight = size_option(L, "max_in_flight", options.max_in_flight);
  options.high_water = size_option(L, "high_water", options.high_water);
  void **box = mm_box_new(L, MM_ENGINE);
  if (mm_engine_new(core, &options, &e, &err) != MM_OK) return mm_push_failure(L, "network", &err);
  *box = e;
  return 1;
}

static int net_now(lua_State *L) {
  lua_pushnumber(L, mm_net_now());
  return 1;
}

/* Returns early when `seconds` is long: look at the clock and call again. */
static int net_sleep(lua_State *L) {
  mm_net_pause(luaL_checknumber(L, 1));
  return 0;
}

static int net_live(lua_State *L) {
  mm_pushint64(L, mm_net_live());
  return 1;
}

#ifdef MM_TEST_ALLOC
static int net_fail_after(lua_State *L) {
  mm_pushint64(L, mm_curl_count());
  mm_curl_fail_after((long)luaL_checkinteger(L, 1));
  return 1;
}
#endif

static const luaL_Reg exchange_methods[] = {
    {"id", exchange_id},
    {"head", exchange_head},
    {"next_text", exchange_next_text},
    {"progress", exchange_progress},
    {"timing", exchange_timing},
    {"leave", exchange_leave},
    {NULL, NULL},
};

static const luaL_Reg engine_methods[] = {
    {"start", engine_start}, {"step", engine_step},       {"pop", engine_pop},
    {"fd", engine_fd},       {"timeout", engine_timeout}, {NULL, NULL},
};

/* A resolver's thread may outlive the Lua state that started it, so the code stays mapped. */
static void pin_library(void) {
#if !defined(_WIN32) && defined(RTLD_NODELETE) && defined(RTLD_NOLOAD)
  Dl_info info;
  int (*self)(lua_State *) = luaopen_multimodal_net;
  void *address;
  memcpy(&address, &self, sizeof address);
  if (dladdr(address, &info) && info.dli_fname)
    (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NODELETE | RTLD_NOLOAD);
#endif
}

/* Push the table multimodal.core; returns its interface, or raises. */
static const struct mm_core_api *require_core(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "multimodal.core");
  lua_call(L, 1, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, MM_CORE_API_KEY);
  const struct mm_core_api *core = lua_touserdata(L, -1);
  lua_pop(L, 1);
  bool ours = core && core->abi == MM_CORE_ABI && core->size == sizeof *core &&
              core->error_size == sizeof(struct mm_error) &&
              core->event_size == sizeof(struct mm_event);
  if (!ours)
    luaL_error(L,
               "multimodal.net: multimodal.core is of another build (abi %d, not %d); rebuild both",
               core ? (int)core->abi : 0, (int)MM_CORE_ABI);
  return core;
}

/* Push `next` of the core's decoders. */
static void push_decoder_next(lua_State *L) {
  luaL_getmetatable(L, MM_DECODER);
  lua_getfield(L, -1, "__index");
  lua_getfield(L, -1, "next");
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static void open_exchange(lua_State *L) {
  mm_box_class(L, MM_EXCHANGE, exchange_methods, exchange_close);
  luaL_getmetatable(L, MM_EXCHANGE);
  lua_getfield(L, -1, "__index");
  lua_pushvalue(L, -2);
  push_decoder_next(L);
  lua_pushcclosure(L, exchange_next, 2);
  lua_setfield(L, -2, "next");
  lua_pop(L, 2);
}

int luaopen_multimodal_net(lua_State *L) {
  pin_library();
  const struct mm_core_api *core = require_core(L);
  open_exchange(L);
  mm_box_class(L, MM_ENGINE, engine_methods, engine_close);
  lua_createtable(L, 0, 5);
  lua_pushlightuserdata(L, (void *)(uintptr_t)core);
  lua_getfield(L, -3, "version");
  lua_pushfstring(L, "multimodal/%s", lua_tostring(L, -1));
  lua_remove(L, -2);
  lua_pushcclosure(L, net_engine, 2);
  lua_setfield(L, -2, "engine");
  lua_pushcfunction(L, net_live);
  lua_setfield(L, -2, "live");
  lua_pushcfunction(L, net_now);
  lua_setfield(L, -2, "now");
  lua_pushcfunction(L, net_sleep);
  lua_setfield(L, -2, "sleep");
#ifdef MM_TEST_ALLOC
  lua_pushcfunction(L, net_fail_after);
  lua_setfield(L, -2, "fail_after");
#endif
  return 1;
}
