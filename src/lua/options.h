/* options.h - arguments that C functions of the core take from Lua.
 * In: a position in the call. Out: the value; a wrong one is raised.
 * Not here: options of the public API.                     SPDX-License-Identifier: MIT */
#ifndef MM_LUA_OPTIONS_H
#define MM_LUA_OPTIONS_H

#include "../core/err.h"
#include "compat.h"

MM_HIDDEN_BEGIN

/* A path; raises when it is no string, or contains NUL. Returns borrowed from the stack. */
const char *mm_check_path(lua_State *L, int i);

/* True for a table, false for nil or nothing; raises for anything else, and for a key that is not
 * among `names` (ends with NULL). */
bool mm_check_options(lua_State *L, int i, const char *const *names);

/* The option `name` of the table at i (0: no table); `otherwise` where it is nil. A number must lie
 * in [low, high]. */
bool mm_option_flag(lua_State *L, int i, const char *name, bool otherwise);
double mm_option_number(lua_State *L, int i, const char *name, double otherwise, double low,
                        double high);

MM_HIDDEN_END

#endif
