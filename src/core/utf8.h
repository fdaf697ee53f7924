/* utf8.h - UTF-8 checked and mended.
 * In: bytes. Out: the length of the valid prefix, or mended text.
 * Not here: JSON escapes.                                  SPDX-License-Identifier: MIT */
#ifndef MM_CORE_UTF8_H
#define MM_CORE_UTF8_H

#include "buf.h"

MM_HIDDEN_BEGIN

/* Bytes of the longest valid prefix; n when all is valid. Runs of ASCII at memory speed. */
size_t mm_utf8_valid(const char *text, size_t n);

/* Append text with every maximal malformed part replaced by U+FFFD (WHATWG practice).
 * Returns as mm_buf_append. */
MM_NODISCARD int mm_utf8_mend(const char *text, size_t n, struct mm_buf *out);

/* Bytes of an unfinished but so far valid sequence at the end of text (0-3). */
size_t mm_utf8_open_tail(const char *text, size_t n);

MM_HIDDEN_END

#endif
