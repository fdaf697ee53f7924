/* sse.c - fuzz target: server-sent events mean the same in any split, and what WHATWG says.
 * The reference here works on the whole text, a line at a time.   SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include "../../src/core/sse.h"
#include "../../src/core/sse_events.h"
#include "../../src/core/utf8.h"

enum { FIELD_MAX = 4096 }; /* bytes of a name or id that the parser takes */

/* One block as it grows, and the log of what is complete. */
struct record {
  struct mm_buf log, data, name, id, stray;
};

static void record_init(struct record *r) {
  struct mm_buf *all[] = {&r->log, &r->data, &r->name, &r->id, &r->stray};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    mm_buf_init(all[i], SIZE_MAX / 2);
}

static void record_free(struct record *r) {
  struct mm_buf *all[] = {&r->log, &r->data, &r->name, &r->id, &r->stray};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    mm_buf_free(all[i]);
}

static void set(struct mm_buf *b, const char *bytes, size_t n) {
  b->len = 0;
  FUZZ_CHECK(mm_buf_append(b, bytes, n) == MM_OK);
}

static void end_block(struct record *r, bool dispatch) {
  if (dispatch) {
    fuzz_note(&r->log, 'd', r->data.data, r->data.len);
    fuzz_note(&r->log, 'e', r->name.data, r->name.len);
    fuzz_note(&r->log, 'i', r->id.data, r->id.len);
  } else {
    fuzz_note(&r->log, 'x', NULL, 0);
  }
  r->data.len = r->name.len = 0;
}

static void end_strays(struct record *r) {
  if (r->stray.len) fuzz_note(&r->log, 's', r->stray.data, r->stray.len);
  r->stray.len = 0;
}

static void take_piece(struct record *r, const struct mm_sse_piece *piece) {
  if (piece->what != MM_SSE_STRAY) end_strays(r);
  switch (piece->what) {
    case MM_SSE_DATA: FUZZ_CHECK(mm_buf_append(&r->data, piece->bytes, piece->n) == MM_OK); break;
    case MM_SSE_EVENT: set(&r->name, piece->bytes, piece->n); break;
    case MM_SSE_ID: set(&r->id, piece->bytes, piece->n); break;
    case MM_SSE_RETRY: fuzz_note(&r->log, 'r', &piece->retry_ms, sizeof piece->retry_ms); break;
    case MM_SSE_COMMENT: fuzz_note(&r->log, 'c', NULL, 0); break;
    case MM_SSE_STRAY: FUZZ_CHECK(mm_buf_append(&r->stray, piece->bytes, piece->n) == MM_OK); break;
    case MM_SSE_DISPATCH: end_block(r, true); break;
    case MM_SSE_RESET: end_block(r, false); break;
  }
}

static int parse_piece(struct mm_sse *s, struct record *r, const char *bytes, size_t n) {
  for (;;) {
    struct mm_sse_piece piece;
    int rc = mm_sse_next(s, &bytes, &n, &piece);
    if (rc != MM_OK) return rc;
    take_piece(r, &piece);
  }
}

static void parse(const struct fuzz_input *in, enum fuzz_cut cut, bool strays, struct record *r) {
  struct mm_sse s;
  mm_sse_init(&s);
  s.strays = strays;
  struct fuzz_pieces pieces = fuzz_pieces(in, cut);
  const char *bytes;
  size_t n;
  int rc = MM_MORE;
  while (rc == MM_MORE && fuzz_next(&pieces, &bytes, &n))
    rc = parse_piece(&s, r, bytes, n);
  fuzz_stop(&pieces);
  end_strays(r);
  if (rc == MM_MORE)
    fuzz_note(&r->log, mm_sse_open(&s) ? 'o' : '.', NULL, 0);
  else
    fuzz_note(&r->log, 'E', &rc, sizeof rc);
  mm_sse_free(&s);
}

/* ---- the reference ---- */

