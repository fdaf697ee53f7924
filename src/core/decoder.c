/* decoder.c - a response body as events.   SPDX-License-Identifier: MIT */
#include "decoder_impl.h"
#include "mime.h"

#include <string.h>

void mm_decoder_defaults(struct mm_decoder_options *options) {
  *options = (struct mm_decoder_options){.format = MM_FORMAT_AUTO,
                                         .max_event = 64u << 20,
                                         .max_media = UINT64_C(4) << 30,
                                         .lift_above = 16384,
                                         .memory = 1u << 20};
}

static const char *const names[] = {"auto",   "sse",   "json",  "json-array",
                                    "ndjson", "bytes", "error", "pieces"};

const char *mm_format_name(enum mm_format format) {
  return names[format];
}

bool mm_format_named(const char *name, enum mm_format *format) {
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(names[i], name) != 0) continue;
    *format = (enum mm_format)i;
    return true;
  }
  return false;
}

int mm_decoder_new(const struct mm_decoder_options *options, struct mm_decoder **out) {
  struct mm_decoder *d = mm_alloc(NULL, sizeof *d);
  if (!d) return MM_ENOMEM;
  *d = (struct mm_decoder){.refs = 1,
                           .format = options->format,
                           .declared = options->format == MM_FORMAT_NDJSON ? MM_DECLARED_LINES
                                                                           : MM_DECLARED_NOTHING,
                           .lenient = options->lenient,
                           .lift_above = options->lift_above,
                           .memory = options->memory,
                           .max_media = options->max_media};
  if (options->text.path_n && mm_textpath_new(&options->text, &d->path) != MM_OK) {
    mm_alloc(d, 0);
    return MM_ENOMEM;
  }
  mm_buf_init(&d->text, options->max_event);
  mm_buf_init(&d->type, 4096);
  mm_buf_init(&d->id, 4096);
  mm_buf_init(&d->lead, MM_DECODER_LEAD);
  mm_buf_init(&d->mime, 256);
  mm_sse_init(&d->sse);
  d->sse.strays = true;
  mm_event_queue_init(&d->queue);
  mm_live_add(1);
  *out = d;
  return MM_OK;
}

struct mm_decoder *mm_decoder_ref(struct mm_decoder *d) {
  d->refs++;
  return d;
}

void mm_decoder_unref(struct mm_decoder *d) {
  if (!d || --d->refs) return;
  mm_event_queue_free(&d->queue);
  mm_textpath_free(d->path);
  mm_lift_free(d->lift);
  mm_spool_unref(d->spool);
  mm_sse_free(&d->sse);
  mm_buf_free(&d->text);
  mm_buf_free(&d->type);
  mm_buf_free(&d->id);
  mm_buf_free(&d->lead);
  mm_buf_free(&d->mime);
  mm_alloc(d, 0);
  mm_live_add(-1);
}

void mm_decoder_set_relief(struct mm_decoder *d, void (*relief)(void *arg), void *arg) {
  d->relief = relief;
  d->relief_arg = arg;
  if (d->spool) mm_spool_set_relief(d->spool, relief, arg);
}

static bool begins(const char *text, const char *word) {
  return strncmp(text, word, strlen(word)) == 0;
}

static bool is_medium(const char *mime) {
  return begins(mime, "image/") || begins(mime, "audio/") || begins(mime, "video/") ||
         strcmp(mime, "application/pdf") == 0 || strcmp(mime, "application/zip") == 0;
}

static enum mm_declared declared_by(const char *mime) {
  size_t n = strlen(mime);
  if (strstr(mime, "ndjson") || strstr(mime, "jsonl") || strstr(mime, "json-lines"))
    return MM_DECLARED_LINES;
  if (strcmp(mime, "application/json") == 0 || (n > 5 && strcmp(mime + n - 5, "+json") == 0))
    return MM_DECLARED_JSON;
  return strcmp(mime, "application/octet-stream") == 0 ? MM_DECLARED_OCTETS : MM_DECLARED_NOTHING;
}

