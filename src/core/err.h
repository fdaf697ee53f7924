/* err.h - status codes and the error record of the core.
 * In: nothing. Out: the codes every core function returns, and mm_fail() to describe one.
 * Not here: Lua errors, error kinds of the public API.     SPDX-License-Identifier: MIT */
#ifndef MM_CORE_ERR_H
#define MM_CORE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MM_NODISCARD __attribute__((warn_unused_result))
#define MM_HIDDEN_BEGIN _Pragma("GCC visibility push(hidden)")
#define MM_HIDDEN_END _Pragma("GCC visibility pop")
#define MM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MM_LIKELY(x) __builtin_expect(!!(x), 1)
#define MM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define MM_NODISCARD
#define MM_HIDDEN_BEGIN
#define MM_HIDDEN_END
#define MM_PRINTF(fmt, args)
#define MM_LIKELY(x) (x)
#define MM_UNLIKELY(x) (x)
#endif

/* Between these stand the declarations of a header: only luaopen_* leaves the library, whatever the
 * compiler line (luarocks passes no flags of ours). */
MM_HIDDEN_BEGIN

enum mm_status {
  MM_OK = 0,        /* done */
  MM_MORE = 1,      /* needs input, or has nothing to hand out yet */
  MM_ENOMEM = -1,   /* mm_alloc failed; the object is as it was */
  MM_ETOOBIG = -2,  /* a ceiling was reached */
  MM_ESYNTAX = -3,  /* the input is malformed */
  MM_EUTF8 = -4,    /* the input is not UTF-8 */
  MM_EDEPTH = -5,   /* nested deeper than allowed */
  MM_EFILE = -6,    /* a system call failed; mm_error.os has the errno */
  MM_ECHANGED = -7, /* a file changed, shrank or grew while it was being read */
  MM_EINVAL = -8    /* a call that the state does not allow, or a value out of range */
};

/* What went wrong. A zeroed record means nothing did. */
struct mm_error {
  int code;       /* enum mm_status */
  int os;         /* errno of the failed call, 0 when there was none */
  uint64_t at;    /* byte offset in the input, where that makes sense */
  char text[200]; /* one line, no secret, no payload */
};

/* Fill *err (may be NULL) with code, at = 0, os = 0 and the formatted text. Returns code. */
int mm_fail(struct mm_error *err, int code, const char *fmt, ...) MM_PRINTF(3, 4);

/* The same for a failed system call: code MM_EFILE, os = os_errno, ": <reason>" after it. */
int mm_fail_os(struct mm_error *err, int os_errno, const char *fmt, ...) MM_PRINTF(3, 4);

/* A short English name of a status. Returns borrowed, static. */
const char *mm_status_text(int code);

/* The name of an errno, such as "ENOENT"; an unknown number is "EIO".
 * Returns borrowed, static. */
const char *mm_errno_name(int os_errno);

MM_HIDDEN_END

#endif
