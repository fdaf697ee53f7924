/* lift.c - long base64 in JSON strings becomes blobs while it arrives.
 * Text is copied to the output and followed there; when the base64 that reaches up to the end of it
 * grows longer than `above`, it is decoded and cut off the output, and what follows is decoded
 * straight from the input.                                 SPDX-License-Identifier: MIT */
#include "lift.h"
#include "base64.h"
#include "lift_head.h"

#include <stdio.h>
#include <string.h>

enum {
  PIECE = 96 * 1024, /* bytes decoded at a time: a multiple of 3 */
  BACK = 3 * 1024,   /* bytes encoded at a time when a run is written back: likewise */
  DEPTH = 512        /* levels whose kind is known; deeper ones count as arrays */
};

struct mm_lift {
  struct mm_spool *spool; /* borrowed */
  size_t above;           /* characters */
  bool begun;             /* a text is open */
  bool running;           /* a run is being decoded */

  /* Following the output. Offsets into it. */
  size_t scanned; /* all before it has been followed; it never stands inside an escape */
  size_t string;  /* first byte of the open string */
  size_t run;     /* first byte of the base64 that reaches up to `scanned` */
  bool in_string;
  bool fixed;     /* the open string is a key, or the run cannot be lifted */
  bool key_next;  /* the next string of the open object is a key */
  unsigned depth; /* open objects and arrays */
  unsigned char objects[DEPTH / 8];

  /* The run being decoded. */
  size_t at;     /* where in the output its text began */
  bool bare;     /* a whole string, not a data URL */
  char carry[4]; /* characters of the open quantum */
  unsigned carried;
  unsigned padding;         /* `=` seen */
  char escape[6];           /* of the open JSON escape */
  unsigned escaped;         /* bytes of it */
  struct mm_lift_head head; /* of a data URL */

  struct mm_blob **media; /* owned, one reference each */
  size_t media_n;
  size_t media_cap;
};

int mm_lift_new(struct mm_spool *spool, size_t above, struct mm_lift **out) {
  struct mm_lift *l = mm_alloc(NULL, sizeof *l);
  if (!l) return MM_ENOMEM;
  *l = (struct mm_lift){.spool = spool, .above = above < SIZE_MAX / 4 ? above : SIZE_MAX / 4};
  mm_live_add(1);
  *out = l;
  return MM_OK;
}

static void start_afresh(struct mm_lift *l) {
  *l = (struct mm_lift){.spool = l->spool, .above = l->above};
}

void mm_lift_reset(struct mm_lift *l) {
  if (l->running) mm_spool_cancel(l->spool);
  for (size_t i = 0; i < l->media_n; i++)
    mm_blob_unref(l->media[i]);
  mm_alloc(l->media, 0);
  start_afresh(l);
}

void mm_lift_free(struct mm_lift *l) {
  if (!l) return;
  mm_lift_reset(l);
  mm_alloc(l, 0);
  mm_live_add(-1);
}

static int failed(struct mm_error *err, int rc) {
  return rc == MM_OK ? MM_OK : mm_fail(err, rc, "%s", mm_status_text(rc));
}

static int append(struct mm_buf *out, const char *bytes, size_t n, struct mm_error *err) {
  return failed(err, mm_buf_append(out, bytes, n));
}

