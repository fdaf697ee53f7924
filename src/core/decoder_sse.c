/* decoder_sse.c - event streams as events, with what gateways put between them.
 * SPDX-License-Identifier: MIT */
#include "decoder_impl.h"

#include <string.h>

static int keep(struct mm_buf *b, const char *bytes, size_t n) {
  b->len = 0;
  return mm_buf_append(b, bytes, n);
}

static int emit_done(struct mm_decoder *d) {
  mm_decoder_drop(d);
  int rc = mm_decoder_add(d, "[DONE]", 6);
  return rc == MM_OK ? mm_decoder_emit(d, NULL, 0) : rc;
}

static int emit_block(struct mm_decoder *d) {
  if (!d->lenient) return mm_decoder_emit(d, d->type.data, d->type.len);
  if (d->text.len && mm_decoder_is_done(d->text.data, d->text.len)) return emit_done(d);
  return mm_decoder_emit_each(d, d->type.data, d->type.len);
}

static int end_block(struct mm_decoder *d) {
  int rc = emit_block(d);
  d->type.len = 0;
  d->in_block = d->joined = false;
  return rc;
}

/* Another data line of the block begins. Where gateways end events with a single line end, the
 * lines before it are an event by themselves; whether they do, the first line of a block tells. */
static int join_lines(struct mm_decoder *d) {
  const char *text = d->text.data;
  size_t n = d->text.len;
  if (d->lenient && !d->joined && n && (*text == '{' || *text == '[')) {
    if (mm_decoder_is_done(text, n)) return emit_done(d);
    int rc = mm_decoder_is_json(text, n);
    if (rc == MM_OK) return mm_decoder_emit(d, d->type.data, d->type.len);
    if (rc != MM_MORE) return rc;
  }
  d->joined = true;
  return mm_decoder_add(d, "\n", 1);
}

/* The lines of a block are joined by a piece that is one line feed. */
static int on_data(struct mm_decoder *d, const char *bytes, size_t n) {
  d->in_block = true;
  return n == 1 && *bytes == '\n' ? join_lines(d) : mm_decoder_add(d, bytes, n);
}

/* `{"error"`, white space allowed. */
static bool begins_with_error(const char *text, size_t n) {
  size_t i = 1;
  while (i < n && (text[i] == ' ' || text[i] == '\t'))
    i++;
  return text[0] == '{' && n - i >= 7 && memcmp(text + i, "\"error\"", 7) == 0;
}

/* The end of a line that may be JSON by itself. If it is not, it is the first line of a longer one
 * that a gateway wrote into the stream. */
static int end_json_line(struct mm_decoder *d) {
  const char *text = d->text.data;
  size_t n = d->text.len;
  d->stray = MM_STRAY_NONE;
  if (d->lenient && mm_decoder_is_done(text, n)) return emit_done(d);
  int rc = mm_decoder_is_json(text, n);
  if (rc == MM_OK && d->lenient && begins_with_error(text, n))
    return mm_decoder_emit(d, "error", 5);
  if (rc == MM_OK) return mm_decoder_emit(d, NULL, 0);
  if (rc != MM_MORE) return rc;
  d->stray = MM_STRAY_REST;
  return mm_decoder_add(d, "\n", 1);
}

/* A page of HTML where events should be: the rest of the body is that. */
static int begin_html(struct mm_decoder *d, const char *bytes, size_t n) {
  d->format = MM_FORMAT_ERROR;
  return mm_decoder_feed_body(d, bytes, n);
}

static int begin_stray(struct mm_decoder *d, const char *bytes, size_t n) {
  d->stray = MM_STRAY_SKIP;
  if (d->in_block) return MM_OK;
  if (*bytes == '<' && d->lenient) return begin_html(d, bytes, n);
  if (*bytes != '{' && *bytes != '[') return MM_OK;
  d->stray = MM_STRAY_JSON;
  return mm_decoder_add(d, bytes, n);
}

static int on_stray(struct mm_decoder *d, const char *bytes, size_t n) {
  bool line_end = n == 1 && *bytes == '\n';
  if (d->stray == MM_STRAY_JSON) return line_end ? end_json_line(d) : mm_decoder_add(d, bytes, n);
  if (line_end) d->stray = MM_STRAY_NONE;
  if (line_end || d->stray == MM_STRAY_SKIP) return MM_OK;
  return begin_stray(d, bytes, n);
}

static int on_piece(struct mm_decoder *d, const struct mm_sse_piece *piece) {
  switch (piece->what) {
    case MM_SSE_DATA: return on_data(d, piece->bytes, piece->n);
    case MM_SSE_EVENT: d->in_block = true; return keep(&d->type, piece->bytes, piece->n);
    case MM_SSE_ID: d->in_block = true; return keep(&d->id, piece->bytes, piece->n);
    case MM_SSE_RETRY: d->in_block = true; return MM_OK;
    case MM_SSE_STRAY: return on_stray(d, piece->bytes, piece->n);
    case MM_SSE_DISPATCH: return end_block(d);
    case MM_SSE_RESET:
      d->in_block = false;
      d->type.len = 0;
      return MM_OK;
    case MM_SSE_COMMENT: break;
  }
  return MM_OK;
}

