/* json_scan.c - follows JSON that is still growing.   SPDX-License-Identifier: MIT */
#include "json_scan.h"

#include <string.h>

enum state {
  VALUE,          /* before a value */
  FIRST_ITEM,     /* after [: a value or ] */
  FIRST_KEY,      /* after {: a key or } */
  NEXT_KEY,       /* after the comma of an object */
  COLON,          /* after a key */
  AFTER,          /* after a value: a comma, a bracket, or the end */
  STRING,         /* in a string or key */
  ESCAPE,         /* after its backslash */
  HEX,            /* in the digits of \u */
  UTF8,           /* in a character of several bytes */
  LITERAL,        /* in true, false or null */
  MINUS,          /* numbers: after the sign, */
  ZERO,           /* after a leading zero, */
  INTEGER,        /* in the integer digits, */
  POINT,          /* after the point, */
  FRACTION,       /* in the digits after it, */
  EXPONENT,       /* after e, */
  EXPONENT_SIGN,  /* after its sign, */
  EXPONENT_DIGITS /* in its digits */
};

struct mm_json_scan {
  struct mm_buf text;
  size_t cut;                            /* bytes of text that can be closed */
  unsigned depth;                        /* open objects and arrays, at cut as well as at the end */
  unsigned char kind[MM_JSON_DEPTH / 8]; /* one bit a level: 1 object, 0 array */
  unsigned char state;
  bool key;             /* the string is a key */
  bool failed;          /* for good */
  bool high;            /* a high surrogate waits for its low one */
  unsigned char digits; /* of \u so far */
  unsigned code;        /* their value */
  const char *literal;  /* what is left of it */
  unsigned char low;    /* UTF8: range of the next byte */
  unsigned char top;
  unsigned char left; /* UTF8: bytes to come */
  struct mm_error error;
};

int mm_json_scan_new(size_t max, struct mm_json_scan **out) {
  struct mm_json_scan *s = mm_alloc(NULL, sizeof *s);
  if (!s) return MM_ENOMEM;
  *s = (struct mm_json_scan){.state = VALUE};
  mm_buf_init(&s->text, max);
  mm_live_add(1);
  *out = s;
  return MM_OK;
}

void mm_json_scan_free(struct mm_json_scan *s) {
  if (!s) return;
  mm_buf_free(&s->text);
  mm_alloc(s, 0);
  mm_live_add(-1);
}

static bool in_object(const struct mm_json_scan *s) {
  unsigned level = s->depth - 1;
  return s->depth && (s->kind[level / 8] >> level % 8 & 1);
}

static bool is_space(unsigned char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}

static bool is_number(unsigned state) {
  return state == ZERO || state == INTEGER || state == FRACTION || state == EXPONENT_DIGITS;
}

/* Each step below looks at one byte, at offset `at`, and returns a status. Where the text up to and
 * with that byte can be closed, it moves the cut. */

static int open_bracket(struct mm_json_scan *s, bool object, size_t at) {
  if (s->depth == MM_JSON_DEPTH) return MM_EDEPTH;
  unsigned char bit = (unsigned char)(1u << s->depth % 8);
  unsigned char *kind = &s->kind[s->depth / 8];
  *kind = (unsigned char)(object ? *kind | bit : *kind & ~bit);
  s->depth++;
  s->state = object ? FIRST_KEY : FIRST_ITEM;
  s->cut = at + 1;
  return MM_OK;
}

static int close_bracket(struct mm_json_scan *s, bool object, size_t at) {
  if (s->depth == 0 || in_object(s) != object) return MM_ESYNTAX;
  s->depth--;
  s->state = AFTER;
  s->cut = at + 1;
  return MM_OK;
}

static int begin_string(struct mm_json_scan *s, bool key, size_t at) {
  s->state = STRING;
  s->key = key;
  s->high = false;
  if (!key) s->cut = at + 1;
  return MM_OK;
}

static int begin_literal(struct mm_json_scan *s, const char *rest) {
  s->state = LITERAL;
  s->literal = rest;
  return MM_OK;
}

static int begin_number(struct mm_json_scan *s, unsigned char c, size_t at) {
  if (c != '-' && !is_digit(c)) return MM_ESYNTAX;
  s->state = c == '-' ? MINUS : c == '0' ? ZERO : INTEGER;
  if (c != '-') s->cut = at + 1;
  return MM_OK;
}

