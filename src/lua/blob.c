/* blob.c - core.blob, core.blob_file, core.blob_writer, and blobs in Lua.
 * SPDX-License-Identifier: MIT */
#include "../core/base64.h"
#include "../core/buf.h"
#include "../core/file.h"
#include "../core/hash.h"
#include "../core/mime.h"
#include "../core/spool.h"
#include "core.h"
#include "options.h"

#include <errno.h>
#include <stdio.h>

#define MM_BLOB_WRITER "multimodal.blob_writer" /* struct writer * */

#define MEMORY (1024.0 * 1024)
#define MAX_MEDIA (4.0 * 1024 * 1024 * 1024)

enum { PIECE = 48 * 1024 }; /* bytes read at a time; a multiple of 3 */

/* What is called protected is kept in the registry under this key: pushing a new function may
 * itself run out of memory. */
static const char collect_key;

/* ---- for other bindings ---- */

static int collect(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

void mm_collect(void *L) {
  mm_rawgetp(L, LUA_REGISTRYINDEX, &collect_key);
  if (lua_pcall(L, 0, 0, 0) != 0) lua_pop((lua_State *)L, 1);
}

bool mm_collect_for(lua_State *L, const struct mm_error *err) {
  bool is_short = err->os == EMFILE || err->os == ENFILE || err->os == ENOSPC || err->os == EDQUOT;
  if (err->code != MM_EFILE || !is_short) return false;
  mm_collect(L);
  return true;
}

/* ---- making ---- */

static int blob_new(lua_State *L) {
  size_t n;
  const char *bytes = luaL_checklstring(L, 1, &n);
  const char *mime = luaL_optstring(L, 2, NULL);
  struct mm_blob *blob;
  void **box = mm_box_new(L, MM_BLOB);
  if (!mime) mime = mm_mime_sniff(bytes, n);
  if (mm_blob_from_bytes(bytes, n, mime, &blob) != MM_OK) return luaL_error(L, "not enough memory");
  *box = blob;
  mm_box_weight(L, n);
  return 1;
}

static int blob_file(lua_State *L) {
  const char *path = mm_check_path(L, 1);
  const char *mime = luaL_optstring(L, 2, NULL);
  struct mm_error err = {0};
  struct mm_blob *blob;
  void **box = mm_box_new(L, MM_BLOB);
  int rc = mm_blob_from_file(path, mime, &blob, &err);
  if (rc != MM_OK && mm_collect_for(L, &err)) rc = mm_blob_from_file(path, mime, &blob, &err);
  if (rc != MM_OK) return mm_push_failure(L, "file", &err);
  *box = blob;
  return 1;
}

/* ---- reading ---- */

static struct mm_blob *check_blob(lua_State *L) {
  return mm_box_check(L, 1, MM_BLOB);
}

/* What becomes of the bytes of a blob: `take` is called for one piece after the other. */
struct sink {
  void (*take)(struct sink *s, const void *bytes, size_t n);
  char *out;            /* where text or bytes go next */
  struct mm_sha256 sha; /* or what is hashed */
};

static void take_bytes(struct sink *s, const void *bytes, size_t n) {
  memcpy(s->out, bytes, n);
  s->out += n;
}

static void take_base64(struct sink *s, const void *bytes, size_t n) {
  mm_base64_encode(bytes, n, s->out);
  s->out += mm_base64_length(n);
}

static void take_sha256(struct sink *s, const void *bytes, size_t n) {
  mm_sha256_update(&s->sha, bytes, n);
}

/* Read n bytes from offset into the sink, by way of `room` of PIECE bytes. */
static int pour(lua_State *L, struct mm_blob *b, uint64_t offset, uint64_t n, struct sink *s,
                char *room, struct mm_error *err) {
  struct mm_blob_reader r;
  int rc = MM_OK;
  mm_blob_reader_init(&r, b);
  for (uint64_t end = offset + n; rc == MM_OK && offset < end;) {
    size_t want = end - offset < PIECE ? (size_t)(end - offset) : PIECE, got;
    rc = mm_blob_reader_read(&r, offset, room, want, &got, err);
    if (rc != MM_OK && mm_collect_for(L, err))
      rc = mm_blob_reader_read(&r, offset, room, want, &got, err);
    if (rc == MM_OK) s->take(s, room, got);
    offset += got;
  }
  mm_blob_reader_free(&r);
  return rc;
}

/* Push a buffer of `size` bytes; raises where a string could not be as long. */
static char *push_room(lua_State *L, uint64_t size) {
  if (size > SIZE_MAX / 4) luaL_error(L, "blob is too large for a string");
  return mm_newuserdata(L, size ? (size_t)size : 1);
}

static int push_range(lua_State *L, struct mm_blob *b, uint64_t offset, uint64_t n) {
  struct mm_error err = {0};
  char *bytes = push_room(L, n);
  struct sink s = {.take = take_bytes, .out = bytes};
  int rc = pour(L, b, offset, n, &s, push_room(L, PIECE), &err);
  if (rc != MM_OK) return mm_push_failure(L, "file", &err);
  lua_pushlstring(L, bytes, (size_t)(s.out - bytes));
  return 1;
}

/* Push "<head><base64 of the blob>", without the trailing `=` where padded is false. */
static int push_base64(lua_State *L, struct mm_blob *b, const char *head, bool padded) {
  struct mm_error err = {0};
  size_t head_n = strlen(head);
  char *text = push_room(L, head_n + mm_base64_length(mm_blob_size(b)));
  memcpy(text, head, head_n);
  struct sink s = {.take = take_base64, .out = text + head_n};
  int rc = pour(L, b, 0, mm_blob_size(b), &s, push_room(L, PIECE), &err);
  if (rc != MM_OK) return mm_push_failure(L, "file", &err);
  size_t n = (size_t)(s.out - text);
  while (!padded && n > head_n && text[n - 1] == '=')
    n--;
  lua_pushlstring(L, text, n);
  return 1;
}

static int blob_size(lua_State *L) {
  mm_pushint64(L, (int64_t)mm_blob_size(check_blob(L)));
  return 1;
}

static int blob_mime(lua_State *L) {
  lua_pushstring(L, mm_blob_mime(check_blob(L)));
  return 1;
}

static int blob_bytes(lua_State *L) {
  struct mm_blob *b = check_blob(L);
  return push_range(L, b, 0, mm_blob_size(b));
}

static uint64_t check_count(lua_State *L, int i) {
  lua_Number value = luaL_checknumber(L, i);
  luaL_argcheck(L, value >= 0 && value <= (lua_Number)MM_MAX_FLOAT_INTEGER, i, "out of range");
  return (uint64_t)value;
}

static int blob_read(lua_State *L) {
  struct mm_blob *b = check_blob(L);
  uint64_t offset = check_count(L, 2), n = check_count(L, 3), size = mm_blob_size(b);
  if (offset > size) offset = size;
  return push_range(L, b, offset, n < size - offset ? n : size - offset);
}

static int blob_base64(lua_State *L) {
  return push_base64(L, check_blob(L), "", true);
}

static int blob_data_url(lua_State *L) {
  struct mm_blob *b = check_blob(L);
  const char *mime = mm_blob_mime(b);
  lua_pushfstring(L, "data:%s;base64,", mime ? mime : "application/octet-stream");
  return push_base64(L, b, lua_tostring(L, -1), true);
}

static int blob_text(lua_State *L) {
  bool padded;
  struct mm_blob *b = check_blob(L);
  const char *prefix = mm_blob_prefix(b, &padded);
  if (prefix) return push_base64(L, b, prefix, padded);
  lua_pushnil(L);
  return 1;
}

/* What stood before the base64 that it was lifted from, and whether that ended in its padding; nil
 * of what was not lifted. */
static int blob_prefix(lua_State *L) {
  bool padded;
  lua_pushstring(L, mm_blob_prefix(check_blob(L), &padded));
  lua_pushboolean(L, padded);
  return 2;
}

static int blob_sha256(lua_State *L) {
  struct mm_error err = {0};
  struct mm_blob *b = check_blob(L);
  struct sink s = {.take = take_sha256};
  unsigned char digest[32];
  char text[64];
  mm_sha256_init(&s.sha);
  int rc = pour(L, b, 0, mm_blob_size(b), &s, push_room(L, PIECE), &err);
  if (rc != MM_OK) return mm_push_failure(L, "file", &err);
  mm_sha256_final(&s.sha, digest);
  mm_hex(digest, sizeof digest, text);
  lua_pushlstring(L, text, sizeof text);
  return 1;
}

/* "999 B", "1.2 MB". */
static void push_size(lua_State *L, uint64_t size) {
  static const char *const units[] = {"kB", "MB", "GB", "TB"};
  char text[48];
  size_t unit = 0;
  double value = (double)size / 1000;
  if (size < 1000) {
    lua_pushfstring(L, "%d B", (int)size);
    return;
  }
  for (; value >= 999.95 && unit < 3; value /= 1000)
    unit++;
  unsigned long tenths = (unsigned long)(value * 10 + 0.5);
  snprintf(text, sizeof text, "%lu.%lu %s", tenths / 10, tenths % 10, units[unit]);
  lua_pushstring(L, text);
}

static int blob_tostring(lua_State *L) {
  void **box = luaL_checkudata(L, 1, MM_BLOB);
  if (!*box) {
    lua_pushliteral(L, "blob (closed)");
    return 1;
  }
  const char *mime = mm_blob_mime(*box);
  lua_pushfstring(L, "%s, ", mime ? mime : "unknown type");
  push_size(L, mm_blob_size(*box));
  lua_concat(L, 2);
  return 1;
}

/* ---- saving ---- */

/* What to do when the file exists already. */
enum existing { EXISTING_ERROR, EXISTING_SKIP, EXISTING_OVERWRITE };

static enum existing check_existing(lua_State *L, int i) {
  static const char *const names[] = {"overwrite", "exists", NULL};
  static const char *const values[] = {"error", "skip", "overwrite", NULL};
  if (!mm_check_options(L, i, names)) return EXISTING_ERROR;
  lua_getfield(L, i, "exists");
  int existing = luaL_checkoption(L, -1, "error", values);
  lua_pop(L, 1);
  return mm_option_flag(L, i, "overwrite", false) ? EXISTING_OVERWRITE : (enum existing)existing;
}

static int blob_save(lua_State *L) {
  struct mm_blob *b = check_blob(L);
  const char *path = mm_check_path(L, 2);
  enum existing existing = check_existing(L, 3);
  int flags = existing == EXISTING_OVERWRITE ? 0 : MM_FILE_EXCLUSIVE;
  struct mm_error err = {0};
  mm_blob_ref(b); /* a finalizer may close it */
  int rc = mm_blob_save(b, path, flags, &err);
  if (rc != MM_OK && mm_collect_for(L, &err)) rc = mm_blob_save(b, path, flags, &err);
  mm_blob_unref(b);
  bool skipped = rc == MM_EFILE && err.os == EEXIST && existing == EXISTING_SKIP;
  if (rc != MM_OK && !skipped) return mm_push_failure(L, "file", &err);
  lua_pushboolean(L, 1);
  return 1;
}

static int blob_close(lua_State *L) {
  void **box = mm_box_self(L, MM_BLOB);
  struct mm_blob *b = *box;
  *box = NULL;
  mm_blob_unref(b);
  return 0;
}

/* ---- writing ---- */

struct writer {
  struct mm_spool *spool;
  struct mm_base64_stream base64;
  struct mm_error err; /* sticky: a part may be missing in what was written */
  char mime[];         /* empty: sniffed */
};

static void writer_free(struct writer *w) {
  if (!w) return;
  mm_spool_cancel(w->spool);
  mm_spool_unref(w->spool);
  mm_alloc(w, 0);
}

static int writer_close(lua_State *L) {
  void **box = mm_box_self(L, MM_BLOB_WRITER);
  struct writer *w = *box;
  *box = NULL;
  writer_free(w);
  return 0;
}

static int blob_writer(lua_State *L) {
  static const char *const names[] = {"mime", "memory", NULL};
  int options = mm_check_options(L, 1, names) ? 1 : 0;
  double memory = mm_option_number(L, options, "memory", MEMORY, 0, MAX_MEDIA);
  if (options) lua_getfield(L, 1, "mime");
  const char *mime = options ? luaL_optstring(L, -1, "") : "";
  void **box = mm_box_new(L, MM_BLOB_WRITER);
  struct writer *w = mm_alloc(NULL, sizeof *w + strlen(mime) + 1);
  if (w) {
    *w = (struct writer){.spool = NULL};
    memcpy(w->mime, mime, strlen(mime) + 1);
  }
  if (!w || mm_spool_new((size_t)memory, UINT64_MAX, &w->spool) != MM_OK) {
    mm_alloc(w, 0);
    return luaL_error(L, "not enough memory");
  }
  *box = w;
  if (mm_spool_begin(w->spool) != MM_OK) return luaL_error(L, "blob_writer cannot begin");
  return 1;
}

/* Take the writer at 1 out of its box, so that a finalizer, which a full disk may call, cannot
 * close it meanwhile. */
static struct writer *begin_writing(lua_State *L) {
  struct writer *w = mm_box_check(L, 1, MM_BLOB_WRITER);
  *(void **)lua_touserdata(L, 1) = NULL;
  mm_spool_set_relief(w->spool, mm_collect, L);
  return w;
}

static void end_writing(lua_State *L, struct writer *w, int rc) {
  mm_spool_set_relief(w->spool, NULL, NULL);
  *(void **)lua_touserdata(L, 1) = w;
  if (rc != MM_OK) w->err.code = rc;
}

static int push_written(lua_State *L, const struct writer *w) {
  if (w->err.code != MM_OK) return mm_push_failure(L, "bad_request", &w->err);
  lua_pushboolean(L, 1);
  return 1;
}

static int writer_write(lua_State *L) {
  size_t n;
  mm_box_check(L, 1, MM_BLOB_WRITER);
  const char *bytes = luaL_checklstring(L, 2, &n);
  struct writer *w = begin_writing(L);
  int rc = w->err.code;
  if (rc == MM_OK) rc = mm_spool_write(w->spool, bytes, n, &w->err);
  end_writing(L, w, rc);
  return push_written(L, w);
}

/* Decode n characters into the spool. */
static int put_base64(struct writer *w, const char *text, size_t n, struct mm_error *err) {
  unsigned char *room;
  size_t got;
  int rc = mm_spool_room(w->spool, n / 4 * 3 + 6, &room, err);
  if (rc != MM_OK) return rc;
  rc = mm_base64_feed(&w->base64, text, n, room, &got);
  int put = mm_spool_commit(w->spool, got, err);
  return rc != MM_OK ? mm_fail(err, rc, "not base64") : put;
}

static int writer_write_base64(lua_State *L) {
  size_t n;
  mm_box_check(L, 1, MM_BLOB_WRITER);
  const char *text = luaL_checklstring(L, 2, &n);
  struct writer *w = begin_writing(L);
  int rc = w->err.code;
  for (size_t at = 0; rc == MM_OK && at < n; at += PIECE)
    rc = put_base64(w, text + at, n - at < PIECE ? n - at : PIECE, &w->err);
  end_writing(L, w, rc);
  return push_written(L, w);
}

static int end_writer(struct writer *w, struct mm_blob **blob) {
  unsigned char last[3];
  size_t n;
  if (w->err.code != MM_OK) return w->err.code;
  int rc = mm_base64_finish(&w->base64, last, &n);
  if (rc != MM_OK) return mm_fail(&w->err, rc, "not base64: a character is left over");
  rc = mm_spool_write(w->spool, last, n, &w->err);
  if (rc != MM_OK) return rc;
  const char *mime = w->mime[0] ? w->mime : NULL;
  return mm_spool_end(w->spool, mime, NULL, false, blob, &w->err);
}

static int writer_finish(lua_State *L) {
  mm_box_check(L, 1, MM_BLOB_WRITER);
  lua_settop(L, 1);
  void **result = mm_box_new(L, MM_BLOB);
  struct mm_blob *blob = NULL;
  struct writer *w = begin_writing(L);
  int rc = end_writer(w, &blob);
  end_writing(L, w, rc);
  if (rc != MM_OK) return push_written(L, w);
  *result = blob;
  *(void **)lua_touserdata(L, 1) = NULL;
  writer_free(w);
  mm_box_weight(L, mm_blob_weight(blob));
  return 1;
}

void mm_open_blob(lua_State *L) {
  static const luaL_Reg methods[] = {{"size", blob_size},
                                     {"mime", blob_mime},
                                     {"bytes", blob_bytes},
                                     {"read", blob_read},
                                     {"base64", blob_base64},
                                     {"data_url", blob_data_url},
                                     {"text", blob_text},
                                     {"prefix", blob_prefix},
                                     {"sha256", blob_sha256},
                                     {"save", blob_save},
                                     {NULL, NULL}};
  static const luaL_Reg writer_methods[] = {{"write", writer_write},
                                            {"write_base64", writer_write_base64},
                                            {"finish", writer_finish},
                                            {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"blob", blob_new}, {"blob_file", blob_file}, {"blob_writer", blob_writer}, {NULL, NULL}};
  mm_box_class(L, MM_BLOB, methods, blob_close);
  luaL_getmetatable(L, MM_BLOB);
  lua_pushcfunction(L, blob_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  mm_box_class(L, MM_BLOB_WRITER, writer_methods, writer_close);
  lua_pushcfunction(L, collect);
  mm_rawsetp(L, LUA_REGISTRYINDEX, &collect_key);
  mm_setfuncs(L, functions);
}
