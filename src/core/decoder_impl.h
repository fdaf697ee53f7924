/* decoder_impl.h - the decoder's insides, shared by its files.
 * In: what mm_decoder_feed got. Out: events in the queue.
 * Not here: anything for others.                           SPDX-License-Identifier: MIT */
#ifndef MM_CORE_DECODER_IMPL_H
#define MM_CORE_DECODER_IMPL_H

#include "decoder.h"
#include "event_queue.h"
#include "json_cut.h"
#include "lift.h"
#include "sse.h"

MM_HIDDEN_BEGIN

enum {
  MM_DECODER_ERROR_KEPT = 1024 * 1024, /* bytes kept of a body that is an error */
  MM_DECODER_LEAD = 4096               /* white space before the first byte that tells */
};

/* What the content type promised where the first byte decides. */
enum mm_declared { MM_DECLARED_NOTHING, MM_DECLARED_JSON, MM_DECLARED_LINES, MM_DECLARED_OCTETS };

/* A line of an event stream that is no field. */
enum mm_stray {
  MM_STRAY_NONE, /* not in one */
  MM_STRAY_SKIP, /* it is dropped */
  MM_STRAY_JSON, /* it is collected */
  MM_STRAY_REST  /* it was no whole JSON: all that follows is collected too */
};

struct mm_decoder {
  size_t refs;
  enum mm_format format;
  enum mm_declared declared;
  bool lenient;
  bool finished;
  bool as_text; /* the first event was handed out by mm_decoder_text */
  size_t lift_above;
  size_t memory;
  uint64_t max_media;
  struct mm_error err; /* sticky */

  struct mm_buf text;     /* of the open event; its ceiling is max_event */
  bool lifting;           /* it goes through the lift; until it is long it need not */
  struct mm_spool *spool; /* NULL until it is needed, like lift */
  struct mm_lift *lift;
  void (*relief)(void *arg);
  void *relief_arg;

  struct mm_sse sse;
  struct mm_buf type;  /* name of the open event; empty: "message" */
  struct mm_buf id;    /* last event id */
  bool in_block;       /* of an event stream */
  bool joined;         /* it has several lines of data, which belong together */
  enum mm_stray stray; /* of an event stream */
  struct mm_buf lead;  /* white space before the byte that tells the format */
  struct mm_buf mime;  /* of a medium that is the body, NUL included */
  struct mm_json_cut cut;
  bool array_begun, array_ended;

  struct mm_event_queue queue;
  struct mm_textpath *path; /* NULL: no text path */
};

/* All return MM_OK or a failure, whose text is in d->err where there is more to say than the code.
 */

/* decoder_event.c: the text of the open event */
MM_NODISCARD int mm_decoder_need_spool(struct mm_decoder *d);
MM_NODISCARD int mm_decoder_add(struct mm_decoder *d, const char *bytes, size_t n);
MM_NODISCARD int mm_decoder_emit(struct mm_decoder *d, const char *type, size_t type_n);
/* The same, but several JSON texts in it become as many events. */
MM_NODISCARD int mm_decoder_emit_each(struct mm_decoder *d, const char *type, size_t type_n);
void mm_decoder_drop(struct mm_decoder *d); /* forget the open event */
/* MM_OK when the text is one complete JSON value, MM_MORE when not, MM_ENOMEM. */
MM_NODISCARD int mm_decoder_is_json(const char *text, size_t n);
bool mm_decoder_is_done(const char *text, size_t n); /* "[DONE]", white space around it */
bool mm_decoder_is_blank(const char *text, size_t n);

/* decoder_sse.c */
MM_NODISCARD int mm_decoder_feed_sse(struct mm_decoder *d, const char *bytes, size_t n);
MM_NODISCARD int mm_decoder_finish_sse(struct mm_decoder *d);
/* The data of the first event in a kept text, in its place; left alone when it has none. */
MM_NODISCARD int mm_decoder_undo_sse(struct mm_buf *text);

/* decoder_body.c: the other formats */
MM_NODISCARD int mm_decoder_feed_body(struct mm_decoder *d, const char *bytes, size_t n);
MM_NODISCARD int mm_decoder_finish_body(struct mm_decoder *d);

MM_HIDDEN_END

#endif
