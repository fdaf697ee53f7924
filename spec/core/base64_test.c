/* base64_test.c - base64 against RFC 4648 and an independent naive codec, with every kernel.
 * SPDX-License-Identifier: MIT */
#include "../../src/core/base64.h"
#include "check.h"

#include <sys/wait.h>

static const char *const names[] = {"scalar", "ssse3", "avx2", "avx512", "neon"};
enum { NAMES = sizeof names / sizeof names[0] };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Bit by bit, so that nothing is shared with the code under test. */
static size_t naive_encode(const unsigned char *in, size_t n, char *out) {
  size_t len = 0;
  for (size_t bit = 0; bit < n * 8; bit += 6) {
    unsigned v = 0;
    for (size_t k = bit; k < bit + 6; k++)
      v = v * 2 + (k < n * 8 ? (unsigned)in[k / 8] >> (7 - k % 8) & 1 : 0);
    out[len++] = letters[v];
  }
  while (len % 4)
    out[len++] = '=';
  return len;
}

static unsigned char noise(size_t i) {
  uint32_t x = (uint32_t)i * 2654435761u + 12345u;
  x ^= x >> 15;
  x *= 2246822519u;
  return (unsigned char)(x >> 13);
}

static void fill(unsigned char *out, size_t n, size_t seed) {
  for (size_t i = 0; i < n; i++)
    out[i] = noise(i + seed * 7919);
}

static int decode(const char *text, size_t n, unsigned char *out, size_t *out_n, uint64_t *at) {
  struct mm_error err = {0};
  int rc = mm_base64_decode(text, n, out, out_n, &err);
  CHECK(rc == MM_OK || err.code == rc);
  CHECK(mm_base64_decode(text, n, out, out_n, NULL) == rc);
  *at = err.at;
  return rc;
}

static void decodes(const char *text, const char *expected, size_t expected_n) {
  unsigned char out[256];
  size_t n;
  uint64_t at;
  CHECK(decode(text, strlen(text), out, &n, &at) == MM_OK);
  CHECK(n == expected_n && memcmp(out, expected, n) == 0);
}

static void refuses(const char *text, uint64_t where) {
  unsigned char out[256];
  size_t n = 99;
  uint64_t at;
  CHECK(decode(text, strlen(text), out, &n, &at) == MM_ESYNTAX);
  CHECK(n == 0 && at == where);
}

static void vectors(void) {
  static const char *const rfc[][2] = {{"", ""},
                                       {"f", "Zg=="},
                                       {"fo", "Zm8="},
                                       {"foo", "Zm9v"},
                                       {"foob", "Zm9vYg=="},
                                       {"fooba", "Zm9vYmE="},
                                       {"foobar", "Zm9vYmFy"}};
  for (size_t i = 0; i < sizeof rfc / sizeof rfc[0]; i++) {
    char out[16] = {0};
    size_t n = strlen(rfc[i][0]);
    CHECK(mm_base64_length(n) == strlen(rfc[i][1]));
    mm_base64_encode(rfc[i][0], n, out);
    CHECK(strcmp(out, rfc[i][1]) == 0);
    decodes(rfc[i][1], rfc[i][0], n);
  }
}

static void strictness(void) {
  decodes("Zg", "f", 1);
  decodes("Zm8", "fo", 2);
  decodes(" Z g\t= \r=\n\f", "f", 1);
  decodes("Zh==", "f", 1);
  decodes("-_-_", "\xfb\xff\xbf", 3);
  decodes("+_-/", "\xfb\xff\xbf", 3);
  decodes(" \n", "", 0);
  refuses("Z", 1);
  refuses("Zm9vZ", 5);
  refuses("Z=", 1);
  refuses("Zg=", 3);
  refuses("Zg= x", 4);
  refuses("Zg===", 4);
  refuses("Zm8==", 4);
  refuses("Zm9v=", 4);
  refuses("=", 0);
  refuses("Zg==Zg==", 4);
  refuses("Zm9v!", 4);
  refuses("Zm\vv", 2);
  refuses("Zm9\xc3", 3);
}

static void check_encode(const unsigned char *bytes, size_t n) {
  char expected[512];
  size_t expected_n = naive_encode(bytes, n, expected);
  struct guard in = guard_copy(bytes, n);
  struct guard out = guard_copy(expected, expected_n);
  memset(out.map, 0x5a, (size_t)(out.bytes - out.map) + expected_n);
  mm_base64_encode(in.bytes, n, out.bytes);
  CHECK(memcmp(out.bytes, expected, expected_n) == 0);
  CHECK(out.bytes[-1] == 0x5a);
  guard_free(in);
  guard_free(out);
}

