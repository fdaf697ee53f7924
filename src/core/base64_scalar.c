/* base64_scalar.c - base64 for any processor.   SPDX-License-Identifier: MIT */
#include "base64_kernels.h"

static const char alphabet[64 + 1] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* clang-format off */
const unsigned char mm_base64_class[256] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 192, 192, 255, 192, 192, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    192, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,  62, 255, 190, 255,  63,
     52,  53,  54,  55,  56,  57,  58,  59,  60,  61, 255, 255, 255, 193, 255, 255,
    255,   0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,  13,  14,
     15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25, 255, 255, 255, 255, 191,
    255,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,
     41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};
/* clang-format on */

static bool always(void) {
  return true;
}

static size_t encode(const unsigned char *bytes, size_t n, char *out) {
  size_t i = 0;
  for (; n - i >= 3; i += 3, out += 4) {
    unsigned bits = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
    out[0] = alphabet[bits >> 18];
    out[1] = alphabet[bits >> 12 & 63];
    out[2] = alphabet[bits >> 6 & 63];
    out[3] = alphabet[bits & 63];
  }
  return i;
}

static size_t run(const char *text, size_t n, unsigned char *out) {
  const unsigned char *in = (const unsigned char *)text;
  size_t i = 0;
  for (; n - i >= 4; i += 4, out += 3) {
    unsigned a = mm_base64_class[in[i]], b = mm_base64_class[in[i + 1]];
    unsigned c = mm_base64_class[in[i + 2]], d = mm_base64_class[in[i + 3]];
    if ((a | b | c | d) > 63) break;
    unsigned bits = a << 18 | b << 12 | c << 6 | d;
    out[0] = (unsigned char)(bits >> 16);
    out[1] = (unsigned char)(bits >> 8);
    out[2] = (unsigned char)bits;
  }
  return i;
}

const struct mm_base64_kernel mm_base64_scalar = {"scalar", always, encode, run};
