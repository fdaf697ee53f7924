/* codec.c - fuzz target: base64, data URLs, UTF-8, media types and hashes. Every kernel agrees with
 * a plain version, whole and in any split.                  SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include "../../src/core/base64.h"
#include "../../src/core/dataurl.h"
#include "../../src/core/hash.h"
#include "../../src/core/mime.h"
#include "../../src/core/utf8.h"

static const char *const kernels[] = {"scalar", "ssse3", "avx2", "avx512", "neon"};
enum { KERNELS = sizeof kernels / sizeof kernels[0] };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- base64 ---- */

static int value_of(char c) {
  if (c == '-') return 62;
  if (c == '_') return 63;
  const char *at = c ? strchr(alphabet, c) : NULL;
  return at ? (int)(at - alphabet) : -1;
}

static void encode(const char *bytes, size_t n, struct mm_buf *out) {
  out->len = 0;
  for (size_t i = 0; i < n; i += 3) {
    unsigned bits = 0;
    for (size_t k = 0; k < 3; k++)
      bits = bits << 8 | (i + k < n ? (unsigned char)bytes[i + k] : 0);
    for (size_t k = 0; k < 4; k++) {
      char c = i + k > n ? '=' : alphabet[bits >> (18 - 6 * k) & 63];
      FUZZ_CHECK(mm_buf_byte(out, c) == MM_OK);
    }
  }
}

/* A whole text, a character at a time. Returns whether it is base64. */
static bool decode(const char *text, size_t n, struct mm_buf *out) {
  unsigned bits = 0, count = 0, pads = 0;
  out->len = 0;
  for (size_t i = 0; i < n; i++) {
    if (text[i] && strchr(" \t\r\n\f", text[i])) continue;
    pads += text[i] == '=';
    if (text[i] == '=') continue;
    int value = value_of(text[i]);
    if (value < 0 || pads) return false;
    bits = bits << 6 | (unsigned)value;
    if (++count % 4) continue;
    for (int shift = 16; shift >= 0; shift -= 8)
      FUZZ_CHECK(mm_buf_byte(out, (char)(bits >> shift)) == MM_OK);
  }
  unsigned rest = count % 4;
  if (rest == 1 || (pads && (rest == 0 || rest + pads != 4))) return false;
  bits <<= 6 * (4 - rest);
  for (unsigned i = 0; rest && i < rest - 1; i++)
    FUZZ_CHECK(mm_buf_byte(out, (char)(bits >> (16 - 8 * i))) == MM_OK);
  return true;
}

static void check_encode(const struct fuzz_input *in, struct mm_buf *plain) {
  size_t length = (size_t)mm_base64_length(in->n), n = 0;
  char *text = malloc(length), *back = malloc(length / 4 * 3 + 3);
  FUZZ_CHECK(text && back);
  encode(in->bytes, in->n, plain);
  mm_base64_encode(in->bytes, in->n, text);
  FUZZ_CHECK(length == plain->len && memcmp(text, plain->data ? plain->data : "", length) == 0);
  FUZZ_CHECK(mm_base64_decode(text, length, back, &n, NULL) == MM_OK);
  FUZZ_CHECK(n == in->n && memcmp(back, in->bytes, n) == 0);
  free(text);
  free(back);
}

static void check_decode(const struct fuzz_input *in, struct mm_buf *plain) {
  bool good = decode(in->bytes, in->n, plain);
  size_t n = 0;
  char *text = malloc(in->n / 4 * 3 + 3 > in->n ? in->n / 4 * 3 + 3 : in->n);
  char *out = malloc(in->n / 4 * 3 + 3);
  FUZZ_CHECK(text && out);
  struct mm_error err = {0};
  int rc = mm_base64_decode(in->bytes, in->n, out, &n, &err);
  FUZZ_CHECK(rc == (good ? MM_OK : MM_ESYNTAX));
  FUZZ_CHECK(good ? n == plain->len && memcmp(out, plain->data ? plain->data : "", n) == 0
                  : n == 0 && err.at <= in->n);
  memcpy(text, in->bytes, in->n);
  FUZZ_CHECK(mm_base64_decode(text, in->n, text, &n, NULL) == rc);
  FUZZ_CHECK(n == 0 || memcmp(text, out, n) == 0);
  free(text);
  free(out);
}

