/* decoder_event.c - the text of the event that is arriving, until it is put into the queue.
 * SPDX-License-Identifier: MIT */
#include "decoder_impl.h"
#include "json_read.h"
#include "utf8.h"

#include <string.h>

enum { IDLE = 32 * 1024 }; /* bytes an empty text may hold on to */

static int too_big(struct mm_decoder *d) {
  return mm_fail(&d->err, MM_ETOOBIG, "an event is larger than %zu bytes", d->text.max);
}

int mm_decoder_need_spool(struct mm_decoder *d) {
  if (d->spool) return MM_OK;
  int rc = mm_spool_new(d->memory, d->max_media, &d->spool);
  if (rc == MM_OK) mm_spool_set_relief(d->spool, d->relief, d->relief_arg);
  return rc;
}

/* The lift says "too large" where its output has reached its ceiling. */
static int lifted(struct mm_decoder *d, int rc) {
  bool ceiling = rc == MM_ETOOBIG && strcmp(d->err.text, mm_status_text(rc)) == 0;
  return ceiling ? too_big(d) : rc;
}

/* From here on the text goes through the lift, what there is of it first. */
static int begin_lifting(struct mm_decoder *d) {
  int rc = mm_decoder_need_spool(d);
  if (rc == MM_OK && !d->lift) rc = mm_lift_new(d->spool, d->lift_above, &d->lift);
  if (rc != MM_OK) return rc;
  struct mm_buf so_far = d->text;
  mm_buf_init(&d->text, so_far.max);
  d->lifting = true;
  rc = mm_lift_feed(d->lift, so_far.data, so_far.len, &d->text, &d->err);
  mm_buf_free(&so_far);
  return lifted(d, rc);
}

int mm_decoder_add(struct mm_decoder *d, const char *bytes, size_t n) {
  if (!d->lifting) {
    if (n <= d->lift_above && d->text.len <= d->lift_above - n) {
      int rc = mm_buf_append(&d->text, bytes, n);
      return rc == MM_ETOOBIG ? too_big(d) : rc;
    }
    int rc = begin_lifting(d);
    if (rc != MM_OK) return rc;
  }
  return lifted(d, mm_lift_feed(d->lift, bytes, n, &d->text, &d->err));
}

static void clear_text(struct mm_decoder *d) {
  d->lifting = false;
  d->text.len = 0;
  if (d->text.cap > IDLE) mm_buf_free(&d->text);
}

void mm_decoder_drop(struct mm_decoder *d) {
  if (d->lifting) mm_lift_reset(d->lift);
  clear_text(d);
}

static void unref_all(struct mm_blob *const *media, size_t n) {
  for (size_t i = 0; i < n; i++)
    mm_blob_unref(media[i]);
  mm_alloc((void *)(uintptr_t)media, 0);
}

/* Put an event into the queue, its text mended. Takes event->media, whatever happens. */
static int put(struct mm_decoder *d, const struct mm_event *event, struct mm_buf *text) {
  int rc = MM_OK;
  if (mm_utf8_valid(event->data, event->data_n) == event->data_n) {
    rc = mm_event_queue_put(&d->queue, event, text);
  } else {
    struct mm_buf mended;
    struct mm_event other = *event;
    mm_buf_init(&mended, SIZE_MAX / 2);
    rc = mm_utf8_mend(event->data, event->data_n, &mended);
    other.data = mended.data;
    other.data_n = mended.len;
    if (rc == MM_OK) rc = mm_event_queue_put(&d->queue, &other, &mended);
    mm_buf_free(&mended);
  }
  if (rc != MM_OK) unref_all(event->media, event->media_n);
  return rc;
}

/* The open event, its media taken from the lift. A short text goes through it only for a byte that
 * could be taken for a mark. */
static int whole_event(struct mm_decoder *d, const char *type, size_t type_n,
                       struct mm_event *event) {
  struct mm_blob **media = NULL;
  size_t n = 0;
  bool forged = !d->lifting && d->text.len && memchr(d->text.data, 1, d->text.len);
  int rc = forged ? begin_lifting(d) : MM_OK;
  if (rc == MM_OK && d->lifting) rc = mm_lift_end(d->lift, &d->text, &media, &n, &d->err);
  *event = (struct mm_event){.type = type_n ? type : "message",
                             .type_n = type_n ? type_n : strlen("message"),
                             .data = d->text.data,
                             .data_n = d->text.len,
                             .id = d->id.data,
                             .id_n = d->id.len,
                             .media = media,
                             .media_n = n};
  return lifted(d, rc);
}

int mm_decoder_emit(struct mm_decoder *d, const char *type, size_t type_n) {
  struct mm_event event;
  int rc = whole_event(d, type, type_n, &event);
  if (rc == MM_OK) rc = put(d, &event, &d->text);
  clear_text(d);
  return rc;
}

