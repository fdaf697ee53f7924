/* json_decode.c - JSON text to Lua values.
 * Members wait on the Lua stack until their object ends, so that most tables are made at their
 * final size: growing tables would cost more than the reading. Nothing recurses.
 *                                                           SPDX-License-Identifier: MIT */
#include "../core/json_read.h"
#include "json.h"

#define READER "multimodal.json_reader"

enum {
  WAITING = 16, /* members or items that wait on the stack, where nesting is not unusual */
  SHALLOW = 32  /* levels that count as usual; below them, one waits */
};

struct frame {
  int slot;    /* stack index of the table, nil until it is made */
  int waiting; /* values above it, with their keys in an object */
  int items;   /* of an array, already in the table */
  bool array;
  bool made;
};

struct decoding {
  lua_State *L;
  struct mm_json_reader *r;
  int media; /* stack index of the list of media; 0 for none */
  bool null; /* null is core.null */
  bool exact;
  bool halves;
  unsigned depth;
  struct frame frames[MM_JSON_DEPTH];
  struct mm_error err;
};

static int free_reader(lua_State *L) {
  mm_json_reader_free(lua_touserdata(L, 1));
  return 0;
}

void mm_open_json_decode(lua_State *L) {
  luaL_newmetatable(L, READER);
  lua_pushcfunction(L, free_reader);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

/* Push a reader that the collector frees. A reader on the C stack will do where it needs no memory:
 * then nil is pushed. */
static struct mm_json_reader *push_reader(lua_State *L, struct mm_json_reader *local,
                                          const char *text, size_t n, bool marks) {
  struct mm_json_reader *r = local;
  if (n <= MM_JSON_ROOM && !marks) {
    lua_pushnil(L);
  } else {
    r = mm_newuserdata(L, sizeof *r);
    mm_json_reader_init(r, text, 0);
    luaL_getmetatable(L, READER);
    lua_setmetatable(L, -2);
  }
  mm_json_reader_init(r, text, n);
  r->marks_allowed = marks;
  return r;
}

int mm_json_check(lua_State *L, const char *text, size_t n, struct mm_error *err) {
  struct mm_json_reader local;
  enum mm_json_token token = MM_JSON_NULL;
  int rc = MM_OK;
  struct mm_json_reader *r = push_reader(L, &local, text, n, false);
  while (rc == MM_OK && token != MM_JSON_END)
    rc = mm_json_next(r, &token, err);
  mm_json_reader_free(r);
  lua_pop(L, 1);
  return rc;
}

/* ---- tables ---- */

static void make_table(lua_State *L, struct frame *f) {
  if (f->array) {
    lua_createtable(L, f->waiting, 0);
    lua_pushvalue(L, lua_upvalueindex(MM_CLASS_ARRAY));
    lua_setmetatable(L, -2);
  } else {
    lua_createtable(L, 0, f->waiting);
  }
  lua_replace(L, f->slot);
  f->made = true;
}

/* Move what waits into the table. */
static void settle(lua_State *L, struct frame *f) {
  if (!f->made) make_table(L, f);
  if (f->array) {
    f->items += f->waiting;
    for (int i = f->items; f->waiting; i--, f->waiting--)
      lua_rawseti(L, f->slot, i);
    return;
  }
  /* In the order they came, so that the last of equal keys wins. */
  for (int i = 0; i < f->waiting; i++) {
    lua_pushvalue(L, f->slot + 1 + 2 * i);
    lua_pushvalue(L, f->slot + 2 + 2 * i);
    lua_rawset(L, f->slot);
  }
  lua_settop(L, f->slot);
  f->waiting = 0;
}

static void open_frame(struct decoding *d, bool array) {
  luaL_checkstack(d->L, 2 * WAITING + 8, "JSON nested too deep");
  lua_pushnil(d->L);
  d->frames[d->depth++] = (struct frame){.slot = lua_gettop(d->L), .array = array};
}

/* The finished table becomes the value at the top of the stack. */
static void close_frame(struct decoding *d) {
  settle(d->L, &d->frames[--d->depth]);
}

/* The value at the top of the stack belongs to the innermost table. */
static void take_value(struct decoding *d) {
  if (d->depth == 0) return;
  struct frame *f = &d->frames[d->depth - 1];
  f->waiting++;
  if (f->waiting == WAITING || d->depth > SHALLOW) settle(d->L, f);
}

/* ---- scalars ---- */

static int push_medium(struct decoding *d, size_t index) {
  lua_rawgeti(d->L, d->media, (int)index);
  if (!lua_isnil(d->L, -1)) return MM_OK;
  mm_fail(&d->err, MM_ESYNTAX, "no medium %u was given", (unsigned)index);
  d->err.at = d->r->at;
  return MM_ESYNTAX;
}

/* Append what stands before a mark, or after the last one. */
static int push_text(lua_State *L, const char *text, size_t n, int list, int at) {
  if (n == 0) return at;
  lua_pushlstring(L, text, n);
  lua_rawseti(L, list, at);
  return at + 1;
}

static int push_mixed(struct decoding *d) {
  lua_State *L = d->L;
  const struct mm_json_reader *r = d->r;
  int at = 1;
  size_t from = 0;
  lua_newtable(L);
  int list = lua_gettop(L);
  for (size_t i = 0; i < r->marks; i++) {
    at = push_text(L, r->bytes + from, r->mark[i].at - from, list, at);
    from = r->mark[i].at;
    int rc = push_medium(d, r->mark[i].index);
    if (rc != MM_OK) return rc;
    lua_rawseti(L, list, at++);
  }
  push_text(L, r->bytes + from, r->n - from, list, at);
  lua_pushvalue(L, lua_upvalueindex(MM_CLASS_MIXED));
  lua_setmetatable(L, list);
  return MM_OK;
}

static int push_string(struct decoding *d) {
  if (d->r->marks == 0) {
    lua_pushlstring(d->L, d->r->bytes, d->r->n);
    return MM_OK;
  }
  if (d->r->marks == 1 && d->r->n == 0) return push_medium(d, d->r->mark[0].index);
  return push_mixed(d);
}

/* A key stays text, whatever was lifted out of it. */
static int push_key(struct decoding *d) {
  if (d->r->marks == 0) return push_string(d);
  lua_pushcfunction(d->L, mm_mixed_text);
  int rc = push_mixed(d);
  if (rc == MM_OK) lua_call(d->L, 1, 1);
  return rc;
}

static void push_exactly(struct decoding *d, bool exact) {
  if (d->exact && !exact) {
    mm_push_raw(d->L, d->r->bytes, d->r->n, lua_upvalueindex(MM_CLASS_RAW));
  } else {
    lua_pushnumber(d->L, (lua_Number)d->r->number);
  }
}

static void push_integer(struct decoding *d) {
  if (MM_HAS_INTEGERS ||
      (d->r->integer >= -MM_MAX_FLOAT_INTEGER && d->r->integer <= MM_MAX_FLOAT_INTEGER)) {
    mm_pushint64(d->L, d->r->integer);
    return;
  }
  d->r->number = (double)d->r->integer;
  push_exactly(d, false);
}

static int push_scalar(struct decoding *d, enum mm_json_token token) {
  switch (token) {
    case MM_JSON_STRING: return push_string(d);
    case MM_JSON_INTEGER: push_integer(d); break;
    case MM_JSON_NUMBER: push_exactly(d, d->r->exact); break;
    case MM_JSON_NULL:
      if (d->null) {
        lua_pushlightuserdata(d->L, NULL);
      } else {
        lua_pushnil(d->L);
      }
      break;
    default: lua_pushboolean(d->L, token == MM_JSON_TRUE);
  }
  return MM_OK;
}

/* ---- the whole ---- */

static int decode(struct decoding *d) {
  for (;;) {
    enum mm_json_token token;
    int rc = mm_json_next(d->r, &token, &d->err);
    if (rc != MM_OK) return rc;
    switch (token) {
      case MM_JSON_END: return MM_OK;
      case MM_JSON_OBJECT:
      case MM_JSON_ARRAY: open_frame(d, token == MM_JSON_ARRAY); continue;
      case MM_JSON_KEY:
        rc = push_key(d);
        if (rc != MM_OK) return rc;
        continue;
      case MM_JSON_OBJECT_END:
      case MM_JSON_ARRAY_END: close_frame(d); break;
      default:
        rc = push_scalar(d, token);
        if (rc != MM_OK) return rc;
    }
    take_value(d);
  }
}

static bool flag(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, 2);
  bool on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

/* Leaves the media, or nil, at index 3. */
static void read_options(lua_State *L, struct decoding *d) {
  if (lua_isnoneornil(L, 2)) {
    lua_settop(L, 3);
    return;
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  d->null = flag(L, "null");
  d->exact = flag(L, "exact");
  d->halves = flag(L, "halves");
  lua_pushliteral(L, "media");
  lua_rawget(L, 2);
  if (lua_isnil(L, 3)) return;
  if (!lua_istable(L, 3)) luaL_argerror(L, 2, "media: expected a table");
  d->media = 3;
}

int mm_json_decode(lua_State *L) {
  struct mm_json_reader local;
  struct decoding d; /* the frames are set as they are opened */
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  d.L = L;
  d.media = 0;
  d.null = false;
  d.exact = false;
  d.halves = false;
  d.depth = 0;
  read_options(L, &d);
  d.r = push_reader(L, &local, text, n, d.media != 0);
  d.r->halves_kept = d.halves;
  luaL_checkstack(L, 8, "JSON");
  int rc = decode(&d);
  mm_json_reader_free(d.r);
  if (rc == MM_OK) return 1;
  struct mm_error err = {.code = rc};
  mm_fail(&err, rc, "byte %llu: %s", (unsigned long long)d.err.at + 1, d.err.text);
  return mm_push_failure(L, "protocol", &err);
}
