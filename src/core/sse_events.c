/* sse_events.c - whole server-sent events (WHATWG, strict).   SPDX-License-Identifier: MIT */
#include "sse_events.h"
#include "utf8.h"

#include <string.h>

enum { NAME_MAX_BYTES = 3 * 4096 }; /* a name or id after mending: U+FFFD is three bytes */

/* Where a complete event stands in `ready`: type, data and id, one after the other. */
struct record {
  size_t type_n;
  size_t data_n;
  size_t id_n;
};

struct mm_sse_events {
  struct mm_sse sse;
  struct mm_buf type;  /* of the open block, mended */
  struct mm_buf data;  /* of the open block, as received */
  struct mm_buf id;    /* of the stream so far, mended */
  struct mm_buf ready; /* complete events: a record and its bytes each */
  size_t taken;        /* bytes of `ready` handed out */
  uint64_t retry_ms;
  bool has_retry, finished;
  struct mm_error error; /* sticky */
};

int mm_sse_events_new(size_t max_event, struct mm_sse_events **out) {
  struct mm_sse_events *p = mm_alloc(NULL, sizeof *p);
  if (!p) return MM_ENOMEM;
  *p = (struct mm_sse_events){.finished = false};
  mm_sse_init(&p->sse);
  mm_buf_init(&p->type, NAME_MAX_BYTES);
  mm_buf_init(&p->data, max_event);
  mm_buf_init(&p->id, NAME_MAX_BYTES);
  mm_buf_init(&p->ready, SIZE_MAX);
  mm_live_add(1);
  *out = p;
  return MM_OK;
}

void mm_sse_events_free(struct mm_sse_events *p) {
  if (!p) return;
  mm_sse_free(&p->sse);
  mm_buf_free(&p->type);
  mm_buf_free(&p->data);
  mm_buf_free(&p->id);
  mm_buf_free(&p->ready);
  mm_alloc(p, 0);
  mm_live_add(-1);
}

static int replace(struct mm_buf *b, const struct mm_sse_piece *piece) {
  b->len = 0;
  return mm_utf8_mend(piece->bytes, piece->n, b);
}

static int append_type(struct mm_sse_events *p) {
  if (p->type.len == 0) return mm_buf_append(&p->ready, "message", 7);
  return mm_buf_append(&p->ready, p->type.data, p->type.len);
}

static int append_event(struct mm_sse_events *p) {
  struct mm_buf *ready = &p->ready;
  size_t begin = ready->len;
  struct record record = {.id_n = p->id.len};
  int rc = mm_buf_append(ready, &record, sizeof record);
  if (rc == MM_OK) rc = append_type(p);
  if (rc != MM_OK) return rc;
  record.type_n = ready->len - begin - sizeof record;
  if (p->data.len) rc = mm_utf8_mend(p->data.data, p->data.len, ready);
  if (rc != MM_OK) return rc;
  record.data_n = ready->len - begin - sizeof record - record.type_n;
  if (record.data_n > p->data.max) return MM_ETOOBIG;
  memcpy(ready->data + begin, &record, sizeof record);
  return mm_buf_append(ready, p->id.data, p->id.len);
}

/* An event that could not be kept leaves no half of it behind. */
static int dispatch(struct mm_sse_events *p) {
  size_t begin = p->ready.len;
  int rc = append_event(p);
  if (rc != MM_OK) p->ready.len = begin;
  p->data.len = p->type.len = 0;
  return rc;
}

static int take(struct mm_sse_events *p, const struct mm_sse_piece *piece) {
  switch (piece->what) {
    case MM_SSE_DATA: return mm_buf_append(&p->data, piece->bytes, piece->n);
    case MM_SSE_EVENT: return replace(&p->type, piece);
    case MM_SSE_ID: return replace(&p->id, piece);
    case MM_SSE_DISPATCH: return dispatch(p);
    case MM_SSE_RESET: p->type.len = 0; break;
    case MM_SSE_RETRY:
      p->retry_ms = piece->retry_ms;
      p->has_retry = true;
      break;
    case MM_SSE_COMMENT:
    case MM_SSE_STRAY: break;
  }
  return MM_OK;
}

/* Events already handed out make room for the new ones, once they are most of the queue. */
static void drop_taken(struct mm_sse_events *p) {
  if (p->taken < p->ready.len - p->taken) return;
  mm_buf_drop(&p->ready, p->taken);
  p->taken = 0;
}

/* Take the bytes up to the next piece. */
static int advance(struct mm_sse_events *p, const char **bytes, size_t *n) {
  struct mm_sse_piece piece;
  int rc = mm_sse_next(&p->sse, bytes, n, &piece);
  if (rc == MM_ETOOBIG) return mm_fail(&p->error, rc, "event name or id over 4096 bytes");
  if (rc == MM_OK) rc = take(p, &piece);
  if (rc == MM_ETOOBIG) return mm_fail(&p->error, rc, "event over %zu bytes", p->data.max);
  return rc < 0 ? mm_fail(&p->error, rc, "%s", mm_status_text(rc)) : MM_OK;
}

int mm_sse_events_feed(struct mm_sse_events *p, const void *bytes, size_t n) {
  if (p->error.code != MM_OK) return p->error.code;
  if (p->finished) return MM_EINVAL;
  drop_taken(p);
  const char *at = bytes;
  int rc = MM_OK;
  while (n && rc == MM_OK)
    rc = advance(p, &at, &n);
  return rc;
}

void mm_sse_events_finish(struct mm_sse_events *p) {
  p->finished = true;
  mm_buf_free(&p->data);
}

bool mm_sse_events_next(struct mm_sse_events *p, struct mm_sse_event *event) {
  if (p->taken == p->ready.len) return false;
  struct record record;
  memcpy(&record, p->ready.data + p->taken, sizeof record);
  const char *at = p->ready.data + p->taken + sizeof record;
  *event = (struct mm_sse_event){.type = at,
                                 .type_n = record.type_n,
                                 .data = at + record.type_n,
                                 .data_n = record.data_n,
                                 .id = at + record.type_n + record.data_n,
                                 .id_n = record.id_n};
  p->taken += sizeof record + record.type_n + record.data_n + record.id_n;
  return true;
}

bool mm_sse_events_retry(const struct mm_sse_events *p, uint64_t *ms) {
  *ms = p->retry_ms;
  return p->has_retry;
}

const struct mm_error *mm_sse_events_error(const struct mm_sse_events *p) {
  return &p->error;
}
