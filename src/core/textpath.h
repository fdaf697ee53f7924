/* textpath.h - tells events that hold nothing but text at one place from all others, quickly.
 * In: whole JSON texts. Out: the text, or "this one says more".
 * Not here: framing, Lua, what the text means.             SPDX-License-Identifier: MIT */
#ifndef MM_CORE_TEXTPATH_H
#define MM_CORE_TEXTPATH_H

#include "buf.h"

MM_HIDDEN_BEGIN

/* Where the text of a delta lives. Steps are keys, or array positions as "0". */
struct mm_text_path {
  const char *const *path; /* steps */
  size_t path_n;
  const char *const *ignore; /* keys that say nothing new, at any level */
  size_t ignore_n;
  const char *const *same; /* keys that say nothing new while they equal the last whole event's */
  size_t same_n;
};

struct mm_textpath;

/* Copies the rules. Returns MM_OK or MM_ENOMEM. */
MM_NODISCARD int mm_textpath_new(const struct mm_text_path *rules, struct mm_textpath **out);
void mm_textpath_free(struct mm_textpath *t); /* NULL is fine */

/* An event was taken whole: its `same` keys are what later ones are compared with. Those that stand
 * in the objects along the path are looked at. */
void mm_textpath_whole(struct mm_textpath *t, const char *type, size_t type_n, const char *json,
                       size_t n);

/* Does this event hold only text? Besides the string at the path it may have, in the objects along
 * the path: ignored keys; nulls; `same` keys equal to the last whole event's; where they are none
 * of these, index 0 and role "assistant" or "". Its type is "message" or that event's. Returns
 * MM_OK with the text, borrowed from json or from t until the next call; MM_EINVAL when the event
 * says more, or is not strict JSON; MM_ENOMEM. */
MM_NODISCARD int mm_textpath_read(struct mm_textpath *t, const char *type, size_t type_n,
                                  const char *json, size_t n, const char **text, size_t *text_n);

MM_HIDDEN_END

#endif
