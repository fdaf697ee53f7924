/* json_read.c - strict JSON reader over complete text.   SPDX-License-Identifier: MIT */
#include "json_read.h"

#include "json_chars.h"
#include "json_escape.h"
#include "number.h"
#include "utf8.h"

#include <string.h>

enum state {
  WANT_VALUE,
  WANT_ELEMENT, /* just after [: a value or ] */
  WANT_MEMBER,  /* just after {: a key or } */
  WANT_KEY,     /* after a comma */
  AFTER_VALUE
};

static const char MARK = 0x01;

void mm_json_reader_init(struct mm_json_reader *r, const char *text, size_t n) {
  r->text = text;
  r->len = n;
  r->at = n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  r->depth = 0;
  r->max_depth = MM_JSON_DEPTH;
  r->marks_allowed = false;
  r->halves_kept = false;
  r->bytes = text;
  r->n = 0;
  r->mark = NULL;
  r->marks = 0;
  r->integer = 0;
  r->number = 0;
  r->exact = true;
  r->state = WANT_VALUE;
  mm_buf_init(&r->scratch, SIZE_MAX);
  mm_buf_init(&r->found, SIZE_MAX);
}

void mm_json_reader_free(struct mm_json_reader *r) {
  mm_buf_free(&r->scratch);
  mm_buf_free(&r->found);
}

static int fail_at(struct mm_error *err, size_t at, int code, const char *what) {
  mm_fail(err, code, "%s", what);
  if (err) err->at = at;
  return code;
}

static int malformed(const struct mm_json_reader *r, struct mm_error *err, const char *what) {
  return fail_at(err, r->at, MM_ESYNTAX, r->at < r->len ? what : "unexpected end of text");
}

static void skip_spaces(struct mm_json_reader *r) {
  size_t at = r->at;
  for (; at < r->len; at++) {
    char c = r->text[at];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') break;
  }
  r->at = at;
}

/* Most JSON on the wire has no space. */
static inline void skip_space(struct mm_json_reader *r) {
  if (MM_UNLIKELY(r->at >= r->len || (unsigned char)r->text[r->at] <= ' ')) skip_spaces(r);
}

static bool in_object(const struct mm_json_reader *r) {
  unsigned level = r->depth - 1;
  return r->kind[level / 8] >> (level % 8) & 1;
}

static int open_container(struct mm_json_reader *r, bool object, struct mm_error *err) {
  if (r->depth >= r->max_depth) {
    return fail_at(err, r->at, MM_EDEPTH, "nested too deep");
  }
  unsigned char bit = (unsigned char)(1u << (r->depth % 8));
  unsigned char *kind = &r->kind[r->depth / 8];
  *kind = (unsigned char)(object ? *kind | bit : *kind & ~bit);
  r->depth++;
  r->at++;
  r->state = object ? WANT_MEMBER : WANT_ELEMENT;
  return MM_OK;
}

static void close_container(struct mm_json_reader *r) {
  r->depth--;
  r->at++;
  r->state = AFTER_VALUE;
}

/* ---- strings ---- */

/* The bytes of the mark at text + at, or 0 when it is none; *index becomes its number. */
static size_t mark_length(const char *text, size_t at, size_t n, size_t *index) {
  size_t i = at + 1;
  size_t value = 0;
  for (; i < n && i - at <= 9 && text[i] >= '0' && text[i] <= '9'; i++)
    value = value * 10 + (size_t)(text[i] - '0');
  if (i >= n || text[i] != MARK || value == 0) return 0;
  *index = value;
  return i + 1 - at;
}

/* Find the quote that closes the string whose first byte is at `begin`. *plain becomes whether the
 * bytes between can be handed out as they are; *high whether UTF-8 must be looked at. */
static int find_close(struct mm_json_reader *r, size_t begin, size_t *close, bool *plain,
                      bool *high, struct mm_error *err) {
  size_t index;
  for (size_t at = begin;;) {
    at = mm_json_plain(r->text, at, r->len, high);
    if (at >= r->len) return fail_at(err, r->len, MM_ESYNTAX, "unfinished string");
    if (r->text[at] == '"') {
      *close = at;
      return MM_OK;
    }
    *plain = false;
    size_t skip = 0;
    if (r->text[at] == '\\') {
      skip = 2;
    } else if (r->text[at] == MARK && r->marks_allowed) {
      skip = mark_length(r->text, at, r->len, &index);
    }
    if (!skip) return fail_at(err, at, MM_ESYNTAX, "control character in a string");
    if (r->len - at <= skip) return fail_at(err, r->len, MM_ESYNTAX, "unfinished string");
    at += skip;
  }
}

