/* json_scan.h - follows JSON that is still growing.
 * In: text in any split. Out: is it one complete value; what would close it.
 * Not here: values.                                        SPDX-License-Identifier: MIT */
#ifndef MM_CORE_JSON_SCAN_H
#define MM_CORE_JSON_SCAN_H

#include "buf.h"
#include "json_write.h"

MM_HIDDEN_BEGIN

struct mm_json_scan; /* keeps the text it was fed, and a stack of what is open */

/* A scan of at most `max` bytes of text. Returns MM_OK or MM_ENOMEM. */
MM_NODISCARD int mm_json_scan_new(size_t max, struct mm_json_scan **out);
void mm_json_scan_free(struct mm_json_scan *s); /* NULL is fine */

/* Follow n more bytes; copies them. Linear whatever the split. Strict: RFC 8259, UTF-8, nested at
 * most MM_JSON_DEPTH deep. Returns MM_OK; MM_ESYNTAX, MM_EUTF8 or MM_EDEPTH (sticky, with err->at
 * the offset; the text before it stays); MM_ETOOBIG or MM_ENOMEM (nothing of n was taken). */
MM_NODISCARD int mm_json_scan_feed(struct mm_json_scan *s, const char *bytes, size_t n,
                                   struct mm_error *err);

/* True when the text so far is exactly one complete value, white space around it allowed. A bare
 * number counts as complete although more digits could come. False after a failure. */
bool mm_json_scan_complete(const struct mm_json_scan *s);

/* Write into *out (appended) the longest prefix that can be closed, closed: a string is cut at its
 * last whole character, a number at its last digit that makes it one, a key without a value and an
 * unfinished literal are left out. `{"a":[1,{"b":"x` becomes `{"a":[1,{"b":"x"}]}`. Nothing when
 * nothing can be closed. Returns as mm_buf_append. */
MM_NODISCARD int mm_json_scan_closed(const struct mm_json_scan *s, struct mm_buf *out);

MM_HIDDEN_END

#endif
