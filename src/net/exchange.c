/* exchange.c - the life of one exchange: made, started, read, ended.
 * In: a request, and what transfer.c collected. Out: head, events, text, failure, figures.
 * Not here: callbacks (transfer.c), clocks, wording (fail.c).   SPDX-License-Identifier: MIT */
#include "engine.h"

#include <string.h>

enum {
  CLOSING_MAX = 64,    /* closed watchers that may wait for the next turn */
  LEAVE_MS = 250,      /* how long the rest of an answer may take that nobody reads */
  LEAVE_BYTES = 65536, /* and how long it may be */
};

int mm_exchange_new(struct mm_engine *e, struct mm_exchange **out) {
  struct mm_exchange *x = e->core->alloc(NULL, sizeof *x);
  if (!x) return MM_ENOMEM;
  memset(x, 0, sizeof *x);
  x->core = e->core;
  x->engine = e;
  x->id = ++e->last_id;
  x->socket = CURL_SOCKET_BAD;
  mm_link_init(&x->in_all);
  mm_link_init(&x->in_queue);
  mm_link_init(&x->in_ready);
  mm_link_append(&e->all, &x->in_all);
  mm_process_count(1);
  *out = x;
  return MM_OK;
}

/* The first name_n bytes of a line are `name`, in any case. */
static bool is_name(const char *line, size_t name_n, const char *name) {
  if (strlen(name) != name_n) return false;
  for (size_t i = 0; i < name_n; i++) {
    char c = line[i] >= 'A' && line[i] <= 'Z' ? (char)(line[i] + ('a' - 'A')) : line[i];
    if (c != name[i]) return false;
  }
  return true;
}

static bool is_token(const char *bytes, size_t n) {
  static const char marks[] = "!#$%&'*+-.^_`|~";
  for (size_t i = 0; i < n; i++) {
    char c = bytes[i];
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!word && (c == '\0' || !strchr(marks, c))) return false;
  }
  return n > 0;
}

static bool is_plain(const char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (bytes[i] == '\r' || bytes[i] == '\n' || bytes[i] == '\0') return false;
  return true;
}

/* libcurl takes "Name:" for "leave it out", and "Name;" for "send it empty". */
static int append_empty(struct mm_exchange *x, const char *line, size_t name_n) {
  char *text = x->core->alloc(NULL, name_n + 2);
  if (!text) return MM_ENOMEM;
  memcpy(text, line, name_n);
  memcpy(text + name_n, ";", 2);
  struct curl_slist *list = curl_slist_append(x->headers, text);
  x->core->alloc(text, 0);
  if (!list) return MM_ENOMEM;
  x->headers = list;
  return MM_OK;
}

int mm_exchange_header(struct mm_exchange *x, const char *line, size_t n) {
  const char *colon = memchr(line, ':', n);
  if (!colon || !is_plain(line, n)) return MM_EINVAL;
  size_t name_n = (size_t)(colon - line);
  if (!is_token(line, name_n)) return MM_EINVAL;
  if (is_name(line, name_n, "content-length")) return MM_EINVAL;
  if (is_name(line, name_n, "transfer-encoding")) return MM_EINVAL;
  if (is_name(line, name_n, "content-type")) x->has_type = true;
  const char *value = colon + 1;
  while (*value == ' ' || *value == '\t')
    value++;
  if (value == line + n) return append_empty(x, line, name_n);
  struct curl_slist *list = curl_slist_append(x->headers, line);
  if (!list) return MM_ENOMEM;
  x->headers = list;
  return MM_OK;
}

/* libcurl's own words are wanted of TLS alone, and most of the room of an exchange is words. */
static int copy_url(struct mm_exchange *x, const char *url) {
  size_t n = strlen(url) + 1;
  x->url = x->core->alloc(NULL, n);
  if (!x->url) return MM_ENOMEM;
  memcpy(x->url, url, n);
  x->tls = is_name(url, strcspn(url, ":"), "https");
  return MM_OK;
}

static int expect_words(struct mm_exchange *x) {
  if (!x->tls && !x->proxy) return MM_OK;
  x->detail = x->core->alloc(NULL, CURL_ERROR_SIZE);
  if (!x->detail) return MM_ENOMEM;
  x->detail[0] = '\0';
  return MM_OK;
}

int mm_exchange_start(struct mm_exchange *x, const struct mm_request *r) {
  if (x->state != MM_IDLE || x->url || !x->engine) return MM_EINVAL;
  if (!is_token(r->method, strlen(r->method)) || !is_plain(r->url, strlen(r->url)))
    return MM_EINVAL;
  int rc = copy_url(x, r->url);
  if (rc != MM_OK) return rc;
  if (r->body) {
    x->body = x->core->body_ref(r->body);
    x->length = x->core->body_length(r->body);
  }
  if (r->decoder) x->decoder = x->core->decoder_ref(r->decoder);
  x->resend = r->resend;
  const char *proxy = NULL;
  rc = mm_proxy_choose(x, r, &proxy);
  if (rc == MM_OK) rc = mm_files_keep(x, r);
  if (rc == MM_OK) rc = expect_words(x);
  if (rc == MM_OK) rc = mm_easy_setup(x, r, proxy);
  if (rc != MM_OK) return rc;
  x->started = uv_hrtime();
  mm_clock_start(x, r);
  mm_queue_enter(x->engine, x);
  return MM_OK;
}

