/* engine.h - what the files of this folder share: the engine, its two multis, an exchange.
 * Not here: the interface (net.h).                         SPDX-License-Identifier: MIT */
#ifndef MM_NET_ENGINE_H
#define MM_NET_ENGINE_H

/* Options that newer libcurls replace are kept for the older ones. */
#define CURL_DISABLE_DEPRECATION

#include "head.h"
#include "list.h"
#include "net.h"

#include <curl/curl.h>
#include <uv.h>

MM_HIDDEN_BEGIN

enum { MM_SPARE_MAX = 8 };

struct mm_multi {
  struct mm_engine *engine;
  CURLM *curl;           /* NULL until first used */
  uv_timer_t timer;      /* libcurl's own */
  struct mm_link parked; /* struct parked: cancelled while resolving, see multi.c */
};

struct mm_engine {
  const struct mm_core_api *core;
  uv_loop_t loop;
  uv_timer_t wait;       /* ends a step that waits */
  uv_timer_t clock;      /* the next look at the clocks */
  struct mm_multi http1; /* no host limit: the queue admits */
  struct mm_multi http2;
  CURLSH *share;        /* DNS and TLS sessions of both */
  struct mm_link all;   /* every exchange that has not been freed */
  struct mm_link queue; /* waiting for admission, in order */
  struct mm_link ready; /* to be handed out by pop, in order */
  uint64_t last_id;     /* of an exchange */
  size_t alive;         /* in flight or queued */
  size_t in_flight;
  size_t closing;    /* uv handles whose close callback is due */
  uint64_t look_at;  /* ms of the loop when the clocks are due, UINT64_MAX: never */
  bool look;         /* they are due: after this turn's sockets */
  bool served;       /* a socket was served in this turn */
  bool late;         /* one was left for the next */
  bool admitting;    /* the queue is being emptied */
  uint64_t deadline; /* ns, when to leave sockets for the next turn; 0: never */
  size_t max_in_flight;
  size_t high_water;         /* bytes */
  char *user_agent;          /* owned */
  CURL *spare[MM_SPARE_MAX]; /* handles of transfers that went well, to be used again */
  size_t spare_n;
};

enum mm_state {
  MM_IDLE,    /* not started */
  MM_QUEUED,  /* waits for admission */
  MM_RUNNING, /* libcurl has it */
  MM_DONE     /* ended, well or not */
};

/* What one of our callbacks found wrong; it explains libcurl's code for an aborted transfer. */
enum mm_fault {
  MM_FAULT_NONE,
  MM_FAULT_CORE,      /* failure.core has it: the body could not be read, the head not be kept */
  MM_FAULT_DECODER,   /* the decoder repeats its error itself */
  MM_FAULT_RESEND,    /* the kept connection died after the request; sending again is not allowed */
  MM_FAULT_MEMORY,    /* no room to watch a socket */
  MM_FAULT_SOCKET,    /* the loop refuses to watch a socket */
  MM_FAULT_PROXY_URL, /* what should name a proxy does not */
  MM_FAULT_PROXY_AUTH /* the proxy answered 407 itself */
};

struct mm_clocks {
  uint64_t first_byte; /* ms, 0: none; so below */
  uint64_t idle;
  uint64_t total;
  uint64_t started;  /* ms of the loop */
  uint64_t byte_at;  /* last byte received, 0: none yet */
  uint64_t read_at;  /* libcurl took the last bytes of the body */
  uint64_t moved_at; /* upload was last seen to have moved, or not to be complete */
  uint64_t moved;    /* bytes of the body that libcurl had handed to the system at that time */
  uint64_t held;     /* bytes of those that the peer's system had not taken */
  bool sent;         /* it had taken them all */
};

struct mm_exchange {
  const struct mm_core_api *core;
  struct mm_engine *engine; /* NULL once it is gone */
  struct mm_multi *multi;
  struct mm_link in_all;
  struct mm_link in_queue;
  struct mm_link in_ready;
  uint64_t id;
  enum mm_state state;
  bool ended;                 /* libcurl is done with the transfer */
  bool left;                  /* nobody reads any more; freed when it ends */
  char *url;                  /* owned; for messages, of which only the host is shown */
  CURL *easy;                 /* NULL once done */
  curl_socket_t socket;       /* that libcurl watches for it, CURL_SOCKET_BAD: none */
  struct curl_slist *headers; /* owned */
  bool has_type;              /* the caller set a Content-Type */
  struct mm_body *body;       /* owned reference, until done */
  struct mm_body_reader *reader;
  uint64_t length;   /* of the body */
  uint64_t offset;   /* read from it so far */
  char *small;       /* owned: the whole of a small body, read when the exchange was admitted */
  unsigned requests; /* times that libcurl was about to send it */
  bool resend;
  bool tls;        /* the URL is of https */
  bool proxy_user; /* the proxy's URL has a user in it */
  char *proxy;     /* owned: "host:port" of the proxy on the way, or NULL */
  char *ca_file;   /* owned, as the two below: paths, NULL unless over https */
  char *ca_path;
  char *client_cert;
  struct mm_decoder *decoder; /* owned reference */
  struct mm_head head;
  bool paused;
  uint64_t seen;     /* complete events when it was last put on the ready list */
  uint64_t received; /* bytes of the answer's body */
  uint64_t enough;   /* of an exchange that was left: bytes after which it is closed */
  uint64_t sent;     /* bytes of the request's body, of a done exchange */
  struct mm_clocks clocks;
  uint64_t started;        /* ns */
  uint64_t admitted;       /* ns */
  uint64_t handed;         /* ns, libcurl took the last bytes of the body */
  struct mm_timing timing; /* of a done exchange */
  enum mm_fault fault;
  struct mm_failure failure;
  char *detail; /* owned, over TLS or a proxy: libcurl's own words, CURL_ERROR_SIZE bytes */
};

