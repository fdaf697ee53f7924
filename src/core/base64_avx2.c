/* base64_avx2.c - base64, 24 bytes or 32 characters at a time; the arithmetic is explained in
 * base64_ssse3.c.                                          SPDX-License-Identifier: MIT */
#include "base64_kernels.h"

#ifdef MM_X86
#include <immintrin.h>

static bool available(void) {
  return mm_cpu_has(MM_CPU_AVX2);
}

MM_TARGET("avx2") static inline __m256i twice(__m128i v) {
  return _mm256_broadcastsi128_si256(v);
}

/* 24 bytes -> 12 in each half, arranged for indexes(); reads 28. */
MM_TARGET("avx2") static inline __m256i load24(const unsigned char *bytes) {
  const __m256i spread = twice(_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
  __m128i first = _mm_loadu_si128((const __m128i *)bytes);
  __m128i second = _mm_loadu_si128((const __m128i *)(bytes + 12));
  __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
  return _mm256_shuffle_epi8(v, spread);
}

/* The same with one load, where the 4 bytes before are readable too. */
MM_TARGET("avx2") static inline __m256i load24_behind4(const unsigned char *bytes) {
  const __m256i spread = _mm256_setr_epi8(5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14, 1,
                                          0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
  __m256i v = _mm256_loadu_si256((const __m256i *)(bytes - 4));
  return _mm256_shuffle_epi8(v, spread);
}

MM_TARGET("avx2") static inline __m256i indexes(__m256i v) {
  __m256i high = _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0fc0fc00)),
                                    _mm256_set1_epi32(0x04000040));
  __m256i low = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003f03f0)),
                                   _mm256_set1_epi32(0x01000010));
  return _mm256_or_si256(high, low);
}

MM_TARGET("avx2") static inline __m256i characters(__m256i v) {
  const __m256i distance =
      twice(_mm_setr_epi8('A', 'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                          '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 0, 0));
  __m256i not_upper = _mm256_cmpgt_epi8(v, _mm256_set1_epi8(25));
  __m256i range = _mm256_sub_epi8(_mm256_subs_epu8(v, _mm256_set1_epi8(51)), not_upper);
  return _mm256_add_epi8(v, _mm256_shuffle_epi8(distance, range));
}

MM_TARGET("avx2") static inline void encode32(__m256i v, char *out) {
  _mm256_storeu_si256((__m256i *)out, characters(indexes(v)));
}

MM_TARGET("avx2") static size_t encode(const unsigned char *bytes, size_t n, char *out) {
  size_t i = 0;
  for (; n - i >= 4 * 24 + 4; i += 4 * 24, out += 4 * 32) {
    encode32(load24(bytes + i), out);
    encode32(load24_behind4(bytes + i + 24), out + 32);
    encode32(load24_behind4(bytes + i + 48), out + 64);
    encode32(load24_behind4(bytes + i + 72), out + 96);
  }
  for (; n - i >= 28; i += 24, out += 32)
    encode32(load24(bytes + i), out);
  return i;
}

MM_TARGET("avx2") static inline __m256i load32(const char *text) {
  return _mm256_loadu_si256((const __m256i *)text);
}

/* Values of 32 characters; bytes of *bad gain a bit where one is not in the alphabet. */
MM_TARGET("avx2") static inline __m256i values(__m256i text, __m256i *bad) {
  const __m256i class =
      twice(_mm_setr_epi8(16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16));
  const __m256i excluded =
      twice(_mm_setr_epi8(21, 17, 17, 17, 17, 17, 17, 17, 17, 17, 19, 26, 27, 27, 27, 26));
  const __m256i distance = twice(_mm_setr_epi8(0, 63 - '/', 62 - '+', 52 - '0', -'A', -'A',
                                               26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i high = _mm256_and_si256(_mm256_srli_epi32(text, 4), nibble);
  __m256i low = _mm256_and_si256(text, nibble);
  *bad = _mm256_or_si256(
      *bad, _mm256_and_si256(_mm256_shuffle_epi8(class, high), _mm256_shuffle_epi8(excluded, low)));
  __m256i slash = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('/'));
  return _mm256_add_epi8(text, _mm256_shuffle_epi8(distance, _mm256_add_epi8(high, slash)));
}

/* 32 values -> 24 bytes at the front. */
MM_TARGET("avx2") static inline __m256i packed(__m256i v) {
  const __m256i order =
      twice(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
  v = _mm256_maddubs_epi16(v, _mm256_set1_epi16(0x0140));
  v = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00011000));
  v = _mm256_shuffle_epi8(v, order);
  return _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
}

MM_TARGET("avx2") static inline void store24(unsigned char *out, __m256i v) {
  _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(v));
  _mm_storel_epi64((__m128i *)(out + 16), _mm256_extracti128_si256(v, 1));
}

/* The first three stores of a group spill 8 bytes that the next one overwrites. */
MM_TARGET("avx2") static size_t run(const char *text, size_t n, unsigned char *out) {
  size_t i = 0;
  for (; n - i >= 4 * 32; i += 4 * 32, out += 4 * 24) {
    __m256i bad = _mm256_setzero_si256();
    __m256i a = values(load32(text + i), &bad);
    __m256i b = values(load32(text + i + 32), &bad);
    __m256i c = values(load32(text + i + 64), &bad);
    __m256i d = values(load32(text + i + 96), &bad);
    if (!_mm256_testz_si256(bad, bad)) break;
    _mm256_storeu_si256((__m256i *)out, packed(a));
    _mm256_storeu_si256((__m256i *)(out + 24), packed(b));
    _mm256_storeu_si256((__m256i *)(out + 48), packed(c));
    store24(out + 72, packed(d));
  }
  for (; n - i >= 32; i += 32, out += 24) {
    __m256i bad = _mm256_setzero_si256();
    __m256i v = values(load32(text + i), &bad);
    if (!_mm256_testz_si256(bad, bad)) break;
    store24(out, packed(v));
  }
  return i;
}

const struct mm_base64_kernel mm_base64_avx2 = {"avx2", available, encode, run};
#endif
