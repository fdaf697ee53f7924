/* buf.c - growable bytes with a ceiling, and the one allocator.   SPDX-License-Identifier: MIT */
#include "buf.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_long live;

void mm_live_add(int change) {
  atomic_fetch_add_explicit(&live, change, memory_order_relaxed);
}

long mm_live(void) {
  return atomic_load_explicit(&live, memory_order_relaxed);
}

#ifdef MM_TEST_ALLOC
static long fail_after = -1;
static long count;

void mm_alloc_fail_after(long after) {
  fail_after = after;
  count = 0;
}

long mm_alloc_count(void) {
  return count;
}

static bool refused(void) {
  count++;
  return fail_after >= 0 && count > fail_after;
}
#else
static inline bool refused(void) {
  return false;
}
#endif

void *mm_alloc(void *old, size_t n) {
  if (n == 0) {
    free(old);
    return NULL;
  }
  return refused() ? NULL : realloc(old, n);
}

void mm_buf_init(struct mm_buf *b, size_t max) {
  *b = (struct mm_buf){.max = max};
}

void mm_buf_free(struct mm_buf *b) {
  mm_alloc(b->data, 0);
  mm_buf_init(b, b->max);
}

static size_t grown(const struct mm_buf *b, size_t need) {
  size_t cap = b->cap < 64 ? 64 : b->cap;
  while (cap < need)
    cap = cap > SIZE_MAX / 2 ? need : cap * 2;
  if (cap > b->max && need <= b->max) cap = b->max;
  return cap;
}

int mm_buf_reserve(struct mm_buf *b, size_t extra) {
  if (extra <= b->cap - b->len && b->len + extra <= b->max) return MM_OK;
  if (b->len > b->max || extra > b->max - b->len) return MM_ETOOBIG;
  size_t cap = grown(b, b->len + extra);
  char *data = mm_alloc(b->data, cap);
  if (!data) return MM_ENOMEM;
  b->data = data;
  b->cap = cap;
  return MM_OK;
}

int mm_buf_append(struct mm_buf *b, const void *bytes, size_t n) {
  if (n == 0) return MM_OK;
  int rc = mm_buf_reserve(b, n);
  if (rc != MM_OK) return rc;
  memcpy(b->data + b->len, bytes, n);
  b->len += n;
  return MM_OK;
}

int mm_buf_byte(struct mm_buf *b, char byte) {
  return mm_buf_append(b, &byte, 1);
}

void mm_buf_drop(struct mm_buf *b, size_t n) {
  if (n == 0) return;
  memmove(b->data, b->data + n, b->len - n);
  b->len -= n;
}
