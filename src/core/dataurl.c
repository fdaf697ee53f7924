/* dataurl.c - data: URLs, split and decoded.   SPDX-License-Identifier: MIT */
#include "dataurl.h"
#include "base64.h"
#include "mime.h"

#include <string.h>

enum { SCHEME = 5 }; /* bytes of "data:" */

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same(const char *text, const char *word, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (lower(text[i]) != word[i]) return false;
  return true;
}

/* Whether one of the parameters, each `;name=value` or `;base64`, is the latter. */
static bool has_base64(const char *text, size_t n) {
  for (size_t from = 0; from < n;) {
    size_t to = from + 1;
    while (to < n && text[to] != ';')
      to++;
    size_t first = from + 1, last = to;
    while (first < last && text[first] == ' ')
      first++;
    while (first < last && text[last - 1] == ' ')
      last--;
    if (last - first == 6 && same(text + first, "base64", 6)) return true;
    from = to;
  }
  return false;
}

/* `text` is what stands between the scheme and the comma. */
static int split(const char *text, size_t n, struct mm_dataurl *out) {
  static const char usual[] = "text/plain";
  const char *params = memchr(text, ';', n);
  size_t type_n = params ? (size_t)(params - text) : n;
  out->base64 = has_base64(text + type_n, n - type_n);
  const char *type = type_n ? text : usual;
  size_t length = type_n ? type_n : sizeof usual - 1;
  return mm_mime_normalise(type, length, out->mime, sizeof out->mime) ? MM_OK : MM_ESYNTAX;
}

int mm_dataurl_head(const char *text, size_t n, struct mm_dataurl *out) {
  if (!same(text, "data:", n < SCHEME ? n : SCHEME)) return MM_ESYNTAX;
  for (size_t i = SCHEME; i < n && i < MM_DATAURL_HEAD; i++) {
    if (text[i] == ',') {
      out->payload = i + 1;
      return split(text + SCHEME, i - SCHEME, out);
    }
    if (text[i] < ' ' || text[i] > '~') return MM_ESYNTAX;
  }
  return n < MM_DATAURL_HEAD ? MM_MORE : MM_ESYNTAX;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A `%` that no two digits follow stands for itself, as in browsers. `out` has room for n bytes.
 * Returns the bytes written. */
static size_t percent_decode(const char *text, size_t n, char *out) {
  size_t len = 0;
  for (size_t i = 0; i < n; i++) {
    int high = text[i] == '%' && n - i > 2 ? hex_digit(text[i + 1]) : -1;
    int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    out[len++] = low >= 0 ? (char)(high * 16 + low) : text[i];
    if (low >= 0) i += 2;
  }
  return len;
}

static bool has_escapes(const char *text, size_t n) {
  return n > 0 && memchr(text, '%', n) != NULL;
}

/* Escapes in base64 are rare (%2B, %3D); only then the text is copied before it is decoded. */
static int decode_base64(const char *text, size_t n, size_t offset, char *out, size_t *out_n,
                         struct mm_error *err) {
  bool escaped = has_escapes(text, n);
  if (escaped) n = percent_decode(text, n, out);
  struct mm_error inner = {0};
  if (mm_base64_decode(escaped ? out : text, n, out, out_n, &inner) == MM_OK) return MM_OK;
  uint64_t at = escaped ? offset : offset + inner.at;
  mm_fail(err, MM_ESYNTAX, "data URL: broken base64 at byte %llu", (unsigned long long)at);
  if (err) err->at = at;
  return MM_ESYNTAX;
}

int mm_dataurl_decode(const char *text, size_t n, const struct mm_dataurl *head, struct mm_buf *out,
                      struct mm_error *err) {
  const char *payload = text + head->payload;
  size_t payload_n = n - head->payload, len = 0;
  bool smaller = head->base64 && !has_escapes(payload, payload_n);
  int rc = mm_buf_reserve(out, (smaller ? payload_n / 4 * 3 : payload_n) + 3);
  if (rc != MM_OK) return mm_fail(err, rc, "data URL: %s", mm_status_text(rc));
  char *to = out->data + out->len;
  if (head->base64)
    rc = decode_base64(payload, payload_n, head->payload, to, &len, err);
  else
    len = percent_decode(payload, payload_n, to);
  out->len += len;
  return rc;
}