/* The quanta that are whole are taken, and not one byte more is written. */
static void check_run(const unsigned char *bytes, size_t n) {
  char text[512];
  size_t len = naive_encode(bytes, n, text);
  for (size_t cut = len > 8 ? len - 8 : 0; cut <= len; cut++) {
    size_t quanta = cut / 4 * 4 > n / 3 * 4 ? n / 3 : cut / 4;
    unsigned char blank[400];
    memset(blank, 0x5a, sizeof blank);
    struct guard in = guard_copy(text, cut);
    struct guard out = guard_copy(blank, quanta * 3);
    CHECK(mm_base64_run(in.bytes, cut, (unsigned char *)out.bytes) == quanta * 4);
    CHECK(memcmp(out.bytes, bytes, quanta * 3) == 0);
    guard_free(out);
    CHECK(mm_base64_run(in.bytes, cut, blank) == quanta * 4);
    for (size_t i = quanta * 3; i < sizeof blank; i++)
      CHECK(blank[i] == 0x5a);
    CHECK(mm_base64_run(in.bytes, cut, (unsigned char *)in.bytes) == quanta * 4);
    CHECK(memcmp(in.bytes, bytes, quanta * 3) == 0);
    guard_free(in);
  }
}

static void check_decode(const unsigned char *bytes, size_t n) {
  char text[512];
  unsigned char out[400];
  size_t len = naive_encode(bytes, n, text), out_n;
  struct guard in = guard_copy(text, len);
  CHECK(mm_base64_decode(in.bytes, len, out, &out_n, NULL) == MM_OK);
  CHECK(out_n == n && memcmp(out, bytes, n) == 0);
  CHECK(mm_base64_decode(in.bytes, len, in.bytes, &out_n, NULL) == MM_OK);
  CHECK(out_n == n && memcmp(in.bytes, bytes, n) == 0);
  guard_free(in);
}

static void lengths(void) {
  unsigned char bytes[300];
  for (size_t n = 0; n <= 300; n++) {
    fill(bytes, n, n);
    check_encode(bytes, n);
    check_run(bytes, n);
    check_decode(bytes, n);
  }
}

static void alignments(void) {
  unsigned char bytes[700], back[800];
  char text[1100], expected[1100];
  fill(bytes, sizeof bytes, 3);
  for (size_t from = 0; from < 64; from++)
    for (size_t to = 0; to < 64; to += 7) {
      size_t n = 600 - from;
      size_t len = naive_encode(bytes + from, n, expected);
      mm_base64_encode(bytes + from, n, text + to);
      CHECK(memcmp(text + to, expected, len) == 0);
      CHECK(mm_base64_run(text + to, len, back + from) == n / 3 * 4);
      CHECK(memcmp(back + from, bytes + from, n / 3 * 3) == 0);
    }
}

/* Every value at every place of a vector, both ways. */
static void values(void) {
  for (size_t value = 0; value < 64; value++) {
    char text[257], back[257];
    unsigned char out[192];
    memset(text, letters[value], 256);
    CHECK(mm_base64_run(text, 256, out) == 256);
    mm_base64_encode(out, 192, back);
    CHECK(memcmp(text, back, 256) == 0);
  }
}

static void foreign_bytes(size_t length) {
  char text[700];
  unsigned char bytes[700], out[700];
  fill(bytes, length, 11);
  naive_encode(bytes, length / 4 * 3, text);
  for (size_t at = 0; at < length; at++) {
    char was = text[at];
    for (int c = 0; c < 256; c++) {
      text[at] = (char)c;
      bool letter = c && strchr(letters, c);
      memset(out, 0x5a, sizeof out);
      size_t taken = mm_base64_run(text, length, out);
      CHECK(taken == (letter ? length : at / 4 * 4));
      size_t same = taken / 4 * 3 < at / 4 * 3 ? taken / 4 * 3 : at / 4 * 3;
      CHECK(memcmp(out, bytes, same) == 0);
      CHECK(out[taken / 4 * 3] == 0x5a && out[taken / 4 * 3 + 40] == 0x5a);
      if (letter || (c && strchr("-_ \t\r\n\f=", c))) continue;
      struct mm_error err;
      size_t n;
      CHECK(mm_base64_decode(text, length, out, &n, &err) == MM_ESYNTAX && err.at == at);
    }
    text[at] = was;
  }
}

static void white_space(void) {
  unsigned char bytes[240], out[400];
  char text[400], wrapped[800];
  fill(bytes, sizeof bytes, 5);
  size_t len = naive_encode(bytes, sizeof bytes, text);
  for (size_t width = 1; width < 90; width++) {
    size_t n = 0, out_n;
    for (size_t i = 0; i < len; i++) {
      wrapped[n++] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
      if (i % width == width - 1) wrapped[n++] = '\n';
    }
    CHECK(mm_base64_decode(wrapped, n, wrapped, &out_n, NULL) == MM_OK);
    CHECK(out_n == sizeof bytes && memcmp(wrapped, bytes, out_n) == 0);
  }
  CHECK(len < sizeof out);
}

static void feed_ok(struct mm_base64_stream *s, const char *text, size_t n, unsigned char *out,
                    size_t *len) {
  struct guard in = guard_copy(text, n);
  unsigned char room[1000];
  size_t got;
  CHECK(mm_base64_feed(s, in.bytes, n, room, &got) == MM_OK);
  CHECK(got <= n / 4 * 3 + 6);
  memcpy(out + *len, room, got);
  *len += got;
  guard_free(in);
}

