/* head.h - a response head as libcurl hands it out, line by line.
 * In: header lines. Out: the final status, and names with values.
 * Not here: what the headers mean.                         SPDX-License-Identifier: MIT */
#ifndef MM_NET_HEAD_H
#define MM_NET_HEAD_H

#include "../core/api.h"

MM_HIDDEN_BEGIN

#define MM_HEAD_MAX ((size_t)256 * 1024) /* bytes of one head */

struct mm_head {
  char *bytes;   /* owned: "name\0value\0" again and again, names in lower case */
  size_t len;    /* bytes in use */
  size_t cap;    /* bytes allocated */
  int count;     /* of pairs */
  int status;    /* of the last status line, 0 before the first */
  bool complete; /* the final head's empty line was seen; trailers are ignored */
};

/* One line with its line end; borrows it. A new status line starts over, so interim heads (1xx)
 * leave nothing. Returns MM_OK, MM_ENOMEM, MM_ETOOBIG. */
MM_NODISCARD int mm_head_line(const struct mm_core_api *core, struct mm_head *h, const char *line,
                              size_t n);

/* The pair after *at, starting with *at = 0. Returns false at the end; pointers are borrowed. */
bool mm_head_pair(const struct mm_head *h, size_t *at, const char **name, const char **value);

/* The value of the last header of that lower-case name, or NULL. Returns borrowed. */
const char *mm_head_find(const struct mm_head *h, const char *name);

/* Give the memory back; *h is empty. */
void mm_head_free(const struct mm_core_api *core, struct mm_head *h);

MM_HIDDEN_END

#endif