/* Most pieces are a fragment of a short text, for which there is room. */
static inline bool add_quickly(struct mm_decoder *d, const struct mm_sse_piece *piece) {
  size_t len = d->text.len, n = piece->n;
  if (piece->what != MM_SSE_DATA || !d->in_block || d->lifting) return false;
  if (n > d->text.cap - len || len + n > d->lift_above) return false;
  if (n == 0 || (n == 1 && *piece->bytes == '\n')) return false;
  memcpy(d->text.data + len, piece->bytes, n);
  d->text.len = len + n;
  return true;
}

int mm_decoder_feed_sse(struct mm_decoder *d, const char *bytes, size_t n) {
  while (n && d->stray != MM_STRAY_REST && d->format == MM_FORMAT_SSE) {
    struct mm_sse_piece piece;
    int rc = mm_sse_next(&d->sse, &bytes, &n, &piece);
    if (rc == MM_OK && !add_quickly(d, &piece)) rc = on_piece(d, &piece);
    if (rc == MM_ETOOBIG && !d->err.text[0])
      return mm_fail(&d->err, rc, "an event name or id is longer than 4096 bytes");
    if (rc < 0) return rc;
  }
  if (n == 0) return MM_OK;
  return d->format == MM_FORMAT_SSE ? mm_decoder_add(d, bytes, n)
                                    : mm_decoder_feed_body(d, bytes, n);
}

/* The last block or line, which no blank line ended, counts only when it is whole beyond doubt. */
static int flush(struct mm_decoder *d) {
  static const char ends[] = "\n\n";
  const char *bytes = ends;
  size_t n = 2;
  while (n) {
    struct mm_sse_piece piece;
    int rc = mm_sse_next(&d->sse, &bytes, &n, &piece);
    if (rc == MM_MORE) continue;
    if (rc == MM_OK && piece.what == MM_SSE_DISPATCH) {
      rc = mm_decoder_is_json(d->text.data, d->text.len);
      if (rc == MM_MORE && !mm_decoder_is_done(d->text.data, d->text.len)) return MM_OK;
    }
    if (rc >= 0) rc = on_piece(d, &piece);
    if (rc < 0) return rc;
  }
  return MM_OK;
}

int mm_decoder_finish_sse(struct mm_decoder *d) {
  int rc = MM_OK;
  if (d->stray != MM_STRAY_REST && (d->lenient || d->stray == MM_STRAY_JSON)) rc = flush(d);
  if (rc == MM_OK && d->stray == MM_STRAY_REST) {
    rc = mm_decoder_is_json(d->text.data, d->text.len);
    if (rc == MM_OK) return mm_decoder_emit(d, "error", 5);
  }
  mm_decoder_drop(d);
  return rc < 0 ? rc : MM_OK;
}

static bool begins(const char *text, size_t n, const char *word) {
  size_t length = strlen(word);
  return n >= length && memcmp(text, word, length) == 0;
}

static bool looks_like_sse(const char *text, size_t n) {
  if (begins(text, n, "\xEF\xBB\xBF")) return looks_like_sse(text + 3, n - 3);
  while (n && (*text == '\n' || *text == '\r')) {
    text++;
    n--;
  }
  return begins(text, n, "data:") || begins(text, n, "event:") || begins(text, n, "id:") ||
         begins(text, n, "retry:") || begins(text, n, ":");
}

/* Append the data of the first event to *data. */
static int first_data(struct mm_sse *sse, const char *bytes, size_t n, struct mm_buf *data,
                      bool *ended) {
  while (n && !*ended) {
    struct mm_sse_piece piece;
    int rc = mm_sse_next(sse, &bytes, &n, &piece);
    if (rc == MM_MORE || rc == MM_ETOOBIG) return MM_OK;
    if (rc == MM_OK && piece.what == MM_SSE_DATA) rc = mm_buf_append(data, piece.bytes, piece.n);
    if (rc != MM_OK) return rc;
    *ended = piece.what == MM_SSE_DISPATCH;
  }
  return MM_OK;
}

int mm_decoder_undo_sse(struct mm_buf *text) {
  if (!looks_like_sse(text->data, text->len)) return MM_OK;
  struct mm_sse sse;
  struct mm_buf data;
  bool ended = false;
  mm_sse_init(&sse);
  mm_buf_init(&data, text->max);
  int rc = first_data(&sse, text->data, text->len, &data, &ended);
  if (rc == MM_OK) rc = first_data(&sse, "\n\n", 2, &data, &ended);
  if (rc == MM_OK && data.len) {
    memcpy(text->data, data.data, data.len);
    text->len = data.len;
  }
  mm_buf_free(&data);
  mm_sse_free(&sse);
  return rc;
}