static bool is_base64(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

/* The decoded run */

static void begin_run(struct mm_lift *l, size_t at, bool bare) {
  l->running = true;
  l->at = at;
  l->bare = bare;
  l->carried = l->padding = l->escaped = 0;
}

/* Decode n characters of a whole number of quanta. */
static int put_quanta(struct mm_lift *l, const char *text, size_t n, size_t *took,
                      struct mm_error *err) {
  unsigned char *room;
  int rc = mm_spool_room(l->spool, n / 4 * 3, &room, err);
  if (rc != MM_OK) return rc;
  *took = mm_base64_run(text, n, room);
  return mm_spool_commit(l->spool, *took / 4 * 3, err);
}

/* Take one character of the run. Returns MM_OK, MM_MORE when it does not belong to it. */
static int take_char(struct mm_lift *l, char c, struct mm_error *err) {
  if (c == '=') {
    if (l->carried < 2 || l->carried + l->padding == 4) return MM_MORE;
    l->padding++;
    return MM_OK;
  }
  if (l->padding || !is_base64(c)) return MM_MORE;
  l->carry[l->carried++] = c;
  if (l->carried < 4) return MM_OK;
  size_t took;
  int rc = put_quanta(l, l->carry, 4, &took, err);
  if (rc == MM_OK) l->carried = 0;
  return rc;
}

/* Take the quanta at the front of text. */
static int take_quanta(struct mm_lift *l, const char *text, size_t n, size_t *used,
                       struct mm_error *err) {
  *used = 0;
  while (n - *used >= 4) {
    size_t want = (n - *used) / 4;
    if (want > PIECE / 3) want = PIECE / 3;
    size_t took;
    int rc = put_quanta(l, text + *used, want * 4, &took, err);
    if (rc != MM_OK) return rc;
    *used += took;
    if (took < want * 4) break;
  }
  return MM_OK;
}

/* Go on with an escape inside the run. MM_MORE: it is whole, and not of the run. */
static int take_escape(struct mm_lift *l, char c, bool *used, struct mm_error *err) {
  *used = true;
  l->escape[l->escaped++] = c;
  size_t n = mm_lift_escape_length(l->escape, l->escaped);
  if (n == 0) return MM_OK;
  *used = n == l->escaped; /* the byte that shows an escape to be malformed is not a part of it */
  l->escaped = (unsigned)n;
  char meant = mm_lift_escape_char(l->escape, n);
  int rc = meant ? take_char(l, meant, err) : MM_MORE;
  if (rc == MM_OK) l->escaped = 0;
  return rc;
}

/* Take what belongs to the run from the front of text. Returns MM_OK when all did, MM_MORE when
 * something else comes: text[*used], or, with l->escaped, the escape kept there. */
static int take(struct mm_lift *l, const char *text, size_t n, size_t *used, struct mm_error *err) {
  size_t i = 0;
  int rc = MM_OK;
  while (rc == MM_OK && i < n) {
    if (l->escaped) {
      bool mine;
      rc = take_escape(l, text[i], &mine, err);
      i += mine;
      continue;
    }
    if (l->carried == 0) {
      size_t quanta;
      rc = take_quanta(l, text + i, n - i, &quanta, err);
      i += quanta;
      if (rc != MM_OK || i == n) break;
    }
    if (text[i] == '\\')
      l->escape[l->escaped++] = text[i];
    else
      rc = take_char(l, text[i], err);
    i += rc == MM_OK;
  }
  *used = i;
  return rc;
}

/* Bytes in the open quantum. MM_ESYNTAX when it is not what an encoder would have left: a lone
 * character, bits that are not zero, padding that is incomplete. */
static int last_bytes(const struct mm_lift *l, unsigned char bytes[3], size_t *n) {
  *n = 0;
  if (l->carried == 0) return MM_OK;
  if (l->carried == 1 || (l->padding && l->carried + l->padding != 4)) return MM_ESYNTAX;
  if (l->bare && l->padding == 0) return MM_ESYNTAX;
  char quantum[4] = {'A', 'A', 'A', 'A'};
  memcpy(quantum, l->carry, l->carried);
  mm_base64_run(quantum, 4, bytes);
  *n = l->carried - 1;
  return bytes[*n] == 0 ? MM_OK : MM_ESYNTAX;
}

/* A bare run ends with its string. Behind a data URL may stand anything but what looks like more of
 * it in another alphabet. */
static bool may_end_with(const struct mm_lift *l, char next) {
  if (l->bare) return next == '"';
  return !(is_base64(next) || next == '-' || next == '_' || next == '%' || next == '=');
}

static int reserve_medium(struct mm_lift *l) {
  if (l->media_n < l->media_cap) return MM_OK;
  size_t cap = l->media_cap ? l->media_cap * 2 : 4;
  struct mm_blob **media = mm_alloc(l->media, cap * sizeof *media);
  if (!media) return MM_ENOMEM;
  l->media = media;
  l->media_cap = cap;
  return MM_OK;
}

static int end_as_blob(struct mm_lift *l, struct mm_buf *out, const unsigned char *bytes, size_t n,
                       struct mm_error *err) {
  char mark[32];
  int length = snprintf(mark, sizeof mark, "\1%zu\1", l->media_n + 1);
  int rc = failed(err, reserve_medium(l));
  if (rc == MM_OK) rc = failed(err, mm_buf_reserve(out, (size_t)length));
  if (rc == MM_OK) rc = mm_spool_write(l->spool, bytes, n, err);
  if (rc != MM_OK) return rc;
  bool padded = l->carried == 0 || l->padding;
  rc = mm_spool_end(l->spool, l->bare ? NULL : l->head.mime, l->bare ? "" : l->head.prefix, padded,
                    &l->media[l->media_n], err);
  if (rc != MM_OK) return rc;
  l->media_n++;
  l->running = false;
  return append(out, mark, (size_t)length, err);
}

static int write_back_piece(struct mm_lift *l, struct mm_buf *out, uint64_t at, size_t *n,
                            struct mm_error *err) {
  char bytes[BACK];
  int rc = mm_spool_read(l->spool, at, bytes, sizeof bytes, n, err);
  size_t length = (size_t)mm_base64_length(*n);
  if (rc == MM_OK) rc = failed(err, mm_buf_reserve(out, length));
  if (rc != MM_OK) return rc;
  mm_base64_encode(bytes, *n, out->data + out->len);
  out->len += length;
  return MM_OK;
}

/* The run is no medium after all: its text goes to the output again. */
static int write_back(struct mm_lift *l, struct mm_buf *out, struct mm_error *err) {
  int rc = l->bare ? MM_OK : append(out, l->head.prefix, strlen(l->head.prefix), err);
  uint64_t at = 0;
  while (rc == MM_OK && at < mm_spool_written(l->spool)) {
    size_t n = 0;
    rc = write_back_piece(l, out, at, &n, err);
    at += n;
  }
  if (rc == MM_OK) rc = append(out, l->carry, l->carried, err);
  if (rc == MM_OK) rc = append(out, "==", l->padding, err);
  if (rc != MM_OK) return rc;
  mm_spool_cancel(l->spool);
  l->running = false;
  return MM_OK;
}

/* The run ended before `next` (0: an escape, or the end of the text). */
static int end_run(struct mm_lift *l, struct mm_buf *out, char next, struct mm_error *err) {
  unsigned char bytes[3];
  size_t n;
  bool whole = may_end_with(l, next) && last_bytes(l, bytes, &n) == MM_OK;
  int rc = whole ? end_as_blob(l, out, bytes, n, err) : write_back(l, out, err);
  if (rc == MM_OK) rc = append(out, l->escape, l->escaped, err);
  l->escaped = 0;
  l->scanned = l->run = out->len;
  l->fixed = false;
  return rc;
}

/* Following the output */

/* Find the head of a data URL that ends where the run begins; *at becomes its offset. */
static bool find_head(struct mm_lift *l, const char *text, size_t *at) {
  size_t n = l->run - l->string, from;
  if (!mm_lift_find_head(text + l->string, n, &from, &l->head)) return false;
  *at = l->string + from;
  return true;
}

/* The base64 at the end of the output is long enough: move it to the spool, if it can be lifted. */
static int start_run(struct mm_lift *l, struct mm_buf *out, struct mm_error *err) {
  size_t at = l->run;
  bool bare = l->run == l->string;
  l->fixed = !bare && !find_head(l, out->data, &at);
  if (l->fixed) return MM_OK;
  int rc = failed(err, mm_spool_begin(l->spool));
  if (rc != MM_OK) return rc;
  begin_run(l, at, bare);
  size_t used;
  rc = take(l, out->data + l->run, out->len - l->run, &used, err);
  out->len = at;
  return rc;
}

static bool in_object(const struct mm_lift *l) {
  if (l->depth == 0 || l->depth > DEPTH) return false;
  return l->objects[(l->depth - 1) / 8] >> ((l->depth - 1) % 8) & 1;
}

static void open_level(struct mm_lift *l, bool object) {
  if (l->depth < DEPTH) {
    unsigned char bit = (unsigned char)(1u << (l->depth % 8));
    if (object) l->objects[l->depth / 8] |= bit;
    if (!object) l->objects[l->depth / 8] &= (unsigned char)~bit;
  }
  l->depth++;
  l->key_next = object;
}

/* Follow what is outside strings, up to behind the quote that opens one. */
static void follow_structure(struct mm_lift *l, const struct mm_buf *out) {
  while (l->scanned < out->len && !l->in_string) {
    switch (out->data[l->scanned++]) {
      case '"': l->in_string = true; break;
      case '{': open_level(l, true); break;
      case '[': open_level(l, false); break;
      case '}':
      case ']': l->depth -= l->depth > 0; break;
      case ',': l->key_next = in_object(l); break;
      case ':': l->key_next = false; break;
      default: break;
    }
  }
  l->string = l->run = l->scanned;
  l->fixed = l->key_next;
}

/* Base64 may reach from `scanned` up to `to`: the run goes on, or begins behind what breaks it. */
static void extend_run(struct mm_lift *l, const char *text, size_t to) {
  size_t i = to;
  while (i > l->scanned && is_base64(text[i - 1]))
    i--;
  if (i > l->scanned) {
    l->run = i;
    l->fixed = l->key_next;
  }
  l->scanned = to;
}

static void break_run(struct mm_lift *l, size_t at) {
  l->scanned = l->run = at;
  l->fixed = l->key_next;
}

/* The next quote, backslash or line feed, or `to`. */
static size_t plain_end(const char *text, size_t from, size_t to) {
  while (from < to && text[from] != '"' && text[from] != '\\' && text[from] != '\n')
    from++;
  return from;
}

/* Follow an escape. False when it is unfinished. */
static bool follow_escape(struct mm_lift *l, const struct mm_buf *out, size_t at) {
  size_t n = mm_lift_escape_length(out->data + at, out->len - at);
  char c = n ? mm_lift_escape_char(out->data + at, n) : 0;
  if (n == 0 || (c && is_base64(c))) extend_run(l, out->data, at);
  if (n == 0) return false;
  if (c && is_base64(c))
    l->scanned = at + n;
  else
    break_run(l, at + n);
  return true;
}

/* Follow what is inside a string. False when the rest has to wait for more text. */
static bool follow_string(struct mm_lift *l, const struct mm_buf *out) {
  size_t at = plain_end(out->data, l->scanned, out->len);
  if (at == out->len) {
    extend_run(l, out->data, at);
    return false;
  }
  if (out->data[at] == '\\') return follow_escape(l, out, at);
  l->in_string = false;
  l->scanned = at + 1;
  return true;
}

static int follow(struct mm_lift *l, struct mm_buf *out, struct mm_error *err) {
  bool more = true;
  while (more && l->scanned < out->len) {
    if (l->in_string)
      more = follow_string(l, out);
    else
      follow_structure(l, out);
  }
  bool due = l->in_string && !l->fixed && l->scanned - l->run > l->above;
  return due ? start_run(l, out, err) : MM_OK;
}

/* Characters to take before the output must be followed again, so that a run that grows too long
 * always reaches up to the end of the output. */
static size_t window(const struct mm_lift *l, const struct mm_buf *out) {
  if (!l->in_string || l->fixed) return l->above ? l->above : 1;
  size_t run = out->len - l->run; /* with an escape that is not whole yet */
  return run < l->above ? l->above + 1 - run : 1;
}

static int feed_text(struct mm_lift *l, const char *bytes, size_t n, size_t *used,
                     struct mm_buf *out, struct mm_error *err) {
  size_t take_n = window(l, out) < n ? window(l, out) : n;
  const char *raw = memchr(bytes, 1, take_n);
  if (raw) take_n = (size_t)(raw - bytes);
  int rc = append(out, bytes, take_n, err);
  if (rc == MM_OK) rc = follow(l, out, err);
  *used = take_n;
  if (rc != MM_OK || !raw || l->running) return rc;
  *used = take_n + 1;
  rc = l->in_string ? append(out, "\\u0001", 6, err) : append(out, "\1", 1, err);
  break_run(l, out->len);
  return rc;
}

static int feed_run(struct mm_lift *l, const char *bytes, size_t n, size_t *used,
                    struct mm_buf *out, struct mm_error *err) {
  int rc = take(l, bytes, n, used, err);
  if (rc != MM_MORE) return rc;
  return end_run(l, out, l->escaped ? 0 : bytes[*used], err);
}

int mm_lift_feed(struct mm_lift *l, const char *bytes, size_t n, struct mm_buf *out,
                 struct mm_error *err) {
  if (!l->begun) l->scanned = out->len;
  l->begun = true;
  while (n) {
    size_t used = 0;
    int rc = l->running ? feed_run(l, bytes, n, &used, out, err)
                        : feed_text(l, bytes, n, &used, out, err);
    if (rc != MM_OK) return rc;
    bytes += used;
    n -= used;
  }
  return MM_OK;
}

int mm_lift_end(struct mm_lift *l, struct mm_buf *out, struct mm_blob ***media, size_t *media_n,
                struct mm_error *err) {
  int rc = l->running ? write_back(l, out, err) : MM_OK;
  if (rc == MM_OK) rc = append(out, l->escape, l->escaped, err);
  if (rc != MM_OK) return rc;
  *media = l->media;
  *media_n = l->media_n;
  start_afresh(l);
  return MM_OK;
}
