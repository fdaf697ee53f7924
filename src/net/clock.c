/* clock.c - first byte, idle and total, over all exchanges with one timer.
 * In: times that transfer.c noted. Out: exchanges that have run out of time.
 * Not here: connecting, which libcurl times itself.        SPDX-License-Identifier: MIT
 *
 * First byte runs from the last byte of the request to the first of the answer's content: a head,
 * a comment and white space keep idle from running out, and do not end it.
 *
 * Callbacks only note times. The timer is set for the earliest moment at which a clock could have
 * run out; then every exchange is looked at, and it is set again: a look costs some nanoseconds an
 * exchange, and there are at most 32 in the shortest clock's length. */
#include "engine.h"

#ifdef __linux__
#include <linux/sockios.h>
#include <sys/ioctl.h>
#endif

#define NEVER UINT64_MAX

enum { GRAIN_MIN = 5, GRAIN_MAX = 1000 }; /* ms between two looks */

static uint64_t to_ms(double seconds) {
  if (!(seconds > 0)) return 0;
  if (seconds > 1e9) return (uint64_t)1e12;
  uint64_t ms = (uint64_t)(seconds * 1000);
  return ms ? ms : 1;
}

static uint64_t least(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

/* 0 stands for no clock. */
static uint64_t shortest(uint64_t a, uint64_t b) {
  if (!a || !b) return a ? a : b;
  return least(a, b);
}

static uint64_t clamp(uint64_t ms) {
  if (ms < GRAIN_MIN) return GRAIN_MIN;
  return least(ms, GRAIN_MAX);
}

/* How often to look while libcurl tells nothing by itself: connecting, and sending. */
static uint64_t slice(const struct mm_clocks *c) {
  uint64_t ms = shortest(c->first_byte, c->idle);
  return ms ? clamp(ms / 8) : NEVER;
}

static void on_clock(uv_timer_t *timer) {
  struct mm_engine *e = timer->data;
  e->look = true;
}

static void look_at(struct mm_engine *e, uint64_t ms) {
  if (ms >= e->look_at) return;
  uint64_t now = uv_now(&e->loop);
  e->look_at = ms;
  uv_timer_start(&e->clock, on_clock, ms > now ? ms - now : 0, 0);
}

static uint64_t plus(uint64_t at, uint64_t ms) {
  return ms > NEVER - at ? NEVER : at + ms;
}

void mm_clock_start(struct mm_exchange *x, const struct mm_request *r) {
  struct mm_engine *e = x->engine;
  uv_update_time(&e->loop);
  uint64_t now = uv_now(&e->loop);
  x->clocks = (struct mm_clocks){.first_byte = to_ms(r->first_byte_timeout),
                                 .idle = to_ms(r->idle_timeout),
                                 .total = to_ms(r->timeout),
                                 .started = now,
                                 .moved_at = now};
  look_at(e, plus(now, slice(&x->clocks)));
  if (x->clocks.total) look_at(e, plus(now, x->clocks.total));
}

void mm_clock_limit(struct mm_exchange *x, uint64_t ms) {
  struct mm_engine *e = x->engine;
  uv_update_time(&e->loop);
  x->clocks = (struct mm_clocks){.total = ms, .started = uv_now(&e->loop), .byte_at = 1};
  look_at(e, plus(x->clocks.started, ms));
}

void mm_clock_stop(struct mm_engine *e) {
  if (e->look_at == NEVER) return;
  e->look_at = NEVER;
  uv_timer_stop(&e->clock);
}

/* A clock that may run out: when, under which name, and the next moment to look without that. */
struct verdict {
  uint64_t due;
  const char *code;
  uint64_t again;
};

static struct verdict idle_since(const struct mm_exchange *x, uint64_t at, uint64_t again) {
  uint64_t idle = x->clocks.idle;
  return (struct verdict){idle ? plus(at, idle) : NEVER, "idle", again};
}

static struct verdict first_byte_since(const struct mm_exchange *x, uint64_t at) {
  uint64_t first_byte = x->clocks.first_byte;
  return (struct verdict){first_byte ? plus(at, first_byte) : NEVER, "first_byte", NEVER};
}

/* Bytes that the system holds for the peer, who has not taken them: megabytes on a slow line, of
 * which libcurl knows only that they are gone. 0 where the system does not tell, and over HTTP/2,
 * where a socket is not one exchange's. */
static uint64_t held_by_system(const struct mm_exchange *x) {
#ifdef SIOCOUTQ
  int bytes = 0;
  if (x->multi == &x->engine->http1 && x->socket != CURL_SOCKET_BAD &&
      ioctl(x->socket, SIOCOUTQ, &bytes) == 0 && bytes > 0)
    return (uint64_t)bytes;
#else
  (void)x;
#endif
  return 0;
}

/* True while the body is on its way; notes whether it moved since the last look. */
static bool is_sending(struct mm_exchange *x, uint64_t now) {
  curl_off_t handed = 0;
  struct mm_clocks *c = &x->clocks;
  if (c->sent || !x->length) return false;
  curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &handed);
  uint64_t moved = (uint64_t)handed, held = held_by_system(x);
  c->sent = moved >= x->length && !held;
  if (!c->sent && moved == c->moved && held == c->held && c->moved_at > c->started) return true;
  /* Sent at the first look after libcurl took the last bytes: they left when it took them. */
  if (!c->sent || c->moved_at > c->read_at) c->moved_at = now;
  c->moved = moved;
  c->held = held;
  return !c->sent;
}

