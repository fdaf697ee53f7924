/* decoder.c - fuzz target: whole bodies in every format. The same events, text and media in any
 * split and whenever they are taken; the text path says what the event says; memory that fails
 * breaks nothing.                                           SPDX-License-Identifier: MIT */
#include "json.h"

#include "../../src/core/decoder.h"
#include "../../src/core/utf8.h"

static const char *const path[] = {"choices", "0", "delta", "content"};
static const char *const ignored[] = {"id", "object", "created", "obfuscation"};
static const char *const same[] = {"model"};
enum { STEPS = sizeof path / sizeof path[0] };

static const char *const types[] = {
    NULL,        "application/json",         "text/event-stream",         "application/x-ndjson",
    "image/png", "application/octet-stream", "application/json; charset", "text/html",
};

/* What the choices say. */
struct setting {
  struct mm_decoder_options options;
  const char *type;
  int status;
  bool by_text; /* events are asked for as text first */
  bool late;    /* and taken at the end of the body */
};

static struct setting setting_of(const struct fuzz_input *in) {
  const uint8_t *c = in->choice;
  struct setting s = {.type = types[c[1] % 8], .status = c[1] & 0x80 ? 400 : 200};
  mm_decoder_defaults(&s.options);
  s.options.format = c[0] & 1 ? (enum mm_format)(c[0] / 4 % 7) : MM_FORMAT_AUTO;
  s.options.lenient = c[0] & 2;
  s.options.lift_above = c[2] % 32;
  s.options.memory = c[2] % 3 * 16;
  if (c[2] & 0x80) s.options.max_event = c[3];
  if (c[2] & 0x40) s.options.max_media = c[3];
  s.by_text = c[3] & 1;
  s.late = c[3] & 2;
  if (c[3] & 4) s.options.text = (struct mm_text_path){path, STEPS, ignored, 4, same, 1};
  return s;
}

static void note_blob(struct mm_blob *b, struct mm_buf *log) {
  size_t n = (size_t)mm_blob_size(b), got = 0;
  bool padded = false;
  const char *mime = mm_blob_mime(b), *prefix = mm_blob_prefix(b, &padded);
  char *bytes = malloc(n);
  FUZZ_CHECK(bytes || n == 0);
  struct mm_blob_reader reader;
  mm_blob_reader_init(&reader, b);
  FUZZ_CHECK(mm_blob_reader_read(&reader, 0, bytes, n, &got, NULL) == MM_OK && got == n);
  mm_blob_reader_free(&reader);
  fuzz_note(log, padded ? 'B' : 'b', bytes, n);
  fuzz_note(log, 'm', mime ? mime : "", mime ? strlen(mime) : 0);
  fuzz_note(log, 'p', prefix ? prefix : "", prefix ? strlen(prefix) : 0);
  free(bytes);
}

/* Every medium is named by one mark, in order, and every mark names a medium: of an event that is
 * JSON. */
static void check_marks(const struct mm_event *event) {
  struct mm_json_reader r;
  enum mm_json_token token = MM_JSON_NULL;
  size_t next = 0;
  int rc = MM_OK;
  mm_json_reader_init(&r, event->data, event->data_n);
  r.marks_allowed = true;
  while (rc == MM_OK && token != MM_JSON_END) {
    rc = mm_json_next(&r, &token, NULL);
    bool text = rc == MM_OK && (token == MM_JSON_STRING || token == MM_JSON_KEY);
    for (size_t i = 0; text && i < r.marks; i++)
      FUZZ_CHECK(r.mark[i].index == ++next && next <= event->media_n);
  }
  FUZZ_CHECK(rc != MM_OK || next == event->media_n);
  mm_json_reader_free(&r);
}

static void note_event(const struct mm_event *event, bool json, struct mm_buf *log) {
  FUZZ_CHECK(mm_utf8_valid(event->data, event->data_n) == event->data_n);
  fuzz_note(log, 'e', event->type, event->type_n);
  fuzz_note(log, 'd', event->data, event->data_n);
  fuzz_note(log, 'i', event->id, event->id_n);
  for (size_t i = 0; i < event->media_n; i++)
    note_blob(event->media[i], log);
  if (json) check_marks(event);
}

