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

/* A file being written beside its target ("path.<random>.part", 0666 & ~umask) and renamed into
 * place at the end (link()ed with MM_FILE_EXCLUSIVE, so that two writers cannot both win). */
struct mm_file_writer {
  int fd; /* -1 when not open */
  int flags;
  char *path; /* owned */
  char *part; /* owned */
};

MM_NODISCARD int mm_file_begin(struct mm_file_writer *w, const char *path, int flags,
                               struct mm_error *err);
MM_NODISCARD int mm_file_put(struct mm_file_writer *w, const void *bytes, size_t n,
                             struct mm_error *err);
MM_NODISCARD int mm_file_commit(struct mm_file_writer *w, struct mm_error *err); /* closes w */
void mm_file_abort(struct mm_file_writer *w); /* removes the part file; idempotent */

/* The three above in one call; with MM_FILE_APPEND one write to the end of the file. */
MM_NODISCARD int mm_file_write(const char *path, const void *bytes, size_t n, int flags,
                               struct mm_error *err);

/* An advisory lock between processes and between Lua states; gone when its holder dies.
 * *fd becomes the descriptor to close. Returns MM_OK, MM_MORE when another holds it, MM_EFILE. */
MM_NODISCARD int mm_file_lock(const char *path, int *fd, struct mm_error *err);

/* n random bytes from the system. Returns MM_OK or MM_EFILE. */
MM_NODISCARD int mm_random(void *out, size_t n, struct mm_error *err);

MM_HIDDEN_END

#endif