/* The run at the front, in its place. */
static void check_run(const struct fuzz_input *in, struct mm_buf *plain) {
  size_t want = 0;
  while (want < in->n && value_of(in->bytes[want]) >= 0 && in->bytes[want] != '-' &&
         in->bytes[want] != '_')
    want++;
  want -= want % 4;
  FUZZ_CHECK(decode(in->bytes, want, plain) && plain->len == want / 4 * 3);
  unsigned char *out = (unsigned char *)fuzz_copy(in->bytes, in->n);
  FUZZ_CHECK(mm_base64_run((char *)out, in->n, out) == want);
  FUZZ_CHECK(plain->len == 0 || memcmp(out, plain->data, plain->len) == 0);
  free(out);
}

/* What a stream makes of the input, with its status. */
static void stream(const struct fuzz_input *in, enum fuzz_cut cut, struct mm_buf *log) {
  struct mm_base64_stream s = {.carried = 0};
  struct fuzz_pieces pieces = fuzz_pieces(in, cut);
  const char *bytes;
  size_t n, got;
  int rc = MM_OK;
  log->len = 0;
  while (rc == MM_OK && fuzz_next(&pieces, &bytes, &n)) {
    char *out = malloc(n / 4 * 3 + 6);
    FUZZ_CHECK(out);
    rc = mm_base64_feed(&s, bytes, n, out, &got);
    FUZZ_CHECK(got <= n / 4 * 3 + 6 && mm_buf_append(log, out, got) == MM_OK);
    free(out);
  }
  fuzz_stop(&pieces);
  char last[2];
  if (rc == MM_OK) {
    rc = mm_base64_finish(&s, last, &got);
    FUZZ_CHECK(got <= 2 && mm_buf_append(log, last, got) == MM_OK);
  }
  FUZZ_CHECK(mm_buf_byte(log, (char)rc) == MM_OK);
}

static void check_stream(const struct fuzz_input *in, struct mm_buf *plain) {
  struct mm_buf log[FUZZ_CUTS];
  bool good = decode(in->bytes, in->n, plain);
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
    mm_buf_init(&log[cut], SIZE_MAX / 2);
    stream(in, cut, &log[cut]);
    FUZZ_CHECK(fuzz_same(&log[FUZZ_WHOLE], &log[cut]));
    bool same = log[cut].len == plain->len + 1 &&
                (plain->len == 0 || memcmp(log[cut].data, plain->data, plain->len) == 0);
    FUZZ_CHECK(!good || same || memchr(in->bytes, '=', in->n));
  }
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++)
    mm_buf_free(&log[cut]);
}

/* ---- data URLs ---- */

static void check_dataurl(const struct fuzz_input *in) {
  struct mm_dataurl head, again;
  struct mm_buf out;
  mm_buf_init(&out, in->choice[1] & 1 ? in->choice[2] : SIZE_MAX / 2);
  int rc = mm_dataurl_head(in->bytes, in->n, &head);
  FUZZ_CHECK(rc == MM_OK || rc == MM_ESYNTAX || (rc == MM_MORE && in->n < MM_DATAURL_HEAD));
  if (rc == MM_OK) {
    FUZZ_CHECK(head.payload <= in->n && head.payload <= MM_DATAURL_HEAD);
    FUZZ_CHECK(strchr(head.mime, '/') && strlen(head.mime) < sizeof head.mime);
    for (size_t n = 0; n < head.payload; n++)
      FUZZ_CHECK(mm_dataurl_head(in->bytes, n, &again) == MM_MORE);
    rc = mm_dataurl_decode(in->bytes, in->n, &head, &out, NULL);
    FUZZ_CHECK(rc == MM_OK || rc == MM_ESYNTAX || rc == MM_ETOOBIG);
    FUZZ_CHECK(rc == MM_OK || out.len == 0);
  }
  mm_buf_free(&out);
}

/* ---- UTF-8 ---- */

