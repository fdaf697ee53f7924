/* json_escape.h - escapes of JSON strings undone.
 * In: the bytes between two quotes. Out: UTF-8.
 * Not here: finding the quotes, writing escapes (json_write).     SPDX-License-Identifier: MIT */
#ifndef MM_CORE_JSON_ESCAPE_H
#define MM_CORE_JSON_ESCAPE_H

#include "err.h"

MM_HIDDEN_BEGIN

/* What becomes of half a surrogate pair that stands alone. */
enum mm_json_halves {
  MM_HALVES_REPLACED, /* U+FFFD */
  MM_HALVES_KEPT,     /* three bytes (WTF-8): the other half may follow elsewhere */
  MM_HALVES_REFUSED   /* no escape */
};

/* Undo the escape, or the two of a surrogate pair, at the backslash *s; borrows the text, in which
 * a quote must follow somewhere. Writes at `out` no more bytes than were read, and may write over
 * them. Returns the end of the output with *s behind what was read; NULL when it is no escape. */
MM_NODISCARD char *mm_json_unescape(const char **s, char *out, enum mm_json_halves halves);

MM_HIDDEN_END

#endif
