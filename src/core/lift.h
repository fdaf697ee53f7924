/* lift.h - while JSON text arrives, long base64 in its strings becomes blobs and leaves a mark.
 * In: JSON text in any split. Out: text with marks, and blobs.
 * Not here: framing, reading JSON values.                  SPDX-License-Identifier: MIT */
#ifndef MM_CORE_LIFT_H
#define MM_CORE_LIFT_H

#include "buf.h"
#include "spool.h"

MM_HIDDEN_BEGIN

/* A mark stands inside a string: byte 0x01, the index in decimal, byte 0x01. A 0x01 in a string of
 * the input is written \u0001, so no mark can be forged.
 *
 * Lifted is a string value that is base64 as a whole, if encoding its bytes again gives the same
 * text; and the payload of `data:TYPE;base64,` anywhere in a string value, together with that head,
 * if blob's prefix and `padded` can give it back. JSON escapes in it are undone first. What stops
 * being base64 is written back as the same text, its escapes undone. Keys are never lifted. */
struct mm_lift;

/* `above`: characters of base64 from which a run is lifted. The spool is borrowed.
 * Returns MM_OK or MM_ENOMEM. */
MM_NODISCARD int mm_lift_new(struct mm_spool *spool, size_t above, struct mm_lift **out);
void mm_lift_free(struct mm_lift *l);

/* Text in order; it need not be JSON (what is outside strings passes through untouched, and a line
 * feed ends a string). Output goes to *out (borrowed, the same for the whole text, changed by
 * nobody else meanwhile). Linear in any split. Returns MM_OK, MM_ETOOBIG (the ceiling of *out),
 * MM_ENOMEM, MM_EFILE; after a failure only reset and free are left. */
MM_NODISCARD int mm_lift_feed(struct mm_lift *l, const char *bytes, size_t n, struct mm_buf *out,
                              struct mm_error *err);

/* The text ended (an open run is written back). Media of this text in order of their marks are
 * handed over: *media is owned by the caller (array by mm_alloc, one reference each). The lift
 * starts afresh. */
MM_NODISCARD int mm_lift_end(struct mm_lift *l, struct mm_buf *out, struct mm_blob ***media,
                             size_t *media_n, struct mm_error *err);

/* Forget the text begun, e.g. an event that was never dispatched. *out is left alone. */
void mm_lift_reset(struct mm_lift *l);

MM_HIDDEN_END

#endif