static int begin_value(struct mm_json_scan *s, unsigned char c, size_t at) {
  switch (c) {
    case '{': return open_bracket(s, true, at);
    case '[': return open_bracket(s, false, at);
    case '"': return begin_string(s, false, at);
    case 't': return begin_literal(s, "rue");
    case 'f': return begin_literal(s, "alse");
    case 'n': return begin_literal(s, "ull");
    default: return begin_number(s, c, at);
  }
}

static int after_value(struct mm_json_scan *s, unsigned char c, size_t at) {
  if (c == ',' && s->depth) {
    s->state = in_object(s) ? NEXT_KEY : VALUE;
    return MM_OK;
  }
  if (c == ']' || c == '}') return close_bracket(s, c == '}', at);
  return MM_ESYNTAX;
}

static int between(struct mm_json_scan *s, unsigned char c, size_t at) {
  if (is_space(c)) return MM_OK;
  switch ((enum state)s->state) {
    case VALUE: return begin_value(s, c, at);
    case FIRST_ITEM: return c == ']' ? close_bracket(s, false, at) : begin_value(s, c, at);
    case FIRST_KEY:
      if (c == '}') return close_bracket(s, true, at);
      return c == '"' ? begin_string(s, true, at) : MM_ESYNTAX;
    case NEXT_KEY: return c == '"' ? begin_string(s, true, at) : MM_ESYNTAX;
    case COLON: s->state = VALUE; return c == ':' ? MM_OK : MM_ESYNTAX;
    default: return after_value(s, c, at);
  }
}

/* A whole character of a string ended before offset `end`. */
static void whole_character(struct mm_json_scan *s, size_t end) {
  s->state = STRING;
  s->high = false;
  if (!s->key) s->cut = end;
}

static int end_string(struct mm_json_scan *s, size_t at) {
  s->state = s->key ? COLON : AFTER;
  if (!s->key) s->cut = at + 1;
  return MM_OK;
}

/* The first byte of a character of several; the ranges keep out overlong forms, surrogates and
 * what is past U+10FFFF. */
static int begin_utf8(struct mm_json_scan *s, unsigned char c) {
  if (c < 0xC2 || c > 0xF4) return MM_EUTF8;
  s->state = UTF8;
  s->left = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
  s->low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
  s->top = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
  return MM_OK;
}

static int in_utf8(struct mm_json_scan *s, unsigned char c, size_t at) {
  if (c < s->low || c > s->top) return MM_EUTF8;
  s->low = 0x80;
  s->top = 0xBF;
  if (--s->left == 0) whole_character(s, at + 1);
  return MM_OK;
}

static int in_string(struct mm_json_scan *s, unsigned char c, size_t at) {
  if (c == '"') return end_string(s, at);
  if (c == '\\') {
    s->state = ESCAPE;
    return MM_OK;
  }
  if (c < 0x20) return MM_ESYNTAX;
  if (c >= 0x80) return begin_utf8(s, c);
  whole_character(s, at + 1);
  return MM_OK;
}

static int in_escape(struct mm_json_scan *s, unsigned char c, size_t at) {
  if (c == 'u') {
    s->state = HEX;
    s->digits = 0;
    s->code = 0;
    return MM_OK;
  }
  if (c == 0 || !strchr("\"\\/bfnrt", c)) return MM_ESYNTAX;
  whole_character(s, at + 1);
  return MM_OK;
}

/* A high surrogate is no whole character while a low one may follow; one that stands alone becomes
 * U+FFFD for the reader, whatever follows. */
static void whole_unit(struct mm_json_scan *s, size_t at) {
  bool high = s->code >= 0xD800 && s->code <= 0xDBFF;
  if (!high) {
    whole_character(s, at + 1);
    return;
  }
  s->state = STRING;
  if (s->high && !s->key) s->cut = at - 5;
  s->high = true;
}

static int in_hex(struct mm_json_scan *s, unsigned char c, size_t at) {
  unsigned char letter = (unsigned char)(c | 0x20);
  if (!is_digit(c) && (letter < 'a' || letter > 'f')) return MM_ESYNTAX;
  s->code = s->code * 16 + (unsigned)(is_digit(c) ? c - '0' : letter - 'a' + 10);
  if (++s->digits == 4) whole_unit(s, at);
  return MM_OK;
}

static int in_literal(struct mm_json_scan *s, unsigned char c, size_t at) {
  if (c != (unsigned char)*s->literal) return MM_ESYNTAX;
  if (*++s->literal) return MM_OK;
  s->state = AFTER;
  s->cut = at + 1;
  return MM_OK;
}

