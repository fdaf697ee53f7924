/* base64.c - GB/s of every base64 kernel of this machine, beside memcpy.
 * Build it with -O2 from this file and src/core/{base64*,cpu,err}.c.
 * In: nothing. Out: a table; a GB is 10^9 bytes of what is read: binary data for encode, text for
 * run and memcpy. The best of several rounds counts, as other work only ever slows one.
 * Not here: instruction counts (callgrind).                SPDX-License-Identifier: MIT */
#include "../src/core/base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const names[] = {"avx512", "avx2", "ssse3", "neon", "scalar"};

enum work { COPY, ENCODE, RUN };

struct data {
  unsigned char *bytes; /* size bytes */
  char *text;           /* their base64 */
  unsigned char *back;  /* room for either */
  size_t size, text_n;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void once(const struct data *d, enum work work) {
  size_t taken = d->text_n;
  if (work == COPY) memcpy(d->back, d->text, d->text_n);
  if (work == ENCODE) mm_base64_encode(d->bytes, d->size, (char *)d->back);
  if (work == RUN) taken = mm_base64_run(d->text, d->text_n, d->back);
  if (taken != d->text_n) abort();
  __asm__ volatile("" ::: "memory");
}

static double rate(const struct data *d, enum work work) {
  size_t bytes = work == ENCODE ? d->size : d->text_n;
  size_t times = (size_t)64e6 / bytes + 1;
  double best = 0;
  for (int round = 0; round < 12; round++) {
    double start = now();
    for (size_t i = 0; i < times; i++)
      once(d, work);
    double gbs = (double)bytes * (double)times / (now() - start) / 1e9;
    if (gbs > best) best = gbs;
  }
  return best;
}

static void prepare(struct data *d, size_t size) {
  d->size = size / 3 * 3;
  d->text_n = (size_t)mm_base64_length(d->size);
  d->bytes = malloc(d->size);
  d->text = malloc(d->text_n);
  d->back = malloc(d->text_n);
  if (!d->bytes || !d->text || !d->back) abort();
  unsigned x = 1;
  for (size_t i = 0; i < d->size; i++) {
    x = x * 1664525u + 1013904223u;
    d->bytes[i] = (unsigned char)(x >> 24);
  }
  mm_base64_encode(d->bytes, d->size, d->text);
  memset(d->back, 0, d->text_n);
}

int main(void) {
  static const size_t sizes[] = {1 << 10, 64 << 10, 1 << 20, 16 << 20};
  printf("%-10s %10s %10s %10s\n", "kernel", "bytes", "encode", "run");
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    struct data d;
    prepare(&d, sizes[s]);
    printf("%-10s %10zu %10.1f\n", "memcpy", d.text_n, rate(&d, COPY));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
      if (mm_base64_force(names[i]))
        printf("%-10s %10zu %10.1f %10.1f\n", names[i], d.size, rate(&d, ENCODE), rate(&d, RUN));
    free(d.bytes);
    free(d.text);
    free(d.back);
  }
  return 0;
}
