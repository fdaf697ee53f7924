/* utf8.c - UTF-8 checked and mended.   SPDX-License-Identifier: MIT */
#include "utf8.h"

#include <string.h>

/* What may follow a lead byte: how many bytes, and the range of the first of them. It excludes
 * overlong forms, surrogates and what is past U+10FFFF. */
struct rule {
  unsigned char more, low, high;
};

static struct rule rule_of(unsigned char lead) {
  if (lead < 0xc2 || lead > 0xf4) return (struct rule){0, 0, 0};
  if (lead < 0xe0) return (struct rule){1, 0x80, 0xbf};
  if (lead < 0xf0) return (struct rule){2, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf};
  return (struct rule){3, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf};
}

enum verdict { WHOLE, BROKEN, UNFINISHED };

/* The character that begins with the byte >= 0x80 at p; n > 0 bytes are there. *size becomes its
 * length, or that of its maximal well-formed beginning (at least 1). */
static enum verdict look(const unsigned char *p, size_t n, size_t *size) {
  struct rule rule = rule_of(p[0]);
  *size = 1;
  if (rule.more == 0) return BROKEN;
  for (; *size <= rule.more; ++*size) {
    if (*size == n) return UNFINISHED;
    if (p[*size] < rule.low || p[*size] > rule.high) return BROKEN;
    rule.low = 0x80;
    rule.high = 0xbf;
  }
  return WHOLE;
}

static inline bool ascii32(const unsigned char *p) {
  uint64_t w[4];
  memcpy(w, p, sizeof w);
  return ((w[0] | w[1] | w[2] | w[3]) & UINT64_C(0x8080808080808080)) == 0;
}

static inline bool ascii8(const unsigned char *p) {
  uint64_t w;
  memcpy(&w, p, sizeof w);
  return (w & UINT64_C(0x8080808080808080)) == 0;
}

static size_t skip_ascii(const unsigned char *p, size_t i, size_t n) {
  while (n - i >= 32 && ascii32(p + i))
    i += 32;
  while (n - i >= 8 && ascii8(p + i))
    i += 8;
  while (i < n && p[i] < 0x80)
    i++;
  return i;
}

size_t mm_utf8_valid(const char *text, size_t n) {
  const unsigned char *p = (const unsigned char *)text;
  size_t i = 0, size;
  for (;;) {
    i = skip_ascii(p, i, n);
    do {
      if (i == n || look(p + i, n - i, &size) != WHOLE) return i;
      i += size;
    } while (i < n && p[i] >= 0x80);
  }
}

int mm_utf8_mend(const char *text, size_t n, struct mm_buf *out) {
  size_t before = out->len, i = 0, size;
  int rc = MM_OK;
  while (i < n && rc == MM_OK) {
    size_t good = mm_utf8_valid(text + i, n - i);
    rc = mm_buf_append(out, text + i, good);
    i += good;
    if (rc != MM_OK || i == n) break;
    look((const unsigned char *)text + i, n - i, &size);
    i += size;
    rc = mm_buf_append(out, "\xef\xbf\xbd", 3);
  }
  if (rc != MM_OK) out->len = before;
  return rc;
}

size_t mm_utf8_open_tail(const char *text, size_t n) {
  const unsigned char *p = (const unsigned char *)text;
  for (size_t back = 1; back <= 3 && back <= n; back++) {
    unsigned char byte = p[n - back];
    if (byte >= 0x80 && byte < 0xc0) continue;
    size_t size;
    return byte >= 0xc0 && look(p + n - back, back, &size) == UNFINISHED ? back : 0;
  }
  return 0;
}
