/* backoff.c - how long to wait before the next attempt.   SPDX-License-Identifier: MIT */
#include "backoff.h"

/* Doubling by hand needs no libm, and ends at the cap. */
static double grown(const struct mm_backoff *rules, unsigned attempt) {
  double seconds = rules->base;
  for (unsigned i = 1; i < attempt && seconds > 0 && seconds < rules->cap; i++)
    seconds *= 2;
  return seconds < rules->cap ? seconds : rules->cap;
}

double mm_backoff(const struct mm_backoff *rules, unsigned attempt, double retry_after,
                  double random) {
  if (retry_after >= 0) return retry_after <= rules->max_retry_after ? retry_after : -1;
  return random * grown(rules, attempt);
}
