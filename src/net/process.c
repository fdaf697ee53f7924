/* process.c - what a process has once: libcurl's start, its version, the count of exchanges.
 * Not here: engines.                                       SPDX-License-Identifier: MIT */
#include "engine.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_long live;

void mm_process_count(int change) {
  atomic_fetch_add_explicit(&live, change, memory_order_relaxed);
}

long mm_net_live(void) {
  return atomic_load_explicit(&live, memory_order_relaxed);
}

#ifdef MM_TEST_ALLOC
static long fail_after = -1;
static atomic_long count; /* resolver threads allocate too */

void mm_curl_fail_after(long after) {
  fail_after = after;
  atomic_store(&count, 0);
}

long mm_curl_count(void) {
  return atomic_load(&count);
}

static bool refused(void) {
  long n = atomic_fetch_add(&count, 1);
  return fail_after >= 0 && n >= fail_after;
}

static void *test_malloc(size_t n) {
  return refused() ? NULL : malloc(n);
}

static void *test_realloc(void *old, size_t n) {
  return refused() ? NULL : realloc(old, n);
}

static void *test_calloc(size_t n, size_t size) {
  return refused() ? NULL : calloc(n, size);
}

static char *test_strdup(const char *text) {
  return refused() ? NULL : strdup(text);
}

static CURLcode start_curl(void) {
  return curl_global_init_mem(CURL_GLOBAL_DEFAULT, test_malloc, free, test_realloc, test_strdup,
                              test_calloc);
}
#else
static CURLcode start_curl(void) {
  return curl_global_init(CURL_GLOBAL_DEFAULT);
}
#endif

static uv_once_t once = UV_ONCE_INIT;
static uv_mutex_t lock;
static bool lock_works;
static bool started;
static unsigned version; /* of the libcurl that runs, as 0x075801 */

static void make_lock(void) {
  lock_works = uv_mutex_init(&lock) == 0;
}

int mm_process_init(void) {
  uv_once(&once, make_lock);
  if (!lock_works) return MM_ENOMEM;
  uv_mutex_lock(&lock);
  if (!started) {
    started = start_curl() == CURLE_OK;
    if (started) version = curl_version_info(CURLVERSION_NOW)->version_num;
  }
  bool ok = started;
  uv_mutex_unlock(&lock);
  return ok ? MM_OK : MM_ENOMEM;
}

bool mm_process_quick_exit(void) {
#if LIBCURL_VERSION_NUM >= 0x075700 && !defined(MM_TEST_OLD_CURL)
  return version >= 0x075700;
#else
  return false;
#endif
}

bool mm_process_prereq(void) {
#if LIBCURL_VERSION_NUM >= 0x075000 && !defined(MM_TEST_OLD_CURL)
  return version >= 0x075000;
#else
  return false;
#endif
}

/* Before 8.12 a server that answers early and stops reading leaves the transfer spinning. */
bool mm_process_http2_uploads(void) {
  return version >= 0x080c00;
}

#ifdef _WIN32
void mm_sigpipe_hold(struct mm_sigpipe *s) {
  s->blocked = false;
}

void mm_sigpipe_release(struct mm_sigpipe *s) {
  (void)s;
}
#else
/* From 7.88 on libcurl sends with MSG_NOSIGNAL under TLS too; NOSIGNAL keeps older ones from
 * ignoring the signal themselves, since that would touch the whole process. */
void mm_sigpipe_hold(struct mm_sigpipe *s) {
  s->blocked = version < 0x075800;
  if (!s->blocked) return;
  sigset_t pipe_set, pending;
  sigemptyset(&pipe_set);
  sigaddset(&pipe_set, SIGPIPE);
  s->pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
  s->blocked = pthread_sigmask(SIG_BLOCK, &pipe_set, &s->old) == 0;
}

void mm_sigpipe_release(struct mm_sigpipe *s) {
  if (!s->blocked) return;
  sigset_t pending;
  if (!s->pending && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) {
    sigset_t pipe_set;
    int taken;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigwait(&pipe_set, &taken);
  }
  pthread_sigmask(SIG_SETMASK, &s->old, NULL);
}
#endif
