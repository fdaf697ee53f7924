/* hash.c - SHA-256: lengths, padding and the choice of the block function.
 * SPDX-License-Identifier: MIT */
#include "hash.h"
#include "hash_kernels.h"

#include <stdatomic.h>
#include <string.h>

typedef const struct mm_sha256_kernel *kernel_ref;

/* Whoever comes first chooses; threads that come together choose the same. */
static _Atomic(kernel_ref) chosen;

static bool usable(kernel_ref k, const char *name) {
  return strcmp(k->name, name) == 0 && k->available();
}

static kernel_ref named(const char *name) {
#ifdef MM_X86
  if (usable(&mm_sha256_sha_ni, name)) return &mm_sha256_sha_ni;
#endif
  return usable(&mm_sha256_scalar, name) ? &mm_sha256_scalar : NULL;
}

static kernel_ref choose(void) {
  const char *wanted = mm_cpu_wanted();
  kernel_ref k = wanted ? named(wanted) : NULL;
  if (!k) k = named("sha_ni");
  if (!k) k = &mm_sha256_scalar;
  atomic_store_explicit(&chosen, k, memory_order_relaxed);
  return k;
}

static inline kernel_ref kernel(void) {
  kernel_ref k = atomic_load_explicit(&chosen, memory_order_relaxed);
  return MM_LIKELY(k != NULL) ? k : choose();
}

const char *mm_sha256_kernel(void) {
  return kernel()->name;
}

bool mm_sha256_force(const char *name) {
  kernel_ref k = named(name);
  if (k) atomic_store_explicit(&chosen, k, memory_order_relaxed);
  return k != NULL;
}

void mm_sha256_init(struct mm_sha256 *h) {
  static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(h->state, start, sizeof start);
  h->total = 0;
}

void mm_sha256_update(struct mm_sha256 *h, const void *bytes, size_t n) {
  if (n == 0) return;
  const unsigned char *in = bytes;
  size_t used = (size_t)(h->total % 64);
  h->total += n;
  if (used) {
    size_t fill = 64 - used < n ? 64 - used : n;
    memcpy(h->block + used, in, fill);
    if (used + fill < 64) return;
    kernel()->blocks(h->state, h->block, 1);
    in += fill;
    n -= fill;
  }
  kernel()->blocks(h->state, in, n / 64);
  memcpy(h->block, in + n / 64 * 64, n % 64);
}

static void put32(unsigned char *out, uint32_t v) {
  for (int k = 0; k < 4; k++)
    out[k] = (unsigned char)(v >> (24 - 8 * k));
}

void mm_sha256_final(struct mm_sha256 *h, unsigned char out[32]) {
  static const unsigned char padding[64] = {0x80};
  uint64_t bits = h->total * 8;
  unsigned char length[8];
  put32(length, (uint32_t)(bits >> 32));
  put32(length + 4, (uint32_t)bits);
  mm_sha256_update(h, padding, 1 + (size_t)((119 - h->total % 64) % 64));
  mm_sha256_update(h, length, 8);
  for (int i = 0; i < 8; i++)
    put32(out + 4 * i, h->state[i]);
}

void mm_hex(const unsigned char *bytes, size_t n, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++) {
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 15];
  }
}