static void stream_ends(struct mm_base64_stream *s, unsigned char *out, size_t *len,
                        const void *expected, size_t expected_n) {
  size_t got;
  CHECK(mm_base64_finish(s, out + *len, &got) == MM_OK);
  *len += got;
  CHECK(*len == expected_n && memcmp(out, expected, expected_n) == 0);
}

static void splits_of(const char *text, const void *expected, size_t expected_n) {
  size_t n = strlen(text);
  unsigned char out[1000];
  for (size_t a = 0; a <= n; a++)
    for (size_t b = a; b <= n; b += n > 100 ? 31 : 1) {
      struct mm_base64_stream s = {.carried = 0};
      size_t len = 0;
      feed_ok(&s, text, a, out, &len);
      feed_ok(&s, text + a, b - a, out, &len);
      feed_ok(&s, text + b, n - b, out, &len);
      stream_ends(&s, out, &len, expected, expected_n);
    }
  struct mm_base64_stream s = {.carried = 0};
  size_t len = 0;
  for (size_t i = 0; i < n; i++)
    feed_ok(&s, text + i, 1, out, &len);
  stream_ends(&s, out, &len, expected, expected_n);
}

static void fragments(void) {
  splits_of("Zm9vYmFy", "foobar", 6);
  splits_of("Zm9vYg==Zm9vYg==Zg==", "foobfoobf", 9);
  splits_of("Zg=Zm8=Zm9v", "ffofoo", 6);
  splits_of(" Z m8 = Z\ng = =Zm9vYg", "foffoob", 7);
  splits_of("-_-_+/+/", "\xfb\xff\xbf\xfb\xff\xbf", 6);
  unsigned char bytes[150];
  char text[201] = {0};
  fill(bytes, sizeof bytes, 9);
  naive_encode(bytes, sizeof bytes, text);
  splits_of(text, bytes, sizeof bytes);
}

static void feed_fails(const char *text, const char *before) {
  struct mm_base64_stream s = {.carried = 0};
  unsigned char out[100];
  size_t n;
  CHECK(mm_base64_feed(&s, text, strlen(text), out, &n) == MM_ESYNTAX);
  CHECK(n == strlen(before) && memcmp(out, before, n) == 0);
}

static void broken_fragments(void) {
  feed_fails("Zm9vYmFy*", "foobar");
  feed_fails("=", "");
  feed_fails("Z=", "");
  feed_fails("Zm9v=", "foo");
  feed_fails("Zg===", "f");
  feed_fails("Zm8==", "fo");
  struct mm_base64_stream s = {.carried = 0};
  unsigned char out[8];
  size_t n;
  CHECK(mm_base64_feed(&s, "Zm9vZ", 5, out, &n) == MM_OK && n == 3);
  CHECK(mm_base64_finish(&s, out, &n) == MM_ESYNTAX && n == 0);
  CHECK(mm_base64_finish(&s, out, &n) == MM_OK && n == 0);
}

static void large(void) {
  enum { SIZE = 1 << 18 };
  unsigned char *bytes = malloc(SIZE), *back = malloc(SIZE);
  size_t len = (size_t)mm_base64_length(SIZE), n;
  char *text = malloc(len), *expected = malloc(len);
  CHECK(bytes && back && text && expected);
  fill(bytes, SIZE, 1);
  mm_base64_encode(bytes, SIZE, text);
  CHECK(naive_encode(bytes, SIZE, expected) == len && memcmp(text, expected, len) == 0);
  CHECK(mm_base64_run(text, len, back) == SIZE / 3 * 4);
  CHECK(memcmp(back, bytes, SIZE / 3 * 3) == 0);
  CHECK(mm_base64_decode(text, len, text, &n, NULL) == MM_OK && n == SIZE);
  CHECK(memcmp(text, bytes, SIZE) == 0);
  free(bytes);
  free(back);
  free(text);
  free(expected);
}

static void with_kernel(const char *name) {
  if (!mm_base64_force(name)) return;
  printf("base64: %s\n", name);
  CHECK(strcmp(mm_base64_kernel(), name) == 0);
  vectors();
  strictness();
  lengths();
  alignments();
  values();
  foreign_bytes(200);
  foreign_bytes(600);
  white_space();
  fragments();
  broken_fragments();
  large();
}

/* The choice is made once, so each value of the variable needs a fresh process. */
static void environment(void) {
  static const char *const wanted[] = {"scalar", "nonsense", ""};
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      CHECK(setenv("MULTIMODAL_SIMD", wanted[i], 1) == 0);
      bool scalar = strcmp(mm_base64_kernel(), "scalar") == 0;
      _exit(strcmp(wanted[i], "scalar") == 0 ? !scalar : mm_base64_force("ssse3") && scalar);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
  }
}

int main(void) {
  environment();
  CHECK(mm_base64_length(UINT64_C(1) << 62) == UINT64_C(6148914691236517208));
  CHECK(!mm_base64_force("nonsense"));
  CHECK(mm_base64_force("scalar"));
  for (size_t i = 0; i < NAMES; i++)
    with_kernel(names[i]);
  mm_base64_encode(NULL, 0, NULL);
  CHECK(mm_base64_run(NULL, 0, NULL) == 0);
  return 0;
}
