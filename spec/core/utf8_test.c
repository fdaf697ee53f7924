/* utf8_test.c - UTF-8 against a second decoder, and the WHATWG replacements.
 * SPDX-License-Identifier: MIT */
#include "../../src/core/utf8.h"
#include "check.h"

/* The length of the character at p, 0 when there is none: by its value, as Unicode defines it. */
static size_t naive(const unsigned char *p, size_t n) {
  static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (n == 0) return 0;
  size_t size = p[0] < 0x80       ? 1
                : p[0] >> 5 == 6  ? 2
                : p[0] >> 4 == 14 ? 3
                : p[0] >> 3 == 30 ? 4
                                  : 0;
  if (size <= 1) return size;
  if (size > n) return 0;
  uint32_t value = p[0] & (0x7fu >> size);
  for (size_t i = 1; i < size; i++) {
    if (p[i] >> 6 != 2) return 0;
    value = value << 6 | (p[i] & 0x3fu);
  }
  bool surrogate = value >= 0xd800 && value <= 0xdfff;
  return value < smallest[size] || value > 0x10ffff || surrogate ? 0 : size;
}

static size_t naive_valid(const char *text, size_t n) {
  size_t i = 0;
  for (size_t size; (size = naive((const unsigned char *)text + i, n - i)) > 0;)
    i += size;
  return i;
}

/* Whether some bytes after these would make a character of them. */
static bool naive_open(const char *text, size_t n) {
  static const unsigned char first[] = {0x80, 0x90, 0xa0, 0xbf};
  unsigned char p[4] = {0};
  memcpy(p, text, n);
  if (naive(p, n)) return false;
  for (size_t k = 0; k < sizeof first; k++) {
    for (size_t i = n; i < 4; i++)
      p[i] = i == n ? first[k] : 0x80;
    size_t size = naive(p, 4);
    if (size > n) return true;
  }
  return false;
}

static size_t naive_open_tail(const char *text, size_t n) {
  for (size_t back = 3; back > 0; back--)
    if (back <= n && naive_open(text + n - back, back)) return back;
  return 0;
}

static void check(const char *text, size_t n) {
  struct guard in = guard_copy(text, n);
  CHECK(mm_utf8_valid(in.bytes, n) == naive_valid(text, n));
  CHECK(mm_utf8_open_tail(in.bytes, n) == naive_open_tail(text, n));
  guard_free(in);
}

static void every_character(void) {
  for (uint32_t c = 0; c <= 0x110000; c += c < 0x10000 ? 1 : 0x101) {
    char t[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = 0; i < n; i++)
      t[i] = (char)(i == 0 ? lead[n] | c >> 6 * (n - 1) : 0x80 | (c >> 6 * (n - 1 - i) & 0x3f));
    bool good = (c < 0xd800 || c > 0xdfff) && c <= 0x10ffff;
    CHECK(mm_utf8_valid(t, n) == (good ? n : 0));
  }
}

/* Every pair of bytes before every kind of third and fourth one. */
static void every_pair(void) {
  static const unsigned char third[] = {0x00, 0x7f, 0x80, 0xbf, 0xc2, 0xff};
  char t[4];
  for (unsigned pair = 0; pair < 0x10000; pair++)
    for (size_t k = 0; k < sizeof third; k++) {
      t[0] = (char)(pair >> 8);
      t[1] = (char)pair;
      t[2] = (char)third[k];
      t[3] = (char)third[(k + pair) % sizeof third];
      for (size_t n = 1; n <= 4; n++) {
        CHECK(mm_utf8_valid(t, n) == naive_valid(t, n));
        CHECK(mm_utf8_open_tail(t, n) == naive_open_tail(t, n));
      }
    }
}

/* A character, broken or whole, at every place of a long ASCII text and at its end. */
static void amid_ascii(void) {
  static const char *const bits[] = {
      "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff", "\xe2\x82",
      "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xf0\x9f"};
  for (size_t b = 0; b < sizeof bits / sizeof bits[0]; b++)
    for (size_t at = 0; at < 100; at++) {
      char text[110];
      memset(text, 'x', sizeof text);
      memcpy(text + at, bits[b], strlen(bits[b]));
      check(text, 105);
      check(text, at + strlen(bits[b]));
    }
  check("", 0);
}

static void mends(const char *text, const char *expected) {
  struct guard in = guard_copy(text, strlen(text));
  struct mm_buf out;
  mm_buf_init(&out, 1000);
  int rc;
  SWEEP_ALLOC(rc, {
    mm_buf_free(&out);
    rc = mm_utf8_mend(in.bytes, strlen(text), &out);
    CHECK(rc == MM_OK || out.len == 0);
  });
  CHECK(rc == MM_OK);
  CHECK(out.len == strlen(expected) && (out.len == 0 || !memcmp(out.data, expected, out.len)));
  mm_buf_free(&out);
  guard_free(in);
}

#define R "\xef\xbf\xbd"

/* The last two are table 3-8 and table 3-11 of the Unicode Standard. */
static void mending(void) {
  mends("", "");
  mends("plain", "plain");
  mends("h\xc3\xa9", "h\xc3\xa9");
  mends("\xff", R);
  mends("a\xe2\x82", "a" R);
  mends("a\xe2\x82"
        "b",
        "a" R "b");
  mends("\xf0\x9f\x98", R);
  mends("\xe0\x80\x80", R R R);
  mends("\xc0\xaf", R R);
  mends("\xed\xa0\x80", R R R);
  mends("\xf4\x90\x80\x80", R R R R);
  mends("\xc3\xc3\xa9", R "\xc3\xa9");
  mends("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", "a" R R R "b" R "c" R R "d");
  mends("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", R R R R "A");
}

static void mending_keeps_the_ceiling(void) {
  struct mm_buf out;
  mm_buf_init(&out, 6);
  CHECK(mm_buf_append(&out, "ab", 2) == MM_OK);
  CHECK(mm_utf8_mend("cd\xff", 3, &out) == MM_ETOOBIG);
  CHECK(out.len == 2);
  CHECK(mm_utf8_mend("c\xff", 2, &out) == MM_OK);
  CHECK(out.len == 6 && memcmp(out.data, "abc" R, 6) == 0);
  mm_buf_free(&out);
}

int main(void) {
  every_character();
  every_pair();
  amid_ascii();
  mending();
  mending_keeps_the_ceiling();
  return 0;
}
