/* base64_ssse3.c - base64, 12 bytes or 16 characters at a time.   SPDX-License-Identifier: MIT */
#include "base64_kernels.h"

#ifdef MM_X86
#include <immintrin.h>

static bool available(void) {
  return mm_cpu_has(MM_CPU_SSSE3);
}

/* 12 bytes at the front of v -> 16 indexes of 6 bits. The multiplications are shifts, a different
 * one for each 16-bit half. */
MM_TARGET("ssse3") static inline __m128i indexes(__m128i v) {
  v = _mm_shuffle_epi8(v, _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
  __m128i high =
      _mm_mulhi_epu16(_mm_and_si128(v, _mm_set1_epi32(0x0fc0fc00)), _mm_set1_epi32(0x04000040));
  __m128i low =
      _mm_mullo_epi16(_mm_and_si128(v, _mm_set1_epi32(0x003f03f0)), _mm_set1_epi32(0x01000010));
  return _mm_or_si128(high, low);
}

/* Indexes -> characters: each range has its distance, found by a small number that is 0 for A-Z, 1
 * for a-z, 2-11 for digits, 12 for + and 13 for /. */
MM_TARGET("ssse3") static inline __m128i characters(__m128i v) {
  const __m128i distance =
      _mm_setr_epi8('A', 'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                    '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 0, 0);
  __m128i not_upper = _mm_cmpgt_epi8(v, _mm_set1_epi8(25));
  __m128i range = _mm_sub_epi8(_mm_subs_epu8(v, _mm_set1_epi8(51)), not_upper);
  return _mm_add_epi8(v, _mm_shuffle_epi8(distance, range));
}

MM_TARGET("ssse3") static size_t encode(const unsigned char *bytes, size_t n, char *out) {
  size_t i = 0;
  for (; n - i >= 16; i += 12, out += 16) {
    __m128i v = _mm_loadu_si128((const __m128i *)(bytes + i));
    _mm_storeu_si128((__m128i *)out, characters(indexes(v)));
  }
  return i;
}

/* Characters -> values; a byte of *bad becomes non-zero where one is not in the alphabet. A
 * character is in it when the class of its high half (bit 0: 2x, 1: 3x, 2: 4x and 6x, 3: 5x and
 * 7x, 4: none) does not exclude its low half. */
MM_TARGET("ssse3") static inline __m128i values(__m128i text, __m128i *bad) {
  const __m128i class = _mm_setr_epi8(16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16);
  const __m128i excluded =
      _mm_setr_epi8(21, 17, 17, 17, 17, 17, 17, 17, 17, 17, 19, 26, 27, 27, 27, 26);
  const __m128i distance = _mm_setr_epi8(0, 63 - '/', 62 - '+', 52 - '0', -'A', -'A', 26 - 'a',
                                         26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0);
  const __m128i nibble = _mm_set1_epi8(15);
  __m128i high = _mm_and_si128(_mm_srli_epi32(text, 4), nibble);
  __m128i low = _mm_and_si128(text, nibble);
  *bad = _mm_and_si128(_mm_shuffle_epi8(class, high), _mm_shuffle_epi8(excluded, low));
  __m128i slash = _mm_cmpeq_epi8(text, _mm_set1_epi8('/'));
  return _mm_add_epi8(text, _mm_shuffle_epi8(distance, _mm_add_epi8(high, slash)));
}

/* 16 values -> 12 bytes at the front. */
MM_TARGET("ssse3") static inline __m128i packed(__m128i v) {
  v = _mm_maddubs_epi16(v, _mm_set1_epi16(0x0140));
  v = _mm_madd_epi16(v, _mm_set1_epi32(0x00011000));
  return _mm_shuffle_epi8(v, _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
}

MM_TARGET("ssse3") static inline void store12(unsigned char *out, __m128i v) {
  _mm_storel_epi64((__m128i *)out, v);
  _mm_storeu_si32(out + 8, _mm_srli_si128(v, 8));
}

MM_TARGET("ssse3") static size_t run(const char *text, size_t n, unsigned char *out) {
  size_t i = 0;
  for (; n - i >= 16; i += 16, out += 12) {
    __m128i bad, v = values(_mm_loadu_si128((const __m128i *)(text + i)), &bad);
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(bad, _mm_setzero_si128())) != 0xffff) break;
    store12(out, packed(v));
  }
  return i;
}

const struct mm_base64_kernel mm_base64_ssse3 = {"ssse3", available, encode, run};
#endif