/* Unescaped text is never longer than it was. */
static char *room_for(struct mm_json_reader *r, size_t n) {
  if (n <= sizeof r->room) return r->room;
  r->scratch.len = 0;
  return mm_buf_reserve(&r->scratch, n) == MM_OK ? r->scratch.data : NULL;
}

static int add_mark(struct mm_json_reader *r, size_t at, size_t index) {
  struct mm_json_mark mark = {at, index};
  int rc = mm_buf_append(&r->found, &mark, sizeof mark);
  if (rc == MM_OK) r->marks++;
  return rc;
}

static int unescape_string(struct mm_json_reader *r, size_t begin, size_t close,
                           struct mm_error *err) {
  char *first = room_for(r, close - begin);
  if (!first) return fail_at(err, begin, MM_ENOMEM, "not enough memory");
  char *out = first;
  const char *s = r->text + begin;
  const char *end = r->text + close;
  bool high;
  while (s < end) {
    size_t run = mm_json_plain(s, 0, (size_t)(end - s), &high);
    memcpy(out, s, run);
    out += run;
    s += run;
    if (s == end) break;
    if (*s == MARK) {
      size_t index;
      s += mark_length(s, 0, (size_t)(end - s), &index);
      int rc = add_mark(r, (size_t)(out - first), index);
      if (rc != MM_OK) return fail_at(err, begin, rc, "not enough memory");
    } else {
      out = mm_json_unescape(&s, out, r->halves_kept ? MM_HALVES_KEPT : MM_HALVES_REPLACED);
      if (!out) return fail_at(err, (size_t)(s - r->text), MM_ESYNTAX, "invalid escape");
    }
  }
  r->bytes = first;
  r->n = (size_t)(out - first);
  r->mark = (const struct mm_json_mark *)(const void *)r->found.data;
  return MM_OK;
}

/* At the opening quote. */
static int read_string(struct mm_json_reader *r, struct mm_error *err) {
  size_t begin = r->at + 1;
  size_t close = 0;
  bool plain = true;
  bool high = false;
  int rc = find_close(r, begin, &close, &plain, &high, err);
  if (rc != MM_OK) return rc;
  size_t n = close - begin;
  r->bytes = r->text + begin;
  r->n = n;
  r->marks = 0;
  if (high) {
    size_t valid = mm_utf8_valid(r->bytes, n);
    if (valid != n) return fail_at(err, begin + valid, MM_EUTF8, "invalid UTF-8");
  }
  r->found.len = 0;
  r->at = close + 1;
  return plain ? MM_OK : unescape_string(r, begin, close, err);
}

static int read_key(struct mm_json_reader *r, struct mm_error *err) {
  int rc = read_string(r, err);
  if (rc != MM_OK) return rc;
  skip_space(r);
  if (r->at >= r->len || r->text[r->at] != ':') return malformed(r, err, "expected ':'");
  r->at++;
  r->state = WANT_VALUE;
  return MM_OK;
}

/* ---- numbers ---- */

static bool is_digit(const struct mm_json_reader *r) {
  return r->at < r->len && r->text[r->at] >= '0' && r->text[r->at] <= '9';
}

static int skip_digits(struct mm_json_reader *r, struct mm_error *err) {
  if (!is_digit(r)) return malformed(r, err, "expected a digit");
  while (is_digit(r))
    r->at++;
  return MM_OK;
}

static bool take(struct mm_json_reader *r, char a, char b) {
  if (r->at >= r->len || (r->text[r->at] != a && r->text[r->at] != b)) return false;
  r->at++;
  return true;
}

/* Check the part after the integral digits; *integral becomes false when there is one. */
static int skip_fraction(struct mm_json_reader *r, bool *integral, struct mm_error *err) {
  int rc = MM_OK;
  if (take(r, '.', '.')) {
    *integral = false;
    rc = skip_digits(r, err);
  }
  if (rc == MM_OK && take(r, 'e', 'E')) {
    *integral = false;
    take(r, '+', '-');
    rc = skip_digits(r, err);
  }
  return rc;
}

