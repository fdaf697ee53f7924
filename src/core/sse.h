/* sse.h - server-sent events (WHATWG), sans-IO.
 * In: bytes in any split. Out: pieces of fields, and the blank lines that end events.
 * Not here: JSON, UTF-8 repair, HTTP, timers; it keeps no line.   SPDX-License-Identifier: MIT */
#ifndef MM_CORE_SSE_H
#define MM_CORE_SSE_H

#include "buf.h"

MM_HIDDEN_BEGIN

enum mm_sse_what {
  MM_SSE_DATA,    /* bytes, n: the next bytes of the data of this event; lines joined by LF. A first
                     data line without a value is a piece of 0 bytes */
  MM_SSE_EVENT,   /* the name is whole: bytes, n; replaces an earlier one of this block */
  MM_SSE_ID,      /* the id is whole: bytes, n (never one with a NUL); holds until the next one */
  MM_SSE_RETRY,   /* retry_ms */
  MM_SSE_COMMENT, /* a comment line ended; its text is not kept */
  MM_SSE_STRAY,   /* bytes, n: a line that is no SSE field of ours begins thus (see `strays`) */
  MM_SSE_DISPATCH, /* a blank line ended a block that had data */
  MM_SSE_RESET     /* a blank line ended a block of other fields: its event name is forgotten */
};

struct mm_sse_piece {
  enum mm_sse_what what;
  const char *bytes; /* borrowed from the fed bytes or from the parser, until the next call */
  size_t n;
  uint64_t retry_ms;
};

struct mm_sse {
  struct mm_buf field;             /* private: an event name or id that came in fragments */
  uint64_t number;                 /* private: the digits of a retry so far */
  unsigned char state, bom, flags; /* private */
  unsigned char name, matched;     /* private: the field name begun, and bytes of it seen */
  bool wide;                       /* private: the machine has AVX2 */
  bool strays; /* report lines whose field name is unknown, byte for byte until their line end;
                  the line end itself is a stray piece "\n". Otherwise they are skipped. */
};

void mm_sse_init(struct mm_sse *s); /* event names and ids are bounded at 4096 bytes: MM_ETOOBIG */
void mm_sse_free(struct mm_sse *s);

/* Take bytes from *bytes (moved on, *n reduced) up to the next piece. Returns MM_OK with a piece,
 * MM_MORE when all bytes are used up, MM_ETOOBIG (sticky), MM_ENOMEM (nothing is lost: call again
 * with what is left). Linear; a line of any length passes through in pieces of the size it was fed.
 * No piece is held back: with *n at 0 there is none to come, so the call that returns MM_MORE can
 * be spared. A block is open from its first DATA, EVENT, ID or RETRY to DISPATCH or RESET. */
MM_NODISCARD int mm_sse_next(struct mm_sse *s, const char **bytes, size_t *n,
                             struct mm_sse_piece *piece);

/* True in the middle of a block or line: what EOF would discard. */
bool mm_sse_open(const struct mm_sse *s);

MM_HIDDEN_END

#endif