static void head_auto(struct mm_decoder *d, const char *mime) {
  d->declared = declared_by(mime);
  if (strcmp(mime, "text/event-stream") == 0) d->format = MM_FORMAT_SSE;
  if (is_medium(mime)) d->format = MM_FORMAT_BYTES;
}

enum mm_format mm_decoder_head(struct mm_decoder *d, int status, const char *content_type) {
  char mime[256] = "";
  if (content_type && !mm_mime_normalise(content_type, strlen(content_type), mime, sizeof mime))
    mime[0] = 0;
  if (status != 0 && (status < 200 || status > 299))
    d->format = MM_FORMAT_ERROR;
  else if (d->format == MM_FORMAT_AUTO)
    head_auto(d, mime);
  bool says_much = mime[0] && strcmp(mime, "application/octet-stream") != 0;
  if (d->format != MM_FORMAT_BYTES || !says_much) return d->format;
  d->mime.len = 0;
  if (mm_buf_append(&d->mime, mime, strlen(mime) + 1) != MM_OK) d->mime.len = 0; /* sniffed then */
  return d->format;
}

enum mm_format mm_decoder_format(const struct mm_decoder *d) {
  return d->format;
}

/* A failure stays; its text is the status's where there was no more to say. */
static int settle(struct mm_decoder *d, int rc) {
  if (rc >= 0) return MM_OK;
  if (d->err.code != rc) mm_fail(&d->err, rc, "%s", mm_status_text(rc));
  return rc;
}

int mm_decoder_feed(struct mm_decoder *d, const void *bytes, size_t n) {
  if (d->err.code != MM_OK) return d->err.code;
  if (d->finished) return MM_EINVAL;
  if (n == 0) return MM_OK;
  if (d->format == MM_FORMAT_SSE) return settle(d, mm_decoder_feed_sse(d, bytes, n));
  return settle(d, mm_decoder_feed_body(d, bytes, n));
}

int mm_decoder_finish(struct mm_decoder *d) {
  if (d->err.code != MM_OK) return d->err.code;
  if (d->finished) return MM_OK;
  d->finished = true;
  return settle(d, mm_decoder_finish_body(d));
}

static int nothing_left(const struct mm_decoder *d) {
  return d->err.code != MM_OK ? d->err.code : MM_MORE;
}

int mm_decoder_next(struct mm_decoder *d, struct mm_event *event) {
  return mm_event_queue_first(&d->queue, event) ? MM_OK : nothing_left(d);
}

int mm_decoder_text(struct mm_decoder *d, const char **text, size_t *n) {
  struct mm_event e;
  if (!mm_event_queue_first(&d->queue, &e)) return nothing_left(d);
  if (!d->path || e.media_n) return MM_EINVAL;
  int rc = mm_textpath_read(d->path, e.type, e.type_n, e.data, e.data_n, text, n);
  d->as_text = rc == MM_OK;
  return rc;
}

void mm_decoder_pop(struct mm_decoder *d) {
  if (!d->as_text) {
    struct mm_event e;
    if (!mm_event_queue_first(&d->queue, &e)) return;
    if (d->path) mm_textpath_whole(d->path, e.type, e.type_n, e.data, e.data_n);
  }
  d->as_text = false;
  mm_event_queue_drop(&d->queue);
}

bool mm_decoder_finished(const struct mm_decoder *d) {
  return d->finished;
}

size_t mm_decoder_ready(const struct mm_decoder *d) {
  return d->queue.bytes;
}

uint64_t mm_decoder_seen(const struct mm_decoder *d) {
  return d->queue.seen;
}

bool mm_decoder_begun(const struct mm_decoder *d) {
  return d->queue.seen || d->text.len || d->lifting || d->spool;
}

const struct mm_error *mm_decoder_error(const struct mm_decoder *d) {
  return &d->err;
}
