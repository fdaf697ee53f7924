/* json.h - what the JSON bindings share: the metatables that mean something, and both directions.
 * Not here: reading and writing JSON text (src/core).      SPDX-License-Identifier: MIT */
#ifndef MM_LUA_JSON_H
#define MM_LUA_JSON_H

#include "../core/body.h"
#include "core.h"

MM_HIDDEN_BEGIN

/* What a table is to JSON, by its metatable; also the upvalues of core.json_decode and core.body.
 */
enum mm_json_class {
  MM_CLASS_PLAIN,
  MM_CLASS_ARRAY,
  MM_CLASS_MIXED,
  MM_CLASS_RAW,
  MM_CLASS_BASE64_OF,
  MM_CLASS_DATA_URL_OF,
  MM_CLASSES
};

/* Push the metatables from MM_CLASS_ARRAY on, in order. Returns how many. */
int mm_push_json_classes(lua_State *L);

/* Make the classes of json_decode.c. */
void mm_open_json_decode(lua_State *L);

/* core.json_decode(text [, options]); its upvalues are the classes. */
int mm_json_decode(lua_State *L);

/* Check that text is one JSON value. Returns MM_OK, or what is wrong and where in *err. */
MM_NODISCARD int mm_json_check(lua_State *L, const char *text, size_t n, struct mm_error *err);

/* Push core.raw's table for JSON text that was checked; `meta` is the index of its metatable. */
void mm_push_raw(lua_State *L, const char *text, size_t n, int meta);

/* Write the Lua value at the top of the stack into *body as JSON. `keys` is memory to work with,
 * which the caller frees, also when this raises. The running function's upvalues are the classes.
 * Returns MM_OK, or another status with the path to the culprit in *err. */
MM_NODISCARD int mm_json_encode(lua_State *L, struct mm_body *body, struct mm_buf *keys,
                                struct mm_error *err);

/* tostring of a string with media amid text: what the sender had written. */
int mm_mixed_text(lua_State *L);

MM_HIDDEN_END

#endif
