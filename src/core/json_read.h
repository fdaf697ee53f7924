/* json_read.h - strict JSON reader over complete text (RFC 8259), a token at a time.
 * In: text, with media marks where lift put them. Out: tokens.
 * Not here: Lua values, incomplete text (json_scan).       SPDX-License-Identifier: MIT */
#ifndef MM_CORE_JSON_READ_H
#define MM_CORE_JSON_READ_H

#include "buf.h"
#include "json_write.h" /* MM_JSON_DEPTH */

MM_HIDDEN_BEGIN

enum mm_json_token {
  MM_JSON_END,    /* the text is used up, and was one value */
  MM_JSON_OBJECT, /* { */
  MM_JSON_OBJECT_END,
  MM_JSON_ARRAY, /* [ */
  MM_JSON_ARRAY_END,
  MM_JSON_KEY,     /* bytes, n */
  MM_JSON_STRING,  /* bytes, n; `marks` counts the media marks in it */
  MM_JSON_INTEGER, /* integer; also bytes, n as written */
  MM_JSON_NUMBER,  /* number; `exact` false: a double cannot hold it; bytes, n as written */
  MM_JSON_TRUE,
  MM_JSON_FALSE,
  MM_JSON_NULL
};

struct mm_json_reader {
  const char *text; /* borrowed */
  size_t len;
  size_t at; /* offset of the next byte */
  unsigned depth;
  unsigned max_depth;
  bool marks_allowed; /* a raw 0x01 in a string is a mark; otherwise it is malformed */
  unsigned char kind[MM_JSON_DEPTH / 8]; /* one bit a level: object or array */
  unsigned char state;                   /* private */
  struct mm_buf scratch;                 /* private: an unescaped string */

  /* of the last token */
  const char *bytes; /* borrowed until the next call; lone surrogates are U+FFFD */
  size_t n;
  size_t marks;
  int64_t integer;
  double number;
  bool exact;
};

/* Begin reading n bytes at text, which stay where they are until mm_json_reader_free. A leading BOM
 * is skipped. Invalid UTF-8 is MM_EUTF8. */
void mm_json_reader_init(struct mm_json_reader *r, const char *text, size_t n);
void mm_json_reader_free(struct mm_json_reader *r);

/* The next token. Returns MM_OK, MM_ESYNTAX, MM_EUTF8, MM_EDEPTH, MM_ENOMEM, with *err saying what
 * and where (err->at). */
MM_NODISCARD int mm_json_next(struct mm_json_reader *r, enum mm_json_token *token,
                              struct mm_error *err);

/* Take the next media mark at or after offset `from` of the last string token: its index (from 1)
 * in *index, and where it stands (first byte, byte after it). False when there is none. In `bytes`
 * a mark is 0x01 index 0x01; a 0x01 that the sender escaped is told apart by `marks` being counted
 * while unescaping: see json_read.c. */
bool mm_json_mark(const struct mm_json_reader *r, size_t from, size_t *index, size_t *begin,
                  size_t *end);

MM_HIDDEN_END

#endif