/* ---- the text path ---- */

/* A place in the tokens of an event: how many steps of the path lead here. */
struct place {
  struct mm_json_reader r;
  enum mm_json_token token;
};

static bool next(struct place *p) {
  return mm_json_next(&p->r, &p->token, NULL) == MM_OK;
}

/* Pass the value whose first token is here. */
static void pass(struct place *p) {
  unsigned above = p->r.depth;
  if (p->token != MM_JSON_OBJECT && p->token != MM_JSON_ARRAY) return;
  do
    FUZZ_CHECK(next(p));
  while (p->r.depth >= above);
}

static bool is(const struct place *p, const char *word) {
  return p->r.n == strlen(word) && memcmp(p->r.bytes, word, p->r.n) == 0;
}

/* May a key off the path be left unread, by its value? */
static void check_beside(struct place *p) {
  bool free_to_say = is(p, same[0]), index = is(p, "index"), role = is(p, "role");
  for (size_t i = 0; i < 4; i++)
    free_to_say = free_to_say || is(p, ignored[i]);
  FUZZ_CHECK(next(p));
  bool nothing = p->token == MM_JSON_NULL || free_to_say;
  if (index) nothing = nothing || (p->token == MM_JSON_INTEGER && p->r.integer == 0);
  if (role) nothing = nothing || (p->token == MM_JSON_STRING && (is(p, "assistant") || is(p, "")));
  FUZZ_CHECK(nothing);
  pass(p);
}

static void walk(struct place *p, size_t step, struct mm_buf *text, bool *found);

static void walk_object(struct place *p, size_t step, struct mm_buf *text, bool *found) {
  for (;;) {
    FUZZ_CHECK(next(p));
    if (p->token == MM_JSON_OBJECT_END) return;
    if (!is(p, path[step])) {
      check_beside(p);
      continue;
    }
    FUZZ_CHECK(next(p));
    walk(p, step + 1, text, found);
  }
}

static void walk(struct place *p, size_t step, struct mm_buf *text, bool *found) {
  if (p->token == MM_JSON_NULL) return;
  if (step == STEPS) {
    FUZZ_CHECK(p->token == MM_JSON_STRING && !*found && p->r.marks == 0);
    FUZZ_CHECK(mm_buf_append(text, p->r.bytes, p->r.n) == MM_OK);
    *found = true;
  } else if (p->token == MM_JSON_OBJECT) {
    walk_object(p, step, text, found);
  } else {
    FUZZ_CHECK(p->token == MM_JSON_ARRAY);
    FUZZ_CHECK(next(p));
    if (p->token == MM_JSON_ARRAY_END) return;
    FUZZ_CHECK(strcmp(path[step], "0") == 0);
    walk(p, step + 1, text, found);
    FUZZ_CHECK(next(p) && p->token == MM_JSON_ARRAY_END);
  }
}

/* The event holds this text and nothing that matters besides. */
static void check_text(const struct mm_event *event, const char *text, size_t n) {
  struct place p;
  struct mm_buf found_text;
  bool found = false;
  mm_buf_init(&found_text, SIZE_MAX / 2);
  FUZZ_CHECK(event->media_n == 0);
  mm_json_reader_init(&p.r, event->data, event->data_n);
  FUZZ_CHECK(next(&p));
  walk(&p, 0, &found_text, &found);
  FUZZ_CHECK(next(&p) && p.token == MM_JSON_END);
  FUZZ_CHECK(found && found_text.len == n && (n == 0 || memcmp(found_text.data, text, n) == 0));
  mm_json_reader_free(&p.r);
  mm_buf_free(&found_text);
}

static void ask_text(struct mm_decoder *d, const struct mm_event *event, struct mm_buf *log) {
  const char *text;
  size_t n;
  int rc = mm_decoder_text(d, &text, &n);
  FUZZ_CHECK(rc == MM_OK || rc == MM_EINVAL);
  if (rc != MM_OK) return;
  fuzz_note(log, 't', text, n);
  check_text(event, text, n);
}

