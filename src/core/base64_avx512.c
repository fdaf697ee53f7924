/* base64_avx512.c - base64, 48 bytes or 64 characters at a time, with AVX-512 VBMI: permutations of
 * bytes are table lookups. Masks take the ends, so nothing is left for other code but a quantum
 * that is not of the alphabet.                             SPDX-License-Identifier: MIT */
#include "base64_kernels.h"

#ifdef MM_X86
#include <immintrin.h>

#define AVX512 MM_TARGET("avx512f,avx512bw,avx512vl,avx512vbmi,bmi")

static bool available(void) {
  return mm_cpu_has(MM_CPU_AVX512);
}

#define X4(f, i) f(i), f((i) + 1), f((i) + 2), f((i) + 3)
#define X16(f, i) X4(f, i), X4(f, (i) + 4), X4(f, (i) + 8), X4(f, (i) + 12)
#define X64(f, i) X16(f, i), X16(f, (i) + 16), X16(f, (i) + 32), X16(f, (i) + 48)

static const char alphabet[64 + 1] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Character k needs bits of the bytes of quantum k / 4, which go out as b a c b. */
#define SPREAD(k) ((k) / 4 * 3 + ((k) % 4 == 0 ? 1 : (k) % 4 == 1 ? 0 : (k) % 4 == 2 ? 2 : 1))
static const unsigned char spread[64] = {X64(SPREAD, 0)};

AVX512 static inline __m512i characters(__m512i bytes) {
  /* b a c b in a 32-bit lane: the four indexes begin at its bits 10, 4, 22 and 16. */
  const __m512i starts = _mm512_set1_epi64(0x3036242a1016040a);
  __m512i v = _mm512_permutexvar_epi8(_mm512_loadu_si512(spread), bytes);
  v = _mm512_multishift_epi64_epi8(starts, v);
  return _mm512_permutexvar_epi8(v, _mm512_loadu_si512(alphabet));
}

static inline size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

static inline uint64_t first_bits(size_t n) {
  return n >= 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1;
}

/* Reads 64 bytes, of which 48 count. */
AVX512 static inline void encode64(const unsigned char *bytes, char *out) {
  _mm512_storeu_si512(out, characters(_mm512_loadu_si512(bytes)));
}

AVX512 static size_t encode(const unsigned char *bytes, size_t n, char *out) {
  size_t i = 0;
  for (; n - i >= 4 * 48 + 16; i += 4 * 48, out += 4 * 64) {
    encode64(bytes + i, out);
    encode64(bytes + i + 48, out + 64);
    encode64(bytes + i + 96, out + 128);
    encode64(bytes + i + 144, out + 192);
  }
  while (n - i >= 3) {
    size_t quanta = least((n - i) / 3, 16);
    __m512i v = _mm512_maskz_loadu_epi8(first_bits(quanta * 3), bytes + i);
    _mm512_mask_storeu_epi8(out, first_bits(quanta * 4), characters(v));
    i += quanta * 3;
    out += quanta * 4;
  }
  return i;
}

/* Values; the high bit is set where a character below 128 is not in the alphabet. */
AVX512 static inline __m512i values(__m512i text) {
  return _mm512_permutex2var_epi8(_mm512_loadu_si512(mm_base64_class), text,
                                  _mm512_loadu_si512(mm_base64_class + 64));
}

/* 64 values -> 16 lanes of 24 bits, the bytes in wrong order. */
AVX512 static inline __m512i lanes(__m512i v) {
  v = _mm512_maddubs_epi16(v, _mm512_set1_epi16(0x0140));
  return _mm512_madd_epi16(v, _mm512_set1_epi32(0x00011000));
}

/* Where byte p of the output stands in four vectors of lanes, as an index into two of them. */
#define PLACE(p, first) ((p) % 48 / 3 * 4 + 2 - (p) % 3 + ((p) / 48 == (first) ? 0 : 64))
#define PLACE0(p) PLACE(p, 0)
#define PLACE1(p) PLACE(p, 1)
#define PLACE2(p) PLACE(p, 2)
static const unsigned char place[3][64] = {{X64(PLACE0, 0)}, {X64(PLACE1, 64)}, {X64(PLACE2, 128)}};

AVX512 static inline void store64(unsigned char *out, __m512i low, size_t k, __m512i high) {
  _mm512_storeu_si512(out + 64 * k,
                      _mm512_permutex2var_epi8(low, _mm512_loadu_si512(place[k]), high));
}

AVX512 static inline void store192(unsigned char *out, __m512i a, __m512i b, __m512i c, __m512i d) {
  store64(out, lanes(a), 0, lanes(b));
  store64(out, lanes(b), 1, lanes(c));
  store64(out, lanes(c), 2, lanes(d));
}

/* At most 64 characters; returns those taken. */
AVX512 static inline size_t run_masked(const char *text, size_t n, unsigned char *out) {
  uint64_t whole = first_bits(n & ~(size_t)3);
  __m512i in = _mm512_maskz_loadu_epi8(whole, text);
  __m512i v = values(in);
  uint64_t bad = _mm512_movepi8_mask(_mm512_or_si512(in, v)) | ~whole;
  size_t taken = bad ? (size_t)__builtin_ctzll(bad) & ~(size_t)3 : 64;
  v = _mm512_permutexvar_epi8(_mm512_loadu_si512(place[0]), lanes(v));
  _mm512_mask_storeu_epi8(out, first_bits(taken / 4 * 3), v);
  return taken;
}

/* Values of 64 characters; the high bits of *bad gather what is not in the alphabet. */
AVX512 static inline __m512i checked(const char *text, __m512i *bad) {
  __m512i in = _mm512_loadu_si512(text);
  __m512i v = values(in);
  *bad = _mm512_ternarylogic_epi32(*bad, in, v, 0xfe);
  return v;
}

AVX512 static size_t run(const char *text, size_t n, unsigned char *out) {
  size_t i = 0;
  for (; n - i >= 4 * 64; i += 4 * 64, out += 4 * 48) {
    __m512i bad = _mm512_setzero_si512();
    __m512i a = checked(text + i, &bad), b = checked(text + i + 64, &bad);
    __m512i c = checked(text + i + 128, &bad), d = checked(text + i + 192, &bad);
    if (_mm512_movepi8_mask(bad)) break;
    store192(out, a, b, c, d);
  }
  while (n - i >= 4) {
    size_t room = least(n - i, 64);
    size_t taken = run_masked(text + i, room, out);
    i += taken;
    out += taken / 4 * 3;
    if (taken < (room & ~(size_t)3)) break;
  }
  return i;
}

const struct mm_base64_kernel mm_base64_avx512 = {"avx512", available, encode, run};
#endif