int mm_decoder_is_json(const char *text, size_t n) {
  struct mm_json_reader reader;
  enum mm_json_token token = MM_JSON_NULL;
  mm_json_reader_init(&reader, text, n);
  reader.marks_allowed = true;
  int rc = MM_OK;
  while (rc == MM_OK && token != MM_JSON_END)
    rc = mm_json_next(&reader, &token, NULL);
  mm_json_reader_free(&reader);
  return rc == MM_OK || rc == MM_ENOMEM ? rc : MM_MORE;
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool mm_decoder_is_blank(const char *text, size_t n) {
  while (n && is_space(text[n - 1]))
    n--;
  return n == 0;
}

bool mm_decoder_is_done(const char *text, size_t n) {
  enum { LENGTH = 6 };
  while (n && is_space(*text)) {
    text++;
    n--;
  }
  if (n < LENGTH || memcmp(text, "[DONE]", LENGTH) != 0) return false;
  return mm_decoder_is_blank(text + LENGTH, n - LENGTH);
}

/* Several JSON texts in one event */

/* Quickly: could there be a value behind the first one? */
static bool may_be_several(const struct mm_decoder *d) {
  if (d->joined || d->text.len == 0) return d->joined;
  const char *text = d->text.data, *end = text + d->text.len;
  for (const char *p = text; p < end; p++) {
    p = memchr(p, '}', (size_t)(end - p));
    if (!p) return false;
    const char *next = p + 1;
    while (next < end && is_space(*next))
      next++;
    if (next < end && *next == '{') return true;
  }
  return false;
}

/* The next value of a text, without the white space around it. False at the end. */
static bool next_value(const char **text, size_t *n, const char **value, size_t *length) {
  while (*n && is_space(**text)) {
    (*text)++;
    (*n)--;
  }
  if (*n == 0) return false;
  struct mm_json_cut cut = {0};
  bool whole;
  *value = *text;
  *length = mm_json_cut(&cut, *text, *n, &whole);
  if (*length == 0) *length = 1; /* a delimiter: no JSON, but it must be passed */
  *text += *length;
  *n -= *length;
  return true;
}

/* MM_OK when the text is nothing but JSON values and "[DONE]", and more than one. */
static int is_several(const char *text, size_t n) {
  int rc = mm_decoder_is_json(text, n);
  if (rc != MM_MORE) return rc == MM_OK ? MM_MORE : rc;
  const char *value;
  size_t length, count = 0;
  while (next_value(&text, &n, &value, &length)) {
    rc = mm_decoder_is_done(value, length) ? MM_OK : mm_decoder_is_json(value, length);
    if (rc != MM_OK) return rc;
    count++;
  }
  return count > 1 ? MM_OK : MM_MORE;
}

/* At most as many media as a text has marks, which two bytes 0x01 enclose. */
static size_t count_marks(const char *p, size_t n) {
  size_t count = 0;
  for (const char *end = p + n; p < end; p++) {
    p = memchr(p, 1, (size_t)(end - p));
    if (!p) break;
    count++;
  }
  return (count + 1) / 2;
}

/* The marks of a part count from 1 again, and its media are those they name. */
static int renumber(const struct mm_event *whole, struct mm_event *part, struct mm_buf *text) {
  const char *p = part->data, *end = p + part->data_n;
  size_t most = count_marks(part->data, part->data_n);
  struct mm_blob **media = mm_alloc(NULL, most * sizeof *media);
  if (!media) return MM_ENOMEM;
  int rc = MM_OK;
  size_t n = 0;
  while (rc == MM_OK && p < end) {
    const char *mark = memchr(p, 1, (size_t)(end - p));
    rc = mm_buf_append(text, p, (size_t)((mark ? mark : end) - p));
    if (!mark || rc != MM_OK) break;
    size_t index = 0;
    for (p = mark + 1; p < end && *p != 1; p++)
      index = index * 10 + (size_t)(*p - '0');
    p++;
    if (index == 0 || index > whole->media_n || n == most) continue;
    char digits[24];
    size_t at = sizeof digits;
    media[n++] = mm_blob_ref(whole->media[index - 1]);
    digits[--at] = 1;
    for (size_t rest = n; rest; rest /= 10)
      digits[--at] = (char)('0' + rest % 10);
    digits[--at] = 1;
    rc = mm_buf_append(text, digits + at, sizeof digits - at);
  }
  part->media = media;
  part->media_n = n;
  part->data = text->data;
  part->data_n = text->len;
  if (rc != MM_OK) unref_all(media, n);
  return rc;
}

static int put_part(struct mm_decoder *d, const struct mm_event *whole, const char *value,
                    size_t length) {
  struct mm_event part = *whole;
  part.data = value;
  part.data_n = length;
  part.media = NULL;
  part.media_n = 0;
  if (whole->media_n == 0 || !memchr(value, 1, length)) return put(d, &part, NULL);
  struct mm_buf text;
  mm_buf_init(&text, SIZE_MAX / 2);
  int rc = renumber(whole, &part, &text);
  if (rc == MM_OK) rc = put(d, &part, NULL);
  mm_buf_free(&text);
  return rc;
}

int mm_decoder_emit_each(struct mm_decoder *d, const char *type, size_t type_n) {
  if (!may_be_several(d)) return mm_decoder_emit(d, type, type_n);
  struct mm_event event;
  int rc = whole_event(d, type, type_n, &event);
  if (rc != MM_OK) return rc;
  rc = is_several(event.data, event.data_n);
  if (rc == MM_MORE) {
    rc = put(d, &event, &d->text);
    clear_text(d);
    return rc;
  }
  const char *text = event.data, *value;
  size_t n = event.data_n, length;
  while (rc == MM_OK && next_value(&text, &n, &value, &length))
    rc = put_part(d, &event, value, length);
  unref_all(event.media, event.media_n);
  clear_text(d);
  return rc;
}
