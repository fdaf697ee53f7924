/* net_request.h - the options of engine:start, from Lua's table to a struct.
 * Not here: starting the exchange.                         SPDX-License-Identifier: MIT */
#ifndef MM_LUA_NET_REQUEST_H
#define MM_LUA_NET_REQUEST_H

#include "../net/net.h"
#include "box.h"

MM_HIDDEN_BEGIN

/* Read the table at 2 into *r; raises for wrong types. Strings and objects are borrowed from the
 * stack, where they stay; the decoder, or nil, is at its top. Needs room for 32 values. */
void mm_request_read(lua_State *L, struct mm_request *r);

/* Give the lines of the table's `headers` to x; raises for what is no header line that may be set.
 * Leaves values on the stack. */
void mm_request_headers(lua_State *L, struct mm_exchange *x);

MM_HIDDEN_END

#endif
