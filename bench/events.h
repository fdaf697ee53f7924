/* events.h - finds the text of streamed events by scanning lines, for the plain C programs.
 * Not here: JSON as such; the text has no escapes.         SPDX-License-Identifier: MIT */
#ifndef BENCH_EVENTS_H
#define BENCH_EVENTS_H

#include <string.h>

struct lines {
  char held[1024]; /* the beginning of a line */
  size_t held_n;
  unsigned long texts;       /* events with text */
  unsigned long long length; /* bytes of all texts */
};

static inline void take_line(struct lines *l, const char *line, size_t n) {
  static const char mark[] = "\"content\":\"";
  if (n < 6 || memcmp(line, "data: ", 6) != 0) return;
  const char *text = memmem(line + 6, n - 6, mark, sizeof mark - 1);
  if (!text) return;
  text += sizeof mark - 1;
  const char *end = memchr(text, '"', (size_t)(line + n - text));
  if (!end) return;
  l->texts++;
  l->length += (unsigned long long)(end - text);
}

/* Feed `n` bytes in any split. Returns 0 where a line is too long. */
static inline int take_bytes(struct lines *l, const char *bytes, size_t n) {
  const char *at = bytes, *end = bytes + n, *lf;
  while (at < end) {
    lf = memchr(at, '\n', (size_t)(end - at));
    size_t some = (size_t)((lf ? lf : end) - at);
    if (!lf || l->held_n) {
      if (some > sizeof l->held - l->held_n) return 0;
      memcpy(l->held + l->held_n, at, some);
      l->held_n += some;
    }
    if (!lf) return 1;
    if (l->held_n)
      take_line(l, l->held, l->held_n);
    else
      take_line(l, at, some);
    l->held_n = 0;
    at = lf + 1;
  }
  return 1;
}

#endif
