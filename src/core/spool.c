/* spool.c - collects the media of one decoder or writer.   SPDX-License-Identifier: MIT */
#include "spool.h"
#include "buf.h"
#include "mime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { STAGE = 128 * 1024 }; /* bytes gathered before a write: they stay in the second cache */

struct mm_spool {
  size_t refs;        /* the owner, and every living blob */
  size_t memory;      /* bytes of living blobs that may be in memory */
  size_t living;      /* bytes of living blobs that are */
  uint64_t max_total; /* bytes of all blobs together */
  uint64_t total;     /* bytes of the blobs ended so far */
  int fd;             /* -1 until memory was too small */
  size_t ranges;      /* living blobs in the file */
  uint64_t end;       /* offset behind the last of them */
  bool open;          /* a blob is being written */
  bool spilled;       /* it goes to the file, from `end` on */
  uint64_t filed;     /* bytes of it that are there */
  struct mm_buf tail; /* the rest of it */
  void (*relief)(void *arg);
  void *relief_arg;
};

int mm_spool_new(size_t memory, uint64_t max_total, struct mm_spool **out) {
  struct mm_spool *s = mm_alloc(NULL, sizeof *s);
  if (!s) return MM_ENOMEM;
  *s = (struct mm_spool){.refs = 1, .memory = memory, .max_total = max_total, .fd = -1};
  mm_buf_init(&s->tail, SIZE_MAX / 2);
  mm_live_add(1);
  *out = s;
  return MM_OK;
}

void mm_spool_unref(struct mm_spool *s) {
  if (!s || --s->refs) return;
  mm_buf_free(&s->tail);
  if (s->fd >= 0) close(s->fd);
  mm_alloc(s, 0);
  mm_live_add(-1);
}

void mm_spool_set_relief(struct mm_spool *s, void (*relief)(void *arg), void *arg) {
  s->relief = relief;
  s->relief_arg = arg;
}

static const char *folder(void) {
  const char *dir = getenv("TMPDIR");
  return dir && *dir ? dir : "/tmp";
}

/* Returns a descriptor or -1 with errno. */
static int open_unlinked(const char *dir) {
#ifdef O_TMPFILE
  int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || !(errno == EISDIR || errno == EOPNOTSUPP || errno == EINVAL)) return fd;
#endif
  char path[4096];
  int n = snprintf(path, sizeof path, "%s/multimodal-XXXXXX", dir);
  if (n < 0 || (size_t)n >= sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int made = mkostemp(path, O_CLOEXEC);
  if (made >= 0) unlink(path);
  return made;
}

static bool short_of_room(int os) {
  return os == EMFILE || os == ENFILE || os == ENOSPC || os == EDQUOT;
}

static int open_file(struct mm_spool *s, struct mm_error *err) {
  if (s->fd >= 0) return MM_OK;
  s->fd = open_unlinked(folder());
  if (s->fd < 0) return mm_fail_os(err, errno, "cannot make a temporary file in %s", folder());
  return MM_OK;
}

static int write_tail(struct mm_spool *s, struct mm_error *err) {
  int rc = open_file(s, err);
  size_t done = 0;
  while (rc == MM_OK && done < s->tail.len) {
    ssize_t n =
        pwrite(s->fd, s->tail.data + done, s->tail.len - done, (off_t)(s->end + s->filed + done));
    if (n > 0) done += (size_t)n;
    if (n == 0 || (n < 0 && errno != EINTR))
      rc = mm_fail_os(err, n < 0 ? errno : EIO, "cannot write a temporary file in %s", folder());
  }
  return rc;
}

/* Move the tail to the file; on failure it is still the tail. */
static int flush(struct mm_spool *s, struct mm_error *err) {
  struct mm_error local = {0};
  int rc = write_tail(s, &local);
  if (rc == MM_EFILE && short_of_room(local.os) && s->relief) {
    s->relief(s->relief_arg);
    rc = write_tail(s, &local);
  }
  if (rc != MM_OK) {
    if (err) *err = local;
    return rc;
  }
  s->spilled = true;
  s->filed += s->tail.len;
  s->tail.len = 0;
  if (s->tail.cap > 2 * STAGE) mm_buf_free(&s->tail);
  return MM_OK;
}

int mm_spool_begin(struct mm_spool *s) {
  if (s->open) return MM_EINVAL;
  s->open = true;
  s->spilled = false;
  s->filed = 0;
  s->tail.len = 0;
  return MM_OK;
}

uint64_t mm_spool_written(const struct mm_spool *s) {
  return s->filed + s->tail.len;
}

/* Bytes that the tail may grow to before it has to be written out. */
static size_t tail_limit(const struct mm_spool *s) {
  if (s->spilled) return STAGE;
  return s->memory > s->living ? s->memory - s->living : 0;
}

int mm_spool_room(struct mm_spool *s, size_t n, unsigned char **room, struct mm_error *err) {
  if (!s->open) return mm_fail(err, MM_EINVAL, "no blob is being written");
  size_t limit = tail_limit(s);
  bool full = n > limit || s->tail.len > limit - n;
  if (full && !(s->spilled && s->tail.len == 0)) {
    int rc = flush(s, err);
    if (rc != MM_OK) return rc;
  }
  int rc = mm_buf_reserve(&s->tail, n ? n : 1);
  if (rc != MM_OK) return mm_fail(err, rc, "%s", mm_status_text(rc));
  *room = (unsigned char *)s->tail.data + s->tail.len;
  return MM_OK;
}

