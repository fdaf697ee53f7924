/* body.c - a request body as segments.
 * All literal bytes lie in one buffer; a segment is a range of it, or of a blob, and knows at which
 * offset of the body it begins, so any offset is found by bisection.
 *                                                           SPDX-License-Identifier: MIT */
#include "body.h"

#include "base64.h"

#include <string.h>

enum { WINDOW = 48 * 1024 }; /* bytes read at once for base64; a multiple of 3 */

enum segment_kind { TEXT, BYTES, BASE64 };

struct segment {
  enum segment_kind kind;
  bool padded;
  uint64_t start;       /* offset in the body */
  uint64_t from;        /* offset in the text or the blob */
  uint64_t length;      /* bytes of the body */
  struct mm_blob *blob; /* owned reference; NULL for text */
};

struct mm_body {
  unsigned refs;
  bool sealed;
  bool too_long;
  uint64_t length;
  size_t text_done; /* bytes of text that segments stand for */
  struct mm_buf text;
  struct mm_buf segments;
};

int mm_body_new(struct mm_body **out) {
  struct mm_body *b = mm_alloc(NULL, sizeof *b);
  if (!b) return MM_ENOMEM;
  *b = (struct mm_body){.refs = 1};
  mm_buf_init(&b->text, SIZE_MAX);
  mm_buf_init(&b->segments, SIZE_MAX);
  mm_live_add(1);
  *out = b;
  return MM_OK;
}

struct mm_body *mm_body_ref(struct mm_body *b) {
  b->refs++;
  return b;
}

static struct segment *segments(const struct mm_body *b) {
  return (struct segment *)(void *)b->segments.data;
}

static size_t segment_count(const struct mm_body *b) {
  return b->segments.len / sizeof(struct segment);
}

void mm_body_unref(struct mm_body *b) {
  if (!b || --b->refs) return;
  for (size_t i = 0; i < segment_count(b); i++)
    mm_blob_unref(segments(b)[i].blob);
  mm_buf_free(&b->segments);
  mm_buf_free(&b->text);
  mm_alloc(b, 0);
  mm_live_add(-1);
}

struct mm_buf *mm_body_text(struct mm_body *b) {
  return &b->text;
}

/* Room for the segment was reserved. */
static void add(struct mm_body *b, struct segment s) {
  s.start = b->length;
  if (s.length > INT64_MAX - b->length) {
    b->too_long = true;
    s.length = 0;
  }
  b->length += s.length;
  memcpy(b->segments.data + b->segments.len, &s, sizeof s);
  b->segments.len += sizeof s;
}

/* Make a segment of the text since the last one, and room for one more segment. */
static int close_text(struct mm_body *b) {
  if (b->sealed) return MM_EINVAL;
  int rc = mm_buf_reserve(&b->segments, 2 * sizeof(struct segment));
  if (rc != MM_OK) return rc;
  size_t n = b->text.len - b->text_done;
  if (n) add(b, (struct segment){.kind = TEXT, .from = b->text_done, .length = n});
  b->text_done = b->text.len;
  return MM_OK;
}

int mm_body_blob(struct mm_body *b, struct mm_blob *blob, uint64_t offset, uint64_t n) {
  uint64_t size = mm_blob_size(blob);
  if (offset > size || n > size - offset) return MM_EINVAL;
  int rc = close_text(b);
  if (rc != MM_OK || n == 0) return rc;
  add(b, (struct segment){.kind = BYTES, .from = offset, .length = n, .blob = mm_blob_ref(blob)});
  return MM_OK;
}

static uint64_t base64_length(uint64_t n, bool padded) {
  if (n > (uint64_t)INT64_MAX / 4 * 3) return UINT64_MAX;
  return padded ? mm_base64_length(n) : n / 3 * 4 + (n % 3 ? n % 3 + 1 : 0);
}

int mm_body_base64(struct mm_body *b, struct mm_blob *blob, bool padded) {
  uint64_t length = base64_length(mm_blob_size(blob), padded);
  int rc = close_text(b);
  if (rc != MM_OK || length == 0) return rc;
  add(b, (struct segment){
             .kind = BASE64, .padded = padded, .length = length, .blob = mm_blob_ref(blob)});
  return MM_OK;
}

int mm_body_seal(struct mm_body *b) {
  if (b->sealed) return MM_OK;
  int rc = close_text(b);
  if (rc != MM_OK) return rc;
  if (b->too_long) return MM_ETOOBIG;
  b->sealed = true;
  return MM_OK;
}

uint64_t mm_body_length(const struct mm_body *b) {
  return b->length;
}

/* ---- reading ---- */

struct mm_body_reader {
  struct mm_body *body;    /* owned reference */
  const struct segment *s; /* the segment read last */
  struct mm_blob_reader blob;
  const struct segment *open; /* the segment that `blob` reads, NULL while it is not open */
  unsigned char *window;      /* raw bytes of `open`, for base64; NULL until needed */
  uint64_t window_at;         /* their offset in the blob */
  size_t window_n;
};

int mm_body_open(struct mm_body *b, struct mm_body_reader **out) {
  if (!b->sealed) return MM_EINVAL;
  struct mm_body_reader *r = mm_alloc(NULL, sizeof *r);
  if (!r) return MM_ENOMEM;
  *r = (struct mm_body_reader){.body = mm_body_ref(b), .s = segments(b)};
  mm_live_add(1);
  *out = r;
  return MM_OK;
}

static void close_blob(struct mm_body_reader *r) {
  if (r->open) mm_blob_reader_free(&r->blob);
  r->open = NULL;
  r->window_n = 0;
}

void mm_body_close(struct mm_body_reader *r) {
  if (!r) return;
  close_blob(r);
  mm_alloc(r->window, 0);
  mm_body_unref(r->body);
  mm_alloc(r, 0);
  mm_live_add(-1);
}

