/* base64.h - RFC 4648 base64, whole and streaming; the fastest kernel of the machine, chosen once.
 * In: bytes or text. Out: text or bytes.
 * Not here: data URLs, files.                              SPDX-License-Identifier: MIT */
#ifndef MM_CORE_BASE64_H
#define MM_CORE_BASE64_H

#include "err.h"

MM_HIDDEN_BEGIN

/* Characters that n bytes become, padding included. */
static inline uint64_t mm_base64_length(uint64_t n) {
  return (n / 3 + (n % 3 != 0)) * 4;
}

/* Encode n bytes, standard alphabet, padded; writes mm_base64_length(n) characters, no NUL. */
void mm_base64_encode(const void *bytes, size_t n, char *out);

/* Decode a whole text: either alphabet (even mixed), padded or not; ASCII white space anywhere is
 * skipped. Strict otherwise: padding must be whole and at the end, a lone last character is an
 * error. Bits of the last character that belong to no byte are ignored, as most decoders do.
 * `out` has room for n / 4 * 3 + 3 bytes, and may be `text`; *out_n becomes the bytes written.
 * Returns MM_OK, or MM_ESYNTAX with err->at the offending offset (err may be NULL), n where the
 * text ends too early; *out_n is then 0. */
MM_NODISCARD int mm_base64_decode(const char *text, size_t n, void *out, size_t *out_n,
                                  struct mm_error *err);

/* Decode whole quanta of the standard alphabet from the front of text, without padding or white
 * space, until fewer than 4 characters are left or one is not in the alphabet. Never reads past n;
 * writes exactly 3 bytes for every 4 characters taken, each after the characters under it were
 * read: `out` may be `text`. Returns the characters taken (a multiple of 4). This is the inner loop
 * of media that arrive inside JSON. */
size_t mm_base64_run(const char *text, size_t n, unsigned char *out);

/* A decoder for fragments: carries 0-3 characters of an unfinished quantum from call to call; `=`
 * ends a quantum, after which decoding starts afresh; white space is skipped; either alphabet. */
struct mm_base64_stream {
  unsigned char carry[4]; /* values of the open quantum, 6 bits each */
  unsigned carried;       /* 0-3 */
  unsigned padding;       /* `=` still allowed in the quantum just ended: 0-1 */
};

/* Feed n characters; `out` has room for n / 4 * 3 + 6 bytes; *out_n becomes the bytes written.
 * Returns MM_OK, or MM_ESYNTAX for a character that is none of these or a misplaced `=`; what came
 * before it is in `out`. A stream is zeroed to begin with. */
MM_NODISCARD int mm_base64_feed(struct mm_base64_stream *s, const char *text, size_t n, void *out,
                                size_t *out_n);

/* End of input: writes the 0-2 bytes of an unpadded last quantum; the stream starts afresh.
 * Returns MM_OK, or MM_ESYNTAX for a lone character. */
MM_NODISCARD int mm_base64_finish(struct mm_base64_stream *s, void *out, size_t *out_n);

/* The kernel in use: "avx512", "avx2", "ssse3", "neon" or "scalar". MULTIMODAL_SIMD in the
 * environment forces one that the machine has. */
const char *mm_base64_kernel(void);

/* Force a kernel by name, for tests. Returns false when this machine or build lacks it. */
bool mm_base64_force(const char *name);

MM_HIDDEN_END

#endif
