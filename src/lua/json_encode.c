/* json_encode.c - a Lua value to a body: JSON text with media where they stand.
 * One walk; keys in byte order, so that equal values give equal bytes. Metamethods are not asked.
 *                                                           SPDX-License-Identifier: MIT */
#include "../core/json_write.h"
#include "../core/utf8.h"
#include "json.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Made room for at once, so that a small request allocates once for each. */
enum { USUAL_TEXT = 1024, USUAL_KEYS = 32 };

struct key {
  const char *text; /* borrowed from the table that has it */
  size_t n;
};

/* Where the walk is: a chain on the C stack, one link a table. */
struct step {
  const struct step *up;
  const void *table; /* identity, to find cycles */
  struct key key;    /* the member being written; text NULL in an array */
  int index;         /* the item being written */
};

struct walk {
  lua_State *L;
  struct mm_body *body;
  struct mm_json_writer w;
  struct mm_buf *keys; /* a stack of struct key, those of the innermost table last */
  const void *classes[MM_CLASSES];
  struct mm_error *err;
};

static int write_value(struct walk *k, const struct step *up);

/* ---- errors ---- */

struct path {
  char text[120];
  size_t n;
  bool full;
};

static bool is_name(const struct key *key) {
  for (size_t i = 0; i < key->n; i++) {
    char c = key->text[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return key->n > 0 && key->n <= 40;
}

static void add_text(struct path *p, const char *text) {
  size_t n = strlen(text);
  if (p->full) return;
  p->full = n >= sizeof p->text - 4 - p->n;
  if (p->full) {
    text = "...";
    n = 3;
  }
  for (size_t i = 0; i < n; i++)
    p->text[p->n++] = text[i] >= 0 && text[i] < 0x20 ? '?' : text[i];
}

static void add_step(struct path *p, const struct step *s) {
  char text[64];
  if (!s) return;
  add_step(p, s->up);
  if (!s->key.text) {
    snprintf(text, sizeof text, "[%d]", s->index);
  } else if (is_name(&s->key)) {
    snprintf(text, sizeof text, "%s%.*s", p->n ? "." : "", (int)s->key.n, s->key.text);
  } else {
    size_t shown = mm_utf8_valid(s->key.text, s->key.n < 40 ? s->key.n : 40);
    snprintf(text, sizeof text, "[\"%.*s\"]", (int)shown, s->key.text);
  }
  add_text(p, text);
}

/* "messages[2].content: what", or "what" where the outermost value is meant. */
static int fail(struct walk *k, const struct step *at, int code, const char *what) {
  struct path p = {.n = 0};
  add_step(&p, at);
  p.text[p.n] = 0;
  return mm_fail(k->err, code, "%s%s%s", p.text, p.n ? ": " : "", what);
}

static int fail_type(struct walk *k, const struct step *at, const char *what, int i) {
  char text[80];
  snprintf(text, sizeof text, "%s %s", what, luaL_typename(k->L, i));
  return fail(k, at, MM_EINVAL, text);
}

/* What a call of the writer returned; only bad text needs a word of ours. */
static int written(struct walk *k, const struct step *at, int rc) {
  switch (rc) {
    case MM_OK: return MM_OK;
    case MM_EUTF8: return fail(k, at, rc, "invalid UTF-8");
    case MM_EDEPTH: return fail(k, at, rc, "nested too deep");
    default: return fail(k, at, rc, mm_status_text(rc));
  }
}

/* ---- media ---- */

static int escape(struct walk *k, const char *text) {
  return mm_json_escape(k->w.out, text, strlen(text));
}

/* The content of a string: base64 of a blob after a prefix. */
static int put_base64(struct walk *k, const struct step *at, struct mm_blob *blob,
                      const char *prefix, bool padded) {
  int rc = escape(k, prefix);
  if (rc == MM_OK) rc = mm_body_base64(k->body, blob, padded);
  return written(k, at, rc);
}

static int open_quote(struct walk *k, const struct step *at) {
  return written(k, at, mm_json_verbatim(&k->w, "\"", 1));
}

static int close_quote(struct walk *k, const struct step *at, int rc) {
  return rc == MM_OK ? written(k, at, mm_buf_byte(k->w.out, '"')) : rc;
}

/* A blob that was lifted out of a reply goes back as it came. */
static int write_lifted(struct walk *k, const struct step *at) {
  bool padded = true;
  struct mm_blob *blob = mm_box_test(k->L, -1, MM_BLOB);
  const char *prefix = blob ? mm_blob_prefix(blob, &padded) : NULL;
  if (!prefix) {
    if (!blob) return fail_type(k, at, "cannot write a", -1);
    return fail(k, at, MM_EINVAL, "a blob needs core.base64_of or core.data_url_of");
  }
  int rc = open_quote(k, at);
  if (rc == MM_OK) rc = put_base64(k, at, blob, prefix, padded);
  return close_quote(k, at, rc);
}

/* The blob in the table {blob} at the top of the stack, which anchors it; NULL when closed. */
static struct mm_blob *marked_blob(lua_State *L) {
  lua_rawgeti(L, -1, 1);
  struct mm_blob *blob = mm_box_test(L, -1, MM_BLOB);
  lua_pop(L, 1);
  return blob;
}

static int put_data_url_head(struct walk *k, const struct step *at, const char *mime) {
  int rc = escape(k, "data:");
  if (rc == MM_OK) rc = escape(k, mime ? mime : "application/octet-stream");
  return written(k, at, rc);
}

/* The media type of a mark {blob, type}, or else the blob's. Borrowed: the mark holds it. */
static const char *marked_type(lua_State *L, const struct mm_blob *blob) {
  lua_rawgeti(L, -1, 2);
  const char *type = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : mm_blob_mime(blob);
  lua_pop(L, 1);
  return type;
}

static int write_marked(struct walk *k, const struct step *at, bool data_url) {
  struct mm_blob *blob = marked_blob(k->L);
  if (!blob) return fail(k, at, MM_EINVAL, "the blob is closed");
  int rc = open_quote(k, at);
  if (rc == MM_OK && data_url) rc = put_data_url_head(k, at, marked_type(k->L, blob));
  if (rc == MM_OK) rc = put_base64(k, at, blob, data_url ? ";base64," : "", true);
  return close_quote(k, at, rc);
}

static int put_piece(struct walk *k, const struct step *at) {
  bool padded = true;
  if (lua_type(k->L, -1) == LUA_TSTRING) {
    size_t n;
    const char *text = lua_tolstring(k->L, -1, &n);
    return written(k, at, mm_json_escape(k->w.out, text, n));
  }
  struct mm_blob *blob = mm_box_test(k->L, -1, MM_BLOB);
  if (!blob) return fail_type(k, at, "expected text and blobs, got a", -1);
  const char *prefix = mm_blob_prefix(blob, &padded);
  return put_base64(k, at, blob, prefix ? prefix : "", padded);
}

/* A string with media amid text. */
static int write_mixed(struct walk *k, const struct step *at) {
  int n = (int)lua_rawlen(k->L, -1);
  int rc = open_quote(k, at);
  for (int i = 1; rc == MM_OK && i <= n; i++) {
    lua_rawgeti(k->L, -1, i);
    rc = put_piece(k, at);
    lua_pop(k->L, 1);
  }
  return close_quote(k, at, rc);
}

static int write_raw(struct walk *k, const struct step *at) {
  size_t n;
  lua_rawgeti(k->L, -1, 1);
  if (lua_type(k->L, -1) != LUA_TSTRING) return fail(k, at, MM_EINVAL, "raw JSON without text");
  const char *text = lua_tolstring(k->L, -1, &n);
  int rc = written(k, at, mm_json_verbatim(&k->w, text, n));
  lua_pop(k->L, 1);
  return rc;
}

/* ---- tables ---- */

/* Push package.loaded[module][field], or nil, without asking metamethods. */
static void push_loaded(lua_State *L, const char *module, const char *field) {
  const char *const names[] = {"_LOADED", module, field};
  lua_pushvalue(L, LUA_REGISTRYINDEX);
  for (int i = 0; i < 3 && lua_istable(L, -1); i++) {
    lua_pushstring(L, names[i]);
    lua_rawget(L, -2);
    lua_remove(L, -2);
  }
}

/* Whether the value at the top of the stack is a field of cjson, where that has it. */
static bool is_of_cjson(lua_State *L, const char *field) {
  static const char *const modules[] = {"cjson", "cjson.safe"};
  for (size_t i = 0; i < 2; i++) {
    push_loaded(L, modules[i], field);
    bool same = !lua_isnil(L, -1) && lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    if (same) return true;
  }
  return false;
}

static enum mm_json_class class_of(struct walk *k) {
  if (!lua_getmetatable(k->L, -1)) return MM_CLASS_PLAIN;
  const void *meta = lua_topointer(k->L, -1);
  int class = MM_CLASS_ARRAY;
  while (class < MM_CLASSES && k->classes[class] != meta)
    class ++;
  if (class == MM_CLASSES) {
    bool array = is_of_cjson(k->L, "array_mt") || is_of_cjson(k->L, "empty_array_mt");
    class = array ? MM_CLASS_ARRAY : MM_CLASS_PLAIN;
  }
  lua_pop(k->L, 1);
  return (enum mm_json_class) class;
}

/* What the keys of a table say. */
struct shape {
  size_t named; /* string keys, the last of k->keys */
  int items;    /* positive integer keys */
  int64_t last; /* the largest of them */
};

static int add_key(struct walk *k, const struct step *up, struct shape *shape) {
  int64_t index;
  if (lua_type(k->L, -1) == LUA_TSTRING) {
    struct key key;
    key.text = lua_tolstring(k->L, -1, &key.n);
    shape->named++;
    return written(k, up, mm_buf_append(k->keys, &key, sizeof key));
  }
  if (lua_type(k->L, -1) != LUA_TNUMBER) {
    return fail_type(k, up, "table has a key that is a", -1);
  }
  if (!mm_tointeger(k->L, -1, &index) || index < 1 || shape->items == INT_MAX) {
    return fail(k, up, MM_EINVAL, "table has a number key that is no list position");
  }
  shape->items++;
  if (index > shape->last) shape->last = index;
  return MM_OK;
}

static int survey(struct walk *k, const struct step *up, struct shape *shape) {
  lua_pushnil(k->L);
  while (lua_next(k->L, -2)) {
    lua_pop(k->L, 1);
    int rc = add_key(k, up, shape);
    if (rc != MM_OK) return rc;
  }
  return MM_OK;
}

static int fail_hole(struct walk *k, const struct step *up) {
  char text[48];
  int i = 0;
  do {
    lua_rawgeti(k->L, -1, ++i);
    bool there = !lua_isnil(k->L, -1);
    lua_pop(k->L, 1);
    if (!there) break;
  } while (i < INT_MAX);
  snprintf(text, sizeof text, "table has a hole at %d", i);
  return fail(k, up, MM_EINVAL, text);
}

static int write_items(struct walk *k, struct step *here, int n) {
  int rc = written(k, here->up, mm_json_begin(&k->w, '['));
  for (int i = 1; rc == MM_OK && i <= n; i++) {
    here->index = i;
    lua_rawgeti(k->L, -1, i);
    rc = write_value(k, here);
    lua_pop(k->L, 1);
  }
  return rc == MM_OK ? written(k, here->up, mm_json_end(&k->w, ']')) : rc;
}

static int by_bytes(const void *left, const void *right) {
  const struct key *a = left;
  const struct key *b = right;
  int order = memcmp(a->text, b->text, a->n < b->n ? a->n : b->n);
  return order ? order : (a->n > b->n) - (a->n < b->n);
}

static int write_members(struct walk *k, struct step *here, size_t n) {
  size_t first = k->keys->len - n * sizeof(struct key);
  if (n > 1) qsort(k->keys->data + first, n, sizeof(struct key), by_bytes);
  int rc = written(k, here->up, mm_json_begin(&k->w, '{'));
  for (size_t i = 0; rc == MM_OK && i < n; i++) {
    memcpy(&here->key, k->keys->data + first + i * sizeof(struct key), sizeof(struct key));
    rc = written(k, here, mm_json_key(&k->w, here->key.text, here->key.n));
    if (rc != MM_OK) break;
    lua_pushlstring(k->L, here->key.text, here->key.n);
    lua_rawget(k->L, -2);
    rc = write_value(k, here);
    lua_pop(k->L, 1);
  }
  k->keys->len = first;
  return rc == MM_OK ? written(k, here->up, mm_json_end(&k->w, '}')) : rc;
}

static int write_plain(struct walk *k, const struct step *up, bool array) {
  struct step here = {.up = up, .table = lua_topointer(k->L, -1)};
  struct shape shape = {0, 0, 0};
  for (const struct step *s = up; s; s = s->up)
    if (s->table == here.table) return fail(k, up, MM_EINVAL, "table contains itself");
  int rc = survey(k, up, &shape);
  if (rc != MM_OK) return rc;
  if (shape.named && (array || shape.items)) {
    return fail(k, up, MM_EINVAL, "table is a list and has named fields");
  }
  if (shape.last != shape.items) return fail_hole(k, up);
  if (array || shape.items) return write_items(k, &here, shape.items);
  return write_members(k, &here, shape.named);
}

static int write_table(struct walk *k, const struct step *up) {
  luaL_checkstack(k->L, 8, "table nested too deep");
  switch (class_of(k)) {
    case MM_CLASS_ARRAY: return write_plain(k, up, true);
    case MM_CLASS_MIXED: return write_mixed(k, up);
    case MM_CLASS_RAW: return write_raw(k, up);
    case MM_CLASS_BASE64_OF: return write_marked(k, up, false);
    case MM_CLASS_DATA_URL_OF: return write_marked(k, up, true);
    default: return write_plain(k, up, false);
  }
}

/* ---- values ---- */

static int write_number(struct walk *k, const struct step *up) {
  int64_t integer;
  if (mm_tointeger(k->L, -1, &integer)) return written(k, up, mm_json_integer(&k->w, integer));
  double value = (double)lua_tonumber(k->L, -1);
  if (isnan(value)) return fail(k, up, MM_EINVAL, "NaN cannot be written");
  if (isinf(value)) return fail(k, up, MM_EINVAL, "infinity cannot be written");
  return written(k, up, mm_json_number(&k->w, value));
}

static int write_word(struct walk *k, const struct step *up, const char *word) {
  return written(k, up, mm_json_verbatim(&k->w, word, strlen(word)));
}

static int write_light(struct walk *k, const struct step *up) {
  if (!lua_touserdata(k->L, -1)) return write_word(k, up, "null");
  if (is_of_cjson(k->L, "empty_array")) return write_word(k, up, "[]");
  return fail_type(k, up, "cannot write a light", -1);
}

/* The value at the top of the stack, which stands at `up`. */
static int write_value(struct walk *k, const struct step *up) {
  size_t n;
  const char *text;
  switch (lua_type(k->L, -1)) {
    case LUA_TSTRING:
      text = lua_tolstring(k->L, -1, &n);
      return written(k, up, mm_json_string(&k->w, text, n));
    case LUA_TNUMBER: return write_number(k, up);
    case LUA_TTABLE: return write_table(k, up);
    case LUA_TBOOLEAN: return write_word(k, up, lua_toboolean(k->L, -1) ? "true" : "false");
    case LUA_TLIGHTUSERDATA: return write_light(k, up);
    case LUA_TUSERDATA: return write_lifted(k, up);
    default: return fail_type(k, up, "cannot write a", -1);
  }
}

int mm_json_encode(lua_State *L, struct mm_body *body, struct mm_buf *keys, struct mm_error *err) {
  struct walk k = {.L = L, .body = body, .keys = keys, .err = err};
  mm_json_writer_init(&k.w, mm_body_text(body));
  int rc = mm_buf_reserve(k.w.out, USUAL_TEXT);
  if (rc == MM_OK) rc = mm_buf_reserve(keys, USUAL_KEYS * sizeof(struct key));
  if (rc != MM_OK) return mm_fail(err, rc, "%s", mm_status_text(rc));
  for (int i = MM_CLASS_ARRAY; i < MM_CLASSES; i++)
    k.classes[i] = lua_topointer(L, lua_upvalueindex(i));
  return write_value(&k, NULL);
}
