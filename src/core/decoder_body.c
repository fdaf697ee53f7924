/* decoder_body.c - bodies that are no event stream: one value, an array, lines, one medium, its
 * pieces, an error, and those whose first byte has to tell.              SPDX-License-Identifier:
 * MIT */
#include "decoder_impl.h"

#include <string.h>

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A byte of the byte order mark, which is taken for space before a body. */
static bool is_bom(char c) {
  return memchr("\xEF\xBB\xBF", c, 3) != NULL;
}

static int feed_lines(struct mm_decoder *d, const char *bytes, size_t n) {
  while (n) {
    const char *lf = memchr(bytes, '\n', n);
    size_t line = lf ? (size_t)(lf - bytes) : n;
    int rc = mm_decoder_add(d, bytes, line);
    if (rc != MM_OK || !lf) return rc;
    bytes += line + 1;
    n -= line + 1;
    if (!d->lifting && d->text.len && d->text.data[d->text.len - 1] == '\r') d->text.len--;
    if (mm_decoder_is_blank(d->text.data, d->text.len))
      mm_decoder_drop(d);
    else
      rc = mm_decoder_emit(d, NULL, 0);
    if (rc != MM_OK) return rc;
  }
  return MM_OK;
}

/* Between two values. True when the byte is of no value. */
static bool between(struct mm_decoder *d, char byte) {
  if (is_space(byte)) return true;
  if (d->format != MM_FORMAT_ARRAY) return false;
  bool begins = byte == '[' && !d->array_begun;
  bool ends = byte == ']' && d->array_begun;
  d->array_begun |= begins;
  d->array_ended |= ends;
  return begins || ends || byte == ',' || (!d->array_begun && is_bom(byte));
}

static int end_value(struct mm_decoder *d) {
  d->cut = (struct mm_json_cut){0};
  return mm_decoder_emit(d, NULL, 0);
}

/* The elements of an array, or values one behind the other. */
static int feed_values(struct mm_decoder *d, const char *bytes, size_t n) {
  while (n && !d->array_ended) {
    if (!d->cut.begun && between(d, *bytes)) {
      bytes++;
      n--;
      continue;
    }
    bool whole;
    bool first = !d->cut.begun;
    size_t length = mm_json_cut(&d->cut, bytes, n, &whole);
    if (first && length == 0) length = 1; /* a delimiter out of place must be passed too */
    int rc = mm_decoder_add(d, bytes, length);
    if (rc == MM_OK && whole) rc = end_value(d);
    if (rc != MM_OK) return rc;
    bytes += length;
    n -= length;
  }
  return MM_OK;
}

static int feed_bytes(struct mm_decoder *d, const char *bytes, size_t n) {
  int rc = MM_OK;
  if (!d->spool) {
    rc = mm_decoder_need_spool(d);
    if (rc == MM_OK) rc = mm_spool_begin(d->spool);
  }
  return rc == MM_OK ? mm_spool_write(d->spool, bytes, n, &d->err) : rc;
}

/* What arrived together is one event: any bytes, neither mended nor searched for media. */
static int feed_pieces(struct mm_decoder *d, const char *bytes, size_t n) {
  struct mm_event event = {.type = "message", .type_n = 7, .data = bytes, .data_n = n, .id = ""};
  return mm_event_queue_put(&d->queue, &event, NULL);
}

static int feed_error(struct mm_decoder *d, const char *bytes, size_t n) {
  size_t room = d->text.len < MM_DECODER_ERROR_KEPT ? MM_DECODER_ERROR_KEPT - d->text.len : 0;
  if (room > d->text.max - d->text.len) room = d->text.max - d->text.len;
  return mm_buf_append(&d->text, bytes, n < room ? n : room);
}

/* The format that the first byte of a body tells. */
static enum mm_format told_by(const struct mm_decoder *d, char byte) {
  if (byte == '<') return MM_FORMAT_ERROR;
  if (byte == '[') return MM_FORMAT_ARRAY;
  if (byte == '{') return d->declared == MM_DECLARED_JSON ? MM_FORMAT_JSON : MM_FORMAT_NDJSON;
  if (memchr("d:eir", byte, 5)) return MM_FORMAT_SSE;
  return d->declared == MM_DECLARED_OCTETS ? MM_FORMAT_BYTES : MM_FORMAT_JSON;
}

