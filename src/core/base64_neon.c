/* base64_neon.c - base64 on 64-bit ARM, 48 bytes or 64 characters at a time.
 * SPDX-License-Identifier: MIT */
#include "base64_kernels.h"

#ifdef MM_NEON
#include <arm_neon.h>

static bool available(void) {
  return true;
}

static const uint8_t alphabet[64 + 1] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static inline uint8x16x4_t load_table(const uint8_t *t) {
  return (uint8x16x4_t){{vld1q_u8(t), vld1q_u8(t + 16), vld1q_u8(t + 32), vld1q_u8(t + 48)}};
}

/* The loads and stores take quanta apart: vector k holds byte or character k of 16 of them. */
static size_t encode(const unsigned char *bytes, size_t n, char *out) {
  const uint8x16x4_t table = load_table(alphabet);
  const uint8x16_t low6 = vdupq_n_u8(63);
  size_t i = 0;
  for (; n - i >= 48; i += 48, out += 64) {
    uint8x16x3_t in = vld3q_u8(bytes + i);
    uint8x16x4_t c;
    c.val[0] = vshrq_n_u8(in.val[0], 2);
    c.val[1] = vandq_u8(vsliq_n_u8(vshrq_n_u8(in.val[1], 4), in.val[0], 4), low6);
    c.val[2] = vandq_u8(vsliq_n_u8(vshrq_n_u8(in.val[2], 6), in.val[1], 2), low6);
    c.val[3] = vandq_u8(in.val[2], low6);
    for (int k = 0; k < 4; k++)
      c.val[k] = vqtbl4q_u8(table, c.val[k]);
    vst4q_u8((uint8_t *)out, c);
  }
  return i;
}

/* A lookup in the class table: what neither half of ASCII has keeps MM_B64_OTHER. */
static inline uint8x16_t value(uint8x16x4_t low, uint8x16x4_t high, uint8x16_t c) {
  uint8x16_t v = vqtbx4q_u8(vdupq_n_u8(MM_B64_OTHER), low, c);
  return vqtbx4q_u8(v, high, vsubq_u8(c, vdupq_n_u8(64)));
}

static size_t run(const char *text, size_t n, unsigned char *out) {
  const uint8x16x4_t low = load_table(mm_base64_class);
  const uint8x16x4_t high = load_table(mm_base64_class + 64);
  size_t i = 0;
  for (; n - i >= 64; i += 64, out += 48) {
    uint8x16x4_t c = vld4q_u8((const uint8_t *)text + i);
    for (int k = 0; k < 4; k++)
      c.val[k] = value(low, high, c.val[k]);
    uint8x16_t all = vorrq_u8(vorrq_u8(c.val[0], c.val[1]), vorrq_u8(c.val[2], c.val[3]));
    if (vmaxvq_u8(all) > 63) break;
    uint8x16x3_t b;
    b.val[0] = vsliq_n_u8(vshrq_n_u8(c.val[1], 4), c.val[0], 2);
    b.val[1] = vsliq_n_u8(vshrq_n_u8(c.val[2], 2), c.val[1], 4);
    b.val[2] = vsliq_n_u8(c.val[3], c.val[2], 6);
    vst3q_u8(out, b);
  }
  return i;
}

const struct mm_base64_kernel mm_base64_neon = {"neon", available, encode, run};
#endif
