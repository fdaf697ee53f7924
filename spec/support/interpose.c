/* interpose.c - system calls on files that fail on demand, for LD_PRELOAD.
 * In: MM_FAIL_OPEN, MM_FAIL_WRITE, MM_FAIL_SYNC, MM_FAIL_RENAME, MM_FAIL_LINK and MM_FAIL_LOCK in
 * the environment, each "part of a path=ERRNO NAME". Out: that errno, also for
 * root. Opening for reading fails too.
 * Not here: short writes.                                  SPDX-License-Identifier: MIT */
#undef _FILE_OFFSET_BITS /* open and open64 are two functions here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const struct {
  const char *name;
  int os;
} errnos[] = {{"EACCES", EACCES}, {"EROFS", EROFS},   {"ENOSPC", ENOSPC}, {"EIO", EIO},
              {"EMFILE", EMFILE}, {"EDQUOT", EDQUOT}, {"EPERM", EPERM},   {"ENOLCK", ENOLCK}};

static int errno_of(const char *name) {
  for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++)
    if (strcmp(errnos[i].name, name) == 0) return errnos[i].os;
  return EIO;
}

/* Sets errno and returns 1 when `variable` wants this path to fail. */
static int fails(const char *variable, const char *path) {
  const char *rule = getenv(variable);
  const char *equals = rule ? strrchr(rule, '=') : NULL;
  char part[256];
  if (!equals || (size_t)(equals - rule) >= sizeof part) return 0;
  memcpy(part, rule, (size_t)(equals - rule));
  part[equals - rule] = '\0';
  if (!strstr(path, part)) return 0;
  errno = errno_of(equals + 1);
  return 1;
}

static int fails_fd(const char *variable, int fd) {
  char link[64], path[4096];
  int before = errno;
  if (!getenv(variable)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  errno = before;
  if (n < 0) return 0;
  path[n] = '\0';
  return fails(variable, path);
}

static void *next(const char *name) {
  return dlsym(RTLD_NEXT, name);
}

#define OPEN(name)                                                                                 \
  int name(const char *path, int flags, ...) {                                                     \
    va_list args;                                                                                  \
    va_start(args, flags);                                                                         \
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                      \
    va_end(args);                                                                                  \
    if (fails("MM_FAIL_OPEN", path)) return -1;                                                    \
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))next(#name);            \
    return real(path, flags, mode);                                                                \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
  int name(int directory, const char *path, int flags, ...) {                                      \
    va_list args;                                                                                  \
    va_start(args, flags);                                                                         \
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                      \
    va_end(args);                                                                                  \
    if (fails("MM_FAIL_OPEN", path)) return -1;                                                    \
    int (*real)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))next(#name);  \
    return real(directory, path, flags, mode);                                                     \
  }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t n) {
  if (fails_fd("MM_FAIL_WRITE", fd)) return -1;
  ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))next("write");
  return real(fd, bytes, n);
}

#define PWRITE(name, type)                                                                         \
  ssize_t name(int fd, const void *bytes, size_t n, type offset) {                                 \
    if (fails_fd("MM_FAIL_WRITE", fd)) return -1;                                                  \
    ssize_t (*real)(int, const void *, size_t, type) =                                             \
        (ssize_t(*)(int, const void *, size_t, type))next(#name);                                  \
    return real(fd, bytes, n, offset);                                                             \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

int fsync(int fd) {
  if (fails_fd("MM_FAIL_SYNC", fd)) return -1;
  int (*real)(int) = (int (*)(int))next("fsync");
  return real(fd);
}

int flock(int fd, int operation) {
  if (fails_fd("MM_FAIL_LOCK", fd)) return -1;
  int (*real)(int, int) = (int (*)(int, int))next("flock");
  return real(fd, operation);
}

#define TWO_PATHS(name, variable)                                                                  \
  int name(const char *from, const char *to) {                                                     \
    if (fails(variable, to)) return -1;                                                            \
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))next(#name);    \
    return real(from, to);                                                                         \
  }
TWO_PATHS(rename, "MM_FAIL_RENAME")
TWO_PATHS(link, "MM_FAIL_LINK")
