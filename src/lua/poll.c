/* poll.c - core.poll: when to look at a task again.   SPDX-License-Identifier: MIT */
#include "../core/poll.h"
#include "core.h"
#include "options.h"

#include <math.h>

/* struct machine, in the userdata itself: it owns nothing, and thousands are cheap. Its user value
 * is the table of states that all machines of a provider share. */
#define MM_POLL "multimodal.poll"

struct machine {
  struct mm_poll poll;
  double delays[];
};

enum { MOST_DELAYS = 1000 };

static const double usual[] = {5, 5, 5, 10, 10, 20}; /* seconds */
enum { USUAL = sizeof usual / sizeof usual[0] };

static double read_delay(lua_State *L, int list, size_t i) {
  lua_rawgeti(L, list, (int)i + 1);
  double delay = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
  lua_pop(L, 1);
  if (!(delay >= 0 && delay < HUGE_VAL))
    luaL_argerror(L, 1, lua_pushfstring(L, "delays[%d]: expected seconds, 0 or more", (int)i + 1));
  return delay;
}

/* Push the option `name` of the table at 1, nil where there is none; raises unless it is a table.
 */
static bool push_table(lua_State *L, int options, const char *name) {
  if (!options) {
    lua_pushnil(L);
    return false;
  }
  lua_getfield(L, options, name);
  if (lua_isnil(L, -1)) return false;
  if (!lua_istable(L, -1))
    luaL_argerror(L, 1,
                  lua_pushfstring(L, "%s: expected table, got %s", name, luaL_typename(L, -1)));
  return true;
}

/* Push an empty machine with room for the delays at the top of the stack, which it takes the place
 * of. */
static struct machine *machine_with(lua_State *L, bool given, size_t *count) {
  size_t n = given ? lua_rawlen(L, -1) : USUAL;
  if (n < 1 || n > MOST_DELAYS) luaL_argerror(L, 1, "delays: expected 1 to 1000 of them");
  int list = lua_gettop(L);
  struct machine *m = mm_newuserdata(L, sizeof *m + n * sizeof *m->delays);
  for (size_t i = 0; i < n; i++)
    m->delays[i] = given ? read_delay(L, list, i) : usual[i];
  lua_remove(L, list);
  *count = n;
  return m;
}

/* Leave the table of states at the top of the stack, an empty one where none was given; each of its
 * values is a state. */
static void check_states(lua_State *L, bool given) {
  if (!given) {
    lua_pop(L, 1);
    lua_newtable(L);
    return;
  }
  int table = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (mm_poll_state_of(name) == MM_POLL_NONE)
      luaL_argerror(L, 1,
                    "states: expected queued, running, succeeded, failed, cancelled or expired");
  }
}

/* The option, false being as good as absent. */
static double option(lua_State *L, int options, const char *name, double otherwise, double low,
                     double high) {
  if (!options) return otherwise;
  lua_getfield(L, options, name);
  bool off = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
  lua_pop(L, 1);
  return off ? otherwise : mm_option_number(L, options, name, otherwise, low, high);
}

static int machine_new(lua_State *L) {
  static const char *const names[] = {"delays",  "first",        "max_delay", "jitter",
                                      "timeout", "max_failures", "states",    NULL};
  int options = mm_check_options(L, 1, names) ? 1 : 0;
  struct mm_poll_rules rules = {
      .first = option(L, options, "first", -1, 0, 1e9),
      .max_delay = option(L, options, "max_delay", HUGE_VAL, 0, HUGE_VAL),
      .jitter = option(L, options, "jitter", 0.1, 0, 1),
      .timeout = option(L, options, "timeout", HUGE_VAL, 0, HUGE_VAL),
      .max_failures = (unsigned)option(L, options, "max_failures", 0, 1, 1e9),
  };
  struct machine *m = machine_with(L, push_table(L, options, "delays"), &rules.count);
  rules.delays = m->delays;
  mm_poll_init(&m->poll, &rules);
  check_states(L, push_table(L, options, "states"));
  mm_setuservalue(L, -2);
  luaL_getmetatable(L, MM_POLL);
  lua_setmetatable(L, -2);
  return 1;
}

/* The neutral state of a raw one, by the provider's table or else by its own name. */
static enum mm_poll_state state_of(lua_State *L, int raw) {
  mm_getuservalue(L, 1);
  lua_pushvalue(L, raw);
  lua_rawget(L, -2);
  size_t n;
  const char *name = lua_tolstring(L, lua_isstring(L, -1) ? -1 : raw, &n);
  enum mm_poll_state state = strlen(name) == n ? mm_poll_state_of(name) : MM_POLL_NONE;
  lua_pop(L, 2);
  return state == MM_POLL_NONE ? MM_POLL_RUNNING : state;
}

/* Push a field of the report, a string or nil. */
static const char *push_word(lua_State *L, int report, const char *name) {
  if (!report) {
    lua_pushnil(L);
    return NULL;
  }
  lua_getfield(L, report, name);
  if (lua_isnil(L, -1)) return NULL;
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_argerror(L, 3,
                  lua_pushfstring(L, "%s: expected string, got %s", name, luaL_typename(L, -1)));
  return lua_tostring(L, -1);
}

static int machine_next(lua_State *L) {
  static const char *const names[] = {"state", "error", "retry_after", "random", NULL};
  struct machine *m = luaL_checkudata(L, 1, MM_POLL);
  double now = luaL_checknumber(L, 2);
  luaL_argcheck(L, now - now == 0, 2, "expected a time");
  int options = mm_check_options(L, 3, names) ? 3 : 0;
  const char *raw = push_word(L, options, "state");
  int raw_at = lua_gettop(L);
  const char *kind = push_word(L, options, "error");
  if (raw && kind) luaL_argerror(L, 3, "state and error: a look brings one of them");
  struct mm_poll_report report = {
      .now = now,
      .state = raw ? state_of(L, raw_at) : MM_POLL_NONE,
      .fault = kind ? mm_poll_fault_of(kind) : MM_POLL_FINE,
      .retry_after = option(L, options, "retry_after", -1, 0, HUGE_VAL),
      .random = option(L, options, "random", 0.5, 0, 1),
  };
  double seconds;
  switch (mm_poll_next(&m->poll, &report, &seconds)) {
    case MM_POLL_WAIT:
      lua_pushliteral(L, "wait");
      lua_pushnumber(L, seconds);
      return 2;
    case MM_POLL_DONE:
      lua_pushliteral(L, "done");
      lua_pushstring(L, mm_poll_state_name(report.state));
      return 2;
    case MM_POLL_TIMED_OUT:
      lua_pushliteral(L, "failed");
      lua_pushliteral(L, "timeout");
      return 2;
    default:
      lua_pushliteral(L, "failed");
      lua_pushstring(L, kind);
      return 2;
  }
}

void mm_open_poll(lua_State *L) {
  static const luaL_Reg methods[] = {{"next", machine_next}, {NULL, NULL}};
  luaL_newmetatable(L, MM_POLL);
  lua_pushliteral(L, MM_POLL);
  lua_setfield(L, -2, "__name");
  lua_newtable(L);
  mm_setfuncs(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, machine_new);
  lua_setfield(L, -2, "poll");
}
