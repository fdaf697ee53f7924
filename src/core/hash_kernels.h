/* hash_kernels.h - the block functions of SHA-256.
 * In: whole blocks. Out: the new state.
 * Not here: lengths, padding, the choice (hash.c).         SPDX-License-Identifier: MIT */
#ifndef MM_CORE_HASH_KERNELS_H
#define MM_CORE_HASH_KERNELS_H

#include "cpu.h"

MM_HIDDEN_BEGIN

struct mm_sha256_kernel {
  const char *name;
  bool (*available)(void);
  void (*blocks)(uint32_t state[8], const unsigned char *bytes, size_t count); /* 64 bytes each */
};

extern const struct mm_sha256_kernel mm_sha256_sha_ni;
extern const struct mm_sha256_kernel mm_sha256_scalar;

extern const uint32_t mm_sha256_constants[64];

MM_HIDDEN_END

#endif
