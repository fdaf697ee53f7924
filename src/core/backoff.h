/* backoff.h - how long to wait before the next attempt; no clock, no random source.
 * In: the attempt, the server's wish, a random number. Out: seconds, or "do not".
 * Not here: what is retried.                               SPDX-License-Identifier: MIT */
#ifndef MM_CORE_BACKOFF_H
#define MM_CORE_BACKOFF_H

#include "err.h"

MM_HIDDEN_BEGIN

struct mm_backoff {
  double base;            /* seconds before the second attempt, at most (0.5) */
  double cap;             /* seconds, the ceiling of the growth (8) */
  double max_retry_after; /* seconds a server may ask for (60) */
};

/* attempt counts from 1; retry_after < 0 or NaN: the server named none; random in [0, 1].
 * Returns seconds: retry_after, or random x min(cap, base x 2^(attempt-1)); negative: do not wait.
 */
double mm_backoff(const struct mm_backoff *rules, unsigned attempt, double retry_after,
                  double random);

MM_HIDDEN_END

#endif