struct field {
  const char *name;
  size_t name_n;
  const char *value;
  size_t value_n;
};

static struct field split_line(const char *line, size_t n) {
  const char *colon = n ? memchr(line, ':', n) : NULL;
  struct field f = {line, colon ? (size_t)(colon - line) : n, "", 0};
  if (!colon) return f;
  f.value = colon + 1;
  f.value_n = n - f.name_n - 1;
  if (f.value_n && *f.value == ' ') {
    f.value++;
    f.value_n--;
  }
  return f;
}

static bool named(const struct field *f, const char *name) {
  return f->name_n == strlen(name) && memcmp(f->name, name, f->name_n) == 0;
}

struct expected {
  struct record *record;
  bool has_data, block, strays;
};

static void expect_retry(struct expected *x, const struct field *f) {
  uint64_t ms = 0;
  for (size_t i = 0; i < f->value_n; i++) {
    unsigned digit = (unsigned)(unsigned char)f->value[i] - '0';
    if (digit > 9) return;
    ms = ms > (UINT64_MAX - digit) / 10 ? UINT64_MAX : ms * 10 + digit;
  }
  if (f->value_n == 0) return;
  end_strays(x->record);
  fuzz_note(&x->record->log, 'r', &ms, sizeof ms);
  x->block = true;
}

/* Returns false when the line is one that the parser refuses. */
static bool expect_kept(struct expected *x, const struct field *f, struct mm_buf *to, bool id) {
  size_t seen = f->value_n < FIELD_MAX + 1 ? f->value_n : FIELD_MAX + 1;
  if (id && memchr(f->value, 0, seen)) return true;
  if (f->value_n > FIELD_MAX) return false;
  end_strays(x->record);
  set(to, f->value, f->value_n);
  x->block = true;
  return true;
}

static void expect_data(struct expected *x, const struct field *f) {
  struct mm_buf *data = &x->record->data;
  end_strays(x->record);
  if (x->has_data) FUZZ_CHECK(mm_buf_byte(data, '\n') == MM_OK);
  FUZZ_CHECK(mm_buf_append(data, f->value, f->value_n) == MM_OK);
  x->has_data = x->block = true;
}

static void expect_blank(struct expected *x) {
  if (x->block) {
    end_strays(x->record);
    end_block(x->record, x->has_data);
  }
  x->has_data = x->block = false;
}

/* Returns false when the line is one that the parser refuses. */
static bool expect_line(struct expected *x, const char *line, size_t n) {
  struct record *r = x->record;
  struct field f = split_line(line, n);
  if (n == 0) {
    expect_blank(x);
  } else if (line[0] == ':') {
    end_strays(r);
    fuzz_note(&r->log, 'c', NULL, 0);
  } else if (named(&f, "data")) {
    expect_data(x, &f);
  } else if (named(&f, "event")) {
    return expect_kept(x, &f, &r->name, false);
  } else if (named(&f, "id")) {
    return expect_kept(x, &f, &r->id, true);
  } else if (named(&f, "retry")) {
    expect_retry(x, &f);
  } else if (x->strays) {
    FUZZ_CHECK(mm_buf_append(&r->stray, line, n) == MM_OK);
    FUZZ_CHECK(mm_buf_byte(&r->stray, '\n') == MM_OK);
  }
  return true;
}

