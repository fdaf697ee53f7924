/* check.h - the few lines a C test needs: CHECK, input against a guard page, an allocator that
 * fails. In: conditions. Out: a message and exit status 1 at the first failed one. Not here: the
 * tests.                                     SPDX-License-Identifier: MIT */
#ifndef MM_SPEC_CHECK_H
#define MM_SPEC_CHECK_H

#include "../../src/core/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: CHECK(%s)\n", __FILE__, __LINE__, #condition);                       \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

/* Run `body` (a statement that sets `rc`) with the first n allocations succeeding, for n = 0, 1,
 * ..., until it returns something else than MM_ENOMEM; then `after` is checked and nothing may be
 * live. */
#define SWEEP_ALLOC(rc, body)                                                                      \
  do {                                                                                             \
    for (long sweep_n = 0;; sweep_n++) {                                                           \
      long sweep_live = mm_live();                                                                 \
      mm_alloc_fail_after(sweep_n);                                                                \
      body;                                                                                        \
      mm_alloc_fail_after(-1);                                                                     \
      CHECK(mm_live() == sweep_live);                                                              \
      if ((rc) != MM_ENOMEM) break;                                                                \
    }                                                                                              \
  } while (0)

/* n bytes copied so that the byte after them is unreadable. Returns owned: guard_free. */
struct guard {
  char *map;
  size_t size;
  char *bytes;
};

static inline struct guard guard_copy(const void *bytes, size_t n) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t size = (n / page + 2) * page;
  char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(map != MAP_FAILED);
  CHECK(mprotect(map + size - page, page, PROT_NONE) == 0);
  char *at = map + size - page - n;
  if (n) memcpy(at, bytes, n);
  return (struct guard){map, size, at};
}

static inline void guard_free(struct guard g) {
  munmap(g.map, g.size);
}

#endif
