/* file.c - atomic, synced and exclusive writes, locks, random bytes.   SPDX-License-Identifier: MIT
 */
#include "file.h"
#include "buf.h"
#include "hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h> /* rename */
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  PATH_SHOWN = 120, /* bytes of a path in a message: its end says most */
  BASE_KEPT = 200,  /* bytes of the target's name in its part file's, so that NAME_MAX holds */
  TRIES = 100       /* names for a part file */
};

const char *mm_path_shown(const char *path) {
  size_t n = strlen(path);
  if (n <= PATH_SHOWN) return path;
  path += n - PATH_SHOWN;
  while ((*path & 0xC0) == 0x80)
    path++;
  return path;
}

static int fail_path(struct mm_error *err, int os, const char *what, const char *path) {
  const char *end = mm_path_shown(path);
  return mm_fail_os(err, os, "cannot %s \"%s%s\"", what, end == path ? "" : "...", end);
}

static int fail_write(struct mm_error *err, int os, const char *path) {
  return fail_path(err, os, "write", path);
}

static int open_mode(const char *path, int flags, mode_t mode) {
  int fd;
  do
    fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

static int open_file(const char *path, int flags) {
  return open_mode(path, flags, 0666);
}

/* All n bytes; *done counts what was written, also on failure. Returns 0 or an errno. */
static int write_all(int fd, const char *bytes, size_t n, size_t *done) {
  *done = 0;
  while (*done < n) {
    ssize_t got = write(fd, bytes + *done, n - *done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : EIO;
    *done += (size_t)got;
  }
  return 0;
}

/* Some file systems cannot sync and say EINVAL; no call of ours can do more. */
static int sync_fd(int fd) {
  int rc;
  do
    rc = fsync(fd);
  while (rc != 0 && errno == EINTR);
  return rc == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

/* Bytes of path up to and with its last slash. */
static size_t directory_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Make the name itself durable. Returns 0 or an errno. */
static int sync_directory(const char *path) {
  char directory[PATH_MAX];
  size_t n = directory_length(path);
  if (n >= sizeof directory) return ENAMETOOLONG;
  memcpy(directory, path, n);
  directory[n] = '\0';
  int fd = open_file(n ? directory : ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return errno;
  int os = sync_fd(fd);
  close(fd);
  return os;
}

static char *copy_text(const char *text) {
  size_t n = strlen(text) + 1;
  char *copy = mm_alloc(NULL, n);
  return copy ? memcpy(copy, text, n) : NULL;
}

/* What the final symbolic link of path leads to; path itself where there is none. Returns owned. */
static char *follow_link(const char *path) {
  struct stat st;
  char real[PATH_MAX];
  bool link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
  return copy_text(link && realpath(path, real) ? real : path);
}

/* "directory/name.<16 hex digits>.part". Returns owned. */
static char *part_name(const char *goal, const unsigned char random[8]) {
  size_t directory = directory_length(goal);
  size_t base = strlen(goal) - directory;
  size_t kept = directory + (base < BASE_KEPT ? base : BASE_KEPT);
  char *part = mm_alloc(NULL, kept + sizeof ".0123456789abcdef.part");
  if (!part) return NULL;
  memcpy(part, goal, kept);
  part[kept] = '.';
  mm_hex(random, 8, part + kept + 1);
  memcpy(part + kept + 17, ".part", sizeof ".part");
  return part;
}

/* Open a part file nobody else has. */
static int open_part(struct mm_file_writer *w, mode_t mode, struct mm_error *err) {
  for (int i = 0; i < TRIES; i++) {
    unsigned char random[8];
    int rc = mm_random(random, sizeof random, err);
    if (rc != MM_OK) return rc;
    w->part = part_name(w->goal, random);
    if (!w->part) return mm_fail(err, MM_ENOMEM, "%s", mm_status_text(MM_ENOMEM));
    w->fd = open_mode(w->part, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (w->fd >= 0) return MM_OK;
    int os = errno;
    w->part = mm_alloc(w->part, 0);
    if (os != EEXIST) return fail_write(err, os, w->path);
  }
  return fail_write(err, EEXIST, w->path);
}

/* Renaming onto a device or a pipe would replace it by a file. */
static int open_straight(struct mm_file_writer *w, struct mm_error *err) {
  w->fd = open_file(w->goal, O_WRONLY);
  return w->fd >= 0 ? MM_OK : fail_write(err, errno, w->path);
}

/* A private file stays private when it is replaced; at no time is the part file open to more. */
static void keep_mode(int fd, mode_t mode) {
  if (fchmod(fd, mode & 0777) != 0) return; /* a file system without modes */
}

static int open_writer(struct mm_file_writer *w, struct mm_error *err) {
  struct stat st;
  bool there = stat(w->goal, &st) == 0;
  if (there && S_ISDIR(st.st_mode)) return fail_write(err, EISDIR, w->path);
  if (there && w->flags & MM_FILE_EXCLUSIVE) return fail_write(err, EEXIST, w->path);
  if (there && !S_ISREG(st.st_mode)) return open_straight(w, err);
  int rc = open_part(w, there ? st.st_mode & 0600 : 0666, err);
  if (rc == MM_OK && there) keep_mode(w->fd, st.st_mode);
  return rc;
}

int mm_file_begin(struct mm_file_writer *w, const char *path, int flags, struct mm_error *err) {
  *w = (struct mm_file_writer){.fd = -1, .flags = flags};
  if (flags & MM_FILE_APPEND) return mm_fail(err, MM_EINVAL, "appending is one call");
  w->path = copy_text(path);
  w->goal = w->path ? follow_link(path) : NULL;
  int rc = w->goal ? open_writer(w, err) : mm_fail(err, MM_ENOMEM, "%s", mm_status_text(MM_ENOMEM));
  if (rc != MM_OK) mm_file_abort(w);
  return rc;
}

int mm_file_put(struct mm_file_writer *w, const void *bytes, size_t n, struct mm_error *err) {
  size_t done;
  int os = write_all(w->fd, bytes, n, &done);
  return os ? fail_write(err, os, w->path) : MM_OK;
}

/* Where the file system has no links: take the name first, then put the file in its place. */
static int claim(const char *part, const char *goal) {
  int fd = open_file(goal, O_WRONLY | O_CREAT | O_EXCL);
  if (fd < 0) return errno;
  close(fd);
  if (rename(part, goal) == 0) return 0;
  int os = errno;
  unlink(goal);
  return os;
}

static bool has_no_links(int os) {
  return os == EPERM || os == ENOSYS || os == EOPNOTSUPP || os == EMLINK;
}

/* Give the part file its name; it is gone afterwards only if that worked. Returns 0 or an errno. */
static int put_in_place(const struct mm_file_writer *w) {
  if (!(w->flags & MM_FILE_EXCLUSIVE)) return rename(w->part, w->goal) == 0 ? 0 : errno;
  if (link(w->part, w->goal) != 0) return has_no_links(errno) ? claim(w->part, w->goal) : errno;
  unlink(w->part);
  return 0;
}

static int close_fd(struct mm_file_writer *w) {
  int rc = close(w->fd);
  w->fd = -1;
  return rc == 0 || errno == EINTR ? 0 : errno;
}

int mm_file_commit(struct mm_file_writer *w, struct mm_error *err) {
  bool sync = w->flags & MM_FILE_SYNC;
  int os = sync ? sync_fd(w->fd) : 0;
  int closed = close_fd(w);
  if (os == 0) os = closed;
  if (os == 0 && w->part) os = put_in_place(w);
  if (os == 0 && w->part) {
    w->part = mm_alloc(w->part, 0);
    if (sync) os = sync_directory(w->goal);
  }
  int rc = os ? fail_write(err, os, w->path) : MM_OK;
  mm_file_abort(w);
  return rc;
}

void mm_file_abort(struct mm_file_writer *w) {
  if (w->fd >= 0) close(w->fd);
  if (w->part) unlink(w->part);
  w->part = mm_alloc(w->part, 0);
  w->goal = mm_alloc(w->goal, 0);
  w->path = mm_alloc(w->path, 0);
  w->fd = -1;
}

/* Take back the `done` bytes of a record that was cut short, unless another has written after it.
 */
static void take_back(int fd, size_t done) {
  off_t end = lseek(fd, 0, SEEK_CUR);
  struct stat st;
  if (done == 0 || end < (off_t)done || fstat(fd, &st) != 0 || st.st_size != end) return;
  if (ftruncate(fd, end - (off_t)done) != 0) return; /* the error to report is the first one */
}

static int append(const char *path, const void *bytes, size_t n, int flags, struct mm_error *err) {
  bool there = access(path, F_OK) == 0;
  int exclusive = flags & MM_FILE_EXCLUSIVE ? O_EXCL : 0;
  int fd = open_file(path, O_WRONLY | O_APPEND | O_CREAT | exclusive);
  if (fd < 0) return fail_write(err, errno, path);
  size_t done;
  int os = write_all(fd, bytes, n, &done);
  if (os) take_back(fd, done);
  if (os == 0 && flags & MM_FILE_SYNC) os = sync_fd(fd);
  if (close(fd) != 0 && os == 0 && errno != EINTR) os = errno;
  if (os == 0 && flags & MM_FILE_SYNC && !there) os = sync_directory(path);
  return os ? fail_write(err, os, path) : MM_OK;
}

int mm_file_write(const char *path, const void *bytes, size_t n, int flags, struct mm_error *err) {
  if (flags & MM_FILE_APPEND) return append(path, bytes, n, flags, err);
  struct mm_file_writer w;
  int rc = mm_file_begin(&w, path, flags, err);
  if (rc != MM_OK) return rc;
  rc = mm_file_put(&w, bytes, n, err);
  if (rc == MM_OK) return mm_file_commit(&w, err);
  mm_file_abort(&w);
  return rc;
}

static int sync_path(const char *path) {
  int fd = open_file(path, O_RDONLY);
  if (fd < 0) return errno;
  int os = sync_fd(fd);
  close(fd);
  return os;
}

int mm_file_move(const char *from, const char *to, int flags, struct mm_error *err) {
  struct mm_file_writer w = {.fd = -1, .flags = flags};
  w.goal = follow_link(to);
  w.part = copy_text(from);
  bool room = w.goal && w.part;
  bool sync = flags & MM_FILE_SYNC;
  int os = room && sync ? sync_path(from) : 0;
  if (room && os == 0) os = put_in_place(&w);
  if (room && os == 0 && sync) os = sync_directory(w.goal);
  mm_alloc(w.part, 0);
  mm_alloc(w.goal, 0);
  if (!room) return mm_fail(err, MM_ENOMEM, "%s", mm_status_text(MM_ENOMEM));
  return os ? fail_write(err, os, to) : MM_OK;
}

/* Returns 0 or an errno. */
static int make_folder(const char *path) {
  struct stat st;
  if (mkdir(path, 0700) == 0) return 0;
  int os = errno;
  if (stat(path, &st) == 0) return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
  return os;
}

int mm_file_folder(const char *path, struct mm_error *err) {
  char *text = copy_text(path);
  if (!text) return mm_fail(err, MM_ENOMEM, "%s", mm_status_text(MM_ENOMEM));
  int os = *path ? make_folder(text) : EINVAL;
  for (char *slash = text; os == ENOENT && (slash = strchr(slash + 1, '/')) != NULL;) {
    *slash = '\0';
    int above = make_folder(text);
    *slash = '/';
    if (above) os = above;
  }
  if (os == ENOENT) os = make_folder(text);
  mm_alloc(text, 0);
  return os ? fail_path(err, os, "make the folder", path) : MM_OK;
}

int mm_file_lock(const char *path, int *fd, struct mm_error *err) {
  *fd = open_file(path, O_RDWR | O_CREAT);
  if (*fd < 0) return fail_path(err, errno, "lock", path);
  int rc;
  do
    rc = flock(*fd, LOCK_EX | LOCK_NB);
  while (rc != 0 && errno == EINTR);
  if (rc == 0) return MM_OK;
  int os = errno;
  close(*fd);
  *fd = -1;
  return os == EWOULDBLOCK ? MM_MORE : fail_path(err, os, "lock", path);
}

int mm_random(void *out, size_t n, struct mm_error *err) {
  enum { AT_ONCE = 256 }; /* more is refused by getentropy */
  for (char *at = out; n;) {
    size_t some = n < AT_ONCE ? n : AT_ONCE;
    if (getentropy(at, some) != 0) return mm_fail_os(err, errno, "cannot get random bytes");
    at += some;
    n -= some;
  }
  return MM_OK;
}
