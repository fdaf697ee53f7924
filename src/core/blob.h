/* blob.h - ref-counted, unchanging bytes: in memory, a range of a spool file, or a file by its
 * path. In: bytes, paths, what a spool collected. Out: ranges of bytes. Not here: encodings, Lua.
 * SPDX-License-Identifier: MIT */
#ifndef MM_CORE_BLOB_H
#define MM_CORE_BLOB_H

#include "err.h"

MM_HIDDEN_BEGIN

struct mm_blob;

/* A blob of n bytes; copies bytes and mime (NULL: unknown). Returns MM_OK or MM_ENOMEM. */
MM_NODISCARD int mm_blob_from_bytes(const void *bytes, size_t n, const char *mime,
                                    struct mm_blob **out);

/* A blob that stands for a regular file: notes size, mtime and inode, sniffs the type where mime is
 * NULL (magic bytes first, then the extension), keeps no descriptor. Empty files and directories
 * are errors. Returns MM_OK, MM_ENOMEM, MM_EFILE (err->os ENOENT, EACCES, EISDIR ...; an empty file
 * is EINVAL with "is empty"). */
MM_NODISCARD int mm_blob_from_file(const char *path, const char *mime, struct mm_blob **out,
                                   struct mm_error *err);

struct mm_blob *mm_blob_ref(struct mm_blob *b); /* returns owned */
void mm_blob_unref(struct mm_blob *b);          /* NULL is fine */

uint64_t mm_blob_size(const struct mm_blob *b);
const char *mm_blob_mime(const struct mm_blob *b); /* borrowed; NULL when unknown */
const char *
mm_blob_path(const struct mm_blob *b); /* borrowed; NULL when not a file of the user's */
uint64_t
mm_blob_weight(const struct mm_blob *b); /* bytes its owner should count: memory or spool */

/* How the bytes stood in the text they were lifted from: "" for bare base64,
 * "data:image/png;base64," for a data URL; NULL when they were not lifted. `padded` false: without
 * the trailing `=`. */
const char *mm_blob_prefix(const struct mm_blob *b, bool *padded);

/* Reading: at any offset, with at most one descriptor open per reader. */
struct mm_blob_reader {
  struct mm_blob *blob; /* owned reference */
  int fd;               /* -1 while closed; a spool's descriptor is borrowed */
};

void mm_blob_reader_init(struct mm_blob_reader *r,
                         struct mm_blob *blob); /* takes a new reference */
void mm_blob_reader_free(struct mm_blob_reader *r);

/* Read up to n bytes at offset; *got is n, or less only at the end of the blob. A user's file is
 * compared with what was noted when it is opened, and again with the read that reaches its end.
 * Returns MM_OK, MM_EFILE, MM_ECHANGED. */
MM_NODISCARD int mm_blob_reader_read(struct mm_blob_reader *r, uint64_t offset, void *out, size_t n,
                                     size_t *got, struct mm_error *err);

/* A spool collects the media of one decoder or writer: in memory up to `memory` bytes of living
 * blobs together, after that in one unlinked 0600 file in $TMPDIR, of which blobs are ranges. */
struct mm_spool;

MM_NODISCARD int mm_spool_new(size_t memory, uint64_t max_total, struct mm_spool **out);
void mm_spool_unref(struct mm_spool *s); /* the file lives as long as its blobs */

/* One blob at a time: begin, write..., then end or cancel. `hint` is the expected size, 0 unknown.
 * Returns MM_OK, MM_ENOMEM, MM_ETOOBIG (max_total), MM_EFILE. */
MM_NODISCARD int mm_spool_begin(struct mm_spool *s);
/* Room for n bytes to be written in place; *room stays valid until mm_spool_commit. */
MM_NODISCARD int mm_spool_room(struct mm_spool *s, size_t n, unsigned char **room,
                               struct mm_error *err);
MM_NODISCARD int mm_spool_commit(struct mm_spool *s, size_t n, struct mm_error *err);
MM_NODISCARD int mm_spool_write(struct mm_spool *s, const void *bytes, size_t n,
                                struct mm_error *err);
uint64_t mm_spool_written(const struct mm_spool *s); /* bytes of the open blob */
/* Read back from the open blob, to undo a lift. */
MM_NODISCARD int mm_spool_read(struct mm_spool *s, uint64_t offset, void *out, size_t n,
                               size_t *got, struct mm_error *err);
/* Close the open blob; copies mime and prefix (both may be NULL). */
MM_NODISCARD int mm_spool_end(struct mm_spool *s, const char *mime, const char *prefix, bool padded,
                              struct mm_blob **out, struct mm_error *err);
void mm_spool_cancel(struct mm_spool *s);

MM_HIDDEN_END

#endif