/* ---- a body ---- */

static void take_events(struct mm_decoder *d, const struct setting *s, struct mm_buf *log) {
  struct mm_event event;
  while (mm_decoder_next(d, &event) == MM_OK) {
    note_event(&event, mm_decoder_format(d) != MM_FORMAT_BYTES, log);
    if (s->by_text) ask_text(d, &event, log);
    mm_decoder_pop(d);
  }
}

static int feed(struct mm_decoder *d, const struct setting *s, const struct fuzz_input *in,
                enum fuzz_cut cut, struct mm_buf *log) {
  struct fuzz_pieces pieces = fuzz_pieces(in, cut);
  const char *bytes;
  size_t n;
  int rc = MM_OK;
  while (rc == MM_OK && fuzz_next(&pieces, &bytes, &n)) {
    rc = mm_decoder_feed(d, bytes, n);
    if (!s->late) take_events(d, s, log);
  }
  fuzz_stop(&pieces);
  return rc == MM_OK ? mm_decoder_finish(d) : rc;
}

static void decode(const struct setting *s, const struct fuzz_input *in, enum fuzz_cut cut,
                   struct mm_buf *log) {
  struct mm_decoder *d;
  struct mm_event event;
  FUZZ_CHECK(mm_decoder_new(&s->options, &d) == MM_OK);
  mm_decoder_head(d, s->status, s->type);
  int rc = feed(d, s, in, cut, log);
  take_events(d, s, log);
  FUZZ_CHECK(mm_decoder_ready(d) == 0);
  FUZZ_CHECK(mm_decoder_next(d, &event) == (rc == MM_OK ? MM_MORE : rc));
  FUZZ_CHECK(mm_decoder_error(d)->code == rc);
  FUZZ_CHECK(rc == MM_OK || mm_decoder_error(d)->text[0]);
  FUZZ_CHECK(mm_decoder_feed(d, "x", 1) == (rc == MM_OK ? MM_EINVAL : rc));
  FUZZ_CHECK(mm_decoder_finish(d) == rc);
  uint64_t seen = mm_decoder_seen(d);
  fuzz_note(log, 'n', &seen, sizeof seen);
  fuzz_note(log, 'r', &rc, sizeof rc);
  mm_decoder_unref(d);
}

/* What is complete before memory runs out is what it would have been. */
static void check_memory(const struct setting *s, const struct fuzz_input *in,
                         const struct mm_buf *want) {
  struct setting late = *s;
  struct mm_decoder *d;
  struct mm_buf log;
  mm_buf_init(&log, SIZE_MAX / 2);
  late.late = true;
  mm_alloc_fail_after(in->choice[0] % 32);
  int rc = mm_decoder_new(&s->options, &d);
  if (rc == MM_OK) {
    mm_decoder_head(d, s->status, s->type);
    rc = feed(d, &late, in, in->choice[3] % FUZZ_CUTS, &log);
    mm_alloc_fail_after(-1);
    take_events(d, s, &log);
    mm_decoder_unref(d);
  }
  mm_alloc_fail_after(-1);
  FUZZ_CHECK(log.len <= want->len);
  bool named = s->type && strcmp(s->type, "image/png") == 0; /* without memory it is sniffed */
  if (!named) FUZZ_CHECK(log.len == 0 || memcmp(log.data, want->data, log.len) == 0);
  mm_buf_free(&log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct fuzz_input in = fuzz_input(data, n);
  struct setting s = setting_of(&in);
  struct mm_buf log[FUZZ_CUTS];
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
    mm_buf_init(&log[cut], SIZE_MAX / 2);
    decode(&s, &in, cut, &log[cut]);
    FUZZ_CHECK(fuzz_same(&log[FUZZ_WHOLE], &log[cut]));
  }
  check_memory(&s, &in, &log[FUZZ_WHOLE]);
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++)
    mm_buf_free(&log[cut]);
  FUZZ_CHECK(mm_live() == 0);
  return 0;
}
