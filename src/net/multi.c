/* multi.c - libcurl's sockets and timer on the loop.
 * In: what libcurl wants watched. Out: finished transfers, to mm_exchange_finish.
 * Not here: what a transfer does with its bytes (transfer.c).   SPDX-License-Identifier: MIT */
#include "engine.h"

/* One watched socket. libcurl keeps the pointer; nothing is ever found by descriptor, because a
 * descriptor is used again before its old watcher has closed. */
struct watch {
  uv_poll_t poll;
  struct mm_multi *multi;
  curl_socket_t socket;
  int events; /* UV_READABLE, UV_WRITABLE */
};

/* A transfer that was cancelled while its name resolves, under a libcurl that would wait for the
 * resolver's thread: it runs on until then, and connects nowhere. */
struct parked {
  struct mm_link link;
  CURL *easy;
  struct curl_slist *headers;
};

static void forget_parked(struct mm_multi *m, CURL *easy) {
  const struct mm_core_api *core = m->engine->core;
  for (struct mm_link *l = m->parked.next; l != &m->parked; l = l->next) {
    struct parked *p = MM_CONTAINER(l, struct parked, link);
    if (p->easy != easy) continue;
    mm_link_remove(l);
    curl_multi_remove_handle(m->curl, easy);
    curl_easy_cleanup(easy);
    curl_slist_free_all(p->headers);
    core->alloc(p, 0);
    return;
  }
}

static void drain(struct mm_multi *m) {
  int left;
  for (CURLMsg *msg = curl_multi_info_read(m->curl, &left); msg;
       msg = curl_multi_info_read(m->curl, &left)) {
    if (msg->msg != CURLMSG_DONE) continue;
    CURL *easy = msg->easy_handle;
    CURLcode result = msg->data.result;
    char *x = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &x);
    if (x)
      mm_exchange_finish((struct mm_exchange *)(void *)x, result);
    else
      forget_parked(m, easy);
  }
}

/* libcurl lost sight of a transfer, which would never end by itself, and does not say of which. */
static void give_up_all(struct mm_multi *m) {
  struct mm_link *all = &m->engine->all;
  for (struct mm_link *l = all->next; l != all; l = l->next) {
    struct mm_exchange *x = MM_CONTAINER(l, struct mm_exchange, in_all);
    if (x->multi != m || x->state != MM_RUNNING || x->fault != MM_FAULT_NONE) continue;
    x->fault = MM_FAULT_MEMORY;
    m->engine->look = true;
  }
}

static void act(struct mm_multi *m, curl_socket_t socket, int flags) {
  int running;
  CURLMcode rc = curl_multi_socket_action(m->curl, socket, flags, &running);
  drain(m);
  if (rc != CURLM_OK && rc != CURLM_BAD_SOCKET) give_up_all(m);
}

static void on_timer(uv_timer_t *timer) {
  act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  struct watch *w = poll->data;
  if (mm_engine_late(w->multi->engine)) {
    /* libuv has stopped watching a socket in error, which would not come again. */
    if (status < 0) uv_poll_start(poll, w->events, on_poll);
    return;
  }
  int flags = status < 0 ? CURL_CSELECT_ERR : 0;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  act(w->multi, w->socket, flags);
}

static void on_closed(uv_handle_t *handle) {
  struct watch *w = handle->data;
  struct mm_engine *e = w->multi->engine;
  e->closing--;
  e->core->alloc(w, 0);
}

static void unwatch(struct watch *w) {
  w->multi->engine->closing++;
  uv_poll_stop(&w->poll);
  uv_close((uv_handle_t *)&w->poll, on_closed);
}

static struct watch *watch_new(struct mm_multi *m, curl_socket_t socket, enum mm_fault *fault) {
  struct mm_engine *e = m->engine;
  struct watch *w = e->core->alloc(NULL, sizeof *w);
  *fault = MM_FAULT_MEMORY;
  if (!w) return NULL;
  w->multi = m;
  w->socket = socket;
  w->events = 0;
  *fault = MM_FAULT_SOCKET;
  if (uv_poll_init_socket(&e->loop, &w->poll, socket) != 0) {
    e->core->alloc(w, 0);
    return NULL;
  }
  w->poll.data = w;
  return w;
}

