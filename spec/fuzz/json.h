/* json.h - what the fuzz targets hold JSON against: a small validator of its own, and the tokens of
 * a text as a log that can be compared.
 * In: text. Out: valid or not; a log.
 * Not here: the reader under test, but for the log.         SPDX-License-Identifier: MIT */
#ifndef MM_SPEC_FUZZ_JSON_H
#define MM_SPEC_FUZZ_JSON_H

#include "fuzz.h"

#include "../../src/core/json_read.h"

#include <math.h>

struct valid {
  const char *at;
  const char *end;
  unsigned depth;
  bool marks; /* a mark may stand in a string */
};

static inline bool valid_value(struct valid *v);

static inline void valid_space(struct valid *v) {
  while (v->at < v->end && *v->at && strchr(" \t\r\n", *v->at))
    v->at++;
}

static inline bool valid_char(struct valid *v, char c) {
  if (v->at == v->end || *v->at != c) return false;
  v->at++;
  return true;
}

static inline bool valid_word(struct valid *v, const char *word) {
  for (; *word; word++)
    if (!valid_char(v, *word)) return false;
  return true;
}

static inline bool valid_digits(struct valid *v) {
  const char *begin = v->at;
  while (v->at < v->end && *v->at >= '0' && *v->at <= '9')
    v->at++;
  return v->at > begin;
}

static inline bool valid_number(struct valid *v) {
  valid_char(v, '-');
  const char *begin = v->at;
  if (!valid_digits(v) || (*begin == '0' && v->at - begin > 1)) return false;
  if (valid_char(v, '.') && !valid_digits(v)) return false;
  if (!valid_char(v, 'e') && !valid_char(v, 'E')) return true;
  if (!valid_char(v, '+')) valid_char(v, '-');
  return valid_digits(v);
}

/* The length of the UTF-8 character at p by decoding it, 0 when it is none. */
static inline size_t utf8_length(const char *text, size_t left) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char *p = (const unsigned char *)text;
  if (p[0] < 0x80) return 1;
  size_t n = p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  uint32_t code = p[0] & (0xFFu >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    if (p[i] >> 6 != 2) return 0;
    code = code << 6 | (p[i] & 0x3F);
  }
  bool surrogate = code >= 0xD800 && code < 0xE000;
  return code < least[n] || code > 0x10FFFF || surrogate ? 0 : n;
}

static inline bool valid_escape(struct valid *v) {
  if (v->at == v->end) return false;
  char c = *v->at++;
  if (c != 'u') return c && strchr("\"\\/bfnrt", c);
  for (int i = 0; i < 4; i++, v->at++)
    if (v->at == v->end || !*v->at || !strchr("0123456789abcdefABCDEF", *v->at)) return false;
  return true;
}

/* Behind the first 0x01: at most 9 digits that are not zero, and another 0x01. */
static inline bool valid_mark(struct valid *v) {
  const char *begin = v->at;
  bool zero = true;
  for (; v->at < v->end && *v->at >= '0' && *v->at <= '9'; v->at++)
    zero = zero && *v->at == '0';
  return !zero && v->at - begin <= 9 && valid_char(v, 1);
}

static inline bool valid_string(struct valid *v) {
  if (!valid_char(v, '"')) return false;
  while (v->at < v->end && *v->at != '"') {
    size_t n = utf8_length(v->at, (size_t)(v->end - v->at));
    if (n == 0) return false;
    char c = *v->at;
    v->at += n;
    if (c == '\\' && !valid_escape(v)) return false;
    if (c == 1 && v->marks && !valid_mark(v)) return false;
    if (n == 1 && c >= 0 && c < 0x20 && !(c == 1 && v->marks)) return false;
  }
  return valid_char(v, '"');
}

static inline bool valid_items(struct valid *v, bool object) {
  valid_space(v);
  if (valid_char(v, object ? '}' : ']')) return true;
  do {
    valid_space(v);
    if (object && !valid_string(v)) return false;
    if (object) valid_space(v);
    if (object && !valid_char(v, ':')) return false;
    if (!valid_value(v)) return false;
    valid_space(v);
  } while (valid_char(v, ','));
  return valid_char(v, object ? '}' : ']');
}

static inline bool valid_value(struct valid *v) {
  valid_space(v);
  if (v->at == v->end) return false;
  switch (*v->at) {
    case '{':
    case '[': {
      if (++v->depth > MM_JSON_DEPTH) return false;
      bool ok = valid_items(v, *v->at++ == '{');
      v->depth--;
      return ok;
    }
    case '"': return valid_string(v);
    case 't': return valid_word(v, "true");
    case 'f': return valid_word(v, "false");
    case 'n': return valid_word(v, "null");
    default: return valid_number(v);
  }
}

/* One JSON value and white space, without a BOM. */
static inline bool valid_json(const char *text, size_t n, bool marks) {
  struct valid v = {.at = text, .end = text + n, .marks = marks};
  if (!valid_value(&v)) return false;
  valid_space(&v);
  return v.at == v.end;
}

/* A string as bytes with its marks where they stand. */
static inline void log_string(const struct mm_json_reader *r, char tag, struct mm_buf *log) {
  fuzz_note(log, tag, r->bytes, r->n);
  for (size_t i = 0; i < r->marks; i++)
    fuzz_note(log, 'm', &r->mark[i], sizeof r->mark[i]);
}

static inline double log_number(const struct mm_json_reader *r, enum mm_json_token token) {
  return token == MM_JSON_INTEGER ? (double)r->integer : r->number;
}

static inline void log_token(const struct mm_json_reader *r, enum mm_json_token token,
                             struct mm_buf *log) {
  double number = 0;
  switch (token) {
    case MM_JSON_KEY: log_string(r, 'k', log); break;
    case MM_JSON_STRING: log_string(r, 's', log); break;
    case MM_JSON_INTEGER:
    case MM_JSON_NUMBER:
      number = log_number(r, token);
      fuzz_note(log, 'n', &number, sizeof number);
      break;
    default: fuzz_note(log, (char)('A' + token), NULL, 0); break;
  }
}

/* Log the tokens of a text. Returns the reader's status at the end. */
static inline int log_json(const char *text, size_t n, bool marks, struct mm_buf *log) {
  struct mm_json_reader r;
  char *copy = fuzz_copy(text, n);
  mm_json_reader_init(&r, copy, n);
  r.marks_allowed = marks;
  enum mm_json_token token = MM_JSON_NULL;
  int rc;
  do {
    rc = mm_json_next(&r, &token, NULL);
    if (rc == MM_OK) log_token(&r, token, log);
  } while (rc == MM_OK && token != MM_JSON_END);
  mm_json_reader_free(&r);
  free(copy);
  return rc;
}

#endif
