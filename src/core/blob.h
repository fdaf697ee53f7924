/* blob.h - ref-counted, unchanging bytes: in memory, a range of a spool file, or a file by its
 * path.
 * In: bytes, paths, what a spool collected. Out: ranges of bytes.
 * Not here: how media are collected (spool), encodings, Lua.   SPDX-License-Identifier: MIT */
#ifndef MM_CORE_BLOB_H
#define MM_CORE_BLOB_H

#include "err.h"

MM_HIDDEN_BEGIN

struct mm_blob;
struct mm_spool;

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

uint64_t mm_blob_size(const struct mm_blob *b);    /* bytes */
const char *mm_blob_mime(const struct mm_blob *b); /* borrowed; NULL when unknown */
const char *
mm_blob_path(const struct mm_blob *b); /* borrowed; NULL when not a file of the user's */
uint64_t
mm_blob_weight(const struct mm_blob *b); /* bytes its owner should count: memory or spool */

/* How the bytes stood in the text they were lifted from: "" for bare base64,
 * "data:image/png;base64," for a data URL; NULL when they were not lifted. `padded` false: without
 * the trailing `=`. */
const char *mm_blob_prefix(const struct mm_blob *b, bool *padded);

/* What a spool hands over: n bytes that stand in memory (takes `bytes`, which then count against
 * the spool's memory), or with `bytes` NULL at `at` of its file. Takes a reference to the spool's
 * range, copies mime and prefix (both may be NULL). Returns MM_OK, or MM_ENOMEM with `bytes` still
 * the caller's. */
MM_NODISCARD int mm_blob_from_spool(struct mm_spool *spool, char *bytes, uint64_t at, uint64_t n,
                                    const char *mime, const char *prefix, bool padded,
                                    struct mm_blob **out);

/* Reading: at any offset, with at most one descriptor open per reader. */
struct mm_blob_reader {
  struct mm_blob *blob; /* owned reference */
  int fd;               /* -1 while closed; a spool's descriptor is borrowed */
};

/* Begin reading a blob, of which it keeps a reference of its own; opens nothing yet. Free gives
 * back the reference and the descriptor. */
void mm_blob_reader_init(struct mm_blob_reader *r, struct mm_blob *blob);
void mm_blob_reader_free(struct mm_blob_reader *r);

/* Read up to n bytes at offset; *got is n, or less only at the end of the blob. A user's file is
 * compared with what was noted when it is opened, and again with the read that reaches its end.
 * Returns MM_OK, MM_EFILE, MM_ECHANGED. */
MM_NODISCARD int mm_blob_reader_read(struct mm_blob_reader *r, uint64_t offset, void *out, size_t n,
                                     size_t *got, struct mm_error *err);

/* Write the blob to a file as mm_file_begin and mm_file_commit do (flags of file.h), a piece at a
 * time. Returns MM_OK, MM_ENOMEM, MM_EFILE, MM_ECHANGED; without success there is no file. */
MM_NODISCARD int mm_blob_save(struct mm_blob *b, const char *path, int flags, struct mm_error *err);

MM_HIDDEN_END

#endif
