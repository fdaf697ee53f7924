/* file.h - atomic, synced and exclusive writes, locks, random bytes.
 * In: a path and bytes. Out: a whole file or an error, never half a file.
 * Not here: reading media (blob).                          SPDX-License-Identifier: MIT */
#ifndef MM_CORE_FILE_H
#define MM_CORE_FILE_H

#include "err.h"

MM_HIDDEN_BEGIN

enum mm_file_flags {
  MM_FILE_SYNC = 1,      /* fsync the file and its directory before returning */
  MM_FILE_EXCLUSIVE = 2, /* fail with EEXIST rather than replace */
  MM_FILE_APPEND = 4     /* append in one write instead of replacing; creates the file */
};

/* A file being written beside its target ("path.<random>.part", mode as the file it replaces, else
 * 0666 & ~umask) and renamed into place at the end (link()ed with MM_FILE_EXCLUSIVE, so that two
 * writers cannot both win). A target that is a symbolic link stays one, unless it leads nowhere;
 * one that is a device or a pipe is written straight to. */
struct mm_file_writer {
  int fd; /* -1 when not open */
  int flags;
  char *path; /* owned: as given, for messages */
  char *goal; /* owned: the path with a final link followed */
  char *part; /* owned; NULL when written straight to */
};

/* Begin a file; copies path. `flags`: MM_FILE_SYNC, MM_FILE_EXCLUSIVE. Nothing at the target
 * changes before commit. Returns MM_OK, MM_ENOMEM, MM_EFILE ("cannot write "x": read-only file
 * system"), MM_EINVAL for MM_FILE_APPEND. On failure w needs no abort. */
MM_NODISCARD int mm_file_begin(struct mm_file_writer *w, const char *path, int flags,
                               struct mm_error *err);

/* Append n bytes to the file begun; borrows them. Returns MM_OK or MM_EFILE; then abort. */
MM_NODISCARD int mm_file_put(struct mm_file_writer *w, const void *bytes, size_t n,
                             struct mm_error *err);

/* Put the file in place. Returns MM_OK or MM_EFILE; closes w, and removes the part file, in any
 * case. A failure to sync the directory is reported although the file is in place. */
MM_NODISCARD int mm_file_commit(struct mm_file_writer *w, struct mm_error *err);

void mm_file_abort(struct mm_file_writer *w); /* removes the part file; idempotent */

/* The three above in one call; with MM_FILE_APPEND one write to the end of the file, taken back as
 * far as possible when it was cut short. Returns as they do. */
MM_NODISCARD int mm_file_write(const char *path, const void *bytes, size_t n, int flags,
                               struct mm_error *err);

/* Give the file `from` the name `to`, at once, on the same file system. MM_FILE_SYNC: the file and
 * its new name last before this returns; MM_FILE_EXCLUSIVE: EEXIST where `to` is there. A `to`
 * that is a symbolic link stays one. Returns MM_OK, MM_ENOMEM, MM_EFILE; on failure `from` is left
 * alone. */
MM_NODISCARD int mm_file_move(const char *from, const char *to, int flags, struct mm_error *err);

/* Make a folder, and those above it that are missing; fine where it is there. What is made is open
 * to the user alone. Returns MM_OK, MM_ENOMEM, MM_EFILE. */
MM_NODISCARD int mm_file_folder(const char *path, struct mm_error *err);

/* An advisory lock between processes and between Lua states; gone when its holder dies. The file is
 * created and never removed. *fd becomes the descriptor to close, which unlocks.
 * Returns MM_OK, MM_MORE when another holds it, MM_EFILE. */
MM_NODISCARD int mm_file_lock(const char *path, int *fd, struct mm_error *err);

/* The end of a path that a message has room for, from a whole character on. Returns borrowed. */
const char *mm_path_shown(const char *path);

/* n random bytes from the system. Returns MM_OK or MM_EFILE. */
MM_NODISCARD int mm_random(void *out, size_t n, struct mm_error *err);

MM_HIDDEN_END

#endif