/* The state after c in a number; VALUE when c does not belong to it. */
static enum state number_step(unsigned state, unsigned char c) {
  bool digit = is_digit(c);
  bool e = c == 'e' || c == 'E';
  switch (state) {
    case MINUS: return c == '0' ? ZERO : digit ? INTEGER : VALUE;
    case ZERO: return c == '.' ? POINT : e ? EXPONENT : VALUE;
    case INTEGER: return digit ? INTEGER : c == '.' ? POINT : e ? EXPONENT : VALUE;
    case POINT: return digit ? FRACTION : VALUE;
    case FRACTION: return digit ? FRACTION : e ? EXPONENT : VALUE;
    case EXPONENT: return c == '+' || c == '-' ? EXPONENT_SIGN : digit ? EXPONENT_DIGITS : VALUE;
    default: return digit ? EXPONENT_DIGITS : VALUE;
  }
}

static int in_number(struct mm_json_scan *s, unsigned char c, size_t at) {
  enum state next = number_step(s->state, c);
  if (next == VALUE) {
    if (!is_number(s->state)) return MM_ESYNTAX;
    s->state = AFTER;
    return between(s, c, at);
  }
  s->state = (unsigned char)next;
  if (is_number(next)) s->cut = at + 1;
  return MM_OK;
}

static int step(struct mm_json_scan *s, unsigned char c, size_t at) {
  switch ((enum state)s->state) {
    case STRING: return in_string(s, c, at);
    case ESCAPE: return in_escape(s, c, at);
    case HEX: return in_hex(s, c, at);
    case UTF8: return in_utf8(s, c, at);
    case LITERAL: return in_literal(s, c, at);
    case MINUS:
    case ZERO:
    case INTEGER:
    case POINT:
    case FRACTION:
    case EXPONENT:
    case EXPONENT_SIGN:
    case EXPONENT_DIGITS: return in_number(s, c, at);
    default: return between(s, c, at);
  }
}

/* Plain characters from offset `at` on, most of any text: returns the offset of the first other. */
static size_t skip_plain(struct mm_json_scan *s, size_t at) {
  const char *text = s->text.data;
  size_t i = at;
  for (; i < s->text.len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') break;
  }
  if (i > at) whole_character(s, i);
  return i;
}

static int fail(struct mm_json_scan *s, int rc, size_t at) {
  s->text.len = at;
  s->failed = true;
  if (rc == MM_EDEPTH) mm_fail(&s->error, rc, "nested deeper than %d levels", MM_JSON_DEPTH);
  if (rc == MM_EUTF8) mm_fail(&s->error, rc, "invalid UTF-8 at byte %zu", at);
  if (rc == MM_ESYNTAX) mm_fail(&s->error, rc, "malformed JSON at byte %zu", at);
  s->error.at = at;
  return rc;
}

static int follow(struct mm_json_scan *s, size_t at) {
  while (at < s->text.len) {
    if (s->state == STRING) at = skip_plain(s, at);
    if (at == s->text.len) break;
    int rc = step(s, (unsigned char)s->text.data[at], at);
    if (rc != MM_OK) return fail(s, rc, at);
    at++;
  }
  return MM_OK;
}

int mm_json_scan_feed(struct mm_json_scan *s, const char *bytes, size_t n, struct mm_error *err) {
  int rc = s->failed ? s->error.code : mm_buf_append(&s->text, bytes, n);
  if (rc == MM_OK) rc = follow(s, s->text.len - n);
  if (rc != MM_OK && s->failed && err) *err = s->error;
  if (rc == MM_ETOOBIG) mm_fail(err, rc, "JSON over %zu bytes", s->text.max);
  if (rc == MM_ENOMEM) mm_fail(err, rc, "%s", mm_status_text(rc));
  return rc;
}

bool mm_json_scan_complete(const struct mm_json_scan *s) {
  return !s->failed && s->depth == 0 && (s->state == AFTER || is_number(s->state));
}

static bool string_is_open(const struct mm_json_scan *s) {
  bool string = s->state == STRING || s->state == ESCAPE || s->state == HEX || s->state == UTF8;
  return string && !s->key;
}

int mm_json_scan_closed(const struct mm_json_scan *s, struct mm_buf *out) {
  int rc = mm_buf_reserve(out, s->cut + 1 + s->depth);
  if (rc != MM_OK) return rc;
  rc = mm_buf_append(out, s->text.data, s->cut);
  if (rc == MM_OK && string_is_open(s)) rc = mm_buf_byte(out, '"');
  for (unsigned i = s->depth; i > 0 && rc == MM_OK; i--)
    rc = mm_buf_byte(out, s->kind[(i - 1) / 8] >> (i - 1) % 8 & 1 ? '}' : ']');
  return rc;
}
