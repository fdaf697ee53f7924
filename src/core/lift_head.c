/* lift_head.c - the head of a data URL in JSON text.   SPDX-License-Identifier: MIT */
#include "lift_head.h"

#include <string.h>

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t mm_lift_escape_length(const char *text, size_t n) {
  if (n < 2) return 0;
  if (text[1] != 'u') return 2;
  size_t i = 2;
  while (i < 6 && i < n && hex(text[i]) >= 0)
    i++;
  if (i == 6 || i < n) return i; /* a malformed one ends where it goes wrong */
  return 0;
}

char mm_lift_escape_char(const char *text, size_t n) {
  if (n == 2) return text[1] == '/' ? '/' : 0;
  if (n != 6 || text[2] != '0' || text[3] != '0') return 0;
  int c = hex(text[4]) * 16 + hex(text[5]);
  return c > 0x20 && c < 0x7f && c != '"' && c != '\\' ? (char)c : 0;
}

static bool equal_fold(const char *a, const char *lower, size_t n) {
  for (size_t i = 0; i < n; i++)
    if ((a[i] | 0x20) != lower[i] && a[i] != lower[i]) return false;
  return true;
}

/* True when text[at] is a part of an escape that begins before it. */
static bool inside_escape(const char *text, size_t at) {
  for (size_t back = 1; back <= 5 && at >= back; back++) {
    size_t slash = at - back, slashes = 0;
    if (text[slash] != '\\') continue;
    while (slash > slashes && text[slash - slashes - 1] == '\\')
      slashes++;
    bool opens = slashes % 2 == 0;
    return opens && back < mm_lift_escape_length(text + slash, 6);
  }
  return false;
}

/* text[0..n) is "data:...," with escapes: undo them. */
static bool read_head(const char *text, size_t n, struct mm_lift_head *out) {
  size_t to = 0;
  for (size_t i = 0; i < n; to++) {
    if (to == MM_DATAURL_HEAD) return false;
    size_t length = text[i] == '\\' ? mm_lift_escape_length(text + i, n - i) : 1;
    char c = text[i] == '\\' ? mm_lift_escape_char(text + i, length) : text[i];
    if (c <= 0x20 || c >= 0x7f || length == 0) return false;
    out->prefix[to] = c;
    i += length;
  }
  out->prefix[to] = 0;
  struct mm_dataurl head;
  if (mm_dataurl_head(out->prefix, to, &head) != MM_OK) return false;
  if (!head.base64 || head.payload != to) return false;
  memcpy(out->mime, head.mime, sizeof out->mime);
  return true;
}

bool mm_lift_find_head(const char *text, size_t n, size_t *at, struct mm_lift_head *out) {
  enum { SHORTEST = 13, LONGEST = 6 * MM_DATAURL_HEAD }; /* "data:;base64,"; all in \u escapes */
  if (n < SHORTEST || text[n - 1] != ',') return false;
  size_t low = n > LONGEST ? n - LONGEST : 0;
  for (size_t i = n - SHORTEST + 1; i-- > low;) {
    if (!equal_fold(text + i, "data:", 5) || inside_escape(text, i)) continue;
    *at = i;
    return read_head(text + i, n - i, out);
  }
  return false;
}
