/* spool.h - collects the media of one decoder or writer: in memory up to a bound for all of them
 * together, after that in one unlinked 0600 file in $TMPDIR, of which blobs are ranges.
 * In: bytes of one medium after the other. Out: blobs.
 * Not here: what the bytes are.                            SPDX-License-Identifier: MIT */
#ifndef MM_CORE_SPOOL_H
#define MM_CORE_SPOOL_H

#include "blob.h"

MM_HIDDEN_BEGIN

/* `memory`: bytes of living blobs kept in memory; `max_total`: bytes of all blobs ever ended.
 * Returns MM_OK or MM_ENOMEM. */
MM_NODISCARD int mm_spool_new(size_t memory, uint64_t max_total, struct mm_spool **out);
void mm_spool_unref(struct mm_spool *s); /* the file lives as long as its blobs; NULL is fine */

/* When a write fails for want of descriptors or space, `relief` is called (it may free other
 * spools) and the write is tried once more. NULL takes it away. */
void mm_spool_set_relief(struct mm_spool *s, void (*relief)(void *arg), void *arg);

/* One blob at a time: begin, write..., then end or cancel. MM_EINVAL while one is open. */
MM_NODISCARD int mm_spool_begin(struct mm_spool *s);

/* Room for n bytes to be written in place; *room stays valid until mm_spool_commit.
 * Returns MM_OK, MM_ENOMEM, MM_EFILE, MM_EINVAL (no open blob). */
MM_NODISCARD int mm_spool_room(struct mm_spool *s, size_t n, unsigned char **room,
                               struct mm_error *err);

/* n bytes of the room were written, at most what was asked for. Returns MM_OK, or MM_ETOOBIG
 * (max_total) without taking them. */
MM_NODISCARD int mm_spool_commit(struct mm_spool *s, size_t n, struct mm_error *err);

/* Append n bytes; copies them. Returns as these two; on failure what came before it stays. */
MM_NODISCARD int mm_spool_write(struct mm_spool *s, const void *bytes, size_t n,
                                struct mm_error *err);

uint64_t mm_spool_written(const struct mm_spool *s); /* bytes of the open blob */

/* Read back from the open blob; *got is less than n only at its end. Returns MM_OK, MM_EFILE. */
MM_NODISCARD int mm_spool_read(struct mm_spool *s, uint64_t offset, void *out, size_t n,
                               size_t *got, struct mm_error *err);

/* Close the open blob; copies mime (NULL: sniffed) and prefix (may be NULL). Returns MM_OK with
 * *out owned, MM_ENOMEM or MM_EFILE with the blob still open. */
MM_NODISCARD int mm_spool_end(struct mm_spool *s, const char *mime, const char *prefix, bool padded,
                              struct mm_blob **out, struct mm_error *err);
void mm_spool_cancel(struct mm_spool *s); /* forget the open blob, if any */

/* For blob.c: a blob took, or gave back, bytes of the spool (in memory, or a range of its file). */
void mm_spool_take(struct mm_spool *s, bool in_memory, uint64_t n);
void mm_spool_release(struct mm_spool *s, bool in_memory, uint64_t at, uint64_t n);
int mm_spool_fd(const struct mm_spool *s); /* of the file; borrowed */

MM_HIDDEN_END

#endif
