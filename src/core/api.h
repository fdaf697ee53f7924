/* api.h - what multimodal.net uses of multimodal.core: the two libraries share no symbol.
 * In: nothing. Out: a table of functions, left in the Lua registry under MM_CORE_API_KEY as a light
 * userdata; the user of it compares abi and sizes before the first call.
 * Not here: the functions.                                 SPDX-License-Identifier: MIT */
#ifndef MM_CORE_API_H
#define MM_CORE_API_H

#include "body.h"
#include "decoder.h"

#define MM_CORE_API_KEY "multimodal.core.api"
#define MM_CORE_ABI 2u

struct mm_core_api {
  uint32_t abi;        /* MM_CORE_ABI */
  uint32_t size;       /* sizeof(struct mm_core_api) */
  uint32_t error_size; /* sizeof(struct mm_error) */
  uint32_t event_size; /* sizeof(struct mm_event) */

  void *(*alloc)(void *old, size_t n);
  const char *(*status_text)(int code);

  struct mm_body *(*body_ref)(struct mm_body *);
  void (*body_unref)(struct mm_body *);
  uint64_t (*body_length)(const struct mm_body *);
  int (*body_open)(struct mm_body *, struct mm_body_reader **);
  int (*body_read)(struct mm_body_reader *, uint64_t offset, void *out, size_t n, size_t *got,
                   struct mm_error *err);
  void (*body_close)(struct mm_body_reader *);

  struct mm_decoder *(*decoder_ref)(struct mm_decoder *);
  void (*decoder_unref)(struct mm_decoder *);
  enum mm_format (*decoder_head)(struct mm_decoder *, int status, const char *content_type);
  int (*decoder_feed)(struct mm_decoder *, const void *bytes, size_t n);
  int (*decoder_finish)(struct mm_decoder *);
  int (*decoder_next)(struct mm_decoder *, struct mm_event *event);
  void (*decoder_pop)(struct mm_decoder *);
  int (*decoder_text)(struct mm_decoder *, const char **text, size_t *n);
  size_t (*decoder_ready)(const struct mm_decoder *);
  uint64_t (*decoder_seen)(const struct mm_decoder *);
  bool (*decoder_begun)(const struct mm_decoder *);
  const struct mm_error *(*decoder_error)(const struct mm_decoder *);
};

#endif
