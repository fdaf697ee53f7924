/* engine.c - the loop: turns, the ready list, how a foreign loop drives it, the end.
 * Not here: sockets (multi.c), admission (queue.c), transfers.   SPDX-License-Identifier: MIT */
#include "engine.h"

#include <string.h>

enum { WAIT_SLICE = 250 }; /* ms after which a waiting step asks whether to stop */

void mm_engine_defaults(struct mm_engine_options *options) {
  *options = (struct mm_engine_options){
      .user_agent = "multimodal", .max_in_flight = 1024, .high_water = (size_t)256 * 1024};
}

static CURLSH *share_new(void) {
  CURLSH *share = curl_share_init();
  if (!share) return NULL;
  curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  return share;
}

static int copy_text(const struct mm_core_api *core, const char *text, char **out) {
  size_t n = strlen(text) + 1;
  *out = core->alloc(NULL, n);
  if (!*out) return MM_ENOMEM;
  memcpy(*out, text, n);
  return MM_OK;
}

static void init_timers(struct mm_engine *e) {
  uv_timer_init(&e->loop, &e->wait);
  uv_timer_init(&e->loop, &e->clock);
  uv_timer_init(&e->loop, &e->http1.timer);
  uv_timer_init(&e->loop, &e->http2.timer);
  uv_unref((uv_handle_t *)&e->wait);
  e->clock.data = e;
  e->http1.timer.data = &e->http1;
  e->http2.timer.data = &e->http2;
}

static void init_lists(struct mm_engine *e) {
  mm_link_init(&e->all);
  mm_link_init(&e->queue);
  mm_link_init(&e->ready);
  mm_link_init(&e->http1.parked);
  mm_link_init(&e->http2.parked);
}

static int fill(struct mm_engine *e, const struct mm_engine_options *options) {
  e->max_in_flight = options->max_in_flight;
  e->high_water = options->high_water;
  e->look_at = UINT64_MAX;
  e->share = share_new();
  if (!e->share) return MM_ENOMEM;
  int rc = copy_text(e->core, options->user_agent, &e->user_agent);
  return rc == MM_OK ? mm_multi_init(&e->http1, e, false) : rc;
}

int mm_engine_new(const struct mm_core_api *core, const struct mm_engine_options *options,
                  struct mm_engine **out, struct mm_error *err) {
  int rc = mm_process_init();
  if (rc != MM_OK) return mm_fail(err, rc, "libcurl did not start");
  struct mm_engine *e = core->alloc(NULL, sizeof *e);
  if (!e) return mm_fail(err, MM_ENOMEM, "out of memory");
  memset(e, 0, sizeof *e);
  e->core = core;
  rc = uv_loop_init(&e->loop);
  if (rc != 0) {
    core->alloc(e, 0);
    if (rc == UV_ENOMEM) return mm_fail(err, MM_ENOMEM, "out of memory");
    return mm_fail_os(err, -rc, "the event loop did not start");
  }
  init_lists(e);
  init_timers(e);
  rc = fill(e, options);
  if (rc != MM_OK) {
    mm_engine_free(e);
    return mm_fail(err, rc, "out of memory");
  }
  *out = e;
  return MM_OK;
}

int mm_engine_http2(struct mm_engine *e) {
  return e->http2.curl ? MM_OK : mm_multi_init(&e->http2, e, true);
}