static bool holds(const struct segment *s, uint64_t offset) {
  return offset >= s->start && offset - s->start < s->length;
}

/* The segment that holds the byte at offset, which is inside the body. */
static const struct segment *find(struct mm_body_reader *r, uint64_t offset) {
  if (holds(r->s, offset)) return r->s;
  const struct segment *all = segments(r->body);
  size_t low = 0;
  size_t high = segment_count(r->body);
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (all[middle].start <= offset) {
      low = middle;
    } else {
      high = middle;
    }
  }
  r->s = &all[low];
  return r->s;
}

/* One descriptor at a time: the blob read before is let go. */
static void open_blob(struct mm_body_reader *r, const struct segment *s) {
  if (r->open == s) return;
  close_blob(r);
  mm_blob_reader_init(&r->blob, s->blob);
  r->open = s;
}

static int read_blob(struct mm_body_reader *r, const struct segment *s, uint64_t offset, void *out,
                     size_t n, struct mm_error *err) {
  size_t got;
  open_blob(r, s);
  int rc = mm_blob_reader_read(&r->blob, offset, out, n, &got, err);
  if (rc == MM_OK && got != n) {
    return mm_fail(err, MM_ECHANGED, "a file shrank while it was being sent");
  }
  return rc;
}

/* Get the raw bytes at offset into the window, at least `need` of them; *n becomes how many stand
 * at *raw. */
static int look(struct mm_body_reader *r, const struct segment *s, uint64_t offset, size_t need,
                const unsigned char **raw, size_t *n, struct mm_error *err) {
  open_blob(r, s);
  uint64_t skip = offset - r->window_at;
  if (offset < r->window_at || skip > r->window_n || r->window_n - skip < need) {
    uint64_t rest = mm_blob_size(s->blob) - offset;
    size_t want = rest < WINDOW ? (size_t)rest : WINDOW;
    if (!r->window) r->window = mm_alloc(NULL, WINDOW);
    if (!r->window) return mm_fail(err, MM_ENOMEM, "not enough memory");
    r->window_n = 0;
    int rc = read_blob(r, s, offset, r->window, want, err);
    if (rc != MM_OK) return rc;
    r->window_at = offset;
    r->window_n = want;
    skip = 0;
  }
  *raw = r->window + skip;
  *n = r->window_n - (size_t)skip;
  return MM_OK;
}

/* Whole quanta straight into out, up to what the window has. */
static int read_quanta(struct mm_body_reader *r, const struct segment *s, uint64_t quantum,
                       char *out, size_t quanta, size_t *done, struct mm_error *err) {
  const unsigned char *raw = NULL;
  size_t n = 0;
  int rc = look(r, s, quantum * 3, 3, &raw, &n, err);
  if (rc != MM_OK) return rc;
  size_t count = n / 3 < quanta ? n / 3 : quanta;
  mm_base64_encode(raw, count * 3, out);
  *done = count * 4;
  return MM_OK;
}

/* A part of one quantum: where a read begins or ends inside it, or the last one. */
static int read_part(struct mm_body_reader *r, const struct segment *s, uint64_t at, char *out,
                     size_t n, size_t *done, struct mm_error *err) {
  const unsigned char *raw = NULL;
  size_t have = 0;
  uint64_t offset = at / 4 * 3;
  uint64_t rest = mm_blob_size(s->blob) - offset;
  size_t need = rest < 3 ? (size_t)rest : 3;
  int rc = look(r, s, offset, need, &raw, &have, err);
  if (rc != MM_OK) return rc;
  char quantum[4];
  mm_base64_encode(raw, need, quantum);
  size_t skip = (size_t)(at % 4);
  *done = 4 - skip < n ? 4 - skip : n;
  memcpy(out, quantum + skip, *done);
  return MM_OK;
}

/* n characters of the base64 of a blob, from character `at` on, all inside the segment. */
static int read_base64(struct mm_body_reader *r, const struct segment *s, uint64_t at, char *out,
                       size_t n, struct mm_error *err) {
  uint64_t whole = mm_blob_size(s->blob) / 3; /* quanta without padding */
  while (n) {
    size_t done = 0;
    int rc;
    if (at % 4 == 0 && n >= 4 && at / 4 < whole) {
      size_t quanta = n / 4;
      if (quanta > whole - at / 4) quanta = (size_t)(whole - at / 4);
      rc = read_quanta(r, s, at / 4, out, quanta, &done, err);
    } else {
      rc = read_part(r, s, at, out, n, &done, err);
    }
    if (rc != MM_OK) return rc;
    at += done;
    out += done;
    n -= done;
  }
  return MM_OK;
}

static int read_segment(struct mm_body_reader *r, const struct segment *s, uint64_t at, char *out,
                        size_t n, struct mm_error *err) {
  switch (s->kind) {
    case TEXT: memcpy(out, r->body->text.data + s->from + at, n); return MM_OK;
    case BYTES: return read_blob(r, s, s->from + at, out, n, err);
    default: return read_base64(r, s, at, out, n, err);
  }
}

int mm_body_read(struct mm_body_reader *r, uint64_t offset, void *out, size_t n, size_t *got,
                 struct mm_error *err) {
  *got = 0;
  while (*got < n && offset < r->body->length) {
    const struct segment *s = find(r, offset);
    uint64_t at = offset - s->start;
    size_t take = n - *got;
    if (take > s->length - at) take = (size_t)(s->length - at);
    int rc = read_segment(r, s, at, (char *)out + *got, take, err);
    if (rc != MM_OK) return rc;
    if (r->open == s && at + take == s->length) close_blob(r);
    *got += take;
    offset += take;
  }
  return MM_OK;
}
