/* hash.h - SHA-256 (FIPS 180-4), incremental; SHA extensions where the machine has them.
 * In: bytes. Out: 32 bytes.
 * Not here: files.                                         SPDX-License-Identifier: MIT */
#ifndef MM_CORE_HASH_H
#define MM_CORE_HASH_H

#include "err.h"

MM_HIDDEN_BEGIN

struct mm_sha256 {
  uint32_t state[8];
  uint64_t total; /* bytes so far */
  unsigned char block[64];
};

void mm_sha256_init(struct mm_sha256 *h);
void mm_sha256_update(struct mm_sha256 *h, const void *bytes, size_t n);
void mm_sha256_final(struct mm_sha256 *h, unsigned char out[32]);
void mm_hex(const unsigned char *bytes, size_t n,
            char *out); /* 2n characters, lower case, no NUL */

MM_HIDDEN_END

#endif
