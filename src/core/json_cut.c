/* json_cut.c - where a JSON value ends.   SPDX-License-Identifier: MIT */
#include "json_cut.h"

#include <string.h>

/* Behind the quote that ends the string, or n. */
static size_t string_end(struct mm_json_cut *c, const char *text, size_t n) {
  size_t from = c->escape ? 1 : 0;
  c->escape = false;
  while (from < n) {
    const char *quote = memchr(text + from, '"', n - from);
    size_t at = quote ? (size_t)(quote - text) : n;
    size_t slashes = 0;
    while (at - slashes > from && text[at - slashes - 1] == '\\')
      slashes++;
    c->escape = slashes % 2;
    if (!quote) return n;
    from = at + 1;
    if (!c->escape) {
      c->string = false;
      return from;
    }
    c->escape = false;
  }
  return n;
}

static bool delimits(char c) {
  return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static size_t bare_end(const char *text, size_t n, bool *whole) {
  size_t i = 0;
  while (i < n && !delimits(text[i]))
    i++;
  *whole = i < n;
  return i;
}

static void begin(struct mm_json_cut *c, char first) {
  c->begun = true;
  c->bare = first != '{' && first != '[' && first != '"';
}

size_t mm_json_cut(struct mm_json_cut *c, const char *text, size_t n, bool *whole) {
  *whole = false;
  if (!c->begun) begin(c, text[0]);
  if (c->bare) return bare_end(text, n, whole);
  size_t i = 0;
  while (i < n && !*whole) {
    if (c->string) {
      i += string_end(c, text + i, n - i);
    } else {
      char byte = text[i++];
      if (byte == '"') c->string = true;
      if (byte == '{' || byte == '[') c->depth++;
      if ((byte == '}' || byte == ']') && c->depth) c->depth--;
      if (byte == '"') continue;
    }
    *whole = c->depth == 0 && !c->string;
  }
  return i;
}
