/* mime.h - media types from magic bytes and from file names.
 * In: the first bytes, or a path. Out: a lower-case media type.
 * Not here: reading files.                                 SPDX-License-Identifier: MIT */
#ifndef MM_CORE_MIME_H
#define MM_CORE_MIME_H

#include "err.h"

MM_HIDDEN_BEGIN

enum { MM_MIME_SNIFF = 64 }; /* bytes that mm_mime_sniff looks at, at the most */

/* The media type of bytes by their signature. Returns borrowed, static; NULL when unknown, also for
 * a ZIP or OLE file that may be one of many office formats, which its name tells. */
const char *mm_mime_sniff(const void *bytes, size_t n);

/* The media type of a path by its extension, without regard to case. As above. */
const char *mm_mime_from_path(const char *path);

/* The media type of a file from both: its bytes decide, unless its name says something that a
 * container of this kind may well be, such as .m4a for an MP4 file without video. `path` may be
 * NULL. As above. */
const char *mm_mime_of_file(const char *path, const void *bytes, size_t n);

/* The usual name of a type written in another way: "image/jpg" -> "image/jpeg", lower case,
 * parameters and white space around cut off. Writes at most `size` bytes with NUL; false when it
 * does not fit or the text is no type/subtype. */
bool mm_mime_normalise(const char *type, size_t n, char *out, size_t size);

MM_HIDDEN_END

#endif
