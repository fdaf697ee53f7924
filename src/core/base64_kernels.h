/* base64_kernels.h - the table of base64 kernels.
 * In: bytes or text. Out: as much of it converted as a kernel likes.
 * Not here: padding, white space, the choice (base64.c).   SPDX-License-Identifier: MIT */
#ifndef MM_CORE_BASE64_KERNELS_H
#define MM_CORE_BASE64_KERNELS_H

#include "cpu.h"

MM_HIDDEN_BEGIN

struct mm_base64_kernel {
  const char *name;
  bool (*available)(void);
  /* Encode a multiple of 3 bytes from the front; returns the bytes taken. Reads nothing past n,
   * writes exactly 4 characters for every 3 bytes taken. Takes less than it could: never more than
   * a vector or so is left for the scalar code. */
  size_t (*encode)(const unsigned char *bytes, size_t n, char *out);
  /* Decode a multiple of 4 characters from the front, all of the standard alphabet; returns the
   * characters taken. Reads nothing past n, writes exactly 3 bytes for every 4 characters taken,
   * each after the characters under it were read, so that `out` may be `text`. */
  size_t (*run)(const char *text, size_t n, unsigned char *out);
};

extern const struct mm_base64_kernel mm_base64_avx512;
extern const struct mm_base64_kernel mm_base64_avx2;
extern const struct mm_base64_kernel mm_base64_ssse3;
extern const struct mm_base64_kernel mm_base64_neon;
extern const struct mm_base64_kernel mm_base64_scalar; /* leaves nothing: takes all it may */

/* What a character is: 0-63 in the standard alphabet; all others have the high bit set. */
enum {
  MM_B64_URL = 0x80,   /* - and _, with the value in the low 6 bits */
  MM_B64_SPACE = 0xc0, /* ASCII white space */
  MM_B64_PAD = 0xc1,   /* = */
  MM_B64_OTHER = 0xff
};
extern const unsigned char mm_base64_class[256];

MM_HIDDEN_END

#endif
