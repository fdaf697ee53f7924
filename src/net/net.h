/* net.h - HTTP exchanges: libcurl's multi interface on a libuv loop, for one thread.
 * In: requests, bodies of the core. Out: heads, events through decoders of the core, failures.
 * Not here: Lua, redirects, retries, JSON.                 SPDX-License-Identifier: MIT */
#ifndef MM_NET_NET_H
#define MM_NET_NET_H

#include "../core/api.h"

MM_HIDDEN_BEGIN

struct mm_engine;   /* a loop, its connections, its queue; one a Lua state */
struct mm_exchange; /* one request and its answer */

/* Why an exchange ended without its answer. All zero means it did not fail. */
struct mm_failure {
  const char *kind; /* "network" "tls" "auth" "timeout" "protocol" "file" "cancelled"; static */
  const char *code; /* "resolve" "refused" "verify" "idle" "cut" ...; static */
  bool sent;        /* a byte of the request may have left this machine */
  struct mm_error
      core;          /* code != MM_OK: the body's or the head's own error, which says it better */
  char message[320]; /* one line: host and cause, no path, query or header */
};

/* Seconds since the start of the exchange; 0 where it did not happen, as dns on a kept connection.
 */
struct mm_timing {
  double queued; /* admitted */
  double dns;
  double connect;
  double tls;
  double sent; /* last byte of the request handed over */
  double first_byte;
  double total; /* the end, or now */
};

/* Borrowed until mm_exchange_start returns; body and decoder are referenced by the exchange. */
struct mm_request {
  const char *method; /* upper case */
  const char *url;
  struct mm_body *body;       /* or NULL */
  struct mm_decoder *decoder; /* or NULL: the answer's body is dropped */
  double connect_timeout;     /* seconds, 0: libcurl's own 300; DNS, TLS and proxy included */
  double first_byte_timeout;  /* seconds from the last byte sent to content, 0: none */
  double idle_timeout;        /* seconds without a byte either way, 0: none */
  double timeout;             /* seconds in all, 0: none */
  bool http2;                 /* where TLS offers it and the body allows it */
  bool resend;                /* may go out twice when a kept connection turns out dead */
  const char *proxy;          /* NULL: as the environment says; "": none */
  const char *no_proxy;       /* NULL: as the environment says */
  const char *ca_file;
  const char *ca_path;
  const char *client_cert; /* PEM, with the key unless client_key names it */
  const char *client_key;
  bool insecure; /* accept any certificate */
};

struct mm_engine_options {
  const char *user_agent; /* copied */
  size_t max_in_flight;   /* exchanges at once; the others wait in order */
  size_t high_water;      /* unread bytes of complete events at which reading rests */
};

/* Fill in what an engine has without options; user_agent is borrowed, static. */
void mm_engine_defaults(struct mm_engine_options *options);

/* Returns MM_OK with *out owned; MM_ENOMEM, or MM_EFILE (the loop got no descriptor; *err says). */
MM_NODISCARD int mm_engine_new(const struct mm_core_api *core,
                               const struct mm_engine_options *options, struct mm_engine **out,
                               struct mm_error *err);

/* Close every socket and free. Exchanges live on without it, as cancelled. */
void mm_engine_free(struct mm_engine *e);

struct mm_step {
  double seconds;           /* how long to wait; 0: take what is there, negative: no limit */
  double budget;            /* seconds after which ready sockets are left for the next turn, at
                               least one served; 0: none */
  bool (*stop)(void *user); /* asked four times a second while waiting; may be NULL */
  void *user;
};

/* Run the loop until something is ready, nothing is in flight, or the time is over. Returns the
 * number of exchanges in flight or queued. */
size_t mm_engine_step(struct mm_engine *e, const struct mm_step *step);

/* The id of the exchange that has been ready longest, 0 when none is. Pop takes it off the list. */
uint64_t mm_engine_peek(const struct mm_engine *e);
void mm_engine_pop(struct mm_engine *e);

/* For a foreign loop: watch the descriptor for reading (-1: there is none), sleep no longer than
 * the timeout in milliseconds (-1: no limit), then step(0). The call runs what is due, so that the
 * kernel knows every socket. */
int mm_engine_fd(const struct mm_engine *e);
int mm_engine_timeout(struct mm_engine *e);

/* Exchanges of the whole process that are not freed yet. */
long mm_net_live(void);

/* Seconds on a clock that never goes back. */
double mm_net_now(void);

/* Wait where no engine has anything in flight: at least about a millisecond, no longer than a
 * quarter of a second, so that whoever waits longer calls again. */
void mm_net_pause(double seconds);

/* A new exchange, not started. Returns MM_OK with *out owned, MM_ENOMEM. */
MM_NODISCARD int mm_exchange_new(struct mm_engine *e, struct mm_exchange **out);

/* Cancel if it runs - its socket closes at once - and free. NULL is fine. */
void mm_exchange_free(struct mm_exchange *x);

/* The same for an exchange that was read to its end mark: what is left of the answer, which is as a
 * rule the end of its framing, is dropped as it comes, so that the connection can be used again.
 * After 250 ms or 64 KiB of it the socket closes all the same. Takes x; NULL is fine. */
void mm_exchange_leave(struct mm_exchange *x);

/* Add "Name: value" before the start; copies it. Returns MM_OK, MM_ENOMEM; MM_EINVAL for what is no
 * header line, and for the ones that belong to the transport (Content-Length, Transfer-Encoding).
 */
MM_NODISCARD int mm_exchange_header(struct mm_exchange *x, const char *line, size_t n);

/* Send it, or queue it. Returns MM_OK, MM_ENOMEM, MM_EINVAL (an option libcurl refuses). */
MM_NODISCARD int mm_exchange_start(struct mm_exchange *x, const struct mm_request *request);

enum mm_take {
  MM_TAKE_READY,  /* there is one */
  MM_TAKE_AGAIN,  /* not yet */
  MM_TAKE_END,    /* no more */
  MM_TAKE_FAILED, /* see mm_exchange_failure */
  MM_TAKE_OTHER   /* of text: the next event is not only text */
};

uint64_t mm_exchange_id(const struct mm_exchange *x); /* from 1, once an engine */

/* READY once the head is complete: *head, borrowed. */
struct mm_head;
enum mm_take mm_exchange_head(const struct mm_exchange *x, const struct mm_head **head);

/* What the decoder has: READY says that its next event is complete. */
enum mm_take mm_exchange_event(struct mm_exchange *x);

/* READY: the next event is only text; borrowed until mm_exchange_text_took, which takes it. */
enum mm_take mm_exchange_text(struct mm_exchange *x, const char **text, size_t *n);
void mm_exchange_text_took(struct mm_exchange *x);

/* An event was taken from the decoder: read on if the transfer rests and there is room again. */
void mm_exchange_took(struct mm_exchange *x);

/* Why FAILED was returned; borrowed. */
const struct mm_failure *mm_exchange_failure(const struct mm_exchange *x);

/* Bytes of the two bodies so far; seconds since the start, as above. */
void mm_exchange_progress(const struct mm_exchange *x, uint64_t *sent, uint64_t *received);
void mm_exchange_timing(const struct mm_exchange *x, struct mm_timing *timing);

#ifdef MM_TEST_ALLOC
/* Let `after` more allocations of libcurl succeed, then fail all; negative: never fail. */
void mm_curl_fail_after(long after);
long mm_curl_count(void); /* allocations since then */
#endif

MM_HIDDEN_END

#endif
