/* box.h - how C objects and C errors stand in Lua.
 * A box is a userdata that holds one pointer; its metatable is named "multimodal.x".
 * Not here: what is in the boxes.                          SPDX-License-Identifier: MIT */
#ifndef MM_LUA_BOX_H
#define MM_LUA_BOX_H

#include "../core/err.h"
#include "compat.h"

MM_HIDDEN_BEGIN

/* Make the metatable `name` with __name, __index = methods, and __gc, __close and close() =
 * `close`, an idempotent lua_CFunction. Its first upvalue and the methods' is the metatable. Pops
 * nothing, pushes nothing. */
void mm_box_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close);

/* Push an empty box of a class: allocate it before the object, then store the object. */
void **mm_box_new(lua_State *L, const char *name);

/* The object in the box at i; raises for another type, and for a closed box ("blob is closed"). */
void *mm_box_check(lua_State *L, int i, const char *name);

/* The object in the box at i, or NULL: another type, or closed. */
void *mm_box_test(lua_State *L, int i, const char *name);

/* For the functions of mm_box_class alone: the box at 1 that one was called on; raises for another
 * type. */
void **mm_box_self(lua_State *L, const char *name);

/* The object in it; raises for a closed box too. */
void *mm_box_open(lua_State *L, const char *name);

/* Tell the collector that a value just boxed holds `bytes` outside its heap, so that pictures in a
 * loop are collected in time. */
void mm_box_weight(lua_State *L, uint64_t bytes);

/* Push nil and the error table {kind, message, code} of the class "multimodal.error", whose
 * metatable lua/multimodal/error.lua fills; returns 2. MM_ENOMEM raises "not enough memory". file:
 * MM_EFILE (code ENOENT ...), MM_ECHANGED (code "changed"); otherwise kind `kind` with code
 * "syntax", "utf8", "depth", "too_large" or "invalid". */
int mm_push_failure(lua_State *L, const char *kind, const struct mm_error *err);

/* The same for a status without a record. */
int mm_push_status(lua_State *L, const char *kind, int status);

/* Push the error table alone. */
void mm_push_error(lua_State *L, const char *kind, const struct mm_error *err);

MM_HIDDEN_END

#endif
