/* host.c - a Lua program whose memory runs out: runs a script in a fresh state, again and again,
 * with one allocation fewer refused each time, until the script ends well.
 * usage: host lua|core|curl FROM[/STEP] SCRIPT [ARGUMENT...]
 *   The script is called with a function and the arguments; it calls that where the counting starts
 *   (with "lua" and FROM negative it starts before the state exists). From then on n allocations of
 *   Lua, of mm_alloc or of libcurl succeed and all others fail, up to and with lua_close. Every n
 * is tried; with STEP only every STEPth above 3000. Out: one line; exit status 1 when something is
 * left alive, hangs, or fails though nothing was refused. Crashes and leaks are the sanitizers' to
 * tell.    SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#else
static int __lsan_do_recoverable_leak_check(void) {
  return 0;
}
#endif

enum {
  PATIENCE = 15, /* seconds for one run */
  EVERY = 3000,  /* up to here no n is left out */
  LOOK = 500     /* between two looks for leaks */
};

struct sweep {
  const char *which; /* "lua" "core" "curl" */
  bool from_start;   /* counting begins before the state exists */
  long n;            /* allocations that succeed */
  long step;         /* to the next n, above EVERY */
  bool counting;
  bool of_lua; /* what is counted are Lua's own allocations */
  long count;  /* since counting began */
  long refused;
  lua_State *outside; /* has both modules loaded, with memory that never fails */
};

static void *limited(void *user, void *old, size_t old_n, size_t n) {
  struct sweep *s = user;
  bool grows = n > 0 && (!old || n > old_n);
  if (n == 0) {
    free(old);
    return NULL;
  }
  if (grows && s->of_lua && s->counting && ++s->count > s->n) {
    s->refused++;
    return NULL;
  }
  return realloc(old, n);
}

/* Call a function of a module from outside; returns its integer. */
static long ask(struct sweep *s, const char *module, const char *name, long argument) {
  lua_State *L = s->outside;
  lua_getglobal(L, "require");
  lua_pushfstring(L, "multimodal.%s", module);
  lua_call(L, 1, 1);
  lua_getfield(L, -1, name);
  lua_pushinteger(L, (lua_Integer)argument);
  lua_call(L, 1, 1);
  long result = (long)lua_tointeger(L, -1);
  lua_settop(L, 0);
  return result;
}

/* Parsing the library would take most of each run, so that is done once. */
static const char compiler[] =
    "local cache = {}\n"
    "function compiled(name)\n"
    "  if cache[name] == nil then\n"
    "    local path = package.searchpath(name, package.path)\n"
    "    cache[name] = path and string.dump(assert(loadfile(path))) or false\n"
    "  end\n"
    "  return cache[name]\n"
    "end";

/* A searcher of Lua modules, for package.searchers. */
static int search(lua_State *L) {
  struct sweep *s = lua_touserdata(L, lua_upvalueindex(1));
  const char *name = luaL_checkstring(L, 1);
  lua_getglobal(s->outside, "compiled");
  lua_pushstring(s->outside, name);
  lua_call(s->outside, 1, 1);
  size_t n;
  const char *chunk = lua_tolstring(s->outside, -1, &n);
  int rc = chunk ? luaL_loadbuffer(L, chunk, n, name) : LUA_OK;
  lua_settop(s->outside, 0);
  if (rc != LUA_OK) return lua_error(L);
  return chunk ? 1 : 0;
}

static void set_searcher(lua_State *L, struct sweep *s) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  lua_pushlightuserdata(L, s);
  lua_pushcclosure(L, search, 1);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 2);
}

static const char *module_of(const struct sweep *s) {
  return strcmp(s->which, "curl") == 0 ? "net" : "core";
}

static void start_counting(struct sweep *s) {
  s->counting = true;
  if (!s->of_lua) ask(s, module_of(s), "fail_after", s->n);
}

static void stop_counting(struct sweep *s) {
  if (!s->of_lua && s->counting) {
    s->count = ask(s, module_of(s), "fail_after", -1);
    s->refused = s->count > s->n ? s->count - s->n : 0;
  }
  s->counting = false;
}

static int begin(lua_State *L) {
  start_counting(lua_touserdata(L, lua_upvalueindex(1)));
  return 0;
}

struct script {
  struct sweep *sweep;
  const char *path;
  char **arguments;
  int n;
};