static void close_body(struct mm_exchange *x) {
  x->core->body_close(x->reader);
  x->core->body_unref(x->body);
  x->reader = NULL;
  x->body = NULL;
}

void mm_exchange_release_body(struct mm_exchange *x) {
  close_body(x);
  x->core->alloc(x->small, 0);
  x->small = NULL;
}

/* Give back what only a running transfer needs; a socket in mid-transfer closes. */
static void release_transfer(struct mm_exchange *x) {
  if (x->easy && x->state == MM_RUNNING && !x->ended) {
    mm_transfer_discard(x);
    mm_multi_cancel(x->multi, x->easy, x->headers);
    x->headers = NULL;
  } else if (x->easy) {
    if (x->state == MM_RUNNING) curl_multi_remove_handle(x->multi->curl, x->easy);
    if (!mm_easy_keep(x)) curl_easy_cleanup(x->easy);
  }
  x->easy = NULL;
  curl_slist_free_all(x->headers);
  x->headers = NULL;
  mm_exchange_release_body(x);
}

/* What libcurl knows of a transfer, kept for when its handle is gone. */
static void keep_figures(struct mm_exchange *x) {
  uint64_t received;
  mm_exchange_progress(x, &x->sent, &received);
  mm_exchange_timing(x, &x->timing);
}

static void dispose(struct mm_exchange *x) {
  mm_link_remove(&x->in_ready);
  mm_link_remove(&x->in_all);
  if (x->decoder) x->core->decoder_unref(x->decoder);
  x->core->alloc(x->url, 0);
  x->core->alloc(x->detail, 0);
  x->core->alloc(x->proxy, 0);
  mm_files_drop(x);
  mm_head_free(x->core, &x->head);
  x->core->alloc(x, 0);
}

/* The one way out of the running state. The next exchange may start before this returns. Frees an
 * exchange that was left. */
static void end(struct mm_exchange *x) {
  keep_figures(x);
  release_transfer(x);
  if (!x->left) mm_engine_ready(x->engine, x);
  mm_queue_leave(x->engine, x);
  if (x->left) dispose(x);
}

void mm_exchange_launch(struct mm_exchange *x) {
  x->admitted = uv_hrtime();
  int rc = mm_files_check(x);
  if (rc == MM_OK) rc = mm_easy_body(x);
  if (x->small) close_body(x);
  if (rc == MM_OK && !x->fault) {
    rc = mm_multi_add(x->multi, x->easy);
    if (rc == MM_OK) return;
    mm_fail(&x->failure.core, rc, "out of memory");
  }
  if (rc != MM_OK) x->fault = MM_FAULT_CORE;
  mm_fail_result(x, CURLE_FAILED_INIT);
  end(x);
}

/* A malformed end is told by the decoder itself, after the events before it. */
static CURLcode finish_decoder(struct mm_exchange *x) {
  int rc = x->decoder ? x->core->decoder_finish(x->decoder) : MM_OK;
  return rc == MM_ENOMEM ? CURLE_OUT_OF_MEMORY : CURLE_OK;
}

void mm_exchange_finish(struct mm_exchange *x, CURLcode result) {
  x->ended = true;
  if (result == CURLE_OK) result = finish_decoder(x);
  if (result != CURLE_OK) mm_fail_result(x, result);
  end(x);
}

void mm_exchange_expire(struct mm_exchange *x, const char *code) {
  if (code)
    mm_fail_clock(x, code);
  else
    mm_fail_result(x, CURLE_OUT_OF_MEMORY);
  end(x);
}

void mm_exchange_detach(struct mm_exchange *x) {
  if (x->state == MM_QUEUED || x->state == MM_RUNNING) {
    keep_figures(x);
    mm_fail_cancelled(x, "the engine was closed");
    release_transfer(x);
    x->state = MM_DONE;
  }
  mm_link_remove(&x->in_queue);
  mm_link_remove(&x->in_ready);
  mm_link_remove(&x->in_all);
  x->engine = NULL;
  x->multi = NULL;
  if (x->left) dispose(x);
}

/* Without a turn, resets of HTTP/2 streams stay unsent, and closed watchers pile up while nobody
 * steps. */
static void flush_closed(struct mm_engine *e, const struct mm_multi *m) {
  if (m == &e->http2 || e->closing > CLOSING_MAX) mm_engine_turn(e, UV_RUN_NOWAIT);
}

static void cancel(struct mm_exchange *x) {
  struct mm_engine *e = x->engine;
  bool runs = x->state == MM_RUNNING;
  struct mm_sigpipe hold;
  mm_sigpipe_hold(&hold);
  release_transfer(x);
  mm_sigpipe_release(&hold);
  if (x->state == MM_QUEUED || runs) mm_queue_leave(e, x);
  if (runs) flush_closed(e, x->multi);
}