/* Nobody would ever hear of this socket: its exchange is ended after the turn. */
static void give_up(struct mm_engine *e, CURL *easy, enum mm_fault fault) {
  char *private = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
  struct mm_exchange *x = (struct mm_exchange *)(void *)private;
  if (!x || x->fault != MM_FAULT_NONE) return;
  x->fault = fault;
  e->look = true;
}

/* Which socket an exchange uses, for the clock that looks at what it still holds. */
static void note_socket(CURL *easy, curl_socket_t socket, int what) {
  char *private = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
  struct mm_exchange *x = (struct mm_exchange *)(void *)private;
  if (!x) return;
  if (what != CURL_POLL_REMOVE)
    x->socket = socket;
  else if (x->socket == socket)
    x->socket = CURL_SOCKET_BAD;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *socket_user) {
  struct mm_multi *m = user;
  struct watch *w = socket_user;
  note_socket(easy, socket, what);
  if (what == CURL_POLL_REMOVE) {
    if (!w) return 0;
    curl_multi_assign(m->curl, socket, NULL);
    unwatch(w);
    return 0;
  }
  if (!w) {
    enum mm_fault fault;
    w = watch_new(m, socket, &fault);
    if (!w) {
      give_up(m->engine, easy, fault);
      return 0;
    }
    curl_multi_assign(m->curl, socket, w);
  }
  w->events = 0;
  if (what & CURL_POLL_IN) w->events |= UV_READABLE;
  if (what & CURL_POLL_OUT) w->events |= UV_WRITABLE;
  uv_poll_start(&w->poll, w->events, on_poll);
  return 0;
}

static int on_timeout(CURLM *curl, long ms, void *user) {
  (void)curl;
  struct mm_multi *m = user;
  if (ms < 0) {
    uv_timer_stop(&m->timer);
    return 0;
  }
  uv_update_time(&m->engine->loop);
  uv_timer_start(&m->timer, on_timer, (uint64_t)ms, 0);
  return 0;
}

int mm_multi_init(struct mm_multi *m, struct mm_engine *e, bool http2) {
  m->engine = e;
  m->curl = curl_multi_init();
  if (!m->curl) return MM_ENOMEM;
  curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
  curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_timeout);
  curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
  /* The default, four times the transfers at hand, throws connections away as a batch ends. */
  curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, 1000L);
  curl_multi_setopt(m->curl, CURLMOPT_PIPELINING, http2 ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING);
  /* Else each stream over the server's limit opens a connection of its own. */
  if (http2) curl_multi_setopt(m->curl, CURLMOPT_MAX_HOST_CONNECTIONS, 8L);
  return MM_OK;
}

void mm_multi_close(struct mm_multi *m) {
  if (!m->curl) return;
  while (!mm_link_alone(&m->parked))
    forget_parked(m, MM_CONTAINER(m->parked.next, struct parked, link)->easy);
  curl_multi_cleanup(m->curl);
  m->curl = NULL;
  uv_timer_stop(&m->timer);
}

int mm_multi_add(struct mm_multi *m, CURL *easy) {
  return curl_multi_add_handle(m->curl, easy) == CURLM_OK ? MM_OK : MM_ENOMEM;
}

static curl_socket_t open_nothing(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)user;
  (void)purpose;
  (void)address;
  return CURL_SOCKET_BAD;
}

static size_t drop_bytes(char *bytes, size_t size, size_t n, void *user) {
  (void)bytes;
  (void)size;
  (void)n;
  (void)user;
  return 0;
}

static bool resolving(CURL *easy) {
  curl_off_t looked_up = 0;
  curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up);
  return looked_up == 0;
}

/* True when the transfer was left to end by itself. */
static bool park(struct mm_multi *m, CURL *easy, struct curl_slist *headers) {
  struct parked *p = m->engine->core->alloc(NULL, sizeof *p);
  if (!p) return false;
  p->easy = easy;
  p->headers = headers;
  mm_link_init(&p->link);
  mm_link_append(&m->parked, &p->link);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_nothing);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_bytes);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, drop_bytes);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, drop_bytes);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, NULL);
  return true;
}

void mm_multi_cancel(struct mm_multi *m, CURL *easy, struct curl_slist *headers) {
  if (!mm_process_quick_exit() && resolving(easy) && park(m, easy, headers)) return;
  curl_multi_remove_handle(m->curl, easy);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
}
