/* dataurl.h - data: URLs (RFC 2397), built and split.
 * In: text. Out: media type, payload.
 * Not here: base64 itself.                                 SPDX-License-Identifier: MIT */
#ifndef MM_CORE_DATAURL_H
#define MM_CORE_DATAURL_H

#include "buf.h"

MM_HIDDEN_BEGIN

enum { MM_DATAURL_HEAD = 256 }; /* longest "data:...," that is taken for a data URL */

struct mm_dataurl {
  char mime[128]; /* normalised; "text/plain" when the URL names none */
  size_t payload; /* offset of the first byte after the comma */
  bool base64;    /* payload is base64; else percent-encoded */
};

/* Split the head of a data URL; `data:` and `;base64` without regard to case, any parameters.
 * Returns MM_OK, MM_MORE when the comma has not come yet (less than MM_DATAURL_HEAD bytes), or
 * MM_ESYNTAX when it is no data URL: another scheme, a control character or a byte past ASCII
 * before the comma, or something else than type/subtype where the type stands. */
MM_NODISCARD int mm_dataurl_head(const char *text, size_t n, struct mm_dataurl *out);

/* Decode the payload of a whole data URL into *out (appended): base64 as mm_base64_decode takes it,
 * also with escapes such as %2B; else percent-encoding, where a `%` without two hexadecimal digits
 * and a `#` stand for themselves. Needs up to 3 bytes of room more than it appends.
 * Returns MM_OK, MM_ESYNTAX, MM_ENOMEM, MM_ETOOBIG; *out is as it was on failure. */
MM_NODISCARD int mm_dataurl_decode(const char *text, size_t n, const struct mm_dataurl *head,
                                   struct mm_buf *out, struct mm_error *err);

MM_HIDDEN_END

#endif