static int run_script(lua_State *L) {
  const struct script *script = lua_touserdata(L, 1);
  luaL_openlibs(L);
  set_searcher(L, script->sweep);
  if (luaL_loadfile(L, script->path) != LUA_OK) return lua_error(L);
  lua_pushlightuserdata(L, script->sweep);
  lua_pushcclosure(L, begin, 1);
  for (int i = 0; i < script->n; i++)
    lua_pushstring(L, script->arguments[i]);
  lua_call(L, script->n + 1, 0);
  return 0;
}

static int describe(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

/* What was raised, for a person to read. */
static void explain(lua_State *L, char *why, size_t size) {
  lua_pushcfunction(L, describe);
  lua_insert(L, -2);
  lua_pcall(L, 1, 1, 0);
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
  snprintf(why, size, "%s", text);
}

/* Run the script once. Returns whether it ended well; *why becomes what it raised, cut short. */
static bool run(const struct script *script, char *why, size_t size) {
  struct sweep *s = script->sweep;
  s->count = s->refused = 0;
  if (s->from_start) s->counting = true;
  lua_State *L = lua_newstate(limited, s);
  bool well = false;
  snprintf(why, size, "no state");
  if (L) {
    lua_pushcfunction(L, run_script);
    lua_pushlightuserdata(L, (void *)(size_t)script);
    well = lua_pcall(L, 1, 0, 0) == LUA_OK;
    if (!well) explain(L, why, size);
    lua_close(L);
  }
  stop_counting(s);
  return well;
}

static bool nothing_lives(struct sweep *s) {
  long core = ask(s, "core", "live", 0), net = ask(s, "net", "live", 0);
  if (core == 0 && net == 0) return true;
  printf("n = %ld: %ld core objects and %ld exchanges are left\n", s->n, core, net);
  return false;
}

/* The modules are still loaded here, so that a leak shows where it was allocated. */
static bool nothing_leaks(const struct sweep *s) {
  if (!__lsan_do_recoverable_leak_check()) return true;
  printf("n <= %ld: leaked\n", s->n);
  return false;
}

/* What a sweep has done so far. */
struct tally {
  long from, runs, failed;
  long looked; /* n at the last look for leaks */
  struct timespec begun;
};

static struct tally begin_tally(long n) {
  struct tally t = {.from = n, .looked = n};
  clock_gettime(CLOCK_MONOTONIC, &t.begun);
  return t;
}

static void print_tally(const struct sweep *s, const struct tally *t) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("%s: ends well with %ld allocations; %ld runs from %ld on, %ld of them failed; %ld s\n",
         s->which, s->n, t->runs, t->from, t->failed, (long)(now.tv_sec - t->begun.tv_sec));
}

/* Run once and look at what is left. False when something is wrong. */
static bool try_once(const struct script *script, struct tally *t, bool *well) {
  struct sweep *s = script->sweep;
  char why[300];
  alarm(PATIENCE);
  *well = run(script, why, sizeof why);
  alarm(0);
  t->runs++;
  t->failed += !*well;
  if (getenv("HOST_VERBOSE")) printf("n = %ld: %s\n", s->n, *well ? "well" : why);
  if (!nothing_lives(s)) return false;
  if (!*well && !s->refused) {
    printf("n = %ld: failed though nothing was refused: %s\n", s->n, why);
    return false;
  }
  if (s->refused && s->n - t->looked < LOOK) return true;
  t->looked = s->n;
  return nothing_leaks(s);
}

static int sweep(const struct script *script) {
  struct sweep *s = script->sweep;
  struct tally t = begin_tally(s->n);
  for (;; s->n += s->n < EVERY ? 1 : s->step) {
    bool well;
    if (!try_once(script, &t, &well)) return 1;
    if (well && !s->refused) break;
  }
  print_tally(s, &t);
  return 0;
}

static void read_from(struct sweep *s, const char *text) {
  const char *step = strchr(text, '/');
  s->n = strtol(text, NULL, 10);
  s->from_start = s->n < 0;
  if (s->from_start) s->n = 0;
  s->step = step ? strtol(step + 1, NULL, 10) : 1;
  if (s->step < 1) s->step = 1;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: host lua|core|curl FROM[/STEP] SCRIPT [ARGUMENT...]\n");
    return 2;
  }
  struct sweep s = {.which = argv[1], .outside = luaL_newstate()};
  read_from(&s, argv[2]);
  s.of_lua = strcmp(s.which, "lua") == 0;
  struct script script = {&s, argv[3], argv + 4, argc - 4};
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (!s.outside) return 2;
  luaL_openlibs(s.outside);
  if (luaL_dostring(s.outside, compiler) != LUA_OK) return 2;
  int rc = nothing_lives(&s) && nothing_leaks(&s) ? sweep(&script) : 1;
  lua_close(s.outside);
  return rc;
}
