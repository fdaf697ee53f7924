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

/* Begin a digest. Nothing to be freed. */
void mm_sha256_init(struct mm_sha256 *h);

/* Add n bytes; borrows them. */
void mm_sha256_update(struct mm_sha256 *h, const void *bytes, size_t n);

/* The digest of all bytes added; *h is used up and must be initialised again. */
void mm_sha256_final(struct mm_sha256 *h, unsigned char out[32]);

/* The kernel in use: "sha_ni" or "scalar". MULTIMODAL_SIMD=scalar in the environment forces the
 * latter. */
const char *mm_sha256_kernel(void);

/* Force a kernel by name, for tests. Returns false when this machine or build lacks it. */
bool mm_sha256_force(const char *name);

/* Write 2n characters, lower case, no NUL. */
void mm_hex(const unsigned char *bytes, size_t n, char *out);

MM_HIDDEN_END

#endif
