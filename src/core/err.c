/* err.c - status codes and the error record of the core.   SPDX-License-Identifier: MIT */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void describe(struct mm_error *err, int code, int os, const char *fmt, va_list args) {
  err->code = code;
  err->os = os;
  err->at = 0;
  vsnprintf(err->text, sizeof err->text, fmt, args);
}

int mm_fail(struct mm_error *err, int code, const char *fmt, ...) {
  if (err) {
    va_list args;
    va_start(args, fmt);
    describe(err, code, 0, fmt, args);
    va_end(args);
  }
  return code;
}

static const struct {
  int os;
  const char *name;
  const char *text;
} errnos[] = {
    {ENOENT, "ENOENT", "no such file or directory"},
    {EACCES, "EACCES", "permission denied"},
    {EISDIR, "EISDIR", "is a directory"},
    {ENOTDIR, "ENOTDIR", "not a directory"},
    {EEXIST, "EEXIST", "file exists"},
    {ENOSPC, "ENOSPC", "no space left on device"},
    {EDQUOT, "EDQUOT", "disk quota exceeded"},
    {EROFS, "EROFS", "read-only file system"},
    {EMFILE, "EMFILE", "too many open files"},
    {ENFILE, "ENFILE", "too many open files in system"},
    {EPERM, "EPERM", "operation not permitted"},
    {ELOOP, "ELOOP", "too many symbolic links"},
    {ENAMETOOLONG, "ENAMETOOLONG", "file name too long"},
    {EFBIG, "EFBIG", "file too large"},
    {EINVAL, "EINVAL", "invalid argument"},
    {ENOMEM, "ENOMEM", "out of memory"},
    {EAGAIN, "EAGAIN", "resource busy"},
    {EXDEV, "EXDEV", "on another device"},
    {ENXIO, "ENXIO", "no such device"},
    {EBUSY, "EBUSY", "resource busy"},
    {ETXTBSY, "ETXTBSY", "file is being run"},
    {EIO, "EIO", "input/output error"},
};

static size_t errno_index(int os) {
  size_t last = sizeof errnos / sizeof errnos[0] - 1;
  for (size_t i = 0; i < last; i++)
    if (errnos[i].os == os) return i;
  return last;
}

const char *mm_errno_name(int os_errno) {
  return errnos[errno_index(os_errno)].name;
}

int mm_fail_os(struct mm_error *err, int os_errno, const char *fmt, ...) {
  if (err) {
    va_list args;
    va_start(args, fmt);
    describe(err, MM_EFILE, os_errno, fmt, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", errnos[errno_index(os_errno)].text);
  }
  return MM_EFILE;
}

const char *mm_status_text(int code) {
  switch (code) {
    case MM_OK: return "done";
    case MM_MORE: return "more input needed";
    case MM_ENOMEM: return "out of memory";
    case MM_ETOOBIG: return "too large";
    case MM_ESYNTAX: return "malformed input";
    case MM_EUTF8: return "invalid UTF-8";
    case MM_EDEPTH: return "nested too deeply";
    case MM_EFILE: return "file error";
    case MM_ECHANGED: return "file changed";
    default: return "invalid call";
  }
}