static bool has_content(const struct mm_exchange *x) {
  return x->clocks.byte_at && (!x->decoder || x->core->decoder_begun(x->decoder));
}

static struct verdict judge(struct mm_exchange *x, uint64_t now) {
  struct mm_clocks *c = &x->clocks;
  if (x->state != MM_RUNNING || x->paused) return (struct verdict){NEVER, NULL, NEVER};
  uint64_t again = plus(now, slice(c));
  bool connected = c->byte_at || mm_exchange_info(x, CURLINFO_PRETRANSFER_TIME_T) > 0;
  if (!connected) {
    c->moved_at = now;
    return (struct verdict){NEVER, NULL, again};
  }
  bool sending = is_sending(x, now);
  uint64_t sent_at = most(c->moved_at, c->read_at), moved_at = most(sent_at, c->byte_at);
  if (sending) return idle_since(x, moved_at, again);
  struct verdict idle = idle_since(x, moved_at, NEVER), first_byte = first_byte_since(x, sent_at);
  if (!c->byte_at) return first_byte;
  return has_content(x) || idle.due <= first_byte.due ? idle : first_byte;
}

/* Ends the exchange, or returns when to look at it next. */
static uint64_t look(struct mm_exchange *x, uint64_t now) {
  if (x->fault == MM_FAULT_MEMORY || x->fault == MM_FAULT_SOCKET) {
    mm_exchange_expire(x, NULL);
    return NEVER;
  }
  struct verdict v = judge(x, now);
  uint64_t total = x->clocks.total ? plus(x->clocks.started, x->clocks.total) : NEVER;
  if (total <= now || v.due <= now) {
    mm_exchange_expire(x, total <= now ? "total" : v.code);
    return NEVER;
  }
  return least(least(total, v.due), v.again);
}

void mm_clock_look(struct mm_engine *e) {
  uint64_t now = uv_now(&e->loop), next = NEVER, grain = GRAIN_MAX;
  e->look = false;
  e->look_at = NEVER;
  for (struct mm_link *l = e->all.next; l != &e->all;) {
    struct mm_exchange *x = MM_CONTAINER(l, struct mm_exchange, in_all);
    const struct mm_clocks *c = &x->clocks;
    l = l->next;
    if (x->state != MM_QUEUED && x->state != MM_RUNNING) continue;
    uint64_t ms = shortest(shortest(c->first_byte, c->idle), c->total);
    if (ms) grain = least(grain, clamp(ms / 32));
    next = least(next, look(x, now)); /* may free it */
  }
  if (next != NEVER && e->alive) look_at(e, next > now + grain ? next : now + grain);
}
