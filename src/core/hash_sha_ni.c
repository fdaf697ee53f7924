/* hash_sha_ni.c - the block function of SHA-256 with the SHA extensions of x86-64.
 * SPDX-License-Identifier: MIT */
#include "hash_kernels.h"

#ifdef MM_X86
#include <immintrin.h>

#define SHA MM_TARGET("sha,sse4.1,ssse3")

static bool available(void) {
  return mm_cpu_has(MM_CPU_SHA);
}

/* The instructions hold the state as two vectors, lanes from high to low: a b e f and c d g h. */
struct halves {
  __m128i abef, cdgh;
};

SHA static inline struct halves load_state(const uint32_t state[8]) {
  __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
  return (struct halves){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

SHA static inline void store_state(uint32_t state[8], struct halves s) {
  __m128i feba = _mm_shuffle_epi32(s.abef, 0x1b);
  __m128i dchg = _mm_shuffle_epi32(s.cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

SHA static inline __m128i load_words(const unsigned char *bytes) {
  const __m128i swap = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
  return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes), swap);
}

/* The next four words of the schedule from the last sixteen, oldest first. */
SHA static inline __m128i next_words(__m128i w0, __m128i w1, __m128i w2, __m128i w3) {
  __m128i v = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
  return _mm_sha256msg2_epu32(v, w3);
}

SHA static inline void four_rounds(struct halves *s, __m128i words, int round) {
  __m128i k = _mm_loadu_si128((const __m128i *)(mm_sha256_constants + round));
  __m128i sum = _mm_add_epi32(words, k);
  s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, sum);
  s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

SHA static inline struct halves block(struct halves s, const unsigned char *bytes) {
  struct halves start = s;
  __m128i w0 = load_words(bytes), w1 = load_words(bytes + 16);
  __m128i w2 = load_words(bytes + 32), w3 = load_words(bytes + 48);
  for (int round = 0;; round += 16) {
    four_rounds(&s, w0, round);
    four_rounds(&s, w1, round + 4);
    four_rounds(&s, w2, round + 8);
    four_rounds(&s, w3, round + 12);
    if (round == 48) break;
    w0 = next_words(w0, w1, w2, w3);
    w1 = next_words(w1, w2, w3, w0);
    w2 = next_words(w2, w3, w0, w1);
    w3 = next_words(w3, w0, w1, w2);
  }
  return (struct halves){_mm_add_epi32(s.abef, start.abef), _mm_add_epi32(s.cdgh, start.cdgh)};
}

SHA static void blocks(uint32_t state[8], const unsigned char *bytes, size_t count) {
  struct halves s = load_state(state);
  for (; count; count--, bytes += 64)
    s = block(s, bytes);
  store_state(state, s);
}

const struct mm_sha256_kernel mm_sha256_sha_ni = {"sha_ni", available, blocks};
#endif
