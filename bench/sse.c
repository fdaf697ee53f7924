/* sse.c - SSE framing beside a plain memchr scan of the same bytes in the same feeds.
 * In: nothing. Out: a line for each workload: seconds of both, and their ratio.
 * `sse WORKLOAD sse|memchr N` runs one of them N times, for callgrind.
 * Not here: events as text, JSON.                          SPDX-License-Identifier: MIT */
#include "../src/core/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct workload {
  const char *name;
  size_t event; /* bytes of an event */
  size_t total; /* bytes of the stream */
  size_t feed;  /* bytes fed at once */
};

static const struct workload workloads[] = {
    {"events of 200 bytes, 64 KiB feeds", 200, 1 << 20, 1 << 16},
    {"events of 200 bytes, one a feed", 200, 1 << 20, 200},
    {"events of 60 bytes, 16 KiB feeds", 60, 1 << 20, 1 << 14},
    {"events of 200 bytes, 1-byte feeds", 200, 1 << 20, 1},
    {"events of 200 bytes, 7-byte feeds", 200, 1 << 20, 7},
    {"one line of 20 MiB, 16 KiB feeds", 20 << 20, 20 << 20, 1 << 14},
    {"one line of 20 MiB, 1 MiB feeds", 20 << 20, 20 << 20, 1 << 20},
};
enum { WORKLOADS = sizeof workloads / sizeof workloads[0] };

static char *make_stream(const struct workload *w) {
  char *bytes = malloc(w->total);
  if (!bytes) exit(1);
  memset(bytes, 'x', w->total);
  for (size_t at = 0; at + w->event <= w->total; at += w->event) {
    memcpy(bytes + at, "data: {", 7);
    memcpy(bytes + at + w->event - 3, "}\n\n", 3);
  }
  return bytes;
}

static uint64_t scan_memchr(const char *bytes, size_t total, size_t feed) {
  uint64_t lines = 0;
  for (size_t at = 0; at < total; at += feed) {
    const char *p = bytes + at;
    const char *end = p + (total - at < feed ? total - at : feed);
    while (p < end) {
      const char *lf = memchr(p, '\n', (size_t)(end - p));
      if (!lf) break;
      lines++;
      p = lf + 1;
    }
  }
  return lines;
}

static uint64_t scan_sse(const char *bytes, size_t total, size_t feed) {
  struct mm_sse s;
  struct mm_sse_piece piece;
  uint64_t events = 0;
  mm_sse_init(&s);
  for (size_t at = 0; at < total; at += feed) {
    const char *p = bytes + at;
    size_t n = total - at < feed ? total - at : feed;
    while (n && mm_sse_next(&s, &p, &n, &piece) == MM_OK)
      events += piece.what == MM_SSE_DISPATCH;
  }
  mm_sse_free(&s);
  return events;
}

typedef uint64_t scan_fn(const char *bytes, size_t total, size_t feed);

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static volatile uint64_t sink;

static double one_run(scan_fn *scan, const char *bytes, const struct workload *w, int times) {
  double begin = seconds();
  for (int i = 0; i < times; i++)
    sink += scan(bytes, w->total, w->feed);
  return (seconds() - begin) / times;
}

/* The best of several runs, taken in turn so that both meet the same noise. */
static void compare(const struct workload *w) {
  char *bytes = make_stream(w);
  double plain = 1e9, ours = 1e9;
  for (int i = 0; i < 15; i++) {
    double a = one_run(scan_memchr, bytes, w, 4);
    double b = one_run(scan_sse, bytes, w, 4);
    if (a < plain) plain = a;
    if (b < ours) ours = b;
  }
  double mb = (double)w->total / 1e6;
  printf("%-36s memchr %8.0f MB/s   sse %8.0f MB/s   ratio %.2f\n", w->name, mb / plain, mb / ours,
         plain / ours);
  free(bytes);
}

int main(int argc, char **argv) {
  if (argc == 4) {
    const struct workload *w = &workloads[(unsigned)atoi(argv[1]) % WORKLOADS];
    char *bytes = make_stream(w);
    one_run(argv[2][0] == 's' ? scan_sse : scan_memchr, bytes, w, atoi(argv[3]));
    free(bytes);
    return 0;
  }
  for (int i = 0; i < WORKLOADS; i++)
    compare(&workloads[i]);
  return 0;
}