int mm_spool_commit(struct mm_spool *s, size_t n, struct mm_error *err) {
  uint64_t left = s->max_total - s->total;
  if (n > left || mm_spool_written(s) > left - n)
    return mm_fail(err, MM_ETOOBIG, "media are larger than %llu bytes together",
                   (unsigned long long)s->max_total);
  s->tail.len += n;
  return MM_OK;
}

int mm_spool_write(struct mm_spool *s, const void *bytes, size_t n, struct mm_error *err) {
  const char *p = bytes;
  while (n) {
    size_t part = n < STAGE ? n : STAGE;
    unsigned char *room;
    int rc = mm_spool_room(s, part, &room, err);
    if (rc != MM_OK) return rc;
    memcpy(room, p, part);
    rc = mm_spool_commit(s, part, err);
    if (rc != MM_OK) return rc;
    p += part;
    n -= part;
  }
  return MM_OK;
}

int mm_spool_read(struct mm_spool *s, uint64_t offset, void *out, size_t n, size_t *got,
                  struct mm_error *err) {
  *got = 0;
  while (*got < n && offset < mm_spool_written(s)) {
    char *to = (char *)out + *got;
    size_t want = n - *got;
    if (offset >= s->filed) {
      uint64_t rest = mm_spool_written(s) - offset;
      if (want > rest) want = (size_t)rest;
      memcpy(to, s->tail.data + (size_t)(offset - s->filed), want);
    } else {
      if (want > s->filed - offset) want = (size_t)(s->filed - offset);
      ssize_t r = pread(s->fd, to, want, (off_t)(s->end + offset));
      if (r < 0 && errno == EINTR) continue;
      if (r <= 0) return mm_fail_os(err, r < 0 ? errno : EIO, "cannot read a temporary file");
      want = (size_t)r;
    }
    *got += want;
    offset += want;
  }
  return MM_OK;
}

static const char *sniffed(struct mm_spool *s) {
  char head[MM_MIME_SNIFF];
  size_t n;
  return mm_spool_read(s, 0, head, sizeof head, &n, NULL) == MM_OK ? mm_mime_sniff(head, n) : NULL;
}

/* The open blob as a block of its own size; the tail goes on with what it had. */
static int end_in_memory(struct mm_spool *s, const char *mime, const char *prefix, bool padded,
                         struct mm_blob **out) {
  size_t n = s->tail.len;
  bool whole = n >= s->tail.cap / 2;
  char *bytes = mm_alloc(whole ? s->tail.data : NULL, n ? n : 1);
  if (!bytes) return MM_ENOMEM;
  if (whole) s->tail.data = bytes;
  if (whole) s->tail.cap = n ? n : 1;
  if (!whole && n) memcpy(bytes, s->tail.data, n);
  int rc = mm_blob_from_spool(s, bytes, 0, n, mime, prefix, padded, out);
  if (rc != MM_OK && !whole) mm_alloc(bytes, 0);
  if (rc == MM_OK && whole) mm_buf_init(&s->tail, s->tail.max);
  return rc;
}

static int end_in_file(struct mm_spool *s, const char *mime, const char *prefix, bool padded,
                       struct mm_blob **out, struct mm_error *err) {
  int rc = s->tail.len ? flush(s, err) : MM_OK;
  if (rc != MM_OK) return rc;
  rc = mm_blob_from_spool(s, NULL, s->end, s->filed, mime, prefix, padded, out);
  if (rc == MM_OK) s->end += s->filed;
  return rc;
}

int mm_spool_end(struct mm_spool *s, const char *mime, const char *prefix, bool padded,
                 struct mm_blob **out, struct mm_error *err) {
  if (!s->open) return mm_fail(err, MM_EINVAL, "no blob is being written");
  uint64_t n = mm_spool_written(s);
  if (!mime) mime = sniffed(s);
  int rc = s->spilled ? end_in_file(s, mime, prefix, padded, out, err)
                      : end_in_memory(s, mime, prefix, padded, out);
  if (rc == MM_EFILE) return rc;
  if (rc != MM_OK) return mm_fail(err, rc, "%s", mm_status_text(rc));
  s->total += n;
  s->filed = 0;
  s->tail.len = 0;
  s->open = false;
  return MM_OK;
}

void mm_spool_cancel(struct mm_spool *s) {
  s->open = false;
  s->filed = 0;
  mm_buf_free(&s->tail);
}

void mm_spool_take(struct mm_spool *s, bool in_memory, uint64_t n) {
  s->refs++;
  if (in_memory) s->living += (size_t)n;
  if (!in_memory) s->ranges++;
}

/* Blobs that nobody holds any more give their part of the disk back at once, so that a long stream
 * of pictures does not fill $TMPDIR. What cannot be given back waits for the end of the file. */
static void free_range(struct mm_spool *s, uint64_t at, uint64_t n) {
  if (--s->ranges == 0 && !(s->open && s->spilled)) {
    s->end = 0;
    if (ftruncate(s->fd, 0) == 0) return;
  }
#ifdef FALLOC_FL_PUNCH_HOLE
  int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (n && fallocate(s->fd, mode, (off_t)at, (off_t)n) != 0) return;
#else
  (void)at;
  (void)n;
#endif
}

void mm_spool_release(struct mm_spool *s, bool in_memory, uint64_t at, uint64_t n) {
  if (in_memory)
    s->living -= (size_t)n;
  else if (s->refs > 1)
    free_range(s, at, n);
  mm_spool_unref(s);
}

int mm_spool_fd(const struct mm_spool *s) {
  return s->fd;
}
