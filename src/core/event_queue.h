/* event_queue.h - complete events that wait to be taken, close together in one block.
 * In: events. Out: the same in order.
 * Not here: framing, decoding.                             SPDX-License-Identifier: MIT */
#ifndef MM_CORE_EVENT_QUEUE_H
#define MM_CORE_EVENT_QUEUE_H

#include "decoder.h"

MM_HIDDEN_BEGIN

struct mm_event_queue {
  struct mm_buf block; /* small events, one after the other */
  size_t at;           /* offset of the first that is left */
  size_t bytes;        /* that the events that are left take up, but for their media */
  uint64_t seen;       /* events ever put in */
};

/* Make *q empty; allocates nothing. Free drops what is left. */
void mm_event_queue_init(struct mm_event_queue *q);
void mm_event_queue_free(struct mm_event_queue *q);

/* Put an event at the end: copies type, id and text. Takes event->media (the array and its
 * references). A large text may be moved out of *text instead of being copied; *text is where
 * event->data stands, or NULL. Returns MM_OK, or MM_ENOMEM with nothing taken. */
MM_NODISCARD int mm_event_queue_put(struct mm_event_queue *q, const struct mm_event *event,
                                    struct mm_buf *text);

/* The first event, borrowed until the next put or drop. False when there is none. */
bool mm_event_queue_first(const struct mm_event_queue *q, struct mm_event *event);
void mm_event_queue_drop(struct mm_event_queue *q); /* the first */

MM_HIDDEN_END

#endif
