/* event_queue.c - complete events that wait to be taken.   SPDX-License-Identifier: MIT */
#include "event_queue.h"

#include <string.h>

enum {
  LARGE = 64 * 1024, /* a text from here on keeps the block it came in */
  IDLE = 16 * 1024   /* bytes that an empty queue may hold on to */
};

/* What stands in the block before type, id and text. */
struct entry {
  size_t size; /* bytes to the next entry */
  size_t type_n;
  size_t id_n;
  size_t data_n;
  size_t media_n;
  struct mm_blob **media; /* owned, with their references */
  char *large;            /* owned text; NULL: it stands in the block */
};

/* An event without text takes up room as well, and an id is kept with each. */
static size_t held(const struct entry *e) {
  return e->size + (e->large ? e->data_n : 0);
}

void mm_event_queue_init(struct mm_event_queue *q) {
  *q = (struct mm_event_queue){0};
  mm_buf_init(&q->block, SIZE_MAX / 2);
}

void mm_event_queue_free(struct mm_event_queue *q) {
  while (q->at < q->block.len)
    mm_event_queue_drop(q);
  mm_buf_free(&q->block);
}

/* Close the gap in front once it is most of the block: each byte moves at most once for another
 * that was dropped. */
static void compact(struct mm_event_queue *q) {
  if (q->at < 4096 || q->at < q->block.len / 2) return;
  mm_buf_drop(&q->block, q->at);
  q->at = 0;
}

static char *put(char *to, const char *bytes, size_t n) {
  if (n) memcpy(to, bytes, n);
  return to + n;
}

int mm_event_queue_put(struct mm_event_queue *q, const struct mm_event *event,
                       struct mm_buf *text) {
  bool move = text && event->data_n >= LARGE && event->data == text->data;
  size_t used = sizeof(struct entry) + event->type_n + event->id_n + (move ? 0 : event->data_n);
  size_t size = (used + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
  compact(q);
  int rc = mm_buf_reserve(&q->block, size);
  if (rc != MM_OK) return MM_ENOMEM;
  struct entry e = {size,
                    event->type_n,
                    event->id_n,
                    event->data_n,
                    event->media_n,
                    (struct mm_blob **)(uintptr_t)event->media,
                    move ? text->data : NULL};
  char *to = put(q->block.data + q->block.len, (const char *)&e, sizeof e);
  to = put(to, event->type, event->type_n);
  to = put(to, event->id, event->id_n);
  if (move)
    mm_buf_init(text, text->max);
  else
    put(to, event->data, event->data_n);
  q->block.len += size;
  q->bytes += held(&e);
  q->seen++;
  return MM_OK;
}

bool mm_event_queue_first(const struct mm_event_queue *q, struct mm_event *event) {
  if (q->at == q->block.len) return false;
  const char *text = q->block.data + q->at;
  struct entry e;
  memcpy(&e, text, sizeof e);
  text += sizeof e;
  event->type = text;
  event->type_n = e.type_n;
  event->id = text + e.type_n;
  event->id_n = e.id_n;
  event->data = e.large ? e.large : text + e.type_n + e.id_n;
  event->data_n = e.data_n;
  event->media = e.media;
  event->media_n = e.media_n;
  return true;
}

void mm_event_queue_drop(struct mm_event_queue *q) {
  struct entry e;
  memcpy(&e, q->block.data + q->at, sizeof e);
  for (size_t i = 0; i < e.media_n; i++)
    mm_blob_unref(e.media[i]);
  if (e.media) mm_alloc(e.media, 0);
  if (e.large) mm_alloc(e.large, 0);
  q->at += e.size;
  q->bytes -= held(&e);
  if (q->at < q->block.len) return;
  q->at = q->block.len = 0;
  if (q->block.cap > IDLE) mm_buf_free(&q->block);
}
