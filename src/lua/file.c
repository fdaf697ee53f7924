/* file.c - core.file_write, file_move, file_folder, file_lock, is_terminal, random, sha256 and
 * backoff.   SPDX-License-Identifier: MIT
 */
#include "../core/file.h"
#include "../core/backoff.h"
#include "../core/buf.h"
#include "../core/hash.h"
#include "core.h"
#include "options.h"

#include <math.h>
#include <unistd.h>

#define MM_LOCK "multimodal.lock" /* struct lock * */
#define MM_SHA256                                                                                  \
  "multimodal.sha256" /* struct mm_sha256, in the userdata itself: it owns nothing */

enum { RANDOM_MAX = 1 << 20 }; /* bytes drawn at once */

static int file_write(lua_State *L) {
  static const char *const names[] = {"sync", "exclusive", "append", NULL};
  size_t n;
  const char *path = mm_check_path(L, 1);
  const char *bytes = luaL_checklstring(L, 2, &n);
  int options = mm_check_options(L, 3, names) ? 3 : 0;
  int flags = (mm_option_flag(L, options, "sync", false) ? MM_FILE_SYNC : 0) |
              (mm_option_flag(L, options, "exclusive", false) ? MM_FILE_EXCLUSIVE : 0) |
              (mm_option_flag(L, options, "append", false) ? MM_FILE_APPEND : 0);
  struct mm_error err;
  if (mm_file_write(path, bytes, n, flags, &err) != MM_OK) return mm_push_failure(L, "file", &err);
  lua_pushboolean(L, 1);
  return 1;
}

static int file_move(lua_State *L) {
  static const char *const names[] = {"sync", "exclusive", NULL};
  const char *from = mm_check_path(L, 1), *to = mm_check_path(L, 2);
  int options = mm_check_options(L, 3, names) ? 3 : 0;
  int flags = (mm_option_flag(L, options, "sync", false) ? MM_FILE_SYNC : 0) |
              (mm_option_flag(L, options, "exclusive", false) ? MM_FILE_EXCLUSIVE : 0);
  struct mm_error err;
  if (mm_file_move(from, to, flags, &err) != MM_OK) return mm_push_failure(L, "file", &err);
  lua_pushboolean(L, 1);
  return 1;
}

static int file_folder(lua_State *L) {
  struct mm_error err;
  if (mm_file_folder(mm_check_path(L, 1), &err) != MM_OK) return mm_push_failure(L, "file", &err);
  lua_pushboolean(L, 1);
  return 1;
}

/* Whether one of the standard streams is a terminal: 0, 1 or 2. */
static int is_terminal(lua_State *L) {
  double fd = luaL_checknumber(L, 1);
  luaL_argcheck(L, fd == 0 || fd == 1 || fd == 2, 1, "expected 0, 1 or 2");
  lua_pushboolean(L, isatty((int)fd));
  return 1;
}

struct lock {
  int fd;
};

static int lock_close(lua_State *L) {
  void **box = mm_box_self(L, MM_LOCK);
  struct lock *lock = *box;
  *box = NULL;
  if (!lock) return 0;
  if (lock->fd >= 0) close(lock->fd);
  mm_alloc(lock, 0);
  mm_live_add(-1);
  return 0;
}

/* Push a lock that holds nothing yet; NULL when memory failed. */
static struct lock *lock_new(lua_State *L) {
  void **box = mm_box_new(L, MM_LOCK);
  struct lock *lock = mm_alloc(NULL, sizeof *lock);
  if (!lock) return NULL;
  lock->fd = -1;
  *box = lock;
  mm_live_add(1);
  return lock;
}

static int file_lock(lua_State *L) {
  const char *path = mm_check_path(L, 1);
  lua_settop(L, 1);
  struct lock *lock = lock_new(L);
  if (!lock) return mm_push_status(L, "file", MM_ENOMEM);
  struct mm_error err;
  int rc = mm_file_lock(path, &lock->fd, &err);
  if (rc == MM_OK) return 1;
  lua_replace(L, 1);
  lock_close(L);
  if (rc != MM_MORE) return mm_push_failure(L, "file", &err);
  lua_pushnil(L);
  lua_pushliteral(L, "held");
  return 2;
}

static int random_bytes(lua_State *L) {
  double n = luaL_checknumber(L, 1);
  luaL_argcheck(L, n >= 0 && n <= RANDOM_MAX && n == floor(n), 1, "out of range");
  void *bytes = mm_newuserdata(L, (size_t)n + 1);
  struct mm_error err;
  if (mm_random(bytes, (size_t)n, &err) != MM_OK) return mm_push_failure(L, "file", &err);
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

static int sha256_new(lua_State *L) {
  mm_sha256_init(mm_newuserdata(L, sizeof(struct mm_sha256)));
  luaL_getmetatable(L, MM_SHA256);
  lua_setmetatable(L, -2);
  return 1;
}

static int sha256_update(lua_State *L) {
  struct mm_sha256 *h = luaL_checkudata(L, 1, MM_SHA256);
  size_t n;
  const char *bytes = luaL_checklstring(L, 2, &n);
  mm_sha256_update(h, bytes, n);
  lua_settop(L, 1);
  return 1;
}

/* Of a copy, so that more may follow. */
static int sha256_hex(lua_State *L) {
  struct mm_sha256 h = *(struct mm_sha256 *)luaL_checkudata(L, 1, MM_SHA256);
  unsigned char digest[32];
  char text[2 * sizeof digest];
  mm_sha256_final(&h, digest);
  mm_hex(digest, sizeof digest, text);
  lua_pushlstring(L, text, sizeof text);
  return 1;
}

static void open_sha256(lua_State *L) {
  static const luaL_Reg methods[] = {{"update", sha256_update}, {"hex", sha256_hex}, {NULL, NULL}};
  luaL_newmetatable(L, MM_SHA256);
  lua_pushliteral(L, MM_SHA256);
  lua_setfield(L, -2, "__name");
  lua_newtable(L);
  mm_setfuncs(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

static int backoff(lua_State *L) {
  static const char *const names[] = {"base", "cap", "max_retry_after", NULL};
  double attempt = luaL_checknumber(L, 1);
  luaL_argcheck(L, attempt >= 1, 1, "attempts count from 1");
  double retry_after = luaL_optnumber(L, 2, -1);
  int options = mm_check_options(L, 3, names) ? 3 : 0;
  double random = luaL_checknumber(L, 4);
  luaL_argcheck(L, random >= 0 && random <= 1, 4, "expected 0 to 1");
  struct mm_backoff rules = {
      .base = mm_option_number(L, options, "base", 0.5, 0, HUGE_VAL),
      .cap = mm_option_number(L, options, "cap", 8, 0, HUGE_VAL),
      .max_retry_after = mm_option_number(L, options, "max_retry_after", 60, 0, HUGE_VAL),
  };
  double seconds =
      mm_backoff(&rules, attempt < 1e9 ? (unsigned)attempt : 1000000000u, retry_after, random);
  if (seconds < 0)
    lua_pushnil(L);
  else
    lua_pushnumber(L, seconds);
  return 1;
}

void mm_open_file(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"file_write", file_write}, {"file_move", file_move},     {"file_folder", file_folder},
      {"file_lock", file_lock},   {"is_terminal", is_terminal}, {"random", random_bytes},
      {"sha256", sha256_new},     {"backoff", backoff},         {NULL, NULL}};
  mm_box_class(L, MM_LOCK, none, lock_close);
  open_sha256(L);
  mm_setfuncs(L, functions);
}
