/* blob.c - ref-counted, unchanging bytes.   SPDX-License-Identifier: MIT */
#include "blob.h"
#include "buf.h"
#include "file.h"
#include "mime.h"
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct mm_blob {
  size_t refs;
  uint64_t size;          /* bytes */
  char *bytes;            /* owned; NULL when they are in a file */
  struct mm_spool *spool; /* owned reference; NULL when the bytes are not a spool's */
  uint64_t at;            /* offset in the spool's file */
  const char *path;       /* these three in `text`, NULL when unknown */
  const char *mime;
  const char *prefix;
  bool padded;
  dev_t device; /* of a file of the user's, as it was noted */
  ino_t inode;
  struct timespec modified;
  char text[];
};

static size_t text_size(const char *s) {
  return s ? strlen(s) + 1 : 0;
}

static const char *keep(char **to, const char *s) {
  size_t n = text_size(s);
  char *kept = n ? memcpy(*to, s, n) : NULL;
  *to += n;
  return kept;
}

static struct mm_blob *blob_new(const char *path, const char *mime, const char *prefix) {
  size_t n = text_size(path) + text_size(mime) + text_size(prefix);
  struct mm_blob *b = mm_alloc(NULL, sizeof *b + n);
  if (!b) return NULL;
  *b = (struct mm_blob){.refs = 1};
  char *to = b->text;
  b->path = keep(&to, path);
  b->mime = keep(&to, mime);
  b->prefix = keep(&to, prefix);
  mm_live_add(1);
  return b;
}

static void blob_free(struct mm_blob *b) {
  mm_alloc(b->bytes, 0);
  if (b->spool) mm_spool_release(b->spool, b->bytes != NULL, b->at, b->size);
  mm_alloc(b, 0);
  mm_live_add(-1);
}

struct mm_blob *mm_blob_ref(struct mm_blob *b) {
  b->refs++;
  return b;
}

void mm_blob_unref(struct mm_blob *b) {
  if (b && --b->refs == 0) blob_free(b);
}

int mm_blob_from_bytes(const void *bytes, size_t n, const char *mime, struct mm_blob **out) {
  struct mm_blob *b = blob_new(NULL, mime, NULL);
  if (!b) return MM_ENOMEM;
  b->bytes = mm_alloc(NULL, n ? n : 1);
  if (!b->bytes) {
    blob_free(b);
    return MM_ENOMEM;
  }
  if (n) memcpy(b->bytes, bytes, n);
  b->size = n;
  *out = b;
  return MM_OK;
}

int mm_blob_from_spool(struct mm_spool *spool, char *bytes, uint64_t at, uint64_t n,
                       const char *mime, const char *prefix, bool padded, struct mm_blob **out) {
  struct mm_blob *b = blob_new(NULL, mime, prefix);
  if (!b) return MM_ENOMEM;
  mm_spool_take(spool, bytes != NULL, n);
  b->spool = spool;
  b->bytes = bytes;
  b->at = at;
  b->size = n;
  b->padded = padded;
  *out = b;
  return MM_OK;
}

static int cannot_read(const char *path, int os, struct mm_error *err) {
  return mm_fail_os(err, os, "cannot read \"%s\"", mm_path_shown(path));
}

/* Open a regular file. O_NONBLOCK: a named pipe must not hang the open. Returns a descriptor, or
 * MM_EFILE. */
