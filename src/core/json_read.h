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
  MM_JSON_KEY,     /* bytes, n, marks */
  MM_JSON_STRING,  /* bytes, n, marks */
  MM_JSON_INTEGER, /* integer; also bytes, n as written */
  MM_JSON_NUMBER,  /* number; `exact` false: writing it gives another value; bytes, n as written */
  MM_JSON_TRUE,
  MM_JSON_FALSE,
  MM_JSON_NULL
};

/* A medium that lift took out of a string. The mark is not in `bytes`; only where it stood is. */
struct mm_json_mark {
  size_t at;    /* offset in `bytes` of what followed the mark */
  size_t index; /* of the medium, from 1 */
};

enum { MM_JSON_ROOM = 1024 }; /* a text this long is read without any allocation */

struct mm_json_reader {
  const char *text; /* borrowed */
  size_t len;
  size_t at; /* offset of the next byte */
  unsigned depth;
  unsigned max_depth;
  bool marks_allowed; /* a raw 0x01 in a string begins a mark; otherwise it is malformed */
  bool halves_kept; /* a lone surrogate stays, in three bytes (WTF-8): its other half may follow */

  /* of the last token; borrowed until the next call */
  const char *bytes;               /* lone surrogates are U+FFFD, unless kept */
  size_t n;                        /* bytes */
  const struct mm_json_mark *mark; /* `marks` of them, in order */
  size_t marks;                    /* media that belong into the bytes */
  int64_t integer;
  double number;
  bool exact;

  unsigned char state;                   /* private, as all below */
  unsigned char kind[MM_JSON_DEPTH / 8]; /* one bit a level: object or array */
  struct mm_buf scratch;                 /* an unescaped string that is longer than room */
  struct mm_buf found;                   /* the marks */
  char room[MM_JSON_ROOM];
};

/* Begin reading n bytes at text, which stay where they are until mm_json_reader_free. A leading BOM
 * is skipped. Change max_depth (at most MM_JSON_DEPTH), marks_allowed and halves_kept (false) after
 * it. */
void mm_json_reader_init(struct mm_json_reader *r, const char *text, size_t n);

/* Give the memory back. Needless after a text of at most MM_JSON_ROOM bytes without marks. */
void mm_json_reader_free(struct mm_json_reader *r);

/* The next token; a key comes when its colon has been read. Returns MM_OK, MM_ESYNTAX, MM_EUTF8,
 * MM_EDEPTH, MM_ENOMEM, with *err (may be NULL) saying what and, from 0, where (err->at). After an
 * error the reader is of no more use.
 *
 * In the text a mark is the bytes 0x01, index in decimal, 0x01 (lift.h). A 0x01 that the sender
 * escaped as \u0001 is a character like any other: marks are taken out of the string, so what is
 * left in `bytes` cannot be taken for one. A string that is one medium has n 0 and marks 1. */
MM_NODISCARD int mm_json_next(struct mm_json_reader *r, enum mm_json_token *token,
                              struct mm_error *err);

MM_HIDDEN_END

#endif
