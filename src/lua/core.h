/* core.h - the parts of multimodal.core's binding.
 * Each mm_open_x makes its classes and adds its functions to the module table at the top of the
 * stack. Not here: box and error helpers (box.h).                 SPDX-License-Identifier: MIT */
#ifndef MM_LUA_CORE_H
#define MM_LUA_CORE_H

#include "../core/blob.h"
#include "box.h"

MM_HIDDEN_BEGIN

#define MM_BLOB "multimodal.blob"
#define MM_BODY "multimodal.body"       /* struct mm_body * */
#define MM_DECODER "multimodal.decoder" /* struct mm_decoder * */

void mm_open_codec(lua_State *L); /* codec.c: base64, mime, data URLs */
void mm_open_blob(lua_State *L);  /* blob.c: blob, blob_file, blob_writer */
void mm_open_json(lua_State *L); /* json.c: array, null, raw, base64_of, data_url_of, json_decode */
void mm_open_body(lua_State *L); /* body.c: body, body_raw */
void mm_open_decoder(lua_State *L); /* decoder.c: decoder */
void mm_open_sse(lua_State *L);     /* sse.c: sse */
void mm_open_scan(lua_State *L);    /* scan.c: json_scan */
void mm_open_file(lua_State *L);    /* file.c: sha256, file_write, file_lock, random, backoff */
void mm_open_poll(lua_State *L);    /* poll.c: poll */

/* When *err tells of too few descriptors or too little space, which garbage may hold: collect it
 * all and return true, so that the caller tries once more. Never raises; finalizers run, so what
 * the caller holds by a box alone may be closed afterwards. */
bool mm_collect_for(lua_State *L, const struct mm_error *err);

/* Collect all garbage: the relief of a spool (spool.h), with L as its argument. Never raises. */
void mm_collect(void *L);

/* Marks that core.base64_of and core.data_url_of put around a blob in a body: a table {blob} whose
 * metatable is one of these; a data URL's {blob, type} names another media type than the blob's. */
#define MM_BASE64_OF "multimodal.base64_of"
#define MM_DATA_URL_OF "multimodal.data_url_of"
#define MM_ARRAY "multimodal.array" /* metatable of arrays */
#define MM_MIXED "multimodal.mixed" /* metatable of strings with media amid text */
#define MM_RAW "multimodal.raw"     /* a table {text} that is written verbatim */

MM_HIDDEN_END

#endif