void mm_exchange_free(struct mm_exchange *x) {
  if (!x) return;
  if (x->engine)
    cancel(x);
  else
    release_transfer(x);
  mm_process_count(-1);
  dispose(x);
}

void mm_exchange_leave(struct mm_exchange *x) {
  bool worth = x && x->engine && x->state == MM_RUNNING && x->multi == &x->engine->http1 &&
               x->head.complete && !x->paused && x->offset == x->length;
  if (!worth) {
    mm_exchange_free(x);
    return;
  }
  mm_link_remove(&x->in_ready);
  if (x->decoder) x->core->decoder_unref(x->decoder);
  x->decoder = NULL;
  x->left = true;
  x->enough = x->received + LEAVE_BYTES;
  mm_process_count(-1);
  mm_clock_limit(x, LEAVE_MS);
}

uint64_t mm_exchange_id(const struct mm_exchange *x) {
  return x->id;
}

static enum mm_take take_end(const struct mm_exchange *x) {
  if (x->state != MM_DONE) return MM_TAKE_AGAIN;
  return x->failure.kind ? MM_TAKE_FAILED : MM_TAKE_END;
}

enum mm_take mm_exchange_head(const struct mm_exchange *x, const struct mm_head **head) {
  *head = &x->head;
  return x->head.complete ? MM_TAKE_READY : take_end(x);
}

/* The decoder's answer: its own errors come after its events and before the transfer's end. */
static enum mm_take take_from_decoder(struct mm_exchange *x, int rc) {
  if (rc == MM_OK) return MM_TAKE_READY;
  if (rc == MM_MORE) return take_end(x);
  x->failure.kind = "protocol";
  x->failure.sent = true;
  x->failure.core = *x->core->decoder_error(x->decoder);
  return MM_TAKE_FAILED;
}

enum mm_take mm_exchange_event(struct mm_exchange *x) {
  struct mm_event event;
  if (!x->decoder) return take_end(x);
  return take_from_decoder(x, x->core->decoder_next(x->decoder, &event));
}

enum mm_take mm_exchange_text(struct mm_exchange *x, const char **text, size_t *n) {
  if (!x->decoder) return take_end(x);
  int rc = x->core->decoder_text(x->decoder, text, n);
  return rc == MM_EINVAL ? MM_TAKE_OTHER : take_from_decoder(x, rc);
}

void mm_exchange_text_took(struct mm_exchange *x) {
  x->core->decoder_pop(x->decoder);
  mm_exchange_took(x);
}

void mm_exchange_took(struct mm_exchange *x) {
  if (!x->paused || x->state != MM_RUNNING) return;
  if (x->core->decoder_ready(x->decoder) > x->engine->high_water / 2) return;
  struct mm_sigpipe hold;
  mm_sigpipe_hold(&hold);
  x->paused = false;
  uv_update_time(&x->engine->loop);
  x->clocks.byte_at = uv_now(&x->engine->loop);
  curl_easy_pause(x->easy, CURLPAUSE_CONT); /* may call on_body before it returns */
  mm_sigpipe_release(&hold);
}

const struct mm_failure *mm_exchange_failure(const struct mm_exchange *x) {
  return &x->failure;
}

void mm_exchange_progress(const struct mm_exchange *x, uint64_t *sent, uint64_t *received) {
  *sent = x->sent;
  *received = x->received;
  curl_off_t moved = 0;
  if (x->state == MM_RUNNING) curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &moved);
  if (moved > 0) *sent = (uint64_t)moved;
}

double mm_exchange_info(const struct mm_exchange *x, CURLINFO info) {
  curl_off_t us = 0;
  curl_easy_getinfo(x->easy, info, &us);
  return (double)us / 1e6;
}

static double since(uint64_t from, uint64_t to) {
  return to > from ? (double)(to - from) / 1e9 : 0;
}

/* libcurl counts from the admission; a part that did not happen stays 0. */
static double part(const struct mm_exchange *x, CURLINFO info) {
  double seconds = mm_exchange_info(x, info);
  return seconds > 0 ? since(x->started, x->admitted) + seconds : 0;
}

void mm_exchange_timing(const struct mm_exchange *x, struct mm_timing *t) {
  if (x->state != MM_RUNNING && x->state != MM_QUEUED) {
    *t = x->timing;
    return;
  }
  *t = (struct mm_timing){.total = since(x->started, uv_hrtime())};
  if (x->state == MM_QUEUED) return;
  t->queued = since(x->started, x->admitted);
  t->dns = part(x, CURLINFO_NAMELOOKUP_TIME_T);
  t->connect = part(x, CURLINFO_CONNECT_TIME_T);
  t->tls = part(x, CURLINFO_APPCONNECT_TIME_T);
  t->sent = x->handed ? since(x->started, x->handed) : part(x, CURLINFO_PRETRANSFER_TIME_T);
  t->first_byte = part(x, CURLINFO_STARTTRANSFER_TIME_T);
}
