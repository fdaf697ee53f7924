/* buf.h - growable bytes with a ceiling, and the one allocator.
 * In: bytes. Out: one contiguous block.
 * Not here: strings, encodings, files.                     SPDX-License-Identifier: MIT */
#ifndef MM_CORE_BUF_H
#define MM_CORE_BUF_H

#include "err.h"

MM_HIDDEN_BEGIN

/* Every byte the core owns comes from here. n = 0 frees `old` and returns NULL; else as realloc:
 * NULL on failure, with `old` untouched. Test builds (MM_TEST_ALLOC) make it fail on demand. */
void *mm_alloc(void *old, size_t n);

#ifdef MM_TEST_ALLOC
/* Let `after` more allocations succeed, then fail all; negative: never fail. Frees always work. */
void mm_alloc_fail_after(long after);
long mm_alloc_count(void); /* allocations since the last mm_alloc_fail_after() */
#endif

/* The count of live core objects (blobs, bodies, decoders, parsers, locks ...). Atomic. */
void mm_live_add(int change);
long mm_live(void);

struct mm_buf {
  char *data; /* owned; NULL while cap is 0 */
  size_t len; /* bytes in use */
  size_t cap; /* bytes allocated */
  size_t max; /* ceiling for len */
};

/* Make *b empty with a ceiling of `max` bytes. Allocates nothing. */
void mm_buf_init(struct mm_buf *b, size_t max);

/* Give the memory back; *b is empty, the ceiling stays. */
void mm_buf_free(struct mm_buf *b);

/* Make room for `extra` more bytes at data + len. Doubles, so appending is linear.
 * Returns MM_OK, MM_ETOOBIG past the ceiling, MM_ENOMEM; *b is as it was on failure. */
MM_NODISCARD int mm_buf_reserve(struct mm_buf *b, size_t extra);

/* Append n bytes; copies them. Returns as mm_buf_reserve. */
MM_NODISCARD int mm_buf_append(struct mm_buf *b, const void *bytes, size_t n);

/* Append one byte. Returns as mm_buf_reserve. */
MM_NODISCARD int mm_buf_byte(struct mm_buf *b, char byte);

/* Drop the first n bytes (n <= len) and move the rest to the front. */
void mm_buf_drop(struct mm_buf *b, size_t n);

MM_HIDDEN_END

#endif