/* Bytes of the character at p, 0 when it is none; *broken: bytes that one U+FFFD stands for. */
static size_t character(const unsigned char *p, size_t left, size_t *broken) {
  unsigned n = p[0] < 0x80   ? 1
               : p[0] < 0xC2 ? 0
               : p[0] < 0xE0 ? 2
               : p[0] < 0xF0 ? 3
               : p[0] < 0xF5 ? 4
                             : 0;
  *broken = 1;
  for (unsigned i = 1; i < n; i++, ++*broken) {
    unsigned low = 0x80, high = 0xBF;
    if (i == 1 && p[0] == 0xE0) low = 0xA0;
    if (i == 1 && p[0] == 0xED) high = 0x9F;
    if (i == 1 && p[0] == 0xF0) low = 0x90;
    if (i == 1 && p[0] == 0xF4) high = 0x8F;
    if (i == left || p[i] < low || p[i] > high) return 0;
  }
  return n;
}

static void check_utf8(const struct fuzz_input *in, struct mm_buf *plain) {
  const unsigned char *p = (const unsigned char *)in->bytes;
  size_t valid = SIZE_MAX, broken = 0, tail = 0;
  plain->len = 0;
  for (size_t i = 0; i < in->n;) {
    size_t n = character(p + i, in->n - i, &broken);
    if (n == 0 && valid == SIZE_MAX) valid = i;
    bool open = n == 0 && i + broken == in->n && p[i] >= 0xC2 && p[i] < 0xF5;
    if (open) tail = broken;
    FUZZ_CHECK(mm_buf_append(plain, n ? in->bytes + i : "\xEF\xBF\xBD", n ? n : 3) == MM_OK);
    i += n ? n : broken;
  }
  FUZZ_CHECK(mm_utf8_valid(in->bytes, in->n) == (valid == SIZE_MAX ? in->n : valid));
  FUZZ_CHECK(mm_utf8_open_tail(in->bytes, in->n) == tail);
  struct mm_buf out;
  mm_buf_init(&out, SIZE_MAX / 2);
  FUZZ_CHECK(mm_utf8_mend(in->bytes, in->n, &out) == MM_OK);
  FUZZ_CHECK(fuzz_same(&out, plain));
  mm_buf_free(&out);
}

/* ---- the rest ---- */

static void check_mime(const struct fuzz_input *in) {
  char type[16], again[sizeof type];
  const char *mime = mm_mime_sniff(in->bytes, in->n);
  FUZZ_CHECK(!mime || strchr(mime, '/'));
  if (mm_mime_normalise(in->bytes, in->n, type, sizeof type)) {
    FUZZ_CHECK(memchr(type, 0, sizeof type) && strchr(type, '/'));
    FUZZ_CHECK(mm_mime_normalise(type, strlen(type), again, sizeof again));
    FUZZ_CHECK(strcmp(type, again) == 0);
  }
  char *path = calloc(in->n + 1, 1);
  FUZZ_CHECK(path);
  memcpy(path, in->bytes, in->n);
  mime = mm_mime_of_file(path, in->bytes, in->n);
  FUZZ_CHECK(!mime || strchr(mime, '/'));
  free(path);
}

static void hash(const struct fuzz_input *in, enum fuzz_cut cut, unsigned char out[32]) {
  struct mm_sha256 h;
  struct fuzz_pieces pieces = fuzz_pieces(in, cut);
  const char *bytes;
  size_t n;
  mm_sha256_init(&h);
  while (fuzz_next(&pieces, &bytes, &n))
    mm_sha256_update(&h, bytes, n);
  mm_sha256_final(&h, out);
}

static void check_hash(const struct fuzz_input *in) {
  unsigned char scalar[32], other[32];
  FUZZ_CHECK(mm_sha256_force("scalar"));
  hash(in, FUZZ_WHOLE, scalar);
  if (!mm_sha256_force("sha_ni")) return;
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
    hash(in, cut, other);
    FUZZ_CHECK(memcmp(scalar, other, sizeof scalar) == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct fuzz_input in = fuzz_input(data, n);
  struct mm_buf plain;
  char *copy = fuzz_copy(in.bytes, in.n);
  in.bytes = copy;
  mm_buf_init(&plain, SIZE_MAX / 2);
  for (size_t i = 0; i < KERNELS; i++) {
    if (!mm_base64_force(kernels[i])) continue;
    check_encode(&in, &plain);
    check_decode(&in, &plain);
    check_run(&in, &plain);
    check_stream(&in, &plain);
  }
  check_dataurl(&in);
  check_utf8(&in, &plain);
  check_mime(&in);
  check_hash(&in);
  mm_buf_free(&plain);
  free(copy);
  return 0;
}