static int open_regular(const char *path, struct stat *st, struct mm_error *err) {
  int fd;
  do {
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return cannot_read(path, errno, err);
  int os = fstat(fd, st) != 0 ? errno : S_ISDIR(st->st_mode) ? EISDIR : 0;
  if (os == 0 && S_ISREG(st->st_mode)) return fd;
  close(fd);
  if (os) return cannot_read(path, os, err);
  int rc = mm_fail(err, MM_EFILE, "cannot read \"%s\": not a regular file", mm_path_shown(path));
  if (err) err->os = EINVAL;
  return rc;
}

static const char *sniff_file(int fd, const char *path) {
  char head[MM_MIME_SNIFF];
  ssize_t n = pread(fd, head, sizeof head, 0);
  return mm_mime_of_file(path, head, n > 0 ? (size_t)n : 0);
}

int mm_blob_from_file(const char *path, const char *mime, struct mm_blob **out,
                      struct mm_error *err) {
  struct stat st;
  int fd = open_regular(path, &st, err);
  if (fd < 0) return fd;
  if (!mime) mime = sniff_file(fd, path);
  close(fd);
  if (st.st_size == 0) {
    int rc = mm_fail(err, MM_EFILE, "\"%s\" is empty", mm_path_shown(path));
    if (err) err->os = EINVAL;
    return rc;
  }
  struct mm_blob *b = blob_new(path, mime, NULL);
  if (!b) return mm_fail(err, MM_ENOMEM, "%s", mm_status_text(MM_ENOMEM));
  b->size = (uint64_t)st.st_size;
  b->device = st.st_dev;
  b->inode = st.st_ino;
  b->modified = st.st_mtim;
  *out = b;
  return MM_OK;
}

uint64_t mm_blob_size(const struct mm_blob *b) {
  return b->size;
}

const char *mm_blob_mime(const struct mm_blob *b) {
  return b->mime;
}

const char *mm_blob_path(const struct mm_blob *b) {
  return b->path;
}

uint64_t mm_blob_weight(const struct mm_blob *b) {
  return b->path ? 0 : b->size;
}

const char *mm_blob_prefix(const struct mm_blob *b, bool *padded) {
  if (padded) *padded = b->padded;
  return b->prefix;
}

void mm_blob_reader_init(struct mm_blob_reader *r, struct mm_blob *blob) {
  *r = (struct mm_blob_reader){.blob = mm_blob_ref(blob), .fd = -1};
}

void mm_blob_reader_free(struct mm_blob_reader *r) {
  if (r->fd >= 0) close(r->fd);
  r->fd = -1;
  mm_blob_unref(r->blob);
  r->blob = NULL;
}

static int changed(const struct mm_blob *b, const char *how, struct mm_error *err) {
  return mm_fail(err, MM_ECHANGED, "\"%s\" %s while it was being sent", mm_path_shown(b->path),
                 how);
}

static int compare(const struct mm_blob *b, const struct stat *st, struct mm_error *err) {
  if ((uint64_t)st->st_size < b->size) return changed(b, "shrank", err);
  if ((uint64_t)st->st_size > b->size) return changed(b, "grew", err);
  bool same = st->st_dev == b->device && st->st_ino == b->inode &&
              st->st_mtim.tv_sec == b->modified.tv_sec &&
              st->st_mtim.tv_nsec == b->modified.tv_nsec;
  return same ? MM_OK : changed(b, "changed", err);
}

static int open_path(struct mm_blob_reader *r, struct mm_error *err) {
  struct stat st = {0};
  int fd = open_regular(r->blob->path, &st, err);
  if (fd < 0) return fd;
  int rc = compare(r->blob, &st, err);
  if (rc == MM_OK)
    r->fd = fd;
  else
    close(fd);
  return rc;
}

/* Read n bytes that should be there. */
static int read_fully(int fd, uint64_t at, char *out, size_t n, size_t *got, struct mm_error *err) {
  while (*got < n) {
    ssize_t r = pread(fd, out + *got, n - *got, (off_t)(at + *got));
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return mm_fail_os(err, errno, "cannot read");
    if (r == 0) return MM_MORE;
    *got += (size_t)r;
  }
  return MM_OK;
}

static int read_path(struct mm_blob_reader *r, uint64_t offset, void *out, size_t n, size_t *got,
                     struct mm_error *err) {
  struct mm_blob *b = r->blob;
  int rc = r->fd < 0 ? open_path(r, err) : MM_OK;
  if (rc != MM_OK) return rc;
  struct mm_error inner = {0};
  rc = read_fully(r->fd, offset, out, n, got, &inner);
  if (rc == MM_MORE) return changed(b, "shrank", err);
  if (rc != MM_OK) return cannot_read(b->path, inner.os, err);
  if (offset + n < b->size) return MM_OK;
  struct stat st;
  if (fstat(r->fd, &st) != 0) return cannot_read(b->path, errno, err);
  return compare(b, &st, err);
}

static int read_spool(struct mm_blob *b, uint64_t offset, void *out, size_t n, size_t *got,
                      struct mm_error *err) {
  struct mm_error inner = {0};
  int rc = read_fully(mm_spool_fd(b->spool), b->at + offset, out, n, got, &inner);
  if (rc == MM_OK) return MM_OK;
  return mm_fail_os(err, rc == MM_MORE ? EIO : inner.os, "cannot read a temporary file");
}

int mm_blob_reader_read(struct mm_blob_reader *r, uint64_t offset, void *out, size_t n, size_t *got,
                        struct mm_error *err) {
  struct mm_blob *b = r->blob;
  *got = 0;
  uint64_t rest = offset < b->size ? b->size - offset : 0;
  if (n > rest) n = (size_t)rest;
  if (n == 0) return MM_OK;
  if (b->path) return read_path(r, offset, out, n, got, err);
  if (!b->bytes) return read_spool(b, offset, out, n, got, err);
  memcpy(out, b->bytes + (size_t)offset, n);
  *got = n;
  return MM_OK;
}

static int copy(struct mm_blob_reader *r, struct mm_file_writer *w, char *piece, size_t size,
                struct mm_error *err) {
  for (uint64_t at = 0; at < r->blob->size;) {
    size_t n;
    int rc = mm_blob_reader_read(r, at, piece, size, &n, err);
    if (rc == MM_OK) rc = mm_file_put(w, piece, n, err);
    if (rc != MM_OK) return rc;
    at += n;
  }
  return MM_OK;
}

static int copy_in_pieces(struct mm_blob *b, struct mm_file_writer *w, struct mm_error *err) {
  enum { PIECE = 128 * 1024 };
  char *piece = mm_alloc(NULL, PIECE);
  if (!piece) return mm_fail(err, MM_ENOMEM, "%s", mm_status_text(MM_ENOMEM));
  struct mm_blob_reader r;
  mm_blob_reader_init(&r, b);
  int rc = copy(&r, w, piece, PIECE, err);
  mm_blob_reader_free(&r);
  mm_alloc(piece, 0);
  return rc;
}

int mm_blob_save(struct mm_blob *b, const char *path, int flags, struct mm_error *err) {
  struct mm_file_writer w;
  int rc = mm_file_begin(&w, path, flags, err);
  if (rc != MM_OK) return rc;
  rc = b->bytes ? mm_file_put(&w, b->bytes, (size_t)b->size, err) : copy_in_pieces(b, &w, err);
  if (rc == MM_OK) return mm_file_commit(&w, err);
  mm_file_abort(&w);
  return rc;
}
