/* json_escape.c - escapes of JSON strings undone.   SPDX-License-Identifier: MIT */
#include "json_escape.h"

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* Four hex digits, or -1. Stops at the first other character, at the latest the closing quote. */
static int32_t code_unit(const char *hex) {
  int32_t unit = 0;
  for (int i = 0; i < 4; i++) {
    int digit = hex_value(hex[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

static char *put_utf8(char *out, uint32_t c) {
  if (c < 0x80) {
    *out++ = (char)c;
    return out;
  }
  if (c < 0x800) {
    *out++ = (char)(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) {
      *out++ = (char)(0xE0 | c >> 12);
    } else {
      *out++ = (char)(0xF0 | c >> 18);
      *out++ = (char)(0x80 | (c >> 12 & 0x3F));
    }
    *out++ = (char)(0x80 | (c >> 6 & 0x3F));
  }
  *out++ = (char)(0x80 | (c & 0x3F));
  return out;
}

/* At the backslash of \uXXXX; takes a second escape where the two are a surrogate pair. */
static char *unescape_unit(const char **s, char *out, enum mm_json_halves halves) {
  int32_t unit = code_unit(*s + 2);
  if (unit < 0) return NULL;
  *s += 6;
  if (unit < 0xD800 || unit > 0xDFFF) return put_utf8(out, (uint32_t)unit);
  if (unit < 0xDC00 && (*s)[0] == '\\' && (*s)[1] == 'u') {
    int32_t low = code_unit(*s + 2);
    if (low >= 0xDC00 && low <= 0xDFFF) {
      *s += 6;
      return put_utf8(out, 0x10000u + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00));
    }
  }
  if (halves == MM_HALVES_REFUSED) return NULL;
  return put_utf8(out, halves == MM_HALVES_KEPT ? (uint32_t)unit : 0xFFFD);
}

char *mm_json_unescape(const char **s, char *out, enum mm_json_halves halves) {
  char c = (*s)[1];
  switch (c) {
    case 'u': return unescape_unit(s, out, halves);
    case '"':
    case '\\':
    case '/': break;
    case 'b': c = '\b'; break;
    case 'f': c = '\f'; break;
    case 'n': c = '\n'; break;
    case 'r': c = '\r'; break;
    case 't': c = '\t'; break;
    default: return NULL;
  }
  *s += 2;
  *out++ = c;
  return out;
}
