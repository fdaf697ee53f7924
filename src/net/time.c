/* time.c - the clock that deadlines are told by, and waiting without an engine.
 * Not here: the clocks of exchanges (clock.c).             SPDX-License-Identifier: MIT */
#include "engine.h"

/* A signal's handler in Lua runs between two pauses. */
#define PAUSE_MAX 0.25

double mm_net_now(void) {
  return (double)uv_hrtime() / 1e9;
}

void mm_net_pause(double seconds) {
  if (!(seconds > 0)) return;
  if (seconds > PAUSE_MAX) seconds = PAUSE_MAX;
  uv_sleep((unsigned)(seconds * 1000) + 1);
}