/* The digits before the point, as far as they fit 64 bits; *fits becomes false beyond. */
static int read_digits(struct mm_json_reader *r, uint64_t *value, bool *fits,
                       struct mm_error *err) {
  size_t begin = r->at;
  size_t at = begin;
  uint64_t sum = 0;
  for (; at < r->len; at++) {
    unsigned digit = (unsigned)(unsigned char)r->text[at] - '0';
    if (digit > 9) break;
    sum = sum * 10 + digit;
  }
  r->at = at;
  if (at == begin) return malformed(r, err, "expected a digit");
  if (r->text[begin] == '0' && at - begin > 1) {
    return fail_at(err, begin, MM_ESYNTAX, "number with a leading zero");
  }
  *value = sum;
  *fits = at - begin <= 19;
  return MM_OK;
}

static int read_number(struct mm_json_reader *r, enum mm_json_token *token, struct mm_error *err) {
  size_t begin = r->at;
  uint64_t value = 0;
  bool integral = false;
  bool negative = take(r, '-', '-');
  int rc = read_digits(r, &value, &integral, err);
  if (rc == MM_OK) rc = skip_fraction(r, &integral, err);
  if (rc != MM_OK) return rc;
  r->bytes = r->text + begin;
  r->n = r->at - begin;
  if (negative && value == 0) integral = false; /* no integer is minus zero */
  if (integral && value <= (uint64_t)INT64_MAX + negative) {
    *token = MM_JSON_INTEGER;
    r->integer = (int64_t)(negative ? 0 - value : value);
    return MM_OK;
  }
  *token = MM_JSON_NUMBER;
  r->number = mm_number_read(r->bytes, r->n, &r->exact);
  return MM_OK;
}

/* ---- tokens ---- */

static int read_word(struct mm_json_reader *r, const char *word, size_t n, struct mm_error *err) {
  if (r->len - r->at < n || memcmp(r->text + r->at, word, n) != 0) {
    return malformed(r, err, "expected a value");
  }
  r->at += n;
  return MM_OK;
}

static int read_value(struct mm_json_reader *r, enum mm_json_token *token, struct mm_error *err) {
  r->state = AFTER_VALUE;
  switch (r->text[r->at]) {
    case '"': *token = MM_JSON_STRING; return read_string(r, err);
    case '{': *token = MM_JSON_OBJECT; return open_container(r, true, err);
    case '[': *token = MM_JSON_ARRAY; return open_container(r, false, err);
    case 't': *token = MM_JSON_TRUE; return read_word(r, "true", 4, err);
    case 'f': *token = MM_JSON_FALSE; return read_word(r, "false", 5, err);
    case 'n': *token = MM_JSON_NULL; return read_word(r, "null", 4, err);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return read_number(r, token, err);
    default: return malformed(r, err, "expected a value");
  }
}

/* After a value: a comma, the end of what it stood in, or of the text. Returns MM_MORE after a
 * comma, when the token is still to come. */
static int read_after(struct mm_json_reader *r, enum mm_json_token *token, struct mm_error *err) {
  if (r->depth == 0) {
    *token = MM_JSON_END;
    return r->at == r->len ? MM_OK : malformed(r, err, "expected the end of the text");
  }
  bool object = in_object(r);
  char c = r->at < r->len ? r->text[r->at] : 0;
  if (c == ',') {
    r->at++;
    skip_space(r);
    r->state = object ? WANT_KEY : WANT_VALUE;
    return MM_MORE;
  }
  if (c != (object ? '}' : ']')) {
    return malformed(r, err, object ? "expected ',' or '}'" : "expected ',' or ']'");
  }
  *token = object ? MM_JSON_OBJECT_END : MM_JSON_ARRAY_END;
  close_container(r);
  return MM_OK;
}

int mm_json_next(struct mm_json_reader *r, enum mm_json_token *token, struct mm_error *err) {
  skip_space(r);
  if (r->state == AFTER_VALUE) {
    int rc = read_after(r, token, err);
    if (rc != MM_MORE) return rc;
  }
  if (r->at >= r->len) return malformed(r, err, "");
  char c = r->text[r->at];
  if (r->state == WANT_ELEMENT && c == ']') {
    *token = MM_JSON_ARRAY_END;
    close_container(r);
    return MM_OK;
  }
  if (r->state == WANT_MEMBER && c == '}') {
    *token = MM_JSON_OBJECT_END;
    close_container(r);
    return MM_OK;
  }
  if (r->state == WANT_MEMBER || r->state == WANT_KEY) {
    *token = MM_JSON_KEY;
    return c == '"' ? read_key(r, err) : malformed(r, err, "expected a key");
  }
  return read_value(r, token, err);
}
