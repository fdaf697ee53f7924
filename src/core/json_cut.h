/* json_cut.h - where a JSON value ends, in a row of values that arrives in any split.
 * In: bytes. Out: how many of them belong to the value.
 * Not here: whether it is valid (json_read).               SPDX-License-Identifier: MIT */
#ifndef MM_CORE_JSON_CUT_H
#define MM_CORE_JSON_CUT_H

#include "err.h"

MM_HIDDEN_BEGIN

struct mm_json_cut { /* zeroed before a value */
  size_t depth;      /* open objects and arrays */
  bool begun;        /* a byte of the value has been seen */
  bool string;       /* inside a string */
  bool escape;       /* behind a backslash in it */
  bool bare;         /* the value is a number or a word: it ends before a delimiter */
};

/* Bytes at the front of text that belong to the value that begins or goes on here; *whole says that
 * it ends with them. Linear. n > 0; white space before the value counts as a word of no length. */
size_t mm_json_cut(struct mm_json_cut *c, const char *text, size_t n, bool *whole);

MM_HIDDEN_END

#endif
