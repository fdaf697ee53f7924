/* lift_head.h - the head of a data URL before base64 in JSON text, and escapes in either.
 * In: the text of a string, escapes and all. Out: the head, escapes undone.
 * Not here: the base64 (lift).                             SPDX-License-Identifier: MIT */
#ifndef MM_CORE_LIFT_HEAD_H
#define MM_CORE_LIFT_HEAD_H

#include "dataurl.h"

MM_HIDDEN_BEGIN

struct mm_lift_head {
  char prefix[MM_DATAURL_HEAD + 1]; /* "data:image/png;base64," */
  char mime[sizeof((struct mm_dataurl *)0)->mime];
};

/* Find the head that ends at text[n], n bytes into a string; *at becomes its offset. Borrows text.
 * False when there is none, or it is not of base64. */
bool mm_lift_find_head(const char *text, size_t n, size_t *at, struct mm_lift_head *out);

/* Bytes of the escape at text, which begins with a backslash; 0 when it is unfinished. */
size_t mm_lift_escape_length(const char *text, size_t n);

/* The character that a whole escape stands for, if it is ASCII that base64 or a data URL's head can
 * hold; else 0. */
char mm_lift_escape_char(const char *text, size_t n);

MM_HIDDEN_END

#endif