/* process.c: what the process has once. */
MM_NODISCARD int mm_process_init(void); /* MM_OK or MM_ENOMEM; any number of times */
bool mm_process_quick_exit(void);       /* libcurl leaves resolver threads behind at once */
bool mm_process_prereq(void);           /* libcurl asks before it sends a request, from 7.80 */
bool mm_process_http2_uploads(void);    /* libcurl's large HTTP/2 uploads can be trusted */
void mm_process_count(int change);      /* live exchanges */

/* SIGPIPE is held back while an older libcurl writes TLS. Pairs do not nest. */
struct mm_sigpipe {
  bool blocked;
  bool pending;
#ifndef _WIN32
  sigset_t old;
#endif
};
void mm_sigpipe_hold(struct mm_sigpipe *s);
void mm_sigpipe_release(struct mm_sigpipe *s);

/* multi.c: libcurl's sockets and timer on the loop. */
MM_NODISCARD int mm_multi_init(struct mm_multi *m, struct mm_engine *e, bool http2);
void mm_multi_close(struct mm_multi *m);                       /* every easy handle is out of it */
MM_NODISCARD int mm_multi_add(struct mm_multi *m, CURL *easy); /* MM_OK, MM_ENOMEM */

/* Take a handle out whose transfer is not done, so that its socket closes, and free it with its
 * headers; takes both. */
void mm_multi_cancel(struct mm_multi *m, CURL *easy, struct curl_slist *headers);

/* engine.c */
bool mm_engine_late(struct mm_engine *e); /* the budget is spent: leave this socket alone */
void mm_engine_ready(struct mm_engine *e, struct mm_exchange *x);
void mm_engine_turn(struct mm_engine *e, uv_run_mode mode);
MM_NODISCARD int mm_engine_http2(struct mm_engine *e);

/* queue.c: admission. */
void mm_queue_enter(struct mm_engine *e, struct mm_exchange *x); /* run now, or wait in order */
void mm_queue_leave(struct mm_engine *e, struct mm_exchange *x); /* done; admits the next */

/* exchange.c */
void mm_exchange_launch(struct mm_exchange *x);
void mm_exchange_finish(struct mm_exchange *x, CURLcode result);
void mm_exchange_detach(struct mm_exchange *x); /* the engine goes */
void mm_exchange_expire(struct mm_exchange *x, const char *code);
void mm_exchange_release_body(struct mm_exchange *x); /* libcurl will not ask for it again */
double mm_exchange_info(const struct mm_exchange *x, CURLINFO info); /* seconds, 0 before */

/* easy.c: a request as options of libcurl. Returns MM_OK, MM_ENOMEM, MM_EINVAL. */
MM_NODISCARD int mm_easy_setup(struct mm_exchange *x, const struct mm_request *request,
                               const char *proxy);    /* "": none */
MM_NODISCARD int mm_easy_body(struct mm_exchange *x); /* on admission: MM_OK or failure.core */
bool mm_easy_keep(struct mm_exchange *x);             /* true: the handle went to the spare ones */
void mm_easy_free_spare(struct mm_engine *e);

/* transfer.c: libcurl's callbacks of one transfer. */
void mm_transfer_hook(struct mm_exchange *x);
void mm_transfer_discard(struct mm_exchange *x); /* before it is cancelled */

/* clock.c: looks at all clocks; ends what has run out. */
void mm_clock_start(struct mm_exchange *x, const struct mm_request *request);
void mm_clock_limit(struct mm_exchange *x, uint64_t ms); /* the total clock, from now */
void mm_clock_stop(struct mm_engine *e);                 /* nothing is in flight */
void mm_clock_look(struct mm_engine *e);

/* proxy.c: the proxy's URL, borrowed from the request or the environment, "" for none; x->proxy,
 * or a fault. MM_OK, MM_ENOMEM. */
MM_NODISCARD int mm_proxy_choose(struct mm_exchange *x, const struct mm_request *request,
                                 const char **url);

/* files.c: the files of TLS. */
MM_NODISCARD int mm_files_keep(struct mm_exchange *x, const struct mm_request *request);
MM_NODISCARD int mm_files_check(struct mm_exchange *x); /* MM_OK or failure.core */
void mm_files_drop(struct mm_exchange *x);
void mm_fail_client_cert(struct mm_exchange *x);
void mm_fail_ca_file(struct mm_exchange *x);

/* fail_tls.c, fail_proxy.c: true when it was TLS's or the proxy's, and said. */
bool mm_fail_tls(struct mm_exchange *x, CURLcode result, const char *host);
bool mm_fail_proxy(struct mm_exchange *x, CURLcode result, const char *host);
void mm_fail_proxy_url(struct mm_exchange *x);
void mm_fail_proxy_auth(struct mm_exchange *x);

/* fail.c: say what happened, before the easy handle is gone. */
void mm_fail_say(struct mm_exchange *x, const char *kind, const char *code, const char *fmt, ...)
    MM_PRINTF(4, 5);
void mm_fail_result(struct mm_exchange *x, CURLcode result);
void mm_fail_clock(struct mm_exchange *x, const char *code);
void mm_fail_cancelled(struct mm_exchange *x, const char *why);

MM_HIDDEN_END

#endif
