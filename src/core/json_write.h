/* json_write.h - emits JSON text.
 * In: values one by one. Out: text in a buf.
 * Not here: tables, sorting, media.                        SPDX-License-Identifier: MIT */
#ifndef MM_CORE_JSON_WRITE_H
#define MM_CORE_JSON_WRITE_H

#include "buf.h"

MM_HIDDEN_BEGIN

enum { MM_JSON_DEPTH = 512 }; /* deepest nesting, written or read */

struct mm_json_writer {
  struct mm_buf *out; /* borrowed */
  unsigned depth;     /* open objects and arrays */
  bool comma;         /* the next value needs one before it */
};

/* Begin a value at the end of *out; borrows it for as long as the writer is used. */
void mm_json_writer_init(struct mm_json_writer *w, struct mm_buf *out);

/* All return MM_OK, MM_ENOMEM, MM_ETOOBIG or MM_EDEPTH. A key is followed by one value. */
MM_NODISCARD int mm_json_begin(struct mm_json_writer *w, char bracket);             /* '{' or '[' */
MM_NODISCARD int mm_json_end(struct mm_json_writer *w, char bracket);               /* '}' or ']' */
MM_NODISCARD int mm_json_key(struct mm_json_writer *w, const char *text, size_t n); /* + MM_EUTF8 */
MM_NODISCARD int mm_json_string(struct mm_json_writer *w, const char *text,
                                size_t n); /* + MM_EUTF8 */
MM_NODISCARD int mm_json_integer(struct mm_json_writer *w, int64_t value);
/* Shortest digits that read back equal, whatever the locale; MM_EINVAL for NaN and infinities. */
MM_NODISCARD int mm_json_number(struct mm_json_writer *w, double value);
/* Verbatim text: "null", "true", a checked raw value, or a quote that opens a media string. */
MM_NODISCARD int mm_json_verbatim(struct mm_json_writer *w, const char *text, size_t n);

/* Append text escaped but without the quotes; "/" stays as it is. + MM_EUTF8 */
MM_NODISCARD int mm_json_escape(struct mm_buf *out, const char *text, size_t n);

MM_HIDDEN_END

#endif
