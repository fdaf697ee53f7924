/* queue.c - admission: so many exchanges at once, the others in order.
 * Not here: limits per host or per minute; they are policy.   SPDX-License-Identifier: MIT */
#include "engine.h"

/* A launch that fails comes back here through mm_queue_leave: the outermost call goes on. */
static void admit(struct mm_engine *e) {
  if (e->admitting) return;
  e->admitting = true;
  while (e->in_flight < e->max_in_flight && !mm_link_alone(&e->queue)) {
    struct mm_exchange *x = MM_CONTAINER(e->queue.next, struct mm_exchange, in_queue);
    mm_link_remove(&x->in_queue);
    e->in_flight++;
    x->state = MM_RUNNING;
    mm_exchange_launch(x);
  }
  e->admitting = false;
}

void mm_queue_enter(struct mm_engine *e, struct mm_exchange *x) {
  e->alive++;
  x->state = MM_QUEUED;
  mm_link_append(&e->queue, &x->in_queue);
  admit(e);
}

void mm_queue_leave(struct mm_engine *e, struct mm_exchange *x) {
  mm_link_remove(&x->in_queue);
  e->alive--;
  if (x->state == MM_RUNNING) e->in_flight--;
  x->state = MM_DONE;
  admit(e);
  if (!e->alive) mm_clock_stop(e);
}