/* The log up to the end of the last line; what an unfinished line says is not looked at here. */
static bool expect(const struct fuzz_input *in, bool strays, struct record *r) {
  struct expected x = {.record = r, .strays = strays};
  const char *at = in->bytes, *end = in->bytes + in->n;
  if (in->n >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
  while (at < end) {
    const char *stop = at;
    while (stop < end && *stop != '\n' && *stop != '\r')
      stop++;
    if (stop == end) break;
    if (!expect_line(&x, at, (size_t)(stop - at))) return false;
    at = stop + 1;
    if (*stop == '\r' && at < end && *at == '\n') at++;
  }
  return true;
}

static void check_reference(const struct fuzz_input *in, bool strays) {
  size_t whole = in->n;
  while (whole && in->bytes[whole - 1] != '\n' && in->bytes[whole - 1] != '\r')
    whole--;
  struct fuzz_input lines = *in;
  lines.n = whole;
  struct record ours, theirs;
  record_init(&ours);
  record_init(&theirs);
  parse(&lines, FUZZ_WHOLE, strays, &ours);
  if (expect(&lines, strays, &theirs)) {
    end_strays(&theirs);
    size_t tail = 1 + sizeof(uint64_t); /* the last note: open or not */
    FUZZ_CHECK(ours.log.len >= tail);
    ours.log.len -= tail;
    FUZZ_CHECK(fuzz_same(&ours.log, &theirs.log));
  } else {
    int rc = MM_ETOOBIG;
    end_strays(&theirs);
    fuzz_note(&theirs.log, 'E', &rc, sizeof rc);
    FUZZ_CHECK(fuzz_same(&ours.log, &theirs.log));
  }
  record_free(&ours);
  record_free(&theirs);
}

/* ---- whole events ---- */

static void take_events(struct mm_sse_events *p, struct mm_buf *log) {
  struct mm_sse_event event;
  while (mm_sse_events_next(p, &event)) {
    fuzz_note(log, 'e', event.type, event.type_n);
    fuzz_note(log, 'd', event.data, event.data_n);
    fuzz_note(log, 'i', event.id, event.id_n);
    FUZZ_CHECK(mm_utf8_valid(event.data, event.data_n) == event.data_n);
    FUZZ_CHECK(mm_utf8_valid(event.type, event.type_n) == event.type_n);
    FUZZ_CHECK(mm_utf8_valid(event.id, event.id_n) == event.id_n);
  }
}

static void events(const struct fuzz_input *in, enum fuzz_cut cut, struct mm_buf *log) {
  size_t max_event = in->choice[2] & 1 ? in->choice[1] : SIZE_MAX / 4;
  struct mm_sse_events *p;
  FUZZ_CHECK(mm_sse_events_new(max_event, &p) == MM_OK);
  struct fuzz_pieces pieces = fuzz_pieces(in, cut);
  const char *bytes;
  size_t n;
  int rc = MM_OK;
  while (rc == MM_OK && fuzz_next(&pieces, &bytes, &n)) {
    rc = mm_sse_events_feed(p, bytes, n);
    if (in->choice[2] & 2) take_events(p, log);
  }
  fuzz_stop(&pieces);
  mm_sse_events_finish(p);
  take_events(p, log);
  FUZZ_CHECK(mm_sse_events_error(p)->code == rc);
  FUZZ_CHECK(rc == MM_OK || mm_sse_events_feed(p, "x", 1) == rc);
  fuzz_note(log, 'E', &rc, sizeof rc);
  uint64_t ms = 0;
  if (rc == MM_OK && mm_sse_events_retry(p, &ms)) fuzz_note(log, 'r', &ms, sizeof ms);
  mm_sse_events_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct fuzz_input in = fuzz_input(data, n);
  bool strays = in.choice[3] & 1;
  struct record pieces[FUZZ_CUTS];
  struct mm_buf whole[FUZZ_CUTS];
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
    record_init(&pieces[cut]);
    parse(&in, cut, strays, &pieces[cut]);
    FUZZ_CHECK(fuzz_same(&pieces[FUZZ_WHOLE].log, &pieces[cut].log));
    mm_buf_init(&whole[cut], SIZE_MAX / 2);
    events(&in, cut, &whole[cut]);
    FUZZ_CHECK(fuzz_same(&whole[FUZZ_WHOLE], &whole[cut]));
  }
  for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
    record_free(&pieces[cut]);
    mm_buf_free(&whole[cut]);
  }
  check_reference(&in, strays);
  FUZZ_CHECK(mm_live() == 0);
  return 0;
}
