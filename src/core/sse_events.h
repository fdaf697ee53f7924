/* sse_events.h - whole server-sent events (WHATWG, strict), sans-IO.
 * In: bytes in any split. Out: one event per dispatched block, its text mended to UTF-8.
 * Not here: JSON, media, the tolerances of chat streams (decoder).  SPDX-License-Identifier: MIT */
#ifndef MM_CORE_SSE_EVENTS_H
#define MM_CORE_SSE_EVENTS_H

#include "sse.h"

MM_HIDDEN_BEGIN

struct mm_sse_events;

struct mm_sse_event {
  const char *type; /* "message" when the block named none; not terminated */
  size_t type_n;
  const char *data;
  size_t data_n;
  const char *id; /* the last id of the stream so far; "" when there was none */
  size_t id_n;
};

/* A parser that keeps at most `max_event` bytes of data for one event. Returns MM_OK, MM_ENOMEM. */
MM_NODISCARD int mm_sse_events_new(size_t max_event, struct mm_sse_events **out);
void mm_sse_events_free(struct mm_sse_events *p); /* NULL is fine */

/* Take n bytes; copies what events need. Linear whatever the split. Returns MM_OK, MM_ETOOBIG,
 * MM_ENOMEM (both sticky: every later call repeats it; events complete before it can still be
 * taken), MM_EINVAL after finish. */
MM_NODISCARD int mm_sse_events_feed(struct mm_sse_events *p, const void *bytes, size_t n);

/* The input ended: an unfinished line or block is discarded. Idempotent. */
void mm_sse_events_finish(struct mm_sse_events *p);

/* The next event, borrowed until the next call of any kind. False when none is complete. */
bool mm_sse_events_next(struct mm_sse_events *p, struct mm_sse_event *event);

/* The reconnection time the server last named, in milliseconds; false when it named none. */
bool mm_sse_events_retry(const struct mm_sse_events *p, uint64_t *ms);

/* The sticky failure, code MM_OK while there is none. Returns borrowed. */
const struct mm_error *mm_sse_events_error(const struct mm_sse_events *p);

MM_HIDDEN_END

#endif
