/* transfer.c - libcurl's callbacks of one transfer: they fill fields and the ready list.
 * In: body bytes asked for, head lines and bytes received. Out: decoder, head, ready list.
 * Not here: options (easy.c), the end (exchange.c).        SPDX-License-Identifier: MIT */
#include "engine.h"

#include <stdio.h>

#ifndef _WIN32
#include <fcntl.h>
#endif

static void touch(struct mm_exchange *x) {
  x->clocks.byte_at = uv_now(&x->engine->loop);
}

static bool is_full(const struct mm_exchange *x) {
  return x->core->decoder_ready(x->decoder) >= x->engine->high_water;
}

/* Wake the reader only for something it can take: no turn of Lua for half an event. */
static void tell(struct mm_exchange *x) {
  uint64_t seen = x->core->decoder_seen(x->decoder);
  if (seen == x->seen) return;
  x->seen = seen;
  mm_engine_ready(x->engine, x);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user) {
  (void)size; /* always 1 */
  struct mm_exchange *x = user;
  touch(x);
  if (x->decoder && is_full(x)) {
    x->paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  x->received += n;
  if (x->left && x->received > x->enough) return 0;
  if (!x->decoder) return n;
  int rc = x->core->decoder_feed(x->decoder, bytes, n);
  tell(x);
  if (rc == MM_OK) return n;
  x->fault = rc == MM_ENOMEM ? MM_FAULT_MEMORY : MM_FAULT_DECODER;
  return 0;
}

static size_t drop_body(char *bytes, size_t size, size_t n, void *user) {
  (void)bytes;
  (void)user;
  return size * n;
}

/* What libcurl holds of an HTTP/2 stream that rests is lost by some versions when the stream is
 * closed: hand it out before. */
void mm_transfer_discard(struct mm_exchange *x) {
  if (!x->paused) return;
  x->paused = false;
  curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, drop_body);
  curl_easy_pause(x->easy, CURLPAUSE_CONT);
}

static void head_complete(struct mm_exchange *x) {
  uint64_t sent, received;
  mm_exchange_progress(x, &sent, &received);
  if (sent == x->length) mm_exchange_release_body(x);
  if (x->decoder)
    x->core->decoder_head(x->decoder, x->head.status, mm_head_find(&x->head, "content-type"));
  mm_engine_ready(x->engine, x);
}

/* Of plain HTTP a proxy answers in the server's place; this status is its own alone. */
static bool proxy_refuses(struct mm_exchange *x) {
  if (x->head.status != 407 || !x->proxy || x->tls) return false;
  x->head.complete = false;
  x->fault = MM_FAULT_PROXY_AUTH;
  return true;
}

static size_t on_header(char *line, size_t size, size_t n, void *user) {
  (void)size;
  struct mm_exchange *x = user;
  bool before = x->head.complete;
  touch(x);
  int rc = mm_head_line(x->core, &x->head, line, n);
  if (rc != MM_OK) {
    x->fault = MM_FAULT_CORE;
    x->failure.kind = "protocol";
    mm_fail(&x->failure.core, rc, "the answer's head is over %zu KiB", MM_HEAD_MAX / 1024);
    return 0;
  }
  if (!x->head.complete || before) return n;
  if (proxy_refuses(x)) return 0;
  head_complete(x);
  return n;
}

static size_t on_read(char *out, size_t size, size_t n, void *user) {
  (void)size;
  struct mm_exchange *x = user;
  size_t got = 0;
  if (x->offset >= x->length) return 0;
  int rc = x->core->body_read(x->reader, x->offset, out, n, &got, &x->failure.core);
  if (rc != MM_OK) {
    x->fault = MM_FAULT_CORE;
    return CURL_READFUNC_ABORT;
  }
  x->offset += got;
  if (x->offset == x->length) {
    x->handed = uv_hrtime();
    x->clocks.read_at = uv_now(&x->engine->loop);
  }
  return got;
}

/* libcurl starts over when a kept connection turns out to be dead. A server that had the whole
 * request may have acted on it, so then only the exchange's owner may repeat it. */
static int on_seek(void *user, curl_off_t offset, int origin) {
  struct mm_exchange *x = user;
  if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > x->length) return CURL_SEEKFUNC_FAIL;
  if (!x->body) return CURL_SEEKFUNC_FAIL;
  if (x->offset == x->length && !x->resend) {
    x->fault = MM_FAULT_RESEND;
    return CURL_SEEKFUNC_FAIL;
  }
  x->offset = (uint64_t)offset;
  return CURL_SEEKFUNC_OK;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* Asked before each sending of the request. The second time, a kept connection was dead; what
 * on_seek says of large bodies holds here for the others. */
static int on_request(void *user, char *remote, char *local, int remote_port, int local_port) {
  (void)remote;
  (void)local;
  (void)remote_port;
  (void)local_port;
  struct mm_exchange *x = user;
  long sent = 0;
  x->clocks.read_at = uv_now(&x->engine->loop);
  if (x->requests++ == 0 || x->resend || x->reader) return CURL_PREREQFUNC_OK;
  curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent);
  if (sent == 0) return CURL_PREREQFUNC_OK;
  x->fault = MM_FAULT_RESEND;
  return CURL_PREREQFUNC_ABORT;
}
#endif

#ifndef _WIN32
/* A program started meanwhile would hold the connection open after it was closed here. */
static int on_connection(void *user, curl_socket_t socket, curlsocktype purpose) {
  (void)user;
  (void)purpose;
  fcntl(socket, F_SETFD, FD_CLOEXEC); /* without it the transfer works all the same */
  return CURL_SOCKOPT_OK;
}
#endif

void mm_transfer_hook(struct mm_exchange *x) {
  curl_easy_setopt(x->easy, CURLOPT_PRIVATE, (void *)x);
  if (x->detail) curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->detail);
#ifndef _WIN32
  curl_easy_setopt(x->easy, CURLOPT_SOCKOPTFUNCTION, on_connection);
#endif
  curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, (void *)x);
  curl_easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, (void *)x);
#if LIBCURL_VERSION_NUM >= 0x075000
  curl_easy_setopt(x->easy, CURLOPT_PREREQFUNCTION, on_request);
  curl_easy_setopt(x->easy, CURLOPT_PREREQDATA, (void *)x);
#endif
  if (!x->body) return;
  curl_easy_setopt(x->easy, CURLOPT_READFUNCTION, on_read);
  curl_easy_setopt(x->easy, CURLOPT_READDATA, (void *)x);
  curl_easy_setopt(x->easy, CURLOPT_SEEKFUNCTION, on_seek);
  curl_easy_setopt(x->easy, CURLOPT_SEEKDATA, (void *)x);
}