/* Take bytes until one tells the format; those before it are kept for the format that needs them.
 */
static int sniff(struct mm_decoder *d, const char *bytes, size_t n) {
  size_t i = 0;
  while (i < n && d->lead.len + i < MM_DECODER_LEAD && (is_space(bytes[i]) || is_bom(bytes[i])))
    i++;
  if (i == n) return mm_buf_append(&d->lead, bytes, n);
  d->format = told_by(d, bytes[i]);
  int rc = MM_OK;
  if (d->format == MM_FORMAT_BYTES) {
    rc = mm_decoder_feed_body(d, d->lead.data, d->lead.len);
    i = 0;
  }
  mm_buf_free(&d->lead);
  return rc == MM_OK ? mm_decoder_feed_body(d, bytes + i, n - i) : rc;
}

int mm_decoder_feed_body(struct mm_decoder *d, const char *bytes, size_t n) {
  switch (d->format) {
    case MM_FORMAT_AUTO: return sniff(d, bytes, n);
    case MM_FORMAT_SSE: return mm_decoder_feed_sse(d, bytes, n);
    case MM_FORMAT_JSON: return mm_decoder_add(d, bytes, n);
    case MM_FORMAT_ARRAY: return feed_values(d, bytes, n);
    case MM_FORMAT_NDJSON:
      return d->declared == MM_DECLARED_LINES ? feed_lines(d, bytes, n) : feed_values(d, bytes, n);
    case MM_FORMAT_BYTES: return feed_bytes(d, bytes, n);
    case MM_FORMAT_ERROR: return feed_error(d, bytes, n);
    case MM_FORMAT_PIECES: return feed_pieces(d, bytes, n);
  }
  return MM_EINVAL;
}

static int finish_bytes(struct mm_decoder *d) {
  int rc = feed_bytes(d, NULL, 0);
  struct mm_blob **media = rc == MM_OK ? mm_alloc(NULL, sizeof *media) : NULL;
  if (rc != MM_OK || !media) return rc != MM_OK ? rc : MM_ENOMEM;
  const char *mime = d->mime.len ? d->mime.data : NULL;
  rc = mm_spool_end(d->spool, mime, NULL, false, &media[0], &d->err);
  struct mm_event event = {
      .type = "message", .type_n = 7, .data = "", .id = "", .media = media, .media_n = 1};
  if (rc == MM_OK) {
    rc = mm_event_queue_put(&d->queue, &event, NULL);
    if (rc != MM_OK) mm_blob_unref(media[0]);
  }
  if (rc != MM_OK) mm_alloc(media, 0);
  return rc;
}

static int finish_error(struct mm_decoder *d) {
  int rc = d->text.len ? mm_decoder_undo_sse(&d->text) : MM_OK;
  return rc == MM_OK ? mm_decoder_emit(d, "error", 5) : rc;
}

/* A value that nothing ended: a number at the end, or a body that was cut. */
static int finish_values(struct mm_decoder *d) {
  int rc = mm_decoder_is_json(d->text.data, d->text.len);
  if (rc == MM_OK) return mm_decoder_emit(d, NULL, 0);
  mm_decoder_drop(d);
  return rc == MM_MORE ? MM_OK : rc;
}

int mm_decoder_finish_body(struct mm_decoder *d) {
  bool blank = !d->lifting && mm_decoder_is_blank(d->text.data, d->text.len);
  switch (d->format) {
    case MM_FORMAT_AUTO: mm_decoder_drop(d); return MM_OK;
    case MM_FORMAT_SSE: return mm_decoder_finish_sse(d);
    case MM_FORMAT_JSON: return blank ? MM_OK : mm_decoder_emit(d, NULL, 0);
    case MM_FORMAT_ARRAY:
    case MM_FORMAT_NDJSON: return blank ? MM_OK : finish_values(d);
    case MM_FORMAT_BYTES: return finish_bytes(d);
    case MM_FORMAT_ERROR: return finish_error(d);
    case MM_FORMAT_PIECES: return MM_OK;
  }
  return MM_EINVAL;
}
