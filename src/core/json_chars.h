/* json_chars.h - the inner loop of reading and writing JSON strings.
 * In: bytes. Out: how far they can be copied as they are.
 * Not here: what to do with the byte that stopped it.      SPDX-License-Identifier: MIT */
#ifndef MM_CORE_JSON_CHARS_H
#define MM_CORE_JSON_CHARS_H

#include "err.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

MM_HIDDEN_BEGIN

#ifdef __SSE2__
/* One bit for each of 16 bytes that is a quote, backslash or control character. */
static inline unsigned mm_json_stops(const char *text, bool *high) {
  const __m128i control = _mm_set1_epi8(0x1f);
  __m128i x = _mm_loadu_si128((const __m128i *)(const void *)text);
  __m128i stop =
      _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')), _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
  stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(x, control), x));
  unsigned stops = (unsigned)_mm_movemask_epi8(stop);
  unsigned highs = (unsigned)_mm_movemask_epi8(x);
  if (highs & (stops ^ (stops - 1)))
    *high = true; /* up to the lowest stop; all when there is none */
  return stops;
}
#endif

/* The offset from `at` on of the first quote, backslash or control character in text, or n. *high
 * becomes true when a byte above 0x7f stands before it; else it is left alone. Never reads past n.
 */
static inline size_t mm_json_plain(const char *text, size_t at, size_t n, bool *high) {
#ifdef __SSE2__
  for (; n - at >= 16; at += 16) {
    unsigned stops = mm_json_stops(text + at, high);
    if (stops) return at + (size_t)__builtin_ctz(stops);
  }
  if (at == n) return n;
  char last[16] = "                ";
  memcpy(last, text + at, n - at);
  unsigned stops = mm_json_stops(last, high);
  return stops ? at + (size_t)__builtin_ctz(stops) : n;
#else
  for (; n - at >= 8; at += 8) {
    uint64_t x;
    memcpy(&x, text + at, 8);
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
    uint64_t q = x ^ (ones * '"'), s = x ^ (ones * '\\');
    /* Bytes of 0x80 and more never stop it; a borrow can only add a needless look below. */
    if (((((q - ones) & ~q) | ((s - ones) & ~s) | ((x - ones * 0x20) & ~x)) & tops) != 0) break;
    if (x & tops) *high = true;
  }
  for (; at < n; at++) {
    unsigned char c = (unsigned char)text[at];
    if (c < 0x20 || c == '"' || c == '\\') return at;
    if (c >= 0x80) *high = true;
  }
  return n;
#endif
}

MM_HIDDEN_END

#endif
