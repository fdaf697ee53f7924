/* body.h - a request body as segments: literal bytes, ranges of blobs, base64 of blobs.
 * In: segments in order. Out: an exact length before the first byte, and bytes at any offset.
 * Not here: JSON, Lua, sockets.                            SPDX-License-Identifier: MIT */
#ifndef MM_CORE_BODY_H
#define MM_CORE_BODY_H

#include "blob.h"
#include "buf.h"

MM_HIDDEN_BEGIN

struct mm_body; /* ref-counted; unchanging once sealed */

/* An empty body, *out owned. Returns MM_OK or MM_ENOMEM. */
MM_NODISCARD int mm_body_new(struct mm_body **out);
struct mm_body *mm_body_ref(struct mm_body *b); /* returns owned */
void mm_body_unref(struct mm_body *b);          /* NULL is fine */

/* What holds the literal bytes, for a writer to append to: they stand where the segments appended
 * before and after them say. Borrowed, the same for the whole body; not after the seal. */
struct mm_buf *mm_body_text(struct mm_body *b);

/* Append a range of a blob as it is, or the whole blob as base64, with the `=` at its end or
 * without. Takes a new reference. Returns MM_OK, MM_ENOMEM, MM_EINVAL (range outside the blob, or a
 * sealed body). */
MM_NODISCARD int mm_body_blob(struct mm_body *b, struct mm_blob *blob, uint64_t offset, uint64_t n);
MM_NODISCARD int mm_body_base64(struct mm_body *b, struct mm_blob *blob, bool padded);

/* No more segments. Returns MM_OK, MM_ENOMEM, MM_ETOOBIG (length over INT64_MAX). */
MM_NODISCARD int mm_body_seal(struct mm_body *b);
uint64_t mm_body_length(const struct mm_body *b); /* bytes, of a sealed body */

/* Reading: several readers may read one body. */
struct mm_body_reader;

/* A reader of a sealed body, of which it keeps a reference; *out owned. Returns MM_OK, MM_ENOMEM,
 * or MM_EINVAL before the seal. */
MM_NODISCARD int mm_body_open(struct mm_body *b, struct mm_body_reader **out);
void mm_body_close(struct mm_body_reader *r); /* NULL is fine */

/* Read up to n bytes at offset, any offset, again and again. *got is less than n only at the end.
 * Returns MM_OK, MM_EFILE, MM_ECHANGED ("cat.jpg" grew, shrank or changed while it was being sent).
 */
MM_NODISCARD int mm_body_read(struct mm_body_reader *r, uint64_t offset, void *out, size_t n,
                              size_t *got, struct mm_error *err);

MM_HIDDEN_END

#endif
