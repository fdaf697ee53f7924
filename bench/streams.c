/* streams.c - many streams at once on a multi handle over epoll: each is idle until all are open.
 * usage: streams BASE N EVENTS. Out: figures; fails unless every text came.
 * Not here: JSON (events.h scans for the text).            SPDX-License-Identifier: MIT */
#include "plain.h"
#include "events.h"

#include <stdint.h>
#include <sys/epoll.h>

struct driver {
  CURLM *multi;
  int epoll;
  long timeout; /* ms, -1: none */
};

static size_t take(char *bytes, size_t size, size_t n, void *to) {
  return take_bytes(to, bytes, size * n) ? size * n : 0;
}

static int watch(CURL *easy, curl_socket_t fd, int what, void *of, void *known) {
  static int is_known;
  struct driver *d = of;
  struct epoll_event e = {.data.fd = fd};
  (void)easy;
  if (what == CURL_POLL_REMOVE) return epoll_ctl(d->epoll, EPOLL_CTL_DEL, fd, NULL), 0;
  if (what & CURL_POLL_IN) e.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) e.events |= EPOLLOUT;
  epoll_ctl(d->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
  if (!known) curl_multi_assign(d->multi, fd, &is_known);
  return 0;
}

static int set_timeout(CURLM *multi, long ms, void *of) {
  struct driver *d = of;
  (void)multi;
  d->timeout = ms;
  return 0;
}

static int turn(struct driver *d) {
  struct epoll_event ready[64];
  int running = 0;
  int n = epoll_wait(d->epoll, ready, 64, (int)d->timeout);
  if (n == 0) {
    d->timeout = -1;
    curl_multi_socket_action(d->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  for (int i = 0; i < n; i++) {
    int what = (ready[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
               (ready[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (ready[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(d->multi, ready[i].data.fd, what, &running);
  }
  return running;
}

static void run_streams(struct driver *d, const char *url, struct curl_slist *headers, int n,
                        unsigned long events) {
  struct lines *l = calloc((size_t)n, sizeof *l);
  CURL **easy = calloc((size_t)n, sizeof *easy);
  if (!l || !easy) die("no memory");
  for (int i = 0; i < n; i++) {
    easy[i] = new_post(url, headers, take, &l[i]);
    curl_multi_add_handle(d->multi, easy[i]);
  }
  while (turn(d))
    ;
  for (int i = 0; i < n; i++) {
    if (l[i].texts != events) die("texts are missing");
    curl_multi_remove_handle(d->multi, easy[i]);
    curl_easy_cleanup(easy[i]);
  }
  free(easy);
  free(l);
}

int main(int argc, char **argv) {
  struct driver d = {.timeout = -1};
  char url[256];
  if (argc != 4) die("usage: streams BASE N EVENTS");
  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct curl_slist *headers = json_headers();
  d.epoll = epoll_create1(0);
  d.multi = curl_multi_init();
  curl_multi_setopt(d.multi, CURLMOPT_SOCKETFUNCTION, watch);
  curl_multi_setopt(d.multi, CURLMOPT_SOCKETDATA, &d);
  curl_multi_setopt(d.multi, CURLMOPT_TIMERFUNCTION, set_timeout);
  curl_multi_setopt(d.multi, CURLMOPT_TIMERDATA, &d);
  warm(argv[1], headers);
  struct figures start = figures_now();
  snprintf(url, sizeof url, "%s/together/%s/%s", argv[1], argv[2], argv[3]);
  run_streams(&d, url, headers, atoi(argv[2]), strtoul(argv[3], NULL, 10));
  print_figures(start);
  curl_multi_cleanup(d.multi);
  curl_slist_free_all(headers);
  return 0;
}
