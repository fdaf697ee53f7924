/* decoder.h - a response body as events: format, framing, lifting.
 * In: status and content type, then bytes in any split. Out: events (small JSON text and blobs).
 * Not here: HTTP, what the JSON means.                     SPDX-License-Identifier: MIT */
#ifndef MM_CORE_DECODER_H
#define MM_CORE_DECODER_H

#include "blob.h"
#include "buf.h"
#include "textpath.h"

MM_HIDDEN_BEGIN

enum mm_format {
  MM_FORMAT_AUTO, /* by the head, or the first byte where the head does not say */
  MM_FORMAT_SSE,
  MM_FORMAT_JSON,   /* the body is one value, one event */
  MM_FORMAT_ARRAY,  /* the body is one array, an event an element */
  MM_FORMAT_NDJSON, /* an event a line */
  MM_FORMAT_BYTES,  /* the body is one medium, one event with an empty text and one blob */
  MM_FORMAT_ERROR,  /* a non-2xx body: one event of type "error", SSE framing undone */
  MM_FORMAT_PIECES  /* the body's bytes as they come, an event a piece; nothing is kept of them */
};

struct mm_decoder_options {
  enum mm_format format;
  bool lenient;             /* tolerances V1 V5 V7 V8 V13 V20 of chat streams */
  size_t max_event;         /* bytes of text kept for one event (64 MiB) */
  uint64_t max_media;       /* bytes lifted in all (4 GiB) */
  size_t lift_above;        /* characters (16384) */
  size_t memory;            /* bytes of media kept in memory (1 MiB) */
  struct mm_text_path text; /* copied; without a path no event is only text */
};

/* Fill in the values named above. */
void mm_decoder_defaults(struct mm_decoder_options *options);

struct mm_event {
  const char *type; /* "message", "error", or the SSE event name */
  size_t type_n;
  const char *data; /* text with marks */
  size_t data_n;
  const char *id;
  size_t id_n;
  struct mm_blob *const *media; /* borrowed */
  size_t media_n;
};

struct mm_decoder; /* ref-counted: the transfer that feeds it and the one who reads it */

/* Copies the options; *out owned. Returns MM_OK or MM_ENOMEM. */
MM_NODISCARD int mm_decoder_new(const struct mm_decoder_options *options, struct mm_decoder **out);
struct mm_decoder *mm_decoder_ref(struct mm_decoder *d); /* returns owned */
void mm_decoder_unref(struct mm_decoder *d);             /* NULL is fine */

/* Tell the head, once, before the first byte. content_type may be NULL. Returns the format so far.
 */
enum mm_format mm_decoder_head(struct mm_decoder *d, int status, const char *content_type);
enum mm_format mm_decoder_format(const struct mm_decoder *d); /* as far as it is known */

/* Body bytes; borrows them. Returns MM_OK, or a sticky error: what was complete before it can still
 * be taken, then mm_decoder_next repeats it. MM_ETOOBIG (max_event, max_media), MM_ENOMEM, MM_EFILE
 * (the spool), MM_EINVAL (after finish). */
MM_NODISCARD int mm_decoder_feed(struct mm_decoder *d, const void *bytes, size_t n);

/* The body ended as HTTP says it should: what is left becomes an event if it is complete, in SSE
 * only where lenient. Returns as feed; the second time MM_OK. */
MM_NODISCARD int mm_decoder_finish(struct mm_decoder *d);

/* The next event, borrowed until mm_decoder_pop or the next feed. Returns MM_OK; MM_MORE when none
 * is complete (or, after finish, none is left); the sticky error after the events before it. */
MM_NODISCARD int mm_decoder_next(struct mm_decoder *d, struct mm_event *event);
void mm_decoder_pop(struct mm_decoder *d);

/* The next event, if it holds only text at the text path: MM_OK with the text in *text (borrowed
 * until pop or the next feed; may be empty), MM_MORE and errors as above, MM_EINVAL when it is
 * another event, to be taken whole. */
MM_NODISCARD int mm_decoder_text(struct mm_decoder *d, const char **text, size_t *n);

bool mm_decoder_finished(const struct mm_decoder *d); /* mm_decoder_finish was called */
size_t mm_decoder_ready(const struct mm_decoder *d);  /* bytes held by complete, unread events */
uint64_t mm_decoder_seen(const struct mm_decoder *d); /* complete events ever framed */

/* Something of an event has come. Comments, blank lines and the white space before a value are
 * signs of life and no content. */
bool mm_decoder_begun(const struct mm_decoder *d);
const struct mm_error *mm_decoder_error(const struct mm_decoder *d); /* code MM_OK while well */
const char *mm_format_name(enum mm_format format); /* "auto" "sse" "json" "json-array" ... */
/* The format of a name. Returns false for an unknown one. */
bool mm_format_named(const char *name, enum mm_format *format);

/* What mm_spool_set_relief does, for the decoder's spool; to be taken away again after the feed. */
void mm_decoder_set_relief(struct mm_decoder *d, void (*relief)(void *arg), void *arg);

MM_HIDDEN_END

#endif