static void close_handle(uv_handle_t *handle, void *user) {
  (void)user;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void mm_engine_free(struct mm_engine *e) {
  if (!e) return;
  struct mm_sigpipe hold;
  mm_sigpipe_hold(&hold);
  while (!mm_link_alone(&e->all))
    mm_exchange_detach(MM_CONTAINER(e->all.next, struct mm_exchange, in_all));
  mm_easy_free_spare(e);
  mm_multi_close(&e->http1);
  mm_multi_close(&e->http2);
  if (e->share) curl_share_cleanup(e->share);
  uv_walk(&e->loop, close_handle, NULL);
  uv_run(&e->loop, UV_RUN_DEFAULT);
  uv_loop_close(&e->loop);
  mm_sigpipe_release(&hold);
  e->core->alloc(e->user_agent, 0);
  e->core->alloc(e, 0);
}

bool mm_engine_late(struct mm_engine *e) {
  if (e->deadline && e->served && uv_hrtime() >= e->deadline) {
    e->late = true;
    return true;
  }
  e->served = true;
  return false;
}

void mm_engine_ready(struct mm_engine *e, struct mm_exchange *x) {
  if (mm_link_alone(&x->in_ready)) mm_link_append(&e->ready, &x->in_ready);
}

/* The clocks are looked at only after the sockets: what has arrived while Lua was busy elsewhere
 * is no silence of the server. */
void mm_engine_turn(struct mm_engine *e, uv_run_mode mode) {
  struct mm_sigpipe hold;
  mm_sigpipe_hold(&hold);
  e->late = false;
  uv_run(&e->loop, mode);
  if (e->look && !e->late) mm_clock_look(e);
  mm_sigpipe_release(&hold);
}

static void on_wait(uv_timer_t *timer) {
  (void)timer;
}

static uint64_t milliseconds(double seconds) {
  if (seconds >= 1e9) return (uint64_t)1e12;
  uint64_t ms = (uint64_t)(seconds * 1000);
  return (double)ms < seconds * 1000 ? ms + 1 : ms;
}

/* True while a step has to go on waiting. A loop without a socket or a clock has nothing to wait
 * for: every transfer rests until somebody reads. */
static bool is_waiting(struct mm_engine *e, const struct mm_step *step, uint64_t end) {
  if (!mm_link_alone(&e->ready) || !e->alive || !uv_loop_alive(&e->loop)) return false;
  return uv_now(&e->loop) < end && !(step->stop && step->stop(step->user));
}

static void wait_ready(struct mm_engine *e, const struct mm_step *step) {
  uv_update_time(&e->loop);
  uint64_t end = UINT64_MAX;
  if (step->seconds > 0) end = uv_now(&e->loop) + milliseconds(step->seconds);
  do {
    uint64_t now = uv_now(&e->loop), left = end > now ? end - now : 0;
    uv_timer_start(&e->wait, on_wait, left < WAIT_SLICE ? left : WAIT_SLICE, 0);
    mm_engine_turn(e, UV_RUN_ONCE);
  } while (is_waiting(e, step, end));
  uv_timer_stop(&e->wait);
}

size_t mm_engine_step(struct mm_engine *e, const struct mm_step *step) {
  e->served = false;
  bool bounded = step->budget > 0 && step->budget < 1e9;
  e->deadline = bounded ? uv_hrtime() + (uint64_t)(step->budget * 1e9) : 0;
  if (step->seconds == 0 || !e->alive || !mm_link_alone(&e->ready))
    mm_engine_turn(e, UV_RUN_NOWAIT);
  else
    wait_ready(e, step);
  e->deadline = 0;
  return e->alive;
}

uint64_t mm_engine_peek(const struct mm_engine *e) {
  if (mm_link_alone(&e->ready)) return 0;
  return MM_CONTAINER(e->ready.next, struct mm_exchange, in_ready)->id;
}

void mm_engine_pop(struct mm_engine *e) {
  if (!mm_link_alone(&e->ready)) mm_link_remove(e->ready.next);
}

int mm_engine_fd(const struct mm_engine *e) {
  return uv_backend_fd(&e->loop);
}

int mm_engine_timeout(struct mm_engine *e) {
  for (int turns = 0; turns < 16; turns++) {
    if (!mm_link_alone(&e->ready)) return 0;
    if (!uv_loop_alive(&e->loop)) return -1;
    /* The kernel hears of sockets only within a run, so there is one before every sleep. */
    mm_engine_turn(e, UV_RUN_NOWAIT);
    uv_update_time(&e->loop);
    int ms = uv_backend_timeout(&e->loop);
    if (ms != 0 && mm_link_alone(&e->ready)) return ms;
  }
  return uv_loop_alive(&e->loop) ? 0 : -1;
}
