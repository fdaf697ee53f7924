/* json_write.c - emits JSON text.   SPDX-License-Identifier: MIT */
#include "json_write.h"

#include "json_chars.h"
#include "number.h"
#include "utf8.h"

#include <string.h>

void mm_json_writer_init(struct mm_json_writer *w, struct mm_buf *out) {
  *w = (struct mm_json_writer){.out = out};
}

/* Every call that fails takes back what it wrote. */
static int settle(struct mm_json_writer *w, size_t before, int rc, bool comma) {
  if (rc == MM_OK) {
    w->comma = comma;
  } else {
    w->out->len = before;
  }
  return rc;
}

static int separate(struct mm_json_writer *w) {
  return w->comma ? mm_buf_byte(w->out, ',') : MM_OK;
}

int mm_json_begin(struct mm_json_writer *w, char bracket) {
  if (w->depth >= MM_JSON_DEPTH) return MM_EDEPTH;
  size_t before = w->out->len;
  int rc = separate(w);
  if (rc == MM_OK) rc = mm_buf_byte(w->out, bracket);
  if (rc == MM_OK) w->depth++;
  return settle(w, before, rc, false);
}

int mm_json_end(struct mm_json_writer *w, char bracket) {
  int rc = mm_buf_byte(w->out, bracket);
  if (rc != MM_OK) return rc;
  w->depth--;
  w->comma = true;
  return MM_OK;
}

/* Text that needs no escape and no look at its UTF-8: nearly all of it. False when it is another
 * kind, and nothing was written. */
static bool plain_quoted(struct mm_json_writer *w, const char *text, size_t n, bool key) {
  bool high = false;
  if (n > SIZE_MAX - 4 || mm_json_plain(text, 0, n, &high) != n || high) return false;
  if (mm_buf_reserve(w->out, n + 4) != MM_OK) return false;
  char *at = w->out->data + w->out->len;
  if (w->comma) *at++ = ',';
  *at++ = '"';
  if (n) memcpy(at, text, n);
  at += n;
  *at++ = '"';
  if (key) *at++ = ':';
  w->out->len = (size_t)(at - w->out->data);
  w->comma = !key;
  return true;
}

static int quoted(struct mm_json_writer *w, const char *text, size_t n, bool key) {
  if (plain_quoted(w, text, n, key)) return MM_OK;
  size_t before = w->out->len;
  int rc = separate(w);
  if (rc == MM_OK) rc = mm_buf_byte(w->out, '"');
  if (rc == MM_OK) rc = mm_json_escape(w->out, text, n);
  if (rc == MM_OK) rc = mm_buf_byte(w->out, '"');
  if (rc == MM_OK && key) rc = mm_buf_byte(w->out, ':');
  return settle(w, before, rc, !key);
}

int mm_json_key(struct mm_json_writer *w, const char *text, size_t n) {
  return quoted(w, text, n, true);
}

int mm_json_string(struct mm_json_writer *w, const char *text, size_t n) {
  return quoted(w, text, n, false);
}

int mm_json_verbatim(struct mm_json_writer *w, const char *text, size_t n) {
  size_t before = w->out->len;
  int rc = separate(w);
  if (rc == MM_OK) rc = mm_buf_append(w->out, text, n);
  return settle(w, before, rc, true);
}

int mm_json_integer(struct mm_json_writer *w, int64_t value) {
  char digits[24];
  char *end = digits + sizeof digits;
  char *at = end;
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    *--at = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (value < 0) *--at = '-';
  return mm_json_verbatim(w, at, (size_t)(end - at));
}

int mm_json_number(struct mm_json_writer *w, double value) {
  char text[MM_NUMBER_TEXT];
  size_t n = mm_number_write(value, text);
  return n ? mm_json_verbatim(w, text, n) : MM_EINVAL;
}

static int escape_char(struct mm_buf *out, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  static const char names[] = "btn\0fr"; /* of 0x08 to 0x0d; 0x0b has none */
  if (c == '"' || c == '\\') return mm_buf_append(out, (char[]){'\\', (char)c}, 2);
  if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
    return mm_buf_append(out, (char[]){'\\', names[c - 0x08]}, 2);
  }
  return mm_buf_append(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

static int escape_runs(struct mm_buf *out, const char *text, size_t n) {
  bool high = false;
  size_t at = 0;
  for (;;) {
    size_t stop = mm_json_plain(text, at, n, &high);
    int rc = mm_buf_append(out, text + at, stop - at);
    if (rc != MM_OK || stop == n) return rc;
    rc = escape_char(out, (unsigned char)text[stop]);
    if (rc != MM_OK) return rc;
    at = stop + 1;
  }
}

int mm_json_escape(struct mm_buf *out, const char *text, size_t n) {
  size_t before = out->len;
  if (mm_utf8_valid(text, n) != n) return MM_EUTF8;
  int rc = escape_runs(out, text, n);
  if (rc != MM_OK) out->len = before;
  return rc;
}
