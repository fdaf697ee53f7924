/* fuzz.h - what the fuzz targets share: a check that stops the fuzzer, choices, input in pieces.
 * In: what libFuzzer made. Out: an abort with the place when a promise is broken.
 * Not here: the promises.                                  SPDX-License-Identifier: MIT */
#ifndef MM_SPEC_FUZZ_H
#define MM_SPEC_FUZZ_H

#include "../../src/core/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_CHECK(condition)                                                                      \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: FUZZ_CHECK(%s)\n", __FILE__, __LINE__, #condition);                  \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The last bytes choose how the others are looked at, so that any file is a seed as it is. */
enum { FUZZ_CHOICES = 4 };

struct fuzz_input {
  const char *bytes; /* borrowed */
  size_t n;
  uint8_t choice[FUZZ_CHOICES];
};

static inline struct fuzz_input fuzz_input(const uint8_t *data, size_t n) {
  struct fuzz_input in = {.bytes = (const char *)data, .n = n};
  if (n >= FUZZ_CHOICES) {
    in.n = n - FUZZ_CHOICES;
    memcpy(in.choice, data + in.n, FUZZ_CHOICES);
  }
  return in;
}

/* n bytes in a block of exactly that size, so that a read past them is seen. Returns owned. */
static inline char *fuzz_copy(const void *bytes, size_t n) {
  char *copy = malloc(n);
  FUZZ_CHECK(copy);
  if (n) memcpy(copy, bytes, n);
  return copy;
}

enum fuzz_cut { FUZZ_WHOLE, FUZZ_BYTES, FUZZ_RANDOM, FUZZ_CUTS };

struct fuzz_pieces {
  const char *at; /* borrowed: what is left */
  size_t left;
  enum fuzz_cut cut;
  uint32_t seed; /* of FUZZ_RANDOM */
  char *piece;   /* owned */
};

static inline struct fuzz_pieces fuzz_pieces(const struct fuzz_input *in, enum fuzz_cut cut) {
  uint32_t seed = in->choice[0] * 2654435761u + 1;
  return (struct fuzz_pieces){.at = in->bytes, .left = in->n, .cut = cut, .seed = seed};
}

static inline size_t fuzz_size(struct fuzz_pieces *p) {
  if (p->cut == FUZZ_WHOLE) return p->left;
  if (p->cut == FUZZ_BYTES) return 1;
  p->seed = p->seed * 1664525u + 1013904223u;
  uint32_t roll = p->seed >> 16;
  size_t size = roll % 4 == 0 ? roll % 300 : roll % 12;
  return size < p->left ? size : p->left;
}

/* The next piece, borrowed until the next call; of FUZZ_RANDOM some are empty. False, with nothing
 * held any more, when all was handed out. */
static inline bool fuzz_next(struct fuzz_pieces *p, const char **bytes, size_t *n) {
  free(p->piece);
  p->piece = NULL;
  if (p->left == 0) return false;
  *n = fuzz_size(p);
  *bytes = p->piece = fuzz_copy(p->at, *n);
  p->at += *n;
  p->left -= *n;
  return true;
}

static inline void fuzz_stop(struct fuzz_pieces *p) {
  free(p->piece);
  p->piece = NULL;
}

/* What was seen, to be compared: a tag and bytes. */
static inline void fuzz_note(struct mm_buf *log, char tag, const void *bytes, size_t n) {
  uint64_t length = n;
  FUZZ_CHECK(mm_buf_byte(log, tag) == MM_OK);
  FUZZ_CHECK(mm_buf_append(log, &length, sizeof length) == MM_OK);
  FUZZ_CHECK(mm_buf_append(log, bytes, n) == MM_OK);
}

static inline bool fuzz_same(const struct mm_buf *a, const struct mm_buf *b) {
  return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

#endif
